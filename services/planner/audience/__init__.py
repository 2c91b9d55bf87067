"""Who gets a mailing: sources, rules, outcomes of earlier mailings, and the frozen audience."""
