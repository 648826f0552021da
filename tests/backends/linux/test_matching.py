"""Alias patterns against fnmatch(3) itself, and against patterns made to be slow."""

from __future__ import annotations

import ctypes
import ctypes.util
import locale
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from polymod_linux.matching import (
    ALIAS_BYTES,
    Pattern,
    PatternSet,
    literal_head,
    matches,
    normalize_alias,
    octets,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

LIBC = ctypes.util.find_library("c")
BRACKETS = st.text("ab-!^*?[:z", min_size=1, max_size=4).map("[{}]".format)
PIECES = BRACKETS | st.sampled_from(["a", "b", "-", "*", "?", ":", "z", "\\*", "\\["])
#: Brackets are closed: what an open one means POSIX leaves open, and no alias has one.
PATTERN_TEXT = st.lists(PIECES, max_size=9).map("".join)
PLAIN_TEXT = st.text("ab-]:z", max_size=8)


@pytest.fixture(scope="module")
def c_locale() -> Iterator[None]:
    """kmod never calls setlocale(3), so it matches bytes; Python does call it."""
    before = locale.setlocale(locale.LC_ALL)
    locale.setlocale(locale.LC_ALL, "C")
    yield
    locale.setlocale(locale.LC_ALL, before)


def libc_says(pattern: str, string: str) -> bool:
    library = ctypes.CDLL(LIBC)
    return bool(library.fnmatch(pattern.encode(), string.encode(), 0) == 0)


@pytest.mark.parametrize(
    ("pattern", "string", "expected"),
    [
        pytest.param("usb:v*p*d*", "usb:v1D6Bp0002d0601", True, id="stars take hex digits"),
        pytest.param("usb:v*p*d*", "usb:v1D6B", False, id="every literal must be there"),
        pytest.param("a*", "a/b", True, id="a star takes a slash"),
        pytest.param("*", ".hidden", True, id="a star takes a leading dot"),
        pytest.param("?", "", False, id="a question mark takes exactly one"),
        pytest.param("[0-9]x", "7x", True, id="a range has its inner members"),
        pytest.param("[c-a]x", "bx", False, id="a range backwards is empty"),
        pytest.param("[!x]", "y", True, id="an exclamation mark negates"),
        pytest.param("[^x]", "x", False, id="a caret negates too"),
        pytest.param("[]a]", "]", True, id="a bracket in first place is a member"),
        pytest.param("[a-]", "-", True, id="a dash in last place is a member"),
        pytest.param("[[:digit:]]", "5", True, id="classes of characters"),
        pytest.param("[ab", "[ab", True, id="an open bracket without end is itself"),
        pytest.param("\\*", "*", True, id="a backslash makes a star itself"),
        pytest.param("\\*", "x", False, id="an escaped star takes nothing else"),
        pytest.param("a\\", "a\\", False, id="a backslash at the end matches nothing"),
        pytest.param("", "", True, id="nothing matches nothing"),
        pytest.param("??", "é", True, id="a character of two bytes counts as two"),
        pytest.param("a*b*c", "aXbYbZc", True, id="a star may pass over a first match"),
    ],
)
def test_patterns_mean_what_posix_says(pattern: str, string: str, expected: bool) -> None:
    assert matches(pattern, string) is expected
    assert (PatternSet([pattern]).all(string) == [0]) is expected


@pytest.mark.skipif(LIBC is None, reason="needs the C library's fnmatch as the oracle")
@settings(max_examples=2000, deadline=None)
@given(pattern=PATTERN_TEXT, string=PLAIN_TEXT)
def test_any_pattern_matches_as_in_the_c_library(c_locale: None, pattern: str, string: str) -> None:
    expected = libc_says(pattern, string)
    assert Pattern(pattern).matches(string) is expected
    assert (PatternSet([pattern]).all(string) == [0]) is expected


@settings(deadline=None)
@given(patterns=st.lists(PATTERN_TEXT, max_size=20), string=PLAIN_TEXT)
def test_a_set_answers_as_its_patterns_do_one_by_one(patterns: list[str], string: str) -> None:
    expected = [number for number, pattern in enumerate(patterns) if matches(pattern, string)]
    assert PatternSet(patterns).all(string) == expected
    assert PatternSet(patterns).first(string) == (expected[0] if expected else None)


@given(pattern=st.text(max_size=30), string=st.text(max_size=30))
def test_any_text_at_all_gets_an_answer(pattern: str, string: str) -> None:
    assert matches(pattern, string) in (True, False)
    normalize_alias(pattern)


@pytest.mark.parametrize(
    "pattern",
    [
        pytest.param("*a" * 1000 + "b", id="a thousand stars"),
        pytest.param("*[ab]?" * 700 + "c", id="stars with sets and question marks"),
        pytest.param("?" * 60000, id="longer than any alias"),
        pytest.param("[" * 60000, id="sixty thousand open brackets"),
        pytest.param("[[:alpha:]" * 6000, id="thousands of classes in a set never closed"),
        pytest.param("\\" * 60001, id="backslashes without end"),
    ],
)
def test_hostile_patterns_end_soon(pattern: str) -> None:
    """With backtracking these would take longer than the universe has."""
    string = "a" * ALIAS_BYTES
    assert not matches(pattern, string)
    assert PatternSet([pattern]).all(string) == []


def test_thousands_of_hostile_patterns_are_still_answered() -> None:
    patterns = [f"*{number % 7}*{number}*" for number in range(5000)]
    assert PatternSet(patterns).all("x4x11x") == [
        number
        for number in range(5000)
        if str(number % 7) in "x4x11x" and matches(patterns[number], "x4x11x")
    ]


@pytest.mark.parametrize(
    ("text", "normal"),
    [
        ("snd-hda-intel", "snd_hda_intel"),
        ("a-[0-9]-b", "a_[0-9]_b"),
        ("[-][-]-", "[-][-]_"),
        ("[[a]-", "[[a]_"),
        ("", ""),
        ("a]", None),
        ("a[b", None),
        ("[a]]", None),
    ],
)
def test_dashes_turn_into_underscores_outside_brackets_only(text: str, normal: str | None) -> None:
    assert normalize_alias(text) == normal


def test_an_alias_longer_than_kmods_buffer_is_cut() -> None:
    assert normalize_alias("é" * 4000) == "é" * (ALIAS_BYTES // 2) + "\udcc3"


def test_text_outside_utf_8_keeps_its_bytes() -> None:
    assert octets("a\udcffé") == "a\xff\xc3\xa9"


@pytest.mark.parametrize(
    ("pattern", "head"),
    [("usb:v*", "usb:v"), ("plain", "plain"), ("a?b*", "a"), ("x[a]", "x"), ("a\\*", "a")],
)
def test_the_head_ends_before_the_first_special_character(pattern: str, head: str) -> None:
    assert literal_head(pattern) == head
