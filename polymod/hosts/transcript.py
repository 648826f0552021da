"""The transcript of a host: its shape on disk, shared by recording and replay.

One JSON object, ``"schema": "polymod-transcript/1"``, with these keys:

===========  ==============================================================
`host`       the URL of the host that was recorded
`platform`   [system, release, machine], null where nothing runs there; not
             there at all where nobody asked
`stats`      path: [type, size, modified_ns, [device, inode]], null for nothing
`lists`      path: [[name, path, type], ...] in the order of the directory
`files`      path: {`size`, `end`, `parts`: [[offset, content], ...],
             `failures`: [[offset, size, error], ...]}: what was read of it;
             ranges neither overlap nor touch, `end` is where reads came short
`reads`      path: content of a file that was asked for whole
`runs`       [{`argv`, `stdin`, `answer`}, ...] in order; the answer is
             {`exit_status`, `stdout`, `stderr`}
===========  ==============================================================

A content is text where it is clean UTF-8, else {`base64`: ...}. Wherever an
answer stands there may be {`error`: {`code`, `message`, ...}} instead.
"""

from __future__ import annotations

import binascii
from typing import TYPE_CHECKING, TypeVar

from polymod.errors import (
    HostUnreachable,
    MalformedModule,
    ModuleNotFound,
    NotAModule,
    PermissionRefused,
    PolymodError,
    UnreadableFile,
    UnsupportedOperation,
    UsageError,
    WriteFailed,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    Plain = dict[str, object]

T = TypeVar("T")

SCHEMA = "polymod-transcript/1"

#: The errors a host may give, by code. An unknown code comes back as their root class.
_ERRORS: Mapping[str, type[PolymodError]] = {
    kind.code: kind
    for kind in (
        HostUnreachable,
        MalformedModule,
        ModuleNotFound,
        NotAModule,
        PermissionRefused,
        UnreadableFile,
        UnsupportedOperation,
        UsageError,
        WriteFailed,
    )
}
_ATTRIBUTES = ("remedy", "path", "host", "field", "privilege", "backend", "operation", "reason")

# Control characters cost six bytes each in JSON, and are no text to read.
_CONTROL = {code: None for code in range(32) if code not in b"\t\n\r"}


def content_to_plain(data: bytes) -> object:
    """Bytes as JSON carries them."""
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        text = None
    if text is not None and len(text.translate(_CONTROL)) == len(text):
        return text
    return {"base64": binascii.b2a_base64(data, newline=False).decode("ascii")}


def error_to_plain(error: PolymodError) -> Plain:
    """An error as JSON carries it: its code, its message, and what else is known."""
    plain: Plain = {"code": error.code, "message": error.message}
    for name in (*_ATTRIBUTES, "offset"):
        value = getattr(error, name, None)
        if value is not None:
            plain[name] = value
    return {"error": plain}


class Reading:
    """Takes JSON apart and says where it is not what a transcript has.

    `file` is the transcript. Every method raises MalformedModule with the
    name of the place, so that damage is told like that of any other file.
    """

    def __init__(self, file: str) -> None:
        self._file = file

    def damaged(self, message: str, place: str | None = None) -> MalformedModule:
        """The error for damage at `place`."""
        return MalformedModule(
            f"is no sound transcript: {message}",
            path=self._file,
            field=place,
            remedy="record the host again",
        )

    def take(self, value: object, kind: type[T], place: str) -> T:
        """The value, sure to be a `kind`; a boolean is no number here."""
        if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
            raise self.damaged(f"{type(value).__name__} instead of {kind.__name__}", place)
        return value

    def number(self, value: object, place: str, *, least: int | None = 0) -> int:
        """An integer of at most 128 bits, not below `least` where that is given."""
        found = self.take(value, int, place)
        if abs(found) >> 128 or (least is not None and found < least):
            raise self.damaged("a number that cannot be", place)
        return found

    def items(self, value: object, length: int, place: str) -> list[object]:
        """A list of exactly `length` values."""
        found: list[object] = self.take(value, list, place)
        if len(found) != length:
            raise self.damaged(f"{len(found)} values instead of {length}", place)
        return found

    def content(self, value: object, place: str) -> bytes:
        """The bytes of a content."""
        if isinstance(value, str):
            try:
                return value.encode("utf-8")
            except UnicodeEncodeError:
                raise self.damaged("text that is no UTF-8", place) from None
        packed = self.take(self.take(value, dict, place).get("base64"), str, place)
        try:
            return binascii.a2b_base64(packed, strict_mode=True)
        except ValueError as error:  # binascii.Error, or characters outside ASCII
            raise self.damaged(f"base64: {error}", place) from error

    def error(self, value: object, place: str) -> PolymodError | None:
        """The error that stands in the place of an answer, None for an answer."""
        if not isinstance(value, dict) or "error" not in value:
            return None
        plain: Plain = self.take(value["error"], dict, place)
        code = self.take(plain.get("code"), str, place)
        message = self.take(plain.get("message"), str, place)
        kind = _ERRORS.get(code, PolymodError)
        made = kind.__new__(kind)
        PolymodError.__init__(made, message)
        for name in _ATTRIBUTES:
            given = plain.get(name)
            setattr(made, name, None if given is None else self.take(given, str, place))
        offset = plain.get("offset")
        made.offset = None if offset is None else self.number(offset, place)
        return made
