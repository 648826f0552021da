"""The kernel command line, as kmod and as the kernel read it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from polymod.model.base import Origin
from polymod_linux.cmdline import PATH, parse
from polymod_linux.modprobe_d import Blacklist, Options

HERE = Origin(PATH)


def options(text: str) -> list[tuple[str, str]]:
    return [
        (entry.module, entry.text)
        for entry in parse(text.encode()).entries
        if isinstance(entry, Options)
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("ro quiet root=/dev/vda1", [], id="words without a dot are the kernel's"),
        pytest.param("usbcore.autosuspend=5", [("usbcore", "autosuspend=5")], id="with a value"),
        pytest.param("loop.flag", [("loop", "flag")], id="without a value"),
        pytest.param("snd-hda.x=1", [("snd_hda", "x=1")], id="the module's name is normalised"),
        pytest.param(
            "random.trust_cpu=1", [("random", "trust_cpu=1")], id="also what is no module"
        ),
        pytest.param(
            'a.b="c d" e.f=g', [("a", 'b="c d"'), ("e", "f=g")], id="a quote round the value"
        ),
        pytest.param('"a.b=c d" e.f=g', [("a", 'b="c d"'), ("e", "f=g")], id="round the word"),
        pytest.param('a.b="c\td"', [("a", 'b="c d"')], id="a tab in quotes is a blank"),
        pytest.param('a".b=c d" e.f=g', [("e", "f=g")], id="a quote elsewhere spoils the word"),
        pytest.param('a.b="c d', [], id="a quote never closed takes the rest"),
        pytest.param("a.b.c=1", [], id="two dots before the equals sign"),
        pytest.param("a.b=1.5", [("a", "b=1.5")], id="dots in the value"),
        pytest.param("root=/dev/mapper/vg.root", [], id="a dot behind the equals sign"),
        pytest.param("a.b=1\n", [("a", "b=1")], id="the line's end"),
        pytest.param("-- a.b=1", [("a", "b=1")], id="kmod goes on behind two dashes"),
        pytest.param('"a.b"', [], id="a quoted word without a value"),
    ],
)
def test_words_with_a_dot_are_options(text: str, expected: list[tuple[str, str]]) -> None:
    assert options(text) == expected


def test_modprobe_blacklist_gives_blacklist_lines() -> None:
    line = parse(b"ro modprobe.blacklist=nouveau,b43 quiet")
    assert line.entries == (Blacklist("nouveau", HERE), Blacklist("b43", HERE))
    assert line.refused == ()


def test_a_name_with_a_dash_blocks_nothing_and_that_is_told() -> None:
    """Unlike in modprobe.d, neither kmod nor the kernel normalises these names."""
    line = parse(b"modprobe.blacklist=snd-pcsp module_blacklist=dm-mod")
    assert line.entries == (Blacklist("snd-pcsp", HERE),)
    assert [problem.message for problem in line.problems] == [
        "modprobe.blacklist: snd-pcsp blocks nothing, it must read snd_pcsp",
        "module_blacklist: dm-mod blocks nothing, it must read dm_mod",
    ]


@pytest.mark.parametrize(
    ("text", "refused"),
    [
        ("module_blacklist=a,b", ("a", "b")),
        ("module-blacklist=a", ("a",)),
        ("module_blacklist=a module_blacklist=b", ("b",)),
        ('module_blacklist="a,b"', ("a", "b")),
        ("-- module_blacklist=a", ()),
        ("module_blacklist", ()),
    ],
)
def test_what_the_kernel_refuses_is_kept_apart(text: str, refused: tuple[str, ...]) -> None:
    assert parse(text.encode()).refused == refused


def test_only_as_much_is_read_as_kmod_reads() -> None:
    assert options("x" * 4090 + " a.b=1") == [("a", "b=")]
    assert options("x" * 4095 + " a.b=1") == []


@given(st.binary(max_size=200) | st.text('ab.="\\ -,\n[]', max_size=60).map(str.encode))
def test_no_bytes_whatever_raise(data: bytes) -> None:
    parse(data)
