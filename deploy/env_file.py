"""Print an environment file for compose.yaml: deploy/env.template with a fresh secret for each that is missing.

`(umask 077; python -m deploy.env_file > .env)`. What the file says in the end is kept by its owner: signing keys and
pepper can never be made again (docs/operations.md).
"""

import re
import secrets
import sys
from pathlib import Path

TEMPLATE = Path(__file__).parent / "env.template"

_EMPTY = re.compile(r"^(\w*(?:PASSWORD|SECRET|PEPPER)\w*)=$", re.MULTILINE)


def filled(template: str) -> str:
    """Return the template with a secret of 48 hexadecimal digits behind the name of each that is missing."""
    # A letter first: nats-server reads a value of digits as a number.
    return _EMPTY.sub(lambda empty: f"{empty[1]}=p{secrets.token_hex(24)}", template)


if __name__ == "__main__":
    sys.stdout.write(filled(TEMPLATE.read_text()))
