"""Who may do what: people and tokens, signing in."""
