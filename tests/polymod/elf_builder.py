"""ELF files byte by byte, sound or not, for tests of the reader (gABI, chapter 4)."""

from __future__ import annotations

import struct
from typing import NamedTuple

SHAPES = [(64, "<"), (64, ">"), (32, "<"), (32, ">")]
SHAPE_IDS = ["64-bit little", "64-bit big", "32-bit little", "32-bit big"]


class Sec(NamedTuple):
    """One section; `offset`, `size` and `name_offset` lie in the header where they are given."""

    name: bytes
    data: bytes = b""
    type: int = 1
    link: int = 0
    info: int = 0
    entry_size: int = 0
    offset: int | None = None
    size: int | None = None
    name_offset: int | None = None


class Elf(NamedTuple):
    """The whole file, and where its parts are."""

    data: bytes
    section_headers: int
    offsets: dict[bytes, int]


def build(
    sections: list[Sec],
    *,
    bits: int = 64,
    order: str = "<",
    kind: int = 1,
    machine: int = 62,
    shnum: int | None = None,
    shstrndx: int | None = None,
    shoff: int | None = None,
    shentsize: int | None = None,
    extended: bool = False,
) -> Elf:
    """A file with a null section, `sections`, and .shstrtab behind them.

    `extended`: the count and the names' index stand in section 0, as for
    files with more than 65,279 sections.
    """
    word = "Q" if bits == 64 else "I"
    header = struct.Struct(f"{order}HHI{word}{word}{word}IHHHHHH")
    entry = struct.Struct(f"{order}II{word}{word}{word}{word}II{word}{word}")
    names = b"\0"
    body = bytearray(16 + header.size)
    rows: list[tuple[int, ...]] = []
    offsets: dict[bytes, int] = {}
    everything = [*sections, Sec(b".shstrtab", type=3)]
    name_offsets = []
    for section in everything:
        name_offsets.append(len(names))
        names += section.name + b"\0"
    for section, name_offset in zip(everything, name_offsets, strict=True):
        data = names if section.name == b".shstrtab" and not section.data else section.data
        body += bytes(-len(body) % 8)
        offsets[section.name] = len(body)
        rows.append(
            (
                name_offset if section.name_offset is None else section.name_offset,
                section.type,
                0,
                0,
                len(body) if section.offset is None else section.offset,
                len(data) if section.size is None else section.size,
                section.link,
                section.info,
                1,
                section.entry_size,
            )
        )
        body += data
    body += bytes(-len(body) % 8)
    at = len(body)
    count, last = len(rows) + 1, len(rows)
    zero = (0, 0, 0, 0, 0, count if extended else 0, last if extended else 0, 0, 0, 0)
    body += entry.pack(*zero)
    for row in rows:
        body += entry.pack(*row)
    if extended:
        count, last = 0, 0xFFFF
    body[:16] = b"\x7fELF" + bytes([bits // 32, 1 if order == "<" else 2, 1]) + bytes(9)
    header.pack_into(
        body,
        16,
        kind,
        machine,
        1,
        0,
        0,
        at if shoff is None else shoff,
        0,
        16 + header.size,
        0,
        0,
        entry.size if shentsize is None else shentsize,
        count if shnum is None else shnum,
        last if shstrndx is None else shstrndx,
    )
    return Elf(bytes(body), at, offsets)


class Sym(NamedTuple):
    """One symbol; `name` is the offset in its string table."""

    name: int
    value: int = 0
    size: int = 0
    info: int = 0x10
    other: int = 0
    section: int = 0


def symbol_table(symbols: list[Sym], *, bits: int = 64, order: str = "<") -> bytes:
    """The bytes of a .symtab (Elf32_Sym and Elf64_Sym have their fields in different orders)."""
    if bits == 64:
        entry = struct.Struct(f"{order}IBBHQQ")
        return b"".join(
            entry.pack(s.name, s.info, s.other, s.section, s.value, s.size) for s in symbols
        )
    entry = struct.Struct(f"{order}IIIBBH")
    return b"".join(
        entry.pack(s.name, s.value, s.size, s.info, s.other, s.section) for s in symbols
    )


def note(owner: bytes, kind: int, data: bytes, *, order: str = "<") -> bytes:
    """One note (gABI, chapter 5): sizes, type, and both texts padded to four bytes."""
    head = struct.pack(f"{order}III", len(owner) + 1, len(data), kind)
    owner += b"\0"
    return head + owner + bytes(-len(owner) % 4) + data + bytes(-len(data) % 4)


def module(modinfo: bytes = b"license=GPL\0name=m\0", **how: object) -> bytes:
    """A small Linux module: .modinfo and nothing else."""
    return build([Sec(b".modinfo", modinfo)], **how).data  # type: ignore[arg-type]
