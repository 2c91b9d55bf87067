"""Answers about the keys that sign for a domain."""

from typing import Literal

from shared.contracts.answers.base import Data
from shared.contracts.domain import SigningAlgorithm


class DomainKeyRow(Data):
    """One key: where it stands, and the TXT record that the domain publishes for it."""

    domain: str
    selector: str
    algorithm: SigningAlgorithm
    standing: Literal["waiting", "signing", "replaced", "retired"]
    record_name: str
    record: str


class DomainKeyRows(Data):
    """All keys."""

    keys: list[DomainKeyRow]
