"""The record of an error (kind ``error``), apart from the others: every verb may need it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from polymod.model.base import Record

if TYPE_CHECKING:
    from polymod.errors import PolymodError


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


def as_record(error: PolymodError, path: str | None = None, host: str | None = None) -> ModuleError:
    """The error as a record (kind ``error``)."""
    return ModuleError(
        code=error.code,
        message=str(error),
        path=error.path if error.path is not None else path,
        host=error.host if error.host is not None else host,
        offset=error.offset,
        field=getattr(error, "field", None),
        remedy=error.remedy,
        exit_code=int(error.exit_code),
    )
