"""What answers have in common."""

from pydantic import BaseModel


class Data(BaseModel):
    """Base of all answers."""


class Nothing(Data):
    """Nothing but that it is done."""


class Paused(Data):
    """Views that stand still, with the reason: what the answer says is true as of an earlier position."""

    paused: dict[str, str] = {}


class Page(Paused):
    """One page; `next` is the `after` of the next one, "" on the last."""

    next: str
