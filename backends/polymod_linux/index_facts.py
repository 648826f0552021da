"""What an index needs to know of one module file, and nothing more.

depmod reads each file whole; here only its headers, ``.modinfo``, the symbol
table with its strings and ``__versions`` are read. What counts as import and
as export is kmod's word (libkmod/libkmod-elf.c): imports are the undefined
symbols in table order, then names that only ``__versions`` has; exports are
the X of every symbol ``__crc_X``, or without any the ``__ksymtab_strings``.
"""

from __future__ import annotations

import struct
from itertools import compress
from typing import TYPE_CHECKING, NamedTuple

from polymod import limits
from polymod.errors import MalformedModule, PolymodError
from polymod.formats.elf import ElfImage
from polymod.source import unpacked

if TYPE_CHECKING:
    from collections.abc import Iterable

    from polymod.hosts.base import Host
    from polymod.source import ByteSource

_CRC = b"__crc_"
_VERSION_RECORD = 64
_SPARC = (2, 18, 43)
_STT_REGISTER = 13

#: 1 for a zero byte, 0 for any other.
_IS_ZERO = bytes([1]) + bytes(255)


class ModuleFacts(NamedTuple):
    """One module file's part in an index; bytes as they stand in the file.

    Each of the first five is a run of NUL-terminated strings. `error` says
    what could not be read; the rest is what could.
    """

    imports: bytes
    exports: bytes
    aliases: bytes
    softdeps: bytes
    weakdeps: bytes
    error: PolymodError | None


def strings(run: bytes) -> list[bytes]:
    """The strings of a run of NUL-terminated strings."""
    return run.split(b"\0")[:-1]


def read_all(host: Host, paths: Iterable[str]) -> list[ModuleFacts]:
    """The facts of every file, in order; a file that cannot be read has its error."""
    return [_read_one(source) for _, source in host.open_many(paths)]


def _read_one(source: ByteSource | PolymodError) -> ModuleFacts:
    if isinstance(source, PolymodError):
        return _nothing(source)
    with source:
        return read_facts(source)


def _nothing(error: PolymodError) -> ModuleFacts:
    return ModuleFacts(b"", b"", b"", b"", b"", error)


def read_facts(source: ByteSource) -> ModuleFacts:
    """The facts of one file, packed or not. Raises nothing but what is no PolymodError."""
    try:
        image = ElfImage(unpacked(source))
    except PolymodError as error:
        return _nothing(error)
    imports = exports = aliases = softdeps = weakdeps = b""
    problem: PolymodError | None = None
    try:
        section = image.named_contents(b".modinfo", limits.MODINFO_BYTES)
        if section:
            aliases, softdeps, weakdeps = _declared(section)
    except MalformedModule as error:
        problem = error
    try:
        imports, exports = _symbols(image)
    except MalformedModule as error:
        problem = problem or error
        exports = _run(_export_strings(image))
    return ModuleFacts(imports, exports, aliases, softdeps, weakdeps, problem)


def _declared(section: bytes) -> tuple[bytes, bytes, bytes]:
    """The values of ``alias``, ``softdep`` and ``weakdep``, in the order of the section."""
    lines: list[bytes] = []
    found = []
    for key in (b"alias", b"softdep", b"weakdep"):
        values: list[bytes] = []
        if key in section:
            lines = lines or section.split(b"\0")
            start = key + b"="
            size = len(start)
            # A key without "=" counts as one with an empty value.
            values = [line[size:] for line in lines if line.startswith(start) or line == key]
        found.append(_run(values))
    return found[0], found[1], found[2]


def _run(names: list[bytes]) -> bytes:
    return b"\0".join(names) + b"\0" if names else b""


def _symbols(image: ElfImage) -> tuple[bytes, bytes]:
    """Imports and exports. Raises MalformedModule where there is no sound symbol table."""
    table, strtab = image.section(b".symtab"), image.section(b".strtab")
    step = 24 if image.bits == 64 else 16
    if table is None or strtab is None or table.size % step:
        raise _without_symbols(image)
    if table.size // step > limits.SYMBOLS:
        raise MalformedModule(
            f"{table.size // step} symbols, more than the limit of {limits.SYMBOLS}",
            path=image.source.path,
            offset=table.offset,
            field=".symtab",
        )
    symbols = image.contents(table, ".symtab")
    names = image.contents(strtab, ".strtab")
    _bounded(image, names, table.size // step)
    offsets = _name_offsets(image, symbols, step)
    imports = _undefined(image, symbols, names, offsets)
    imports += _only_in_versions(image, imports)
    return _run(imports), _run(_exported(image, names, offsets))


def _bounded(image: ElfImage, names: bytes, count: int) -> None:
    """Raise MalformedModule where `count` names could together be endless: all may be the same."""
    if len(names) * count <= limits.READ_WINDOW:
        return
    longest = max(map(len, names.split(b"\0")))
    if longest * count > limits.READ_WINDOW:
        raise MalformedModule(
            f"{count} symbols whose names have up to {longest} bytes",
            path=image.source.path,
            field=".strtab",
        )


def _without_symbols(image: ElfImage) -> MalformedModule:
    return MalformedModule(
        "has no symbol table, so what it needs cannot be told",
        path=image.source.path,
        field=".symtab",
        remedy="build it again, and strip only debug information",
    )


def _name_offsets(image: ElfImage, symbols: bytes, step: int) -> memoryview:
    """The place of every symbol's name in the string table (st_name, gABI)."""
    import sys

    if (image.order == "<") != (sys.byteorder == "little"):
        from array import array

        words = array("I", symbols)
        words.byteswap()
        symbols = words.tobytes()
    return memoryview(symbols).cast("I")[:: step // 4]


def _undefined(image: ElfImage, symbols: bytes, names: bytes, offsets: memoryview) -> list[bytes]:
    """The undefined symbols but the empty one, in table order."""
    if image.bits == 64:
        step, section, info = 24, 6, 4
    else:
        step, section, info = 16, 14, 12
    # st_shndx is SHN_UNDEF where both of its bytes are zero; byte order is no matter.
    low = int.from_bytes(symbols[section::step], "little")
    high = int.from_bytes(symbols[section + 1 :: step], "little")
    marks = (low | high).to_bytes(len(symbols) // step, "little").translate(_IS_ZERO)
    wanted = list(compress(offsets, marks))[1:]
    if image.machine_number in _SPARC:
        kinds = list(compress(symbols[info::step], marks))[1:]
        wanted = [at for at, kind in zip(wanted, kinds, strict=True) if kind & 15 != _STT_REGISTER]
    if not wanted:
        return []
    if max(wanted) >= len(names):
        raise MalformedModule(
            f"a symbol name at {max(wanted)}, there are {len(names)} bytes of names",
            path=image.source.path,
            field=".strtab",
        )
    if names[-1:] != b"\0":
        names += b"\0"
    find = names.index
    found = [names[at : find(b"\0", at)] for at in wanted]
    return [*filter(None, found)] if b"" in found else found


def _only_in_versions(image: ElfImage, imports: list[bytes]) -> list[bytes]:
    """The names of ``__versions`` that are no undefined symbols; mostly module_layout."""
    data = image.named_contents(b"__versions", limits.VERSIONS_BYTES)
    if not data or len(data) % _VERSION_RECORD:
        return []
    records = _versions[image.bits, len(data)].unpack(data)
    room = _VERSION_RECORD - (8 if image.bits == 64 else 4)
    others = set(records).difference([name.ljust(room, b"\0") for name in imports])
    names = [record.partition(b"\0")[0] for record in records if record in others]
    known = set(imports)
    return [name for name in names if name and name not in known]


class _VersionTables(dict[tuple[int, int], struct.Struct]):
    """The format of the names in ``__versions``, by ELF class and size in bytes."""

    def __missing__(self, key: tuple[int, int]) -> struct.Struct:
        record = "8x56s" if key[0] == 64 else "4x60s"
        made = struct.Struct(record * (key[1] // _VERSION_RECORD))
        if len(self) < 4096:
            self[key] = made
        return made


_versions = _VersionTables()


def _exported(image: ElfImage, names: bytes, offsets: memoryview) -> list[bytes]:
    """What other modules can use, in no certain order."""
    found: list[bytes] = []
    at = names.find(_CRC)
    if at >= 0:
        places = set(offsets[1:])
        while at >= 0:
            if at in places:
                end = names.find(b"\0", at)
                found.append(names[at + len(_CRC) : end if end >= 0 else len(names)])
            at = names.find(_CRC, at + 1)
    if found:
        return found
    return _export_strings(image)


def _export_strings(image: ElfImage) -> list[bytes]:
    """The strings of the export tables, which are all there is without CRCs."""
    try:
        section = image.named_contents(b"__ksymtab_strings")
    except MalformedModule:  # kmod passes over sections that reach past the end
        return []
    return [*filter(None, section.split(b"\0"))] if section else []
