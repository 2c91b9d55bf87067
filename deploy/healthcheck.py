"""The health check of the container image: asks the service beside it whether it is ready, exits 0 or 1.

Where the ops port is off (the command line, a one-shot task) there is nobody to ask, and that is healthy.
"""

import os
import sys
import urllib.request


def healthy(page: str = "readyz", seconds: float = 4.0) -> bool:
    """Return whether the service of this container answers 200."""
    port = os.environ.get("POSTHASTE_OPS_PORT", "0")
    if port == "0":
        return True
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/{page}", timeout=seconds) as answer:
            return bool(answer.status == 200)
    except OSError as error:  # docker keeps the last lines a check said
        print(error, file=sys.stderr)  # noqa: T201 - there is no log here
        return False


if __name__ == "__main__":
    sys.exit(0 if healthy(sys.argv[1] if len(sys.argv) > 1 else "readyz") else 1)
