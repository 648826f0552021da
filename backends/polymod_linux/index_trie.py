"""The binary indexes (``modules.*.bin``): radix tries, read and searched.

The format is kmod's (libkmod/libkmod-index.c): a big-endian header of magic,
version and the root's offset word; an offset word has the position of a node in
its low 28 bits, and above them whether the node has a prefix, values, children.
A node is, each part only if announced: its prefix as a NUL-terminated string;
the first and last child character and an offset word for each from first to
last (0: none); the number of values, and for each its priority and its
NUL-terminated text. An edge's own character belongs to no prefix.
"""

from __future__ import annotations

import struct
from enum import Enum
from typing import TYPE_CHECKING, NamedTuple

from polymod.errors import MalformedModule
from polymod_linux.matching import ALIAS_BYTES, Pattern

if TYPE_CHECKING:
    from collections.abc import Iterator

MAGIC = 0xB007F457
VERSION = 0x00020001
MAJOR = VERSION >> 16

PREFIX, VALUES, CHILDREN = 0x80000000, 0x40000000, 0x20000000
POSITION = 0x0FFFFFFF

#: Bytes of an index file that are looked at; Debian's largest has 2.5 million.
INDEX_BYTES = 32 << 20

#: The longest key in bytes; kmod's aliases end at PATH_MAX.
KEY_BYTES = 2 * ALIAS_BYTES

#: What matching the patterns of one question may cost, in bytes compared.
MATCH_STEPS = 20_000_000

HEADER = struct.Struct(">III")
_WORD = struct.Struct(">I")
_WORD_AT = _WORD.unpack_from


class Layout(Enum):
    """The order of the nodes in a file; readers take either.

    POST_ORDER is what kmod up to 33 writes (children first, the root last),
    PRE_ORDER what kmod writes since 34 (the root first).
    """

    POST_ORDER = "post-order"
    PRE_ORDER = "pre-order"


class Hit(NamedTuple):
    """A key that matched, with one of its values; of several the lowest priority is best."""

    key: bytes
    priority: int
    value: bytes


class _Read(NamedTuple):
    """A node as it stands in a file; `values` is where they begin, 0 for none."""

    prefix: bytes
    first: int
    children: tuple[int, ...]
    values: int
    size: int


class ChildTables(dict[int, struct.Struct]):
    """The format of a child table, by its number of words."""

    def __missing__(self, size: int) -> struct.Struct:
        made = self[size] = struct.Struct(f">BB{size}I")
        return made


tables = ChildTables()


_LEAF: tuple[int, ...] = ()


class Trie:
    """An index file in memory: exact look-up, look-up of patterns, and all entries.

    Whatever its offsets say, a question costs time in proportion to the file.
    Raises MalformedModule, from the constructor and every question, where the
    file breaks its format.
    """

    def __init__(self, data: bytes, path: str) -> None:
        self.path = path
        self._data = data
        if len(data) < HEADER.size:
            raise self._broken("ends inside its header", len(data), "header")
        if len(data) > INDEX_BYTES:
            raise self._broken(f"is larger than {INDEX_BYTES} bytes", INDEX_BYTES, "size")
        magic, version, self._root = HEADER.unpack_from(data)
        if magic != MAGIC:
            raise self._broken(f"begins with {magic:#010x}, not {MAGIC:#010x}", 0, "magic")
        if version >> 16 != MAJOR:
            raise self._broken(f"has major version {version >> 16}, not {MAJOR}", 4, "version")

    def get(self, key: bytes) -> list[Hit]:
        """The entries of exactly `key`, best first; [] for none."""
        word = self._root
        at = 0
        while word & POSITION:
            node = self._node(word)
            if not key.startswith(node.prefix, at):
                return []
            at += len(node.prefix)
            if at == len(key):
                return [Hit(key, *value) for value in self._values(node, _Allowance(self))]
            index = key[at] - node.first
            if not 0 <= index < len(node.children):
                return []
            word = node.children[index]
            at += 1
        return []

    def items(self) -> Iterator[Hit]:
        """Every entry, by key, the values of a key in the order of the file."""
        return self._below(self._root, b"", _Allowance(self))

    def match(self, text: bytes) -> list[Hit]:
        """The entries whose key, taken as a pattern, matches `text`; the best first.

        In kmod's order: by priority, and of equal ones the one found last
        first, where patterns are looked at before plain text is followed.
        """
        if len(text) > ALIAS_BYTES:
            return []
        found: list[Hit] = []
        question = _Question(text, found, _Allowance(self))
        word, at = self._root, 0
        while word & POSITION:
            node = self._node(word)
            question.allowance.visit(node, at)
            prefix = node.prefix
            plain = _plain(prefix)
            if not text.startswith(prefix[:plain], at):
                break
            if plain < len(prefix):
                self._matching(word, text[:at], at + plain, question)
                break
            at += plain
            for special in _SPECIAL:
                child = self._child(node, special)
                if child & POSITION:
                    self._matching(child, text[:at] + bytes((special,)), at, question)
            if at == len(text):
                found += [Hit(text, *value) for value in self._values(node, question.allowance)]
                break
            word = self._child(node, text[at])
            at += 1
        found.reverse()
        found.sort(key=_by_rank)
        return found

    def _matching(self, word: int, key: bytes, plain: int, question: _Question) -> None:
        """Add what matches at and below a node; up to `plain` the text is known to."""
        last, fits = b"", False
        rest = question.text[plain:]
        for hit in self._below(word, key, question.allowance, parents_last=True):
            if hit.key != last:
                last = hit.key
                question.allowance.compare(len(last) - plain + len(rest))
                fits = _fits(last[plain:], rest)
            if fits:
                question.found.append(hit)

    def _below(
        self, word: int, key: bytes, allowance: _Allowance, *, parents_last: bool = False
    ) -> Iterator[Hit]:
        """The entries at and below the node of `word`, which `key` leads to."""
        path: list[tuple[_Read, bytes, Iterator[int]]] = []
        while True:
            if word & POSITION:
                node = self._node(word)
                key += node.prefix
                allowance.visit(node, len(key))
                path.append((node, key, iter(range(len(node.children)))))
                if not parents_last:
                    yield from [Hit(key, *value) for value in self._values(node, allowance)]
            word = 0
            if not path:
                return
            node, key, places = path[-1]
            for place in places:
                if node.children[place]:
                    word = node.children[place]
                    key += bytes((node.first + place,))
                    break
            else:
                path.pop()
                if parents_last:
                    yield from [Hit(key, *value) for value in self._values(node, allowance)]

    def _child(self, node: _Read, char: int) -> int:
        index = char - node.first
        return node.children[index] if 0 <= index < len(node.children) else 0

    def _node(self, word: int) -> _Read:
        """The node an offset word leads to."""
        start = at = word & POSITION
        data = self._data
        prefix = b""
        if word & PREFIX:
            prefix, at = self._string(at, "prefix")
        first = 0
        children = _LEAF
        if word & CHILDREN:
            if at + 2 > len(data):
                raise self._broken("a node lies behind its end", at, "children")
            first, last = data[at], data[at + 1]
            if last < first:
                raise self._broken(f"children from {first} to {last}", at, "children")
            table = tables[last - first + 1]
            if at + table.size > len(data):
                raise self._broken("a node lies behind its end", at, "children")
            children = table.unpack_from(data, at)[2:]
            at += table.size
        return _Read(prefix, first, children, at if word & VALUES else 0, at - start)

    def _values(self, node: _Read, allowance: _Allowance) -> list[tuple[int, bytes]]:
        """The values of a node as (priority, text), in the order of the file."""
        at = node.values
        if not at:
            return []
        count = self._number(at, "values")
        at += 4
        if count > (len(self._data) - at) // 5:
            raise self._broken(f"{count} values do not fit", at, "values")
        found = []
        for _ in range(count):
            priority = self._number(at, "priority")
            text, at = self._string(at + 4, "value")
            found.append((priority, text))
            allowance.spend(len(text) + 5)
        return found

    def _number(self, at: int, field: str) -> int:
        if at + 4 > len(self._data):
            raise self._broken("a node lies behind its end", at, field)
        number: int = _WORD_AT(self._data, at)[0]
        return number

    def _string(self, at: int, field: str) -> tuple[bytes, int]:
        """The string at `at`, and the place behind its NUL."""
        end = self._data.find(b"\0", at)
        if end < 0:
            raise self._broken("a string has no end", min(at, len(self._data)), field)
        return self._data[at:end], end + 1

    def _broken(self, what: str, offset: int, field: str) -> MalformedModule:
        return MalformedModule(
            what, path=self.path, offset=offset, field=field, remedy="build the index again"
        )


class _Allowance:
    """What a walk may still read: nodes that overlap or form rings use it up."""

    __slots__ = ("_comparisons", "_left", "_trie")

    def __init__(self, trie: Trie) -> None:
        self._trie = trie
        self._left = 4 * len(trie._data) + 4096
        self._comparisons = MATCH_STEPS

    def visit(self, node: _Read, key_size: int) -> None:
        """Count one visit of a node whose key has `key_size` bytes."""
        if key_size > KEY_BYTES:
            self._left = 0
        self.spend(node.size + 1)

    def spend(self, size: int) -> None:
        """Count `size` bytes as read."""
        self._left -= size
        if self._left < 0:
            raise self._trie._broken(
                "its nodes overlap, form a ring, or spell a key without end",
                self._trie._root & POSITION,
                "offset",
            )

    def compare(self, size: int) -> None:
        """Count a pattern and a text of `size` bytes together as compared."""
        self._comparisons -= size
        if self._comparisons < 0:
            raise self._trie._broken("its patterns take too long to match", 0, "pattern")


class _Question(NamedTuple):
    """A text to match, what matched so far, and what the search may cost."""

    text: bytes
    found: list[Hit]
    allowance: _Allowance


#: What ends plain text in a pattern, in the order in which kmod looks for it.
_SPECIAL = b"*?["


def _fits(pattern: bytes, text: bytes) -> bool:
    """Whether a pattern matches; nearly all have stars only, and need no automaton."""
    if b"?" in pattern or b"[" in pattern or b"\\" in pattern:
        return Pattern(pattern.decode("latin-1")).matches(text.decode("latin-1"))
    first, *middle = pattern.split(b"*")
    if not middle:
        return first == text
    last = middle.pop()
    at, end = len(first), len(text) - len(last)
    if end < at or not text.startswith(first) or not text.endswith(last):
        return False
    for piece in middle:
        at = text.find(piece, at, end)
        if at < 0:
            return False
        at += len(piece)
    return True


def _plain(prefix: bytes) -> int:
    """How many bytes of `prefix` come before its first wildcard."""
    for place, char in enumerate(prefix):
        if char in _SPECIAL:
            return place
    return len(prefix)


def _by_rank(hit: Hit) -> int:
    return hit.priority
