"""Who may be written to: opt-ins, opt-outs, and what follows from mail that came back."""
