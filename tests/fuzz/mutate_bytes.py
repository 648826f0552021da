"""Damage that needs no knowledge of a format, and damage to texts and binary indexes."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from elf_layout import Layout


class Case(NamedTuple):
    """A damaged file, and in words what was done to which sample."""

    what: str
    data: bytes


class Sample(NamedTuple):
    """A sound file to start from; `layout` is None where it is no plain ELF."""

    name: str
    data: bytes
    layout: Layout | None = None


if TYPE_CHECKING:
    Kind = Callable[[Sample, random.Random], tuple[str, bytes]]


#: What has a meaning in the texts that are parsed, or had one in some attack on a parser.
TOKENS = (
    *(b"\\\n", b"\n", b"\0", b"\t", b" ", b"#", b"=", b":", b",", b".", b'"', b"'", b"$", b"\xff"),
    *(
        b"*",
        b"?",
        b"[",
        b"]",
        b"[!",
        b"[^a-",
        b"[]",
        b"\\",
        b"-",
        b"\r\n",
        b"\xc3\x28",
        b"\xed\xa0\x80",
    ),
    *(
        b"alias ",
        b"options ",
        b"install ",
        b"remove ",
        b"softdep ",
        b"pre: ",
        b"post: ",
        b"weakdep ",
    ),
    *(b"blacklist ", b"include ", b"override ", b"search ", b"external ", b"exclude ", b"make_map"),
    *(b"(a+)+$", b"(a|a)*" * 12, b"{1000000}", b"\\(", b"[[:alpha:]]", b"((((((((((", b"^" * 30),
    *(b"modprobe.blacklist=", b"module_blacklist=", b"-- ", b"a" * 5000, b"*" * 300, b"*a" * 200),
    *(
        b"-1",
        b"0x",
        b"99999999999999999999",
        b"null",
        b"true",
        b"{}",
        b"[]",
        b'{"base64":"',
        b"\\ud800",
    ),
)


def cut(one: Sample, chance: random.Random) -> tuple[str, bytes]:
    """The first part only."""
    at = chance.randrange(len(one.data) + 1)
    return f"cut at {at}", one.data[:at]


def bit_flips(one: Sample, chance: random.Random) -> tuple[str, bytes]:
    """Up to 64 single bits turned."""
    data = bytearray(one.data)
    count = chance.choice((1, 1, 2, 8, 64)) if data else 0
    places = [chance.randrange(len(data)) for _ in range(count)]
    for at in places:
        data[at] ^= 1 << chance.randrange(8)
    return f"bits flipped at {places[:4]}", bytes(data)


def spliced(one: Sample, chance: random.Random) -> tuple[str, bytes]:
    """A part left out, or there twice."""
    data = one.data
    start, end = sorted(chance.randrange(len(data) + 1) for _ in range(2))
    at = chance.randrange(len(data) + 1)
    if chance.random() < 0.5:
        return f"bytes {start} to {end} cut out", data[:start] + data[end:]
    return f"bytes {start} to {end} again at {at}", data[:at] + data[start:end] + data[at:]


def tokens(one: Sample, chance: random.Random) -> tuple[str, bytes]:
    """Words with a meaning put in anywhere, perhaps many times."""
    data, said = one.data, []
    for _ in range(chance.choice((1, 2, 5))):
        at = chance.randrange(len(data) + 1)
        token = chance.choice(TOKENS) * chance.choice((1, 1, 1, 2, 50))
        data = data[:at] + token + data[at:]
        said.append(f"{token[:12]!r} at {at}")
    return ", ".join(said), data


def words(one: Sample, chance: random.Random) -> tuple[str, bytes]:
    """Big-endian offset words of a binary index replaced: rings, overlaps, places outside."""
    data, said = bytearray(one.data), []
    for _ in range(chance.choice((1, 2, 8))):
        if len(data) < 4:
            break
        at = chance.randrange(len(data) - 3)
        place = chance.choice((0, 12, at, len(data), chance.randrange(len(data)), 0x0FFFFFFF))
        word = chance.choice((0, 0x20, 0x40, 0x80, 0xE0, 0xA0)) << 24 | place
        data[at : at + 4] = word.to_bytes(4, "big")
        said.append(f"{word:#x} at {at}")
    return ", ".join(said), bytes(data)


class Weighted:
    """Kinds of damage, some more often than others."""

    def __init__(self, *pairs: tuple[Kind, int]) -> None:
        self._kinds = [kind for kind, _ in pairs]
        self._weights = [weight for _, weight in pairs]

    def choose(self, chance: random.Random) -> Kind:
        """One of them."""
        return chance.choices(self._kinds, self._weights)[0]


BYTES = Weighted((cut, 10), (bit_flips, 20), (spliced, 15), (tokens, 25), (words, 30))


class ByteMutator:
    """Damage by case number: the same seed, samples and number give the same bytes."""

    def __init__(self, samples: Sequence[Sample], seed: int) -> None:
        self._samples = samples
        self._seed = seed

    def case(self, index: int) -> Case:
        """Case number `index`."""
        chance = random.Random(f"{self._seed}:{index}")
        one = chance.choice(self._samples)
        data, said = one.data, []
        for _ in range(chance.choice((1, 1, 2, 4))):
            what, data = BYTES.choose(chance)(Sample(one.name, data), chance)
            said.append(what)
        return Case(f"case {index}: {one.name}: {'; '.join(said)}", data)
