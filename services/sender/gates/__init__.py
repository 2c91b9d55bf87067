"""May anything be sent now: this log, this mailing, this account, this address."""
