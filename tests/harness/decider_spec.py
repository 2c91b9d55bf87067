"""Specifications of deciders in given, when, then.

    spec(mailing).given(Drafted(...), Frozen(...)).when(Schedule(at=nine)).then(MailingScheduled(at=nine))
    spec(mailing).given(Drafted(...)).when(Schedule(at=nine)).then(Refusal(code="not_frozen", message=""))

Every `then` also gives the same command to the resulting state and asserts that it causes nothing new: commands come
twice, and the second time must be harmless (the idempotence law).
"""

from typing import Any, Generic, Self, TypeVar

from shared.contracts import codec
from shared.contracts.commands import Refusal
from shared.contracts.envelope import DomainEvent
from shared.eventlog.decider import Decider

S = TypeVar("S")
C = TypeVar("C")


class Spec(Generic[S, C]):
    """One sentence about a decider. `state` may be looked at after `given` and after `then`."""

    def __init__(self, decider: Decider[S, C]) -> None:
        self._decider = decider
        self.state = decider.initial()
        self._command: C | None = None
        self._decision: list[DomainEvent] | Refusal | None = None

    def given(self, *events: DomainEvent) -> Self:
        """Let these events have happened."""
        for event in events:
            self.state = self._decider.evolve(self.state, _over_the_wire(event))
        return self

    def when(self, command: C) -> Self:
        """Decide the command; deciding must not change the state."""
        before = repr(self.state)
        self._command, self._decision = command, self._decider.decide(self.state, command)
        assert repr(self.state) == before, f"deciding {command!r} changed the state"
        return self

    def then(self, *expected: DomainEvent | Refusal, repeats: str = "") -> Self:
        """Assert what it caused: these events, or this refusal (its message counts only where one is given).

        `repeats` says why the command rightly causes something again when it comes twice; then the law is not checked.
        """
        if len(expected) == 1 and isinstance(expected[0], Refusal):
            return self._then_refused(expected[0])
        assert not isinstance(self._decision, Refusal), f"refused: {self._decision!r}"
        assert self._decision == list(expected), f"decided {self._decision!r}"
        self.given(*self._decision)
        if not repeats:
            self._assert_idempotent()
        return self

    def then_nothing(self) -> Self:
        """Assert that there was nothing left to do."""
        return self.then()

    def then_refused(self, code: str, field: str = "") -> Self:
        """Assert a refusal by its code, and by the field at fault where one is named."""
        return self._then_refused(Refusal(code=code, message="", field=field))

    def _then_refused(self, expected: Refusal) -> Self:
        actual = self._decision
        assert isinstance(actual, Refusal), f"not refused but decided {actual!r}"
        assert actual.code == expected.code, actual
        assert actual.message, "a refusal says what is wrong"
        assert expected.message in ("", actual.message), actual
        assert expected.field in ("", actual.field), actual
        return self

    def _assert_idempotent(self) -> None:
        assert self._command is not None
        again = self._decider.decide(self.state, self._command)
        assert isinstance(again, Refusal) or again == [], (
            f"the same command on the resulting state causes {again!r} once more"
        )


def spec(decider: Decider[S, C]) -> Spec[S, C]:
    """Begin a specification of `decider`."""
    return Spec(decider)


def _over_the_wire(event: DomainEvent) -> DomainEvent:
    """Return the event as it comes back from the log, which must be equal."""
    data: dict[str, Any] = event.model_dump(mode="json", exclude_defaults=True)
    decoded = codec.decode_event(event.TYPE, data)
    assert decoded == event, f"{event!r} comes back from the log as {decoded!r}"
    return decoded
