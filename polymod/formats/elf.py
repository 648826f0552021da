"""A bounded ELF reader: headers, sections, symbols, notes; both classes and byte orders.

Follows the System V gABI, chapters 4 (Object Files) and 5 (notes). It reads
the headers and then only the sections it is asked for. Whatever a header says
is checked against the size of the file before it is used.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, NamedTuple

from polymod import limits
from polymod.errors import MalformedModule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from polymod.source import ByteSource

MAGIC = b"\x7fELF"

ET_REL, ET_EXEC, ET_DYN = 1, 2, 3
SHT_NULL, SHT_PROGBITS, SHT_SYMTAB, SHT_STRTAB, SHT_RELA = 0, 1, 2, 3, 4
SHT_NOTE, SHT_NOBITS, SHT_REL = 7, 8, 9
SHN_UNDEF, SHN_LORESERVE, SHN_ABS, SHN_COMMON, SHN_XINDEX = 0, 0xFF00, 0xFFF1, 0xFFF2, 0xFFFF
STB_LOCAL, STB_GLOBAL, STB_WEAK = 0, 1, 2
NT_GNU_BUILD_ID = 3

#: e_machine to the GNU spelling, per class where one number serves two (gABI, psABIs).
MACHINES: dict[int, str] = {
    2: "sparc",
    3: "i386",
    4: "m68k",
    8: "mips",
    15: "hppa",
    20: "ppc",
    21: "ppc64",
    22: "s390x",
    40: "arm",
    42: "sh4",
    43: "sparc64",
    50: "ia64",
    62: "x86_64",
    93: "arc",
    183: "aarch64",
    243: "riscv64",
    258: "loongarch64",
    0x9026: "alpha",
}


class Section(NamedTuple):
    """One section header; sizes and offsets in bytes (gABI, Elf32_Shdr/Elf64_Shdr)."""

    name_offset: int
    type: int
    flags: int
    address: int
    offset: int
    size: int
    link: int
    info: int
    alignment: int
    entry_size: int


class ElfSymbol(NamedTuple):
    """One symbol; `section` is st_shndx as stored."""

    name: bytes
    value: int
    size: int
    info: int
    other: int
    section: int


class _Layout(NamedTuple):
    """The struct formats of one class and byte order."""

    bits: int
    order: str
    header: struct.Struct
    section: struct.Struct
    symbol: struct.Struct


def _layout(bits: int, order: str) -> _Layout:
    word = "Q" if bits == 64 else "I"
    symbol = "IBBHQQ" if bits == 64 else "IIIBBH"
    return _Layout(
        bits,
        order,
        struct.Struct(f"{order}HHI{word}{word}{word}IHHHHHH"),
        struct.Struct(f"{order}II{word}{word}{word}{word}II{word}{word}"),
        struct.Struct(f"{order}{symbol}"),
    )


_LAYOUTS = {
    (size_class, data): _layout(bits, order)
    for size_class, bits in ((1, 32), (2, 64))
    for data, order in ((1, "<"), (2, ">"))
}


#: Up to so many sections a search through all is quicker than an index of them.
_FEW = 256

_columns: dict[tuple[int, str, int], struct.Struct] = {}


def _first_words(layout: _Layout, count: int) -> struct.Struct:
    """The struct that takes the first word of each of `count` section headers."""
    key = layout.bits, layout.order, count
    found = _columns.get(key)
    if found is None:
        found = struct.Struct(layout.order + f"I{layout.section.size - 4}x" * count)
        if count <= _FEW:
            _columns[key] = found
    return found


class ElfImage:
    """The headers of one ELF file, and bounded access to its sections.

    Raises MalformedModule from the constructor where the headers do not hold.
    `order` is ``<`` or ``>`` as `struct` has it; `bits` 32 or 64.
    """

    __slots__ = (
        "_indexes",
        "_layout",
        "_name_offsets",
        "_names",
        "_sections",
        "_table",
        "bits",
        "flags",
        "machine_number",
        "order",
        "source",
        "type",
    )

    def __init__(self, source: ByteSource) -> None:
        head = source.head(64)
        if head[:4] != MAGIC:
            raise MalformedModule("has no ELF magic", path=source.path, offset=0, field="e_ident")
        layout = _LAYOUTS.get((head[4], head[5])) if len(head) > 6 else None
        if layout is None:
            raise MalformedModule(
                "unknown ELF class or byte order", path=source.path, offset=4, field="e_ident"
            )
        if len(head) < 16 + layout.header.size:
            raise MalformedModule(
                "ends inside the ELF header",
                path=source.path,
                offset=len(head),
                field="e_ident",
            )
        header = layout.header.unpack_from(head, 16)
        self.source = source
        self.bits, self.order, self._layout = layout.bits, layout.order, layout
        self.type: int = header[0]
        self.machine_number: int = header[1]
        self.flags: int = header[6]
        self._sections: list[Section] | None = None
        self._indexes: dict[int, int] | None = None
        # Most readers want a few of some fifty sections: of the rest only the
        # first word of each header is unpacked, where its name stands.
        self._table, count = self._read_table(header[5], header[10], header[11])
        self._name_offsets = _first_words(layout, count).unpack(self._table)
        self._names = self._read_names(header[12])

    # -- sections ---------------------------------------------------------

    def _read_table(self, offset: int, entry_size: int, count: int) -> tuple[bytes, int]:
        if offset == 0:
            return b"", 0
        entry = self._layout.section
        if entry_size != entry.size:
            raise MalformedModule(
                f"section headers of {entry_size} bytes instead of {entry.size}",
                path=self.source.path,
                offset=offset,
                field="e_shentsize",
            )
        if count == 0:  # more than fits in 16 bits: section 0 has the number (gABI)
            count = entry.unpack(self.source.read(offset, entry.size, "e_shoff"))[5]
        if count > limits.ELF_SECTIONS:
            raise MalformedModule(
                f"{count} sections, more than the limit of {limits.ELF_SECTIONS}",
                path=self.source.path,
                offset=offset,
                field="e_shnum",
            )
        return self.source.read(offset, count * entry.size, "e_shoff"), count

    def _read_names(self, index: int) -> bytes:
        count = len(self._name_offsets)
        if not count:
            return b""
        if index == SHN_XINDEX:
            index = self._section_at(0).link
        if not 0 < index < count:
            raise MalformedModule(
                f"section names in section {index}, there are {count}",
                path=self.source.path,
                field="e_shstrndx",
                offset=62 if self.bits == 64 else 50,
            )
        return self.contents(self._section_at(index), ".shstrtab", limits.SECTION_NAMES)

    def _section_at(self, index: int) -> Section:
        entry = self._layout.section
        return Section._make(entry.unpack_from(self._table, index * entry.size))

    @property
    def sections(self) -> list[Section]:
        """Every section header, in table order."""
        if self._sections is None:
            self._sections = [*map(Section._make, self._layout.section.iter_unpack(self._table))]
        return self._sections

    def section(self, name: bytes) -> Section | None:
        """The first section called `name`, or None."""
        names, wanted = self._names, name + b"\0"
        # Linkers share tails, so ".text" may live inside ".rela.text"; but they
        # store no name twice, so there are no more places to try than sections.
        at = -1
        for _ in self._name_offsets:
            at = names.find(wanted, at + 1)
            if at < 0:
                return None
            index = self._index_of(at)
            if index is not None:
                found = self._section_at(index)
                if found.type != SHT_NULL:
                    return found
        return None

    def _index_of(self, name_offset: int) -> int | None:
        """The first section whose name stands at `name_offset`."""
        offsets = self._name_offsets
        if len(offsets) > _FEW:
            if self._indexes is None:
                self._indexes = {offset: at for at, offset in reversed([*enumerate(offsets)])}
            return self._indexes.get(name_offset)
        return offsets.index(name_offset) if name_offset in offsets else None

    def section_name(self, section: Section) -> bytes:
        """The name of a section; b"" where its offset points outside the names."""
        end = self._names.find(b"\0", section.name_offset)
        return self._names[section.name_offset : end] if end >= 0 else b""

    def contents(self, section: Section, field: str | None = None, limit: int = 0) -> bytes:
        """The bytes of a section; b"" for one that takes no room in the file.

        Raises MalformedModule where it reaches past the end of the file, or is
        larger than `limit` bytes (0: the read window).
        """
        if section.type == SHT_NOBITS:
            return b""
        if limit and section.size > limit:
            raise MalformedModule(
                f"section of {section.size} bytes, more than the limit of {limit}",
                path=self.source.path,
                offset=section.offset,
                field=field,
            )
        return self.source.read(section.offset, section.size, field)

    def named_contents(self, name: bytes, limit: int = 0) -> bytes | None:
        """The bytes of the first section called `name`, None if there is none."""
        section = self.section(name)
        return None if section is None else self.contents(section, name.decode("latin-1"), limit)

    # -- what is in them --------------------------------------------------

    @property
    def machine(self) -> str:
        """The machine in the GNU spelling, with what class and byte order add to it."""
        name = MACHINES.get(self.machine_number, f"em-{self.machine_number}")
        if name == "ppc64" and self.order == "<":
            return "ppc64le"
        if name == "s390x" and self.bits == 32:
            return "s390"
        if name == "riscv64" and self.bits == 32:
            return "riscv32"
        if name == "x86_64" and self.bits == 32:
            return "x32"
        if name == "mips":
            return ("mips64" if self.bits == 64 else "mips") + ("el" if self.order == "<" else "")
        return name

    @property
    def endian(self) -> str:
        """``little`` or ``big``."""
        return "little" if self.order == "<" else "big"

    def symbol_table(self) -> Section | None:
        """The section header of the (only) symbol table, None where stripped."""
        for raw in self._layout.section.iter_unpack(self._table):
            if raw[1] == SHT_SYMTAB:
                return Section._make(raw)
        return None

    def symbol_strings(self, table: Section) -> bytes:
        """The string table that a symbol table links to."""
        if not 0 < table.link < len(self.sections):
            raise MalformedModule(
                f"symbol names in section {table.link}, there are {len(self.sections)}",
                path=self.source.path,
                offset=table.offset,
                field="sh_link",
            )
        return self.contents(self.sections[table.link], ".strtab")

    def raw_symbols(self, table: Section, first: int = 0) -> Iterator[tuple[int, ...]]:
        """The entries of a symbol table from index `first`, as `struct` unpacks them.

        64-bit: name, info, other, section, value, size; 32-bit: name, value,
        size, info, other, section.
        """
        entry = self._layout.symbol
        count = table.size // entry.size
        if count > limits.SYMBOLS:
            raise MalformedModule(
                f"{count} symbols, more than the limit of {limits.SYMBOLS}",
                path=self.source.path,
                offset=table.offset,
                field=".symtab",
            )
        first = min(first, count)
        data = self.source.read(
            table.offset + first * entry.size, (count - first) * entry.size, ".symtab"
        )
        return entry.iter_unpack(data)

    def symbols(self, first: int = 0) -> Iterator[ElfSymbol]:
        """Every symbol from index `first`, in table order; none where stripped."""
        table = self.symbol_table()
        if table is None:
            return
        strings = self.symbol_strings(table)
        wide, room = self.bits == 64, limits.READ_WINDOW
        for raw in self.raw_symbols(table, first):
            if wide:
                name, info, other, section, value, size = raw
            else:
                name, value, size, info, other, section = raw
            end = strings.find(b"\0", name)
            room -= end - name  # a million names may all be the same endless one
            if end < 0 or room < 0:
                raise MalformedModule(
                    f"symbol name at {name}, its table has {len(strings)} bytes",
                    path=self.source.path,
                    offset=table.offset,
                    field=".symtab",
                )
            yield ElfSymbol(strings[name:end], value, size, info, other, section)

    def notes(self, section: Section) -> Iterator[tuple[bytes, int, bytes]]:
        """The notes of a section as (owner, type, descriptor); stops at damage."""
        data = self.contents(section, "note", limit=1 << 20)
        header = struct.Struct(f"{self.order}III")
        at = 0
        while at + 12 <= len(data):
            owner_size, size, kind = header.unpack_from(data, at)
            start = at + 12 + (owner_size + 3 & ~3)
            if start + size > len(data):
                return
            yield (
                data[at + 12 : at + 12 + owner_size].rstrip(b"\0"),
                kind,
                data[start : start + size],
            )
            at = start + (size + 3 & ~3)

    def build_id(self) -> str | None:
        """The GNU build id in lower-case hex, None where there is no such note."""
        section = self.section(b".note.gnu.build-id")
        if section is None:
            return None
        for owner, kind, descriptor in self.notes(section):
            if owner == b"GNU" and kind == NT_GNU_BUILD_ID:
                return descriptor.hex()
        return None
