"""Which large mailbox providers of an audience get lanes of their own; everybody else is `rest`. Pure.

What a provider says about one mail then stays in its lane. Which domains are whose says the table in shared.providers.
"""

from shared.contracts.subjects import REST

SHARE = 0.05
MOST_LANES = 6  # beside `prompt` and `rest`


def lanes(counts: dict[str, int]) -> dict[str, str]:
    """Return provider -> lane for an audience with so many contacts by provider ("" counts as rest)."""
    total = sum(counts.values())
    large = sorted((name for name, n in counts.items() if name and n >= total * SHARE), key=lambda p: (-counts[p], p))
    return {name: name if name in large[:MOST_LANES] else REST for name in counts} | {"": REST}
