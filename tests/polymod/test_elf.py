"""The ELF reader, on files built here byte by byte."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from polymod import limits
from polymod.errors import MalformedModule
from polymod.formats import elf
from polymod.formats.elf import ElfImage
from polymod.source import BytesSource
from tests.polymod.elf_builder import (
    SHAPE_IDS,
    SHAPES,
    Elf,
    Sec,
    Sym,
    build,
    note,
    symbol_table,
)

if TYPE_CHECKING:
    from tests.conftest import RunBounded

shapes = pytest.mark.parametrize(("bits", "order"), SHAPES, ids=SHAPE_IDS)

INFO = b"license=GPL\0name=m\0"
STRINGS = b"\0first\0second\0"


def _sample(bits: int = 64, order: str = "<") -> Elf:
    symbols = [Sym(0), Sym(1, 0x1234, 8, 0x12, 2, 1), Sym(7, 0, 0, 0x20, 0, 0)]
    return build(
        [
            Sec(b".modinfo", INFO),
            Sec(b".symtab", symbol_table(symbols, bits=bits, order=order), type=2, link=3),
            Sec(b".strtab", STRINGS, type=3),
            Sec(b".note.gnu.build-id", note(b"GNU", 3, bytes(range(20)), order=order), type=7),
            Sec(b".bss", b"", type=8, size=1 << 40 if bits == 64 else 1 << 30),
        ],
        bits=bits,
        order=order,
        machine=22,
    )


def _image(data: bytes) -> ElfImage:
    return ElfImage(BytesSource(data, "/m.ko"))


def _use_all(data: bytes) -> None:
    """Everything a caller may ask of a file."""
    image = _image(data)
    for section in image.sections:
        image.section_name(section)
        image.contents(section)
    image.named_contents(b".modinfo")
    list(image.symbols())
    image.build_id()
    assert image.machine
    assert image.endian


@shapes
def test_all_of_a_sound_file_is_read(bits: int, order: str) -> None:
    image = _image(_sample(bits, order).data)
    assert (image.bits, image.order) == (bits, order)
    assert image.endian == ("little" if order == "<" else "big")
    assert (image.type, image.machine_number) == (elf.ET_REL, 22)
    assert image.machine == ("s390x" if bits == 64 else "s390")
    names = [image.section_name(section) for section in image.sections]
    expected = [b"", b".modinfo", b".symtab", b".strtab", b".note.gnu.build-id", b".bss"]
    assert names == [*expected, b".shstrtab"]
    assert image.named_contents(b".modinfo") == INFO
    assert image.named_contents(b".nothing") is None
    assert image.build_id() == bytes(range(20)).hex()
    _, first, second = image.symbols()
    assert first == (b"first", 0x1234, 8, 0x12, 2, 1)
    assert second == (b"second", 0, 0, 0x20, 0, 0)
    assert [symbol.name for symbol in image.symbols(2)] == [b"second"]
    assert list(image.symbols(99)) == []


@shapes
def test_a_section_without_room_in_the_file_is_empty(bits: int, order: str) -> None:
    assert _image(_sample(bits, order).data).named_contents(b".bss") == b""


@shapes
def test_a_file_cut_anywhere_is_malformed_or_read(bits: int, order: str) -> None:
    whole = _sample(bits, order).data
    for size in range(len(whole)):
        with pytest.raises(MalformedModule) as caught:
            _use_all(whole[:size])
        assert caught.value.path == "/m.ko"
    _use_all(whole)


@shapes
def test_any_byte_of_the_headers_set_to_all_ones_does_no_harm(bits: int, order: str) -> None:
    sample = _sample(bits, order)
    header = 64 if bits == 64 else 52
    places = [*range(header), *range(sample.section_headers, len(sample.data))]
    for at in places:
        damaged = bytearray(sample.data)
        damaged[at] = 0xFF
        try:
            _use_all(bytes(damaged))
        except MalformedModule as error:
            assert error.offset is not None  # noqa: PT017  # not raising is fine as well


@shapes
def test_the_extended_numbering_of_many_sections_is_read(bits: int, order: str) -> None:
    many = [Sec(b".s") for _ in range(100)]
    image = _image(
        build([Sec(b".modinfo", INFO), *many], bits=bits, order=order, extended=True).data
    )
    assert len(image.sections) == 103
    assert image.named_contents(b".modinfo") == INFO


@shapes
def test_more_sections_than_the_limit_are_refused_before_they_are_read(
    bits: int, order: str
) -> None:
    sample = build([Sec(b".modinfo", INFO)], bits=bits, order=order, extended=True)
    data = bytearray(sample.data)
    at = sample.section_headers + (32 if bits == 64 else 20)
    width = 8 if bits == 64 else 4
    endian = "little" if order == "<" else "big"
    data[at : at + width] = (limits.ELF_SECTIONS + 1).to_bytes(width, endian)  # type: ignore[arg-type]
    with pytest.raises(MalformedModule, match="more than the limit") as caught:
        _image(bytes(data))
    assert caught.value.field == "e_shnum"


@shapes
def test_headers_may_claim(bits: int, order: str) -> None:
    good = {"bits": bits, "order": order}
    sections = [Sec(b".modinfo", INFO)]
    top = (1 << bits) - 1
    for how, field in (
        ({"shnum": 0xFFFF}, "e_shoff"),
        ({"shoff": top}, "e_shoff"),
        ({"shoff": 1 << 20}, "e_shoff"),
        ({"shstrndx": 200}, "e_shstrndx"),
        ({"shstrndx": 0}, "e_shstrndx"),
        ({"shentsize": 0}, "e_shentsize"),
        ({"shentsize": 0xFFFF}, "e_shentsize"),
    ):
        with pytest.raises(MalformedModule) as caught:
            _image(build(sections, **good, **how).data)  # type: ignore[arg-type]
        assert caught.value.field == field


@shapes
def test_a_file_without_section_headers_has_no_sections(bits: int, order: str) -> None:
    image = _image(build([], bits=bits, order=order, shoff=0).data)
    assert image.sections == []
    assert image.section(b".modinfo") is None
    assert list(image.symbols()) == []
    assert image.build_id() is None


@shapes
def test_a_section_reaching_out_of_the_file_is_malformed_when_it_is_read(
    bits: int, order: str
) -> None:
    top = (1 << bits) - 1
    for offset, size in ((0, top), (top, 1), (top, top), (10, 1 << 20)):
        image = _image(
            build([Sec(b".x", b"", offset=offset, size=size)], bits=bits, order=order).data
        )
        with pytest.raises(MalformedModule) as caught:
            image.named_contents(b".x")
        assert caught.value.field == ".x"


@shapes
def test_overlapping_sections_are_each_read_as_they_say(bits: int, order: str) -> None:
    image = _image(
        build([Sec(b".a", b"abcdef"), Sec(b".b", offset=0, size=4)], bits=bits, order=order).data
    )
    assert image.named_contents(b".a") == b"abcdef"
    assert image.named_contents(b".b") == b"\x7fELF"


@shapes
def test_a_name_out_of_range_is_empty_and_never_found(bits: int, order: str) -> None:
    image = _image(
        build([Sec(b".modinfo", INFO, name_offset=0xFFFFFFF0)], bits=bits, order=order).data
    )
    assert image.section(b".modinfo") is None
    assert image.section_name(image.sections[1]) == b""


def test_a_name_inside_the_tail_of_another_is_found() -> None:
    # Linkers let ".text" live inside ".rela.text".
    image = _image(build([Sec(b".rela.text", b"rela"), Sec(b".text", b"text", name_offset=6)]).data)
    assert image.named_contents(b".text") == b"text"
    assert image.named_contents(b".rela.text") == b"rela"


def test_the_first_of_several_sections_of_one_name_counts() -> None:
    first = Sec(b".modinfo", b"first", name_offset=1)
    image = _image(build([first, Sec(b".modinfo", b"second", name_offset=1)]).data)
    assert image.named_contents(b".modinfo") == b"first"


def test_a_limit_on_a_section_is_kept() -> None:
    image = _image(build([Sec(b".modinfo", bytes(100))]).data)
    assert image.named_contents(b".modinfo", 100) == bytes(100)
    with pytest.raises(MalformedModule, match="more than the limit of 99"):
        image.named_contents(b".modinfo", 99)


@pytest.mark.parametrize(
    ("symbols", "link"),
    [
        pytest.param([Sym(0), Sym(999)], 2, id="a name behind its table"),
        pytest.param([Sym(0), Sym(0xFFFFFFFF)], 2, id="a name far behind its table"),
        pytest.param([Sym(0)], 77, id="a table of names that is not there"),
        pytest.param([Sym(0)], 0, id="no table of names"),
    ],
)
def test_symbols_with(symbols: list[Sym], link: int) -> None:
    image = _image(
        build(
            [
                Sec(b".symtab", symbol_table(symbols), type=2, link=link),
                Sec(b".strtab", STRINGS, type=3),
            ]
        ).data
    )
    with pytest.raises(MalformedModule):
        list(image.symbols())


def test_a_symbol_table_with_half_an_entry_gives_the_whole_ones() -> None:
    table = symbol_table([Sym(0), Sym(1)]) + b"\1\2\3"
    image = _image(
        build([Sec(b".symtab", table, type=2, link=2), Sec(b".strtab", STRINGS, type=3)]).data
    )
    assert [symbol.name for symbol in image.symbols()] == [b"", b"first"]


def test_more_symbols_than_the_limit_are_refused_before_they_are_read() -> None:
    size = (limits.SYMBOLS + 1) * 24
    image = _image(
        build([Sec(b".symtab", type=2, link=2, size=size), Sec(b".strtab", STRINGS, type=3)]).data
    )
    with pytest.raises(MalformedModule, match="more than the limit"):
        list(image.symbols())


def test_endless_symbol_names_do_not_cost_their_length_each(run_bounded: RunBounded) -> None:
    out = run_bounded(
        """
from polymod.errors import MalformedModule
from polymod.formats.elf import ElfImage
from polymod.source import BytesSource
from tests.polymod.elf_builder import Sec, Sym, build, symbol_table
names = bytes(1) + b"a" * (16 << 20) + bytes(1)
table = symbol_table([Sym(1)]) * 500_000
data = build([Sec(b".symtab", table, type=2, link=2), Sec(b".strtab", names, type=3)]).data
try:
    print(sum(len(s.name) for s in ElfImage(BytesSource(data)).symbols()))
except MalformedModule:
    print("malformed")
"""
    )
    assert out == "malformed\n"


@shapes
def test_notes_are_read_until_damage(bits: int, order: str) -> None:
    good = note(b"Linux", 0x101, b"\0\0\0\0", order=order) + note(b"GNU", 3, b"id!", order=order)
    for tail in (b"", b"\xff" * 11, b"\xff" * 12, b"\xff" * 40, bytes(7)):
        image = _image(
            build([Sec(b".note.gnu.build-id", good + tail, type=7)], bits=bits, order=order).data
        )
        section = image.section(b".note.gnu.build-id")
        assert section is not None
        assert list(image.notes(section))[:2] == [
            (b"Linux", 0x101, b"\0\0\0\0"),
            (b"GNU", 3, b"id!"),
        ]
        assert image.build_id() == b"id!".hex()


@pytest.mark.parametrize(
    ("number", "bits", "order", "expected"),
    [
        (62, 64, "<", "x86_64"),
        (62, 32, "<", "x32"),
        (3, 32, "<", "i386"),
        (183, 64, "<", "aarch64"),
        (40, 32, "<", "arm"),
        (21, 64, "<", "ppc64le"),
        (21, 64, ">", "ppc64"),
        (20, 32, ">", "ppc"),
        (22, 64, ">", "s390x"),
        (243, 64, "<", "riscv64"),
        (243, 32, "<", "riscv32"),
        (50, 64, "<", "ia64"),
        (15, 32, ">", "hppa"),
        (8, 32, ">", "mips"),
        (8, 64, "<", "mips64el"),
        (4711, 64, "<", "em-4711"),
    ],
)
def test_the_machine_has_its_gnu_name(number: int, bits: int, order: str, expected: str) -> None:
    assert _image(build([], bits=bits, order=order, machine=number).data).machine == expected


@pytest.mark.parametrize(
    "head",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"\x7fEL", id="three bytes"),
        pytest.param(b"\x7fELF", id="the magic alone"),
        pytest.param(b"\x7fELF\x03\x01" + bytes(100), id="an unknown class"),
        pytest.param(b"\x7fELF\x02\x00" + bytes(100), id="no byte order"),
        pytest.param(b"MZ" + bytes(100), id="another format"),
    ],
)
def test_no_elf(head: bytes) -> None:
    with pytest.raises(MalformedModule):
        _image(head)
