"""How it runs: streams as data, permissions, one machine under one supervisor, the mail catcher."""
