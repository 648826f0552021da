"""Files made to cost time or memory: each is sound enough to be followed, and out of measure.

Every one of them must be read or refused within the bounds that hold for all
input. They are generated, for they would be too large to keep.
"""

from __future__ import annotations

import gzip
import lzma
import struct
import zlib
from functools import partial
from typing import TYPE_CHECKING

from mutate import packers

from polymod import limits

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

#: What is just allowed costs most.
MOST_SYMBOLS = limits.SYMBOLS - 2

_SECTION = struct.Struct("<IIQQQQIIQQ")
_SYMBOL = struct.Struct("<IBBHQQ")
_RELA = struct.Struct("<QQq")
PROGBITS, SYMTAB, STRTAB, RELA, NOTE = 1, 2, 3, 4, 7

#: (name, type, contents, link, info, entry size)
Part = tuple[bytes, int, bytes, int, int, int]

_MODINFO: Part = (b".modinfo", PROGBITS, b"name=crafted\0license=GPL\0", 0, 0, 0)


def elf(parts: Sequence[Part], names: bytes = b"") -> bytes:
    """A 64-bit little-endian relocatable of these sections; section 1 is the first part.

    The section names come last; `names` is put behind them.
    """
    table = b"\0"
    where = []
    for name, *_ in parts:
        where.append(len(table))
        table += name + b"\0"
    where.append(len(table))
    table += b".shstrtab\0" + names
    body, headers = bytearray(64), [bytes(64)]
    sections: list[Part] = [*parts, (b".shstrtab", STRTAB, table, 0, 0, 0)]
    for at, (_, kind, contents, link, info, entry) in zip(where, sections, strict=True):
        headers.append(
            _SECTION.pack(at, kind, 0, 0, len(body), len(contents), link, info, 1, entry)
        )
        body += contents
    fields = (1, 62, 1, 0, 0, len(body), 0, 64, 0, 0, 64, len(headers), len(headers) - 1)
    body[:64] = b"\x7fELF\x02\x01\x01" + bytes(9) + struct.pack("<HHIQQQIHHHHHH", *fields)
    return bytes(body) + b"".join(headers)


def symbols(count: int, strings: bytes, make: Callable[[int], tuple[int, int, int]]) -> list[Part]:
    """A symbol table of `count` entries; `make` gives name, section and value of each."""
    table = bytearray(_SYMBOL.size)
    for index in range(count):
        name, section, value = make(index)
        table += _SYMBOL.pack(name, 0x10, 0, section, value, 0)
    return [
        _MODINFO,
        (b".symtab", SYMTAB, bytes(table), 3, 1, _SYMBOL.size),
        (b".strtab", STRTAB, strings, 0, 0, 0),
    ]


def long_names() -> bytes:
    """Every symbol's name is the same 8 MB."""
    return elf(symbols(50_000, b"\0" + b"n" * (8 << 20) + b"\0", lambda n: (1 + n % 7, 0, 0)))


def many_symbols() -> bytes:
    """As many undefined symbols as fit below the limit, one name for all."""
    return elf(symbols(MOST_SYMBOLS, b"\0name\0", lambda _: (1, 0, 0)))


def many_names() -> bytes:
    """Many undefined symbols, each with a name of its own."""
    strings = b"\0" + b"".join(b"%07d\0" % n for n in range(limits.LINKED_SYMBOLS))
    return elf(symbols(limits.LINKED_SYMBOLS, strings, lambda n: (1 + 8 * n, 0, 0)))


def too_many_names() -> bytes:
    """Every symbol has a name of its own."""
    strings = b"\0" + b"".join(b"%07d\0" % n for n in range(MOST_SYMBOLS))
    return elf(symbols(MOST_SYMBOLS, strings, lambda n: (1 + 8 * n, 0, 0)))


def many_exports() -> bytes:
    """Many ``__crc_`` symbols with names of their own, in a section of CRCs."""
    strings = b"\0" + b"".join(b"__crc_%06d\0" % n for n in range(limits.LINKED_SYMBOLS))
    parts = symbols(limits.LINKED_SYMBOLS, strings, lambda n: (1 + 13 * n, 4, 4 * (n % 1000)))
    return elf([*parts, (b"__kcrctab", PROGBITS, bytes(4000), 0, 0, 0)])


def many_section_names() -> bytes:
    """The section name table repeats the name that is looked for, where no section points."""
    return elf([_MODINFO], names=b".note.gnu.build-id\0" * (limits.SECTION_NAMES // 19 - 9))


def many_sections() -> bytes:
    """65,000 sections that all hold the same bytes."""
    return elf([_MODINFO] * 65_000)


def many_pairs() -> bytes:
    """``.modinfo`` full of parameters."""
    text = b"".join(b"parm=p%06d:x\0" % n for n in range(limits.MODINFO_BYTES // 15))
    return elf([(b".modinfo", PROGBITS, text, 0, 0, 0)])


def short_pairs() -> bytes:
    """``.modinfo`` full of the shortest strings there are."""
    return elf([(b".modinfo", PROGBITS, b"a\0" * (limits.MODINFO_BYTES // 2), 0, 0, 0)])


def many_soft_dependencies() -> bytes:
    """``.modinfo`` with a soft dependency on very many modules."""
    text = b"softdep=pre: " + b"a " * (limits.MODINFO_BYTES // 2 - 8)
    return elf([(b".modinfo", PROGBITS, text, 0, 0, 0)])


def many_versions() -> bytes:
    """A modversions table as long as may be."""
    count = limits.VERSIONS_BYTES // 64
    record = b"".join(struct.pack("<Q56s", n, b"s%07d" % n) for n in range(count))
    return elf([_MODINFO, (b"__versions", PROGBITS, record, 0, 0, 0)])


def many_notes() -> bytes:
    """Empty notes, a megabyte of them, where the build id should be."""
    return elf([_MODINFO, (b".note.gnu.build-id", NOTE, bytes(1 << 20), 0, 0, 0)])


def many_relocations() -> bytes:
    """An export table with a great many relocations, and no symbol that tells its exports."""
    count = limits.RELOCATIONS
    table = b"".join(_RELA.pack(4 * n, (1 << 32) | 2, n % 8) for n in range(count))
    parts = symbols(1, b"\0strings\0", lambda _: (0, 6, 0))
    return elf(
        [
            *parts,
            (b"__ksymtab", PROGBITS, bytes(4 * count), 0, 0, 0),
            (b".rela__ksymtab", RELA, table, 2, 4, _RELA.size),
            (b"__ksymtab_strings", PROGBITS, b"one\0two\0", 0, 0, 0),
        ]
    )


def zeros_after(head: bytes, pack: str, size: int = 256 << 20) -> bytes:
    """`head` and then `size` zero bytes, packed by ``gzip`` or ``xz``."""
    step = bytes(1 << 20)
    if pack == "gzip":
        deflate = zlib.compressobj(1, wbits=31)
        parts = [deflate.compress(head)]
        parts += [deflate.compress(step) for _ in range(size >> 20)]
        return b"".join((*parts, deflate.flush()))
    packer = lzma.LZMACompressor(preset=0, check=lzma.CHECK_CRC32)
    parts = [packer.compress(head)]
    parts += [packer.compress(step) for _ in range(size >> 20)]
    return b"".join((*parts, packer.flush()))


def nested_bomb() -> bytes:
    """A bomb packed once more: what unpacks to another packed file is no module."""
    return gzip.compress(zeros_after(b"\x7fELF", "gzip", 128 << 20))


def empty_streams(pack: Callable[[bytes], bytes]) -> bytes:
    """Packed nothing, 50,000 times over."""
    return pack(b"") * 50_000


def hoard(count: int = 600) -> Iterator[bytes]:
    """Files with long texts that differ in each: whoever keeps them for the next runs full."""
    for number in range(count):
        text = b"vermagic=%d" % number + b"x" * 300_000 + b" SMP\0"
        yield elf([(b".modinfo", PROGBITS, text, 0, 0, 0)])


CRAFTED: dict[str, Callable[[], bytes]] = {
    "symbols that share a very long name": long_names,
    "as many symbols as may be": many_symbols,
    "as many names as may be": many_names,
    "more names than may be": too_many_names,
    "as many exports as may be": many_exports,
    "a name table that repeats a wanted name": many_section_names,
    "65,000 sections": many_sections,
    "as many parameters as may be": many_pairs,
    "very many short strings": short_pairs,
    "very many soft dependencies": many_soft_dependencies,
    "a modversions table as long as may be": many_versions,
    "a megabyte of empty notes": many_notes,
    "as many relocations as may be": many_relocations,
    "a gzip bomb": lambda: zeros_after(b"", "gzip"),
    "a gzip bomb that begins as a module": lambda: zeros_after(elf([_MODINFO])[:64], "gzip"),
    "an xz bomb that begins as a module": lambda: zeros_after(elf([_MODINFO])[:64], "xz"),
    "a bomb inside a packed file": nested_bomb,
    **{f"empty {name} streams": partial(empty_streams, pack) for name, pack in packers()},
}
