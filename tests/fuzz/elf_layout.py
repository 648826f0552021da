"""Where the fields of an ELF file are: what the mutations lie about (System V gABI, chapter 4).

Written apart from polymod's reader on purpose: an error in one is no error in
the other.
"""

from __future__ import annotations

import struct
from typing import NamedTuple


class Field(NamedTuple):
    """A number in the file: what it is called, its offset and its size in bytes."""

    name: str
    offset: int
    size: int


class Region(NamedTuple):
    """A section: its name, its offset and its size in the file (0 for NOBITS)."""

    name: str
    offset: int
    size: int


class Layout(NamedTuple):
    """The map of one sample. `order` is ``<`` or ``>``."""

    order: str
    header: list[Field]
    sections: list[list[Field]]
    regions: list[Region]
    table: Region

    def boundaries(self, size: int) -> list[int]:
        """Every offset at which some structure begins or ends, within a file of `size`."""
        found = {0, 1, 4, 16, size - 28, size - 40, size}
        for one in (*self.regions, self.table):
            found |= {one.offset, one.offset + one.size}
        for fields in (self.header, *self.sections):
            found |= {field.offset for field in fields}
        return sorted(at for at in found if 0 <= at <= size)


_HEADER = "type:2 machine:2 version:4 entry:W phoff:W shoff:W flags:4 ehsize:2 phentsize:2 "
_HEADER += "phnum:2 shentsize:2 shnum:2 shstrndx:2"
_SECTION = "name:4 type:4 flags:W addr:W offset:W size:W link:4 info:4 addralign:W entsize:W"
_NOBITS = 8


def _fields(text: str, prefix: str, start: int, word: int) -> list[Field]:
    found = []
    for item in text.split():
        name, _, width = item.partition(":")
        size = word if width == "W" else int(width)
        found.append(Field(f"{prefix}{name}", start, size))
        start += size
    return found


def layout(data: bytes) -> Layout | None:
    """The map of an ELF file, None for what is none or cannot be followed."""
    if data[:4] != b"\x7fELF" or len(data) < 64 or data[4] not in (1, 2) or data[5] not in (1, 2):
        return None
    word = 8 if data[4] == 2 else 4
    order = "<" if data[5] == 1 else ">"
    ident = [Field(f"ident[{at}]", at, 1) for at in range(16)]
    header = ident + _fields(_HEADER, "e_", 16, word)
    values = {field.name: number(data, field, order) for field in header}
    start, count = values["e_shoff"], values["e_shnum"]
    entry = 64 if word == 8 else 40
    if not start or start + count * entry > len(data):
        return None
    sections = [_fields(_SECTION, f"sh[{n}].", start + n * entry, word) for n in range(count)]
    regions = _regions(data, order, sections, values["e_shstrndx"])
    return Layout(order, header, sections, regions, Region("section headers", start, count * entry))


def _regions(data: bytes, order: str, sections: list[list[Field]], names: int) -> list[Region]:
    if not names < len(sections):
        return []
    table = number(data, sections[names][4], order)
    found = []
    for fields in sections:
        name, kind, _, _, offset, size = (number(data, field, order) for field in fields[:6])
        end = data.find(b"\0", table + name)
        text = data[table + name : end].decode("latin-1")
        found.append(Region(text, offset, 0 if kind == _NOBITS else size))
    return found


_CODES = {1: "B", 2: "H", 4: "I", 8: "Q"}


def number(data: bytes | bytearray, field: Field, order: str) -> int:
    """The number that stands in a field."""
    value: int = struct.unpack_from(order + _CODES[field.size], data, field.offset)[0]
    return value


def stamp(data: bytearray, field: Field, order: str, value: int) -> None:
    """Put a number, cut to its size, into a field."""
    mask = (1 << 8 * field.size) - 1
    struct.pack_into(order + _CODES[field.size], data, field.offset, value & mask)
