"""Pointers inside an ELF relocatable, followed through its relocations, with bounds.

In a module file a pointer is a hole: a relocation names the symbol whose
address the kernel will put there, plus an addend. RELA tables carry the addend
themselves, REL tables leave it in the hole (System V gABI, chapter 4,
Relocation).
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, NamedTuple

from polymod import limits
from polymod.errors import MalformedModule
from polymod.formats import elf

if TYPE_CHECKING:
    from collections.abc import Collection

    from polymod.formats.elf import ElfImage, Section

_EM_MIPS = 8

#: A NUL-terminated string longer than this is damage; module names end before 32 bytes.
_STRING_BYTES = 4096


class Place(NamedTuple):
    """Somewhere in the file's sections: the index of one, and an offset in bytes into it."""

    section: int
    offset: int


class Pointers:
    """Follows the pointers of one image. Every method raises MalformedModule."""

    def __init__(self, image: ElfImage) -> None:
        self._image = image
        self._word = struct.Struct(image.order + ("Q" if image.bits == 64 else "I"))

    @property
    def size(self) -> int:
        """Bytes of a pointer."""
        return self._word.size

    def read(self, place: Place, size: int, field: str) -> bytes:
        """`size` bytes at a place, all of them inside its section."""
        section = self._image.sections[place.section]
        room = 0 if section.type == elf.SHT_NOBITS else section.size
        if not 0 <= place.offset <= room - size:
            raise self._broken(
                f"needs {size} bytes at {place.offset}, the section has {room}", section, field
            )
        return self._image.source.read(section.offset + place.offset, size, field)

    def string(self, place: Place, field: str) -> str:
        """The NUL-terminated text at a place; bytes outside UTF-8 are kept (PEP 383)."""
        section = self._image.sections[place.section]
        room = min(section.size - place.offset, _STRING_BYTES)
        data, end, _ = self.read(place, max(room, 1), field).partition(b"\0")
        if not end:
            raise self._broken("has a text without an end", section, field)
        return data.decode("utf-8", "surrogateescape")

    def follow(self, place: Place, offsets: Collection[int], field: str) -> dict[int, Place | None]:
        """Where the pointers at `offsets` bytes behind a place lead; None for a null pointer.

        The relocations of the section are walked once, whatever their number.
        """
        found: dict[int, Place | None] = dict.fromkeys(offsets)
        wanted = {place.offset + offset: offset for offset in offsets}
        table = self._table(place.section)
        if table is not None:
            for at, symbol, addend in self._entries(table, wanted):
                if addend is None:
                    (addend,) = self._word.unpack(
                        self.read(Place(place.section, at), self.size, field)
                    )
                target = self._symbol(table, symbol, field)
                found[wanted.pop(at)] = target._replace(
                    offset=(target.offset + addend) % (1 << self._image.bits)
                )
        for at in wanted:  # no relocation: must be a null pointer
            if any(self.read(Place(place.section, at), self.size, field)):
                section = self._image.sections[place.section]
                raise self._broken("has a pointer without a relocation", section, field)
        return found

    def _table(self, target: int) -> Section | None:
        """The relocations that apply to a section: the table whose sh_info names it."""
        for section in self._image.sections:
            if section.type in (elf.SHT_RELA, elf.SHT_REL) and section.info == target:
                return section
        return None

    def _entries(
        self, table: Section, wanted: Collection[int]
    ) -> list[tuple[int, int, int | None]]:
        """The first relocation for each wanted offset: (offset, symbol index, addend or None)."""
        image, with_addend = self._image, table.type == elf.SHT_RELA
        unsigned, signed = ("Q", "q") if image.bits == 64 else ("I", "i")
        entry = struct.Struct(image.order + 2 * unsigned + (signed if with_addend else ""))
        count = table.size // entry.size
        if count > limits.SYMBOLS:
            raise self._broken(
                f"has {count} relocations, more than the limit of {limits.SYMBOLS}",
                table,
                "relocations",
            )
        found: dict[int, tuple[int, int, int | None]] = {}
        data = image.source.read(table.offset, count * entry.size, "relocations")
        for raw in entry.iter_unpack(data):
            if raw[0] in wanted and raw[0] not in found:
                found[raw[0]] = raw[0], self._symbol_index(raw[1]), raw[2] if with_addend else None
        return list(found.values())

    def _symbol_index(self, info: int) -> int:
        if self._image.bits == 32:
            return info >> 8
        if self._image.machine_number == _EM_MIPS and self._image.order == "<":
            # The n64 ABI has the symbol first and four bytes of types behind it, each
            # in file order, so that a little-endian word has them the other way round.
            return info & 0xFFFFFFFF
        return info >> 32

    def _symbol(self, table: Section, index: int, field: str) -> Place:
        """Where the symbol number `index` is defined."""
        image = self._image
        wide = image.bits == 64
        entry = struct.Struct(image.order + ("IBBHQQ" if wide else "IIIBBH"))
        if not 0 < table.link < len(image.sections):
            raise self._broken(
                f"has its symbols in section {table.link}, there are {len(image.sections)}",
                table,
                field,
            )
        symbols = image.sections[table.link]
        if not 0 <= index < symbols.size // entry.size:
            raise self._broken(
                f"names symbol {index}, there are {symbols.size // entry.size}", symbols, field
            )
        raw = entry.unpack(
            image.source.read(symbols.offset + index * entry.size, entry.size, field)
        )
        section, value = (raw[3], raw[4]) if wide else (raw[5], raw[1])
        if not 0 < section < min(len(image.sections), elf.SHN_LORESERVE):
            raise self._broken("has a pointer out of the file", symbols, field)
        return Place(section, value)

    def _broken(self, message: str, section: Section, field: str) -> MalformedModule:
        return MalformedModule(
            message, path=self._image.source.path, offset=section.offset, field=field
        )
