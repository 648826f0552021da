"""Exports read from the relocations of the export tables.

In a module file ``__ksymtab`` and ``__ksymtab_gpl`` are zeros that relocations
will fill: each record's words point at the symbol, its name and its namespace.
This is the only trace of exports once the local symbols have been stripped.
Layouts: linux include/linux/export.h and export-internal.h.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

from polymod.formats.elf_full import FullElf
from polymod.model.files import Symbol

if TYPE_CHECKING:
    from polymod.formats.elf import ElfImage
    from polymod.formats.elf_full import Relocation

_STRINGS = "__ksymtab_strings"


def relocated_exports(image: ElfImage) -> tuple[Symbol, ...]:
    """Exports in table order; the CRC comes from the table beside it where there is one.

    Raises MalformedModule.
    """
    full = FullElf(image.source)
    found: list[Symbol] = []
    for suffix in ("", "_gpl"):
        relocations = full.relocations(f"__ksymtab{suffix}")
        size = full.section_size(f"__ksymtab{suffix}")
        if not relocations or not size:
            continue
        crcs = full.contents(f"__kcrctab{suffix}")
        width = _record_size(relocations, size)
        records: dict[int, list[Relocation]] = {}
        for relocation in relocations:
            if relocation.offset < size:
                records.setdefault(relocation.offset // width, []).append(relocation)
        for index, words in records.items():
            found += _export(full, words, crcs, index, size // width)
    return tuple(found)


def _record_size(relocations: list[Relocation], size: int) -> int:
    """Bytes of one record: the distance between relocations that name symbols.

    Each record starts with the symbol itself; its second word always points
    into the strings.
    """
    starts = [r.offset for r in relocations if r.section != _STRINGS]
    if len(starts) > 1:
        return max(min(b - a for a, b in pairwise(starts)), 1)
    return size


def _export(
    full: FullElf, words: list[Relocation], crcs: bytes, index: int, count: int
) -> list[Symbol]:
    strings = [full.string_at(r) for r in words if r.section == _STRINGS]
    if not strings or not strings[0]:
        return []
    crc = None
    if count and len(crcs) >= 4 * count:
        width = len(crcs) // count
        value = int.from_bytes(
            crcs[index * width : (index + 1) * width], "little" if full.little else "big"
        )
        crc = f"0x{value & 0xFFFFFFFF:08x}"
    namespace = strings[1] if len(strings) > 1 else ""
    return [Symbol(strings[0], crc, namespace or None)]
