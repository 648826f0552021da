"""The grammar of modprobe.d; what the lines mean was checked with ``modprobe -c`` of kmod 30."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from polymod.model.base import Origin
from polymod_linux.modprobe_d import (
    Alias,
    Blacklist,
    Command,
    Entry,
    Options,
    Softdep,
    Weakdep,
    parse,
)

PATH = "/etc/modprobe.d/sample.conf"
HERE = Origin(PATH, 1)


def entries(text: str | bytes) -> list[Entry]:
    data = text if isinstance(text, bytes) else text.encode()
    return parse(data, PATH)[0]


def problems(text: str | bytes) -> list[tuple[int | None, str]]:
    data = text if isinstance(text, bytes) else text.encode()
    return [(problem.origin.line, problem.message) for problem in parse(data, PATH)[1]]


@pytest.mark.parametrize(
    ("line", "entry"),
    [
        ("alias my-mod* really-long", Alias("my_mod*", "really_long", HERE)),
        ("alias a[0-9]-b c extra words", Alias("a[0-9]_b", "c", HERE)),
        ("blacklist snd-pcsp", Blacklist("snd_pcsp", HERE)),
        ("\tblacklist \t pcspkr", Blacklist("pcspkr", HERE)),
        ("blacklist a b", Blacklist("a", HERE)),
        ("options b43   a=1\tb=2  ", Options("b43", "  a=1 b=2  ", HERE)),
        ("install foo  /bin/false ", Command("foo", " /bin/false ", HERE)),
        ("remove foo\t/bin/true", Command("foo", "/bin/true", HERE, removes=True)),
        ("softdep a pre: b c post: d", Softdep("a", ("b", "c"), ("d",), HERE)),
        ("softdep a post: b pre: c post: d", Softdep("a", ("c",), ("b", "d"), HERE)),
        ("weakdep a b-c d", Weakdep("a", ("b-c", "d"), HERE)),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_each_command_gives_its_entry(line: str, entry: Entry) -> None:
    assert entries(line) == [entry]
    assert problems(line) == []


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ("alias onlyone", "alias: no module is named"),
        ("alias", "alias: no module is named"),
        ("blacklist", "blacklist: no module is named"),
        ("blacklist a[b", "blacklist: the brackets of a[b do not pair"),
        ("alias a b]", "alias: the brackets of b] do not pair"),
        ("options foo", "options: none are given"),
        ("options foo ", "options: none are given"),
        ("install foo", "install: no command is given"),
        ("remove foo ", "remove: no command is given"),
        ("softdep foo", "softdep: no modules are given"),
        ("weakdep foo", "weakdep: no modules are given"),
        ("include /etc/other", "include: no longer a command of modprobe.d"),
        ("config x", "config: no longer a command of modprobe.d"),
        ("Blacklist foo", "Blacklist: not a command of modprobe.d"),
        ("  # late", "a comment must begin with the first character of its line"),
    ],
)
def test_a_bad_line_is_skipped_and_reported_with_its_place(line: str, complaint: str) -> None:
    text = f"# first\n\n{line}\nblacklist good\n"
    assert entries(text) == [Blacklist("good", Origin(PATH, 4))]
    assert problems(text) == [(3, complaint)]


def test_a_backslash_at_the_end_joins_lines_without_a_blank() -> None:
    text = "options a b=\\\n1 \\\nc=2\nblacklist d\n"
    assert entries(text) == [Options("a", "b=1 c=2", HERE), Blacklist("d", Origin(PATH, 4))]


def test_a_backslash_elsewhere_vanishes() -> None:
    """kmod's line reader drops it and keeps the next character, so shell escapes are lost."""
    assert entries("install z echo a\\;b \\\\ c") == [Command("z", "echo a;b \\ c", HERE)]


def test_two_backslashes_at_the_end_are_one_and_join_nothing() -> None:
    assert entries("install z echo \\\\\nblacklist a") == [
        Command("z", "echo \\", HERE),
        Blacklist("a", Origin(PATH, 2)),
    ]


def test_a_comment_that_ends_in_a_backslash_swallows_the_next_line() -> None:
    assert entries("# note \\\nblacklist hidden\nblacklist seen") == [
        Blacklist("seen", Origin(PATH, 3))
    ]


def test_a_backslash_at_the_end_of_the_file_is_dropped() -> None:
    assert entries("blacklist last\\") == [Blacklist("last", HERE)]


def test_a_nul_ends_its_line() -> None:
    assert entries(b"blacklist a\0b c\nblacklist d") == [
        Blacklist("a", HERE),
        Blacklist("d", Origin(PATH, 2)),
    ]
    assert problems(b"blacklist a\0b c") == [(1, "what follows the NUL on this line is ignored")]


def test_a_carriage_return_belongs_to_the_name() -> None:
    assert entries(b"blacklist a\r\n") == [Blacklist("a\r", HERE)]
    assert problems(b"blacklist a\r\n") == [
        (1, "the carriage return at its end is taken as part of the line")
    ]


def test_text_outside_utf_8_is_kept() -> None:
    assert entries(b"options a name=\xff\xfe") == [Options("a", "name=\udcff\udcfe", HERE)]


def test_one_blank_too_many_before_pre_makes_it_overlooked() -> None:
    """A slip in kmod's scanner: of two blanks the second sticks to the first word."""
    assert entries("softdep a  pre: b post: c") == [Softdep("a", (), ("c",), HERE)]
    assert problems("softdep a  pre: b") == [
        (1, "softdep: kmod overlooks pre: where two blanks, not one, stand before it")
    ]
    assert entries("softdep a   pre: b") == [Softdep("a", ("b",), (), HERE)]


def test_a_softdep_without_marker_does_nothing_and_says_so() -> None:
    assert entries("softdep cifs gcm ccm") == [Softdep("cifs", (), (), HERE)]
    assert problems("softdep cifs gcm ccm") == [
        (1, "softdep: without pre: or post: before it, this does nothing: gcm ccm")
    ]


def test_a_line_of_64_kibibytes_is_one_entry() -> None:
    value = "x" * 65536
    assert entries(f"options a p={value}") == [Options("a", f"p={value}", HERE)]


def test_a_file_of_nothing_but_continuations_ends() -> None:
    assert parse(b"\\\n" * 100_000, PATH) == ([], [])


WORDS = st.sampled_from(
    [b"alias", b"options", b"install", b"softdep", b"pre:", b"post:", b"a-b", b"[x", b"#", b"\\"]
)
BLANKS = st.sampled_from([b" ", b"\t", b"\n", b"\\\n", b"  ", b"\0", b"\r", b"\xff"])


@settings(deadline=None)
@given(st.binary(max_size=300) | st.lists(WORDS | BLANKS, max_size=40).map(b"".join))
def test_no_bytes_whatever_raise(data: bytes) -> None:
    found, complaints = parse(data, PATH)
    last = data.count(b"\n") + 1
    assert all(1 <= (entry.origin.line or 0) <= last for entry in found)
    assert all(1 <= (problem.origin.line or 0) <= last for problem in complaints)
