"""Recipients of a mailing by what became of them, as sources and follow-ups offer them."""

GROUPS = (
    ("all", "All recipients"),
    ("sent", "Who got it"),
    ("read", "Who read it"),
    ("clicked", "Who clicked"),
    ("not_opened", "Who did not open it"),
    ("bounced", "Whose mail came back"),
    ("in_doubt", "In doubt"),
    ("failed", "Failed"),
)
