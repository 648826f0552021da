"""What every record has: a kind, keys in a fixed order, and stated gaps.

A record is a frozen dataclass whose fields, in order, are its keys in machine
output. A field that is None because nobody could say is named in `gaps` with
the reason, so that unknown is never taken for empty or false.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import ClassVar


class Why(StrEnum):
    """The reason for a gap."""

    NOT_REPORTED = "not-reported"
    NOT_APPLICABLE = "not-applicable"
    DENIED = "denied"
    UNREADABLE = "unreadable"
    UNPARSABLE = "unparsable"
    NOT_ASKED = "not-asked"


@dataclass(frozen=True, slots=True)
class Gap:
    """Why a field is null: the reason, and a sentence for people."""

    why: Why
    detail: str


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a statement was found: a path, and its line (1 is the first) if it has one."""

    path: str
    line: int | None = None

    def __str__(self) -> str:
        return self.path if self.line is None else f"{self.path}:{self.line}"


NO_GAPS: Mapping[str, Gap] = {}


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """Base of everything that polymod puts out; `kind` is its word in machine output."""

    kind: ClassVar[str]

    gaps: Mapping[str, Gap] = field(default_factory=lambda: NO_GAPS)
