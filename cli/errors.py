"""What a command ends with when it cannot do what it was asked; each says what to do next and carries its exit code."""

from shared.contracts.commands import Refusal


class CliError(Exception):
    """Base: `code` and `message` as in a refusal, `exit_code` for the shell."""

    exit_code = 2

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class RefusedError(CliError):
    """A service said no; nothing was changed."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.code, refusal.message)
        self.refusal = refusal


class InputError(CliError):
    """An argument or a file cannot be used; nothing was asked of anybody."""


class UnreachableError(CliError):
    """NATS or a service does not answer."""

    exit_code = 3


class NotBalancedError(CliError):
    """A check that was asked for found something wrong."""

    exit_code = 1
