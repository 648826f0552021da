"""The record of an error (kind ``error``), apart from the others: every verb may need it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from polymod.model.base import Record


@dataclass(frozen=True, slots=True, kw_only=True)
class ModuleError(Record):
    """An error as data (kind ``error``): one input failed, the others went on."""

    kind: ClassVar[str] = "error"

    code: str
    message: str
    path: str | None = None
    host: str | None = None
    offset: int | None = None
    field: str | None = None
    remedy: str | None = None
    exit_code: int
