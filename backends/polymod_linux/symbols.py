"""What a module imports and exports, with CRCs and namespaces.

Read like kmod does (libkmod/libkmod-elf.c): an export is a symbol ``__crc_X``,
whose value is the CRC itself or, since relative CRCs, a place where it stands.
Modules without CRCs tell their exports by ``__ksymtab_X``, and those whose
local symbols are gone by the relocations of their export tables alone.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from polymod import limits
from polymod.errors import MalformedModule
from polymod.formats import elf
from polymod.model.files import Symbol

if TYPE_CHECKING:
    from polymod.formats.elf import ElfImage, ElfSymbol

_VERSIONS, _EXT_CRCS, _EXT_NAMES = b"__versions", b"__version_ext_crcs", b"__version_ext_names"
_RECORD = 64
_CRC, _KSYMTAB, _NAMESPACE = b"__crc_", b"__ksymtab_", b"__kstrtabns_"

#: Undefined symbols that no module exports: the linker and the loader make them.
_NOT_IMPORTED = frozenset({b"", b"__this_module"})
_NOT_IMPORTED_ON = {
    "x86_64": frozenset({b"_GLOBAL_OFFSET_TABLE_"}),
    "i386": frozenset({b"_GLOBAL_OFFSET_TABLE_"}),
    "ppc64": frozenset({b".TOC.", b"TOC."}),
    "ppc64le": frozenset({b".TOC.", b"TOC."}),
}


def text(name: bytes) -> str:
    """A symbol name as text, losslessly (PEP 383)."""
    return name.decode("utf-8", "surrogateescape")


def versions(image: ElfImage) -> dict[bytes, int]:
    """The modversions table: imported symbol to the CRC it was built against, in order.

    The extended table (6.14 and later) is the only one the kernel heeds where
    it is there. Raises MalformedModule.
    """
    extended = image.section(_EXT_CRCS), image.section(_EXT_NAMES)
    if extended != (None, None):
        return _extended_versions(image)
    data = image.named_contents(_VERSIONS, limits.VERSIONS_BYTES)
    if data is None:
        return {}
    if len(data) % _RECORD:
        raise MalformedModule(
            f"{len(data)} bytes are no whole number of {_RECORD}-byte records",
            path=image.source.path,
            offset=_offset(image, _VERSIONS),
            field="__versions",
        )
    word = "Q" if image.bits == 64 else "I"
    entry = struct.Struct(f"{image.order}{word}{_RECORD - image.bits // 8}s")
    found: dict[bytes, int] = {}
    for crc, field in entry.iter_unpack(data):
        name = field.partition(b"\0")[0]
        # ppc64 function descriptors: the dot is no part of the exported name.
        found[name[1:] if name[:1] == b"." else name] = crc & 0xFFFFFFFF
    return found


def _offset(image: ElfImage, name: bytes) -> int | None:
    section = image.section(name)
    return None if section is None else section.offset


def _extended_versions(image: ElfImage) -> dict[bytes, int]:
    most = limits.VERSIONS_BYTES
    crcs, names = image.named_contents(_EXT_CRCS, most), image.named_contents(_EXT_NAMES, most)
    if crcs is None or names is None:
        missing, there = (_EXT_NAMES, _EXT_CRCS) if names is None else (_EXT_CRCS, _EXT_NAMES)
        raise MalformedModule(
            f"has one half of the extended modversions table, not {text(missing)}",
            path=image.source.path,
            offset=_offset(image, there),
            field=text(missing),
        )
    count = len(crcs) // 4
    strings = names.split(b"\0", count)[:count]
    if len(crcs) % 4 or len(strings) < count or (count and not names.count(b"\0") >= count):
        raise MalformedModule(
            f"{len(crcs)} bytes of CRCs do not pair with {len(strings)} names",
            path=image.source.path,
            offset=_offset(image, _EXT_CRCS),
            field="__version_ext_crcs",
        )
    values = struct.unpack(f"{image.order}{count}I", crcs)
    return {
        name[1:] if name[:1] == b"." else name: crc
        for name, crc in zip(strings, values, strict=True)
    }


def imports(image: ElfImage) -> tuple[Symbol, ...]:
    """Undefined symbols in symbol table order, with the CRC each was built against.

    Names that stand in the modversions table alone follow in its order, such as
    ``module_layout``, by which the kernel compares the layout of its structures.
    """
    crcs = versions(image)
    skip = _NOT_IMPORTED | _NOT_IMPORTED_ON.get(image.machine, frozenset())
    names: dict[bytes, None] = {}
    for symbol in image.symbols():
        if symbol.section == elf.SHN_UNDEF and symbol.name not in skip:
            name = symbol.name
            if name[:1] == b"." and image.machine_number == 21:
                name = name[1:]
            names[name] = None
    _bounded(image, len(names), "imports")
    names.update(dict.fromkeys(crcs))
    return tuple(Symbol(text(name), _crc_text(crcs.get(name))) for name in names)


def exports(image: ElfImage) -> tuple[Symbol, ...]:
    """Exported symbols with CRC and namespace, in symbol table order."""
    symbols = list(image.symbols())
    by_crc = {s.name[len(_CRC) :]: s for s in symbols if s.name.startswith(_CRC)}
    namespaces = {s.name[len(_NAMESPACE) :]: s for s in symbols if s.name.startswith(_NAMESPACE)}
    if by_crc:
        names = [*by_crc]
    else:
        names = [
            s.name[len(_KSYMTAB) :]
            for s in symbols
            if s.name.startswith(_KSYMTAB) and s.section != elf.SHN_UNDEF
        ]
    _bounded(image, len(names), "exports")
    if not names:
        return _exports_by_relocation(image)
    return tuple(
        Symbol(
            text(name),
            _crc_text(_crc_value(image, by_crc[name]) if name in by_crc else None),
            _string_at(image, namespaces.get(name)) or None,
        )
        for name in names
    )


def _bounded(image: ElfImage, count: int, what: str) -> None:
    if count > limits.LINKED_SYMBOLS:
        raise MalformedModule(
            f"{count} {what}, more than the limit of {limits.LINKED_SYMBOLS}",
            path=image.source.path,
            offset=_offset(image, b".symtab"),
            field=".symtab",
        )


def _exports_by_relocation(image: ElfImage) -> tuple[Symbol, ...]:
    """For modules whose local symbols were stripped: only pyelftools reads relocations."""
    tables = [name for name in (b"__ksymtab", b"__ksymtab_gpl") if image.section(name)]
    if not tables:
        return ()
    from polymod_linux.ksymtab import relocated_exports

    try:
        return relocated_exports(image)
    except MalformedModule as error:
        if error.offset is None:  # pyelftools does not say where
            error.offset = _offset(image, tables[0])
            error.field = error.field or text(tables[0])
        raise


def _crc_text(crc: int | None) -> str | None:
    return None if crc is None else f"0x{crc:08x}"


def _crc_value(image: ElfImage, symbol: ElfSymbol) -> int | None:
    if symbol.section in (elf.SHN_ABS, elf.SHN_UNDEF):
        return symbol.value & 0xFFFFFFFF
    data = _defined_at(image, symbol, 4)
    return None if data is None else int(struct.unpack(f"{image.order}I", data)[0])


def _string_at(image: ElfImage, symbol: ElfSymbol | None) -> str | None:
    if symbol is None:
        return None
    data = _defined_at(image, symbol, limits.NESTING * 64, exact=False)
    return None if data is None else text(data.partition(b"\0")[0])


def _defined_at(
    image: ElfImage, symbol: ElfSymbol, size: int, *, exact: bool = True
) -> bytes | None:
    """Bytes at the place a symbol names; None where its section does not hold them."""
    if not 0 < symbol.section < len(image.sections):
        return None
    section = image.sections[symbol.section]
    room = section.size - symbol.value
    if section.type == elf.SHT_NOBITS or room <= 0 or (exact and room < size):
        return None
    return image.source.read(section.offset + symbol.value, min(size, room), "export table")
