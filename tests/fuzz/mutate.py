"""Damaged modules, made from sound ones: seeded, so that every case can be made again.

`systematic` cuts a file at every structure's edge and lies in every field of
every header; `Mutator.case` draws one of many kinds of damage for a case number.
"""

from __future__ import annotations

import gzip
import lzma
import random
import sys
from typing import TYPE_CHECKING

from elf_layout import Field, Layout, layout, number, stamp
from mutate_bytes import Case, Sample, Weighted, bit_flips, cut, spliced

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

MAGIC = b"~Module signature appended~\n"

#: Sections whose contents are parsed, and so worth damage of their own.
_PARSED = (
    ".modinfo",
    ".symtab",
    ".strtab",
    ".shstrtab",
    "__versions",
    "__version_ext_crcs",
    "__version_ext_names",
    "__ksymtab",
    "__ksymtab_gpl",
    "__ksymtab_strings",
    "__kcrctab",
    "__kcrctab_gpl",
    ".note.gnu.build-id",
    ".note.Linux",
    ".gnu.linkonce.this_module",
    ".rela__ksymtab",
    ".rela__ksymtab_gpl",
    ".rel__ksymtab",
    ".rel__ksymtab_gpl",
)


def sample(name: str, data: bytes) -> Sample:
    """A sample out of bytes."""
    return Sample(name, data, layout(data))


def lies(value: int, size: int, width: int) -> list[int]:
    """The numbers worth claiming in a field of `width` bytes in a file of `size`."""
    most = (1 << 8 * width) - 1
    numbers = (0, 1, most, most >> 1, size, size - 1, size + 1, value - 1, value + 1)
    return list(dict.fromkeys(one & most for one in numbers if one & most != value))


def systematic(one: Sample) -> Iterator[Case]:
    """Cuts at every edge, and a lie in every field of every header of an ELF sample."""
    if one.layout is None:
        return
    size = len(one.data)
    for edge in one.layout.boundaries(size):
        for at in (edge - 1, edge, edge + 1):
            if 0 <= at < size:
                yield Case(f"{one.name}: cut at {at}", one.data[:at])
    for fields in (one.layout.header, *one.layout.sections):
        for field in fields:
            value = number(one.data, field, one.layout.order)
            for lie in lies(value, size, field.size):
                yield _with(one, field, lie)


def _with(one: Sample, field: Field, value: int) -> Case:
    data = bytearray(one.data)
    order = one.layout.order if one.layout else "<"
    stamp(data, field, order, value)
    return Case(f"{one.name}: {field.name} = {value:#x}", bytes(data))


class Mutator:
    """Damage by case number: the same seed, samples and number give the same bytes."""

    def __init__(self, samples: Sequence[Sample], seed: int) -> None:
        self._samples = samples
        self._seed = seed
        self._elves = [one for one in samples if one.layout is not None]
        self._signed = [one for one in samples if one.data.endswith(MAGIC)]

    def case(self, index: int) -> Case:
        """Case number `index`."""
        chance = random.Random(f"{self._seed}:{index}")
        kind = _MODULES.choose(chance)
        pool = self._elves if kind in _ELF_ONLY else self._samples
        if kind is _signature_lie:
            pool = self._signed
        one = chance.choice(pool or self._samples)
        what, data = kind(one, chance)
        if chance.random() < 0.25:  # damage seldom comes alone
            more, data = bit_flips(Sample(one.name, data), chance)
            what = f"{what}, {more}"
        return Case(f"case {index}: {one.name}: {what}", data)


def _header_lies(one: Sample, chance: random.Random) -> tuple[str, bytes]:
    found, data = _map(one), bytearray(one.data)
    fields = [field for group in (found.header, *found.sections) for field in group]
    said = []
    for _ in range(chance.choice((1, 2, 3, 8))):
        field = chance.choice(fields)
        value = number(data, field, found.order)
        lie = chance.choice((*lies(value, len(data), field.size), chance.getrandbits(32)))
        stamp(data, field, found.order, lie)
        said.append(f"{field.name} = {lie:#x}")
    return ", ".join(said), bytes(data)


def _twin_sections(one: Sample, chance: random.Random) -> tuple[str, bytes]:
    """One section's header over another's, or two sections over the same bytes."""
    found, data = _map(one), bytearray(one.data)
    here, there = (chance.randrange(len(found.sections)) for _ in range(2))
    whole = chance.random() < 0.5
    for source, target in zip(found.sections[here], found.sections[there], strict=True):
        if whole or source.name.endswith((".offset", ".size")):
            stamp(data, target, found.order, number(data, source, found.order))
    return f"section {there} {'is' if whole else 'lies over'} section {here}", bytes(data)


def _inside(one: Sample, chance: random.Random) -> tuple[str, bytes]:
    """Extreme numbers, no NULs, or noise inside a section that is parsed."""
    found, data = _map(one), bytearray(one.data)
    regions = [r for r in found.regions if r.size and r.name in _PARSED]
    if not regions:
        return bit_flips(one, chance)
    region = chance.choice(regions)
    end = min(region.offset + region.size, len(data))
    way = chance.randrange(4)
    if way == 0:
        data[region.offset : end] = data[region.offset : end].replace(b"\0", b"A")
        return f"no NUL in {region.name}", bytes(data)
    if way == 1:
        data[region.offset : end] = chance.randbytes(end - region.offset)
        return f"noise in {region.name}", bytes(data)
    said = []
    for _ in range(chance.choice((1, 2, 16))):
        width = chance.choice((1, 2, 4, 8))
        at = region.offset + chance.randrange(max(region.size // width, 1)) * width
        if at + width > end:
            continue
        lie = chance.choice(
            (0, 1, (1 << 8 * width) - 1, 1 << 8 * width - 1, chance.getrandbits(64))
        )
        stamp(data, Field("", at, width), found.order, lie)
        said.append(hex(at))
    return f"numbers in {region.name} at {said[:4]}", bytes(data)


def _grown(one: Sample, chance: random.Random) -> tuple[str, bytes]:
    """Garbage, zeros, a signature's magic or the file itself appended."""
    size = chance.choice((1, 11, 12, 28, 40, 4096, 70_000))
    extra = chance.choice((chance.randbytes(size), bytes(size), MAGIC, MAGIC * 3, one.data))
    return f"{len(extra)} bytes appended", one.data + extra


def _signature_lie(one: Sample, chance: random.Random) -> tuple[str, bytes]:
    """Lies in the trailer, or in the tags and lengths of the DER before it."""
    data = bytearray(one.data)
    trailer = len(data) - len(MAGIC) - 12
    if trailer < 0:
        return _grown(one, chance)
    length = int.from_bytes(data[trailer + 8 : trailer + 12], "big")
    if chance.random() < 0.4:
        at = trailer + chance.choice((0, 1, 2, 3, 4))
        data[at] = chance.choice((0, 1, 2, 3, 127, 128, 255))
        lie = chance.choice(lies(length, len(data), 4))
        data[trailer + 8 : trailer + 12] = lie.to_bytes(4, "big")
        return f"trailer byte {at - trailer} and length {lie:#x}", bytes(data)
    start = max(trailer - length, 0)
    said = []
    for _ in range(chance.choice((1, 1, 2, 5))):
        at = start + chance.randrange(min(max(trailer - start, 1), 200))
        data[at] = chance.choice((0, 1, 0x30, 0x31, 0x7F, 0x80, 0x81, 0x82, 0x84, 0x88, 0xA0, 0xFF))
        said.append(at - start)
    return f"DER bytes at {said}", bytes(data)


def _packed(one: Sample, chance: random.Random) -> tuple[str, bytes]:
    """The sample packed (again), perhaps twice, and then damaged or followed by more."""
    data, said = one.data, []
    for _ in range(chance.choice((1, 1, 2))):
        name, pack = chance.choice(packers())
        data = pack(data)
        said.append(name)
    way = chance.randrange(4)
    if way == 1:
        said.append(cut(Sample(one.name, data), chance)[0])
        data = data[: chance.randrange(len(data) + 1)]
    elif way == 2:
        more, data = bit_flips(Sample(one.name, data), chance)
        said.append(more)
    elif way == 3:
        data += chance.choice((data, b"\0" * 4, chance.randbytes(9), data[:7]))
        said.append("and more behind it")
    return f"packed by {', '.join(said)}", data


def packers() -> list[tuple[str, Callable[[bytes], bytes]]]:
    """The compressions there are here, by name."""
    found: list[tuple[str, Callable[[bytes], bytes]]] = [
        ("gzip", lambda data: gzip.compress(data, 1, mtime=0)),
        ("xz", lambda data: lzma.compress(data, preset=0, check=lzma.CHECK_CRC32)),
    ]
    pack = _zstd()
    return [*found, ("zstd", pack)] if pack else found


def _zstd() -> Callable[[bytes], bytes] | None:
    try:
        if sys.version_info >= (3, 14):
            from compression import zstd
        else:
            from backports import zstd
    except ImportError:
        return None
    return lambda data: bytes(zstd.compress(data, 1))


def _map(one: Sample) -> Layout:
    if one.layout is None:
        raise ValueError(f"{one.name} is no ELF file")
    return one.layout


_ELF_ONLY = (_header_lies, _twin_sections, _inside)
_MODULES = Weighted(
    (cut, 8),
    (bit_flips, 14),
    (_header_lies, 24),
    (_twin_sections, 10),
    (_inside, 22),
    (_grown, 5),
    (spliced, 6),
    (_signature_lie, 12),
    (_packed, 6),
)
