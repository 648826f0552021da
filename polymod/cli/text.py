"""Values as text for people: cells, columns, and nothing that could drive a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from polymod.model.base import Record

    Row = Sequence[object]


class Layout:
    """How one kind of record looks to people and in CSV.

    `columns` are the headings, `row` the cells of a record. `widths` pads all
    columns but the last, so that rows can be written as they come. `block`,
    where given, replaces rows in tables.
    """

    def __init__(
        self,
        columns: Sequence[str],
        row: Callable[[Record], Row],
        widths: Sequence[int] = (),
        block: Callable[[Record], str] | None = None,
    ) -> None:
        self.columns = tuple(columns)
        self.row = row
        self.widths = tuple(widths) or tuple(12 for _ in columns[1:])
        self.block = block


def cell(value: object) -> str:
    """One value as text: nothing for None, ``yes``/``no``, lists joined by blanks."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, tuple | list):
        return " ".join(map(cell, value))
    return str(value)


def printable(text: str) -> str:
    """Text for a terminal: no control characters out of hostile files."""
    return "".join(c if c.isprintable() or c == "\n" else ascii(c)[1:-1] for c in text)
