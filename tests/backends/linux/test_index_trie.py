"""Binary indexes: what kmod wrote for known entries, and files made to do harm."""

from __future__ import annotations

import random
import struct
import subprocess
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from polymod.errors import MalformedModule
from polymod_linux.index_trie import CHILDREN, HEADER, MAGIC, VALUES, VERSION, Hit, Layout, Trie
from polymod_linux.index_trie_writer import write_trie
from polymod_linux.matching import matches
from tests.backends.linux.index_trees import MODPROBE

if TYPE_CHECKING:
    from pathlib import Path

# What depmod of kmod 30 left for the modules b and a, in this order, with these aliases.
ENTRIES = [
    (b"", 0, b"b"),
    (b"", 0, b"b"),
    (b"a b", 0, b"b"),
    (b"x_y", 1, b"a"),
]
POST_ORDER = (
    b"\xb0\x07\xf4W\x00\x02\x00\x01`\x00\x00& b\x00\x00\x00\x00\x01\x00\x00\x00\x00b\x00"
    b"_y\x00\x00\x00\x00\x01\x00\x00\x00\x01a\x00ax\xc0\x00\x00\x0c"
    + bytes(4 * 22)
    + b"\xc0\x00\x00\x19\x00\x00\x00\x02\x00\x00\x00\x00b\x00\x00\x00\x00\x00b\x00"
)
EMPTY = b"\xb0\x07\xf4W\x00\x02\x00\x01\x00\x00\x00\x0c"

KEYS = st.text(alphabet="ab*?[c]-_:", max_size=8).map(str.encode)
TEXTS = st.text(alphabet="abc-_:[*", max_size=8).map(str.encode)
PLACES = st.integers(min_value=0, max_value=3)
ENTRY_LISTS = st.lists(st.tuples(KEYS, PLACES, st.sampled_from([b"", b"m", b"n"])), max_size=30)
LAYOUTS = pytest.mark.parametrize("layout", Layout, ids=lambda layout: layout.value)


def test_the_bytes_are_those_of_kmod_30() -> None:
    assert write_trie(ENTRIES) == POST_ORDER


def test_a_root_written_first_is_at_the_first_offset_behind_the_header() -> None:
    data = write_trie(ENTRIES, Layout.PRE_ORDER)
    assert HEADER.unpack_from(data) == (MAGIC, VERSION, CHILDREN | VALUES | 12)
    assert data[12:14] == b"ax"
    # The child for "a" follows the root: two bytes, 24 words, two values of six bytes.
    assert data[12 + 2 + 4 * 24 + 4 + 12 :].startswith(b" b\0")
    assert len(data) == len(POST_ORDER)


@LAYOUTS
def test_an_index_of_nothing_is_a_bare_header(layout: Layout) -> None:
    assert write_trie([], layout) == EMPTY
    assert list(Trie(EMPTY, "empty").items()) == []
    assert Trie(EMPTY, "empty").get(b"") == []
    assert Trie(EMPTY, "empty").match(b"anything") == []


def test_equal_priorities_stand_latest_first_and_lower_ones_before_them() -> None:
    entries = [(b"k", 5, b"one"), (b"k", 5, b"two"), (b"k", 2, b"three"), (b"k", 9, b"four")]
    values = [(hit.priority, hit.value) for hit in Trie(write_trie(entries), "x").get(b"k")]
    assert values == [(2, b"three"), (5, b"two"), (5, b"one"), (9, b"four")]


@pytest.mark.parametrize("key", [b"caf\xc3\xa9", b"a\0b"], ids=["not ASCII", "with a NUL"])
def test_a_key_without_place_in_the_format_is_refused(key: bytes) -> None:
    with pytest.raises(ValueError, match="7-bit ASCII"):
        write_trie([(key, 0, b"m")])


def in_file_order(entries: list[tuple[bytes, int, bytes]]) -> list[Hit]:
    """The entries by key and, of one key, by priority with the latest first."""
    numbered = [(key, place, -at, value) for at, (key, place, value) in enumerate(entries)]
    return [Hit(key, place, value) for key, place, _, value in sorted(numbered)]


@LAYOUTS
@given(entries=ENTRY_LISTS)
def test_what_is_written_is_read_back(
    layout: Layout, entries: list[tuple[bytes, int, bytes]]
) -> None:
    trie = Trie(write_trie(entries, layout), "x")
    expected = in_file_order(entries)
    assert list(trie.items()) == expected
    for key in {entry[0] for entry in entries} | {b"", b"aa"}:
        assert trie.get(key) == [hit for hit in expected if hit.key == key]


@LAYOUTS
@given(entries=ENTRY_LISTS, text=TEXTS)
def test_a_pattern_is_found_exactly_where_fnmatch_says_yes(
    layout: Layout, entries: list[tuple[bytes, int, bytes]], text: bytes
) -> None:
    found = Trie(write_trie(entries, layout), "x").match(text)
    expected = [Hit(*entry) for entry in entries if matches(entry[0].decode(), text.decode())]
    if not set(text) & set(b"*?["):
        assert sorted(found) == sorted(expected)
    # A text with wildcards meets patterns as text too, as in kmod, so some come twice.
    assert set(found) >= set(expected)
    assert [hit.priority for hit in found] == sorted(hit.priority for hit in found)


def test_of_equal_priority_the_one_kmod_finds_last_comes_first() -> None:
    # Checked with modprobe -R of kmod 30: the plain text is followed after the patterns.
    entries = [(b"a*", 1, b"star"), (b"ab", 1, b"plain"), (b"a?", 1, b"any"), (b"[a]b", 1, b"set")]
    found = Trie(write_trie(entries), "x").match(b"ab")
    assert [hit.value for hit in found] == [b"plain", b"any", b"star", b"set"]


@pytest.mark.skipif(MODPROBE is None, reason="modprobe (kmod) is not installed")
@pytest.mark.parametrize("seed", range(4))
def test_answers_come_in_the_order_of_modprobe(tmp_path: Path, seed: int) -> None:
    directory = tmp_path / "lib" / "modules" / "1.0"
    directory.mkdir(parents=True)
    (tmp_path / "none.d").mkdir()
    for name in ("dep", "symbols", "builtin", "builtin.alias"):
        (directory / f"modules.{name}.bin").write_bytes(EMPTY)
    choice = random.Random(seed)
    for _ in range(15):
        entries = [
            (word(choice, "ab*?[]c_").encode(), choice.randrange(3), b"m%d" % number)
            for number in range(choice.randrange(1, 12))
        ]
        data = write_trie(entries, choice.choice(list(Layout)))
        (directory / "modules.alias.bin").write_bytes(data)
        question = word(choice, "abc_*")
        argv = [MODPROBE or "modprobe", "-C", str(tmp_path / "none.d"), "-S", "1.0"]
        argv += ["-d", str(tmp_path), "-R", question]
        answer = subprocess.run(argv, capture_output=True, check=False).stdout.split()
        assert [hit.value for hit in Trie(data, "x").match(question.encode())] == answer


def word(choice: random.Random, alphabet: str) -> str:
    return "".join(choice.choice(alphabet) for _ in range(choice.randrange(1, 6)))


HEADERS = {
    "nothing at all": b"",
    "half a header": EMPTY[:7],
    "another magic": b"\x7fELF" + EMPTY[4:],
    "another major version": EMPTY[:4] + b"\0\x03\0\x01" + EMPTY[8:],
}


@pytest.mark.parametrize("data", HEADERS.values(), ids=HEADERS)
def test_a_file_with_a_wrong_header_is_refused_by_name(data: bytes) -> None:
    with pytest.raises(MalformedModule) as caught:
        Trie(data, "modules.alias.bin")
    assert caught.value.path == "modules.alias.bin"
    assert caught.value.offset is not None


def test_a_later_minor_version_is_read() -> None:
    assert list(Trie(EMPTY[:7] + b"\x09" + EMPTY[8:], "x").items()) == []


def ask_everything(data: bytes) -> None:
    """Every question a file can be asked."""
    trie = Trie(data, "x")
    for _ in trie.items():
        pass
    trie.get(b"usb:v1234")
    trie.match(b"usb:v1234d5678")


def with_root(word: int, body: bytes) -> bytes:
    return HEADER.pack(MAGIC, VERSION, word) + body


RING = struct.pack(">BBI", 97, 97, CHILDREN | 12)
FAN = b"*\x7f" + struct.pack(">I", CHILDREN | 12) * (128 - 42)
HOSTILE = {
    "the root lies behind the end": with_root(VALUES | 0x0FFFFFFF, b""),
    "the root has a prefix without end": with_root(0x80000000 | 12, b"abc"),
    "children run backwards": with_root(CHILDREN | 12, b"ba" + bytes(8)),
    "children lie behind the end": with_root(CHILDREN | 12, b"\0\xff" + bytes(8)),
    "four billion values": with_root(VALUES | 12, b"\xff\xff\xff\xff" + bytes(64)),
    "a value without end": with_root(VALUES | 12, b"\0\0\0\x01\0\0\0\0abcde"),
    "a node is its own child": with_root(CHILDREN | 12, RING),
    "a node is all of its own children": with_root(CHILDREN | 12, FAN),
    "a long prefix again and again": with_root(
        0x80000000 | CHILDREN | 12, b"p" * 50000 + b"\0aa" + struct.pack(">I", 0xA000000C)
    ),
}


@pytest.mark.parametrize("data", HOSTILE.values(), ids=HOSTILE)
def test_a_hostile_file_is_a_typed_error(data: bytes) -> None:
    with pytest.raises(MalformedModule) as caught:
        ask_everything(data)
    assert caught.value.path == "x"


def test_nodes_that_share_children_do_not_multiply_the_work() -> None:
    # Each node has its successor as a child 86 times over: 86**40 keys if all were walked.
    body, at = b"", 12
    for _ in range(40):
        after = at + 2 + 4 * 86
        body += b"*\x7f" + struct.pack(">I", CHILDREN | after) * 86
        at = after
    data = with_root(CHILDREN | 12, body + b"aa" + bytes(4))
    with pytest.raises(MalformedModule, match="overlap"):
        list(Trie(data, "x").items())
    with pytest.raises(MalformedModule, match="overlap"):
        Trie(data, "x").match(b"a" * 60)


def test_patterns_made_to_be_slow_are_refused_in_bounded_time() -> None:
    entries = [(b"*" + b"?a*" * 40 + b"%d" % number, number, b"m") for number in range(9000)]
    with pytest.raises(MalformedModule, match="too long"):
        Trie(write_trie(entries), "x").match(b"a" * 4000)


def test_a_text_longer_than_kmod_takes_matches_nothing() -> None:
    trie = Trie(write_trie([(b"*", 0, b"m")]), "x")
    assert len(trie.match(b"a" * 4095)) == 1
    assert trie.match(b"a" * 4096) == []


@settings(max_examples=400)
@given(
    changes=st.lists(
        st.tuples(st.integers(min_value=0), st.integers(min_value=0, max_value=255)), max_size=6
    ),
    cut=st.integers(min_value=0, max_value=40),
    layout=st.sampled_from(Layout),
)
def test_a_damaged_file_is_read_or_refused_but_nothing_else(
    changes: list[tuple[int, int]], cut: int, layout: Layout
) -> None:
    entries = [(b"usb:v%04d*" % (n * 37), n, b"mod%d" % (n % 5)) for n in range(40)]
    data = bytearray(write_trie(entries, layout))
    for place, value in changes:
        data[place % len(data)] = value
    try:
        ask_everything(bytes(data[: len(data) - cut]))
    except MalformedModule as error:
        raised = error.path
    else:
        raised = "x"
    assert raised == "x"
