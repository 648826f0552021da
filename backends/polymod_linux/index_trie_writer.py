"""Writing a binary index (``modules.*.bin``); `index_trie` describes the format.

kmod inserts keys one by one and splits nodes (tools/depmod.c). Here the keys
are sorted first: neighbours share all the prefix they will ever share, so each
node is written once, complete, and the bytes are the same.
"""

from __future__ import annotations

import struct
from itertools import chain
from typing import TYPE_CHECKING

from polymod_linux.index_trie import (
    CHILDREN,
    HEADER,
    MAGIC,
    POSITION,
    PREFIX,
    VALUES,
    VERSION,
    Layout,
    tables,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

    #: A key, its priority and its value.
    Entry = tuple[bytes, int, bytes]

    #: Flags, the bytes before the child table, children as (character, node), the bytes behind.
    _Node = tuple[int, bytes, list[tuple[int, int]], bytes]

_WORD = struct.Struct(">I")
_ONE_VALUE = struct.Struct(">II")


def write_trie(entries: Iterable[Entry], layout: Layout = Layout.POST_ORDER) -> bytes:
    """The index file of `entries`, which are given in the order of their insertion.

    Values of one key stand as kmod puts them: by priority, of equal ones the
    latest first. Raises ValueError for keys with bytes other than 1 to 127: the
    format has no place for them; and for more than 256 MiB.
    """
    nodes = _nodes(_grouped(entries))
    return _post_order(nodes) if layout is Layout.POST_ORDER else _pre_order(nodes)


def _grouped(entries: Iterable[Entry]) -> list[tuple[bytes, bytes]]:
    """Each key once, sorted, with the encoded values of its node."""
    values: dict[bytes, bytes] = {}
    several: dict[bytes, list[tuple[int, bytes]]] = {}
    encoded: dict[tuple[int, bytes], bytes] = {}
    for key, priority, value in entries:
        own = (priority, value)
        text = encoded.get(own)
        if text is None:
            text = encoded[own] = b"%b%b\0" % (_ONE_VALUE.pack(1, priority), value)
        if key not in values:
            values[key] = text
            continue
        group = several.get(key)
        if group is None:
            first = values[key]
            group = several[key] = [(_WORD.unpack_from(first, 4)[0], first[8:-1])]
        group.append(own)
    for key, group in several.items():
        values[key] = _values(group)
    for key in values:
        if not key.isascii() or b"\0" in key:
            raise ValueError(f"a key of an index must be 7-bit ASCII without NUL: {key!r}")
    return sorted(values.items())


def _values(group: list[tuple[int, bytes]]) -> bytes:
    """The values part of a node; `group` is in the order of insertion."""
    group.reverse()
    group.sort(key=_by_priority)
    parts = [_WORD.pack(len(group))]
    parts += [b"%b%b\0" % (_WORD.pack(priority), value) for priority, value in group]
    return b"".join(parts)


def _by_priority(value: tuple[int, bytes]) -> int:
    return value[0]


def _nodes(keys: list[tuple[bytes, bytes]]) -> list[_Node]:
    """All nodes, children before their parents in the order of their characters."""
    nodes: list[_Node] = []
    # The open nodes, root first: the length of the key there, the children, the values.
    stack: list[tuple[int, list[tuple[int, int]], bytes]] = [(0, [], b"")]
    if keys and not keys[0][0]:
        stack = [(0, [], keys.pop(0)[1])]
    if not keys:
        return [_inner(b"", [], stack[0][2])]
    number = int.from_bytes
    following = iter(keys)
    next(following, None)
    depth = 0
    for (key, values), (other, _) in zip(keys, chain(following, _END), strict=True):
        # How much the key shares with the next one; most differ early or not at all.
        shared = min(len(key), len(other))
        if (one := key[:shared]) != (two := other[:shared]):
            shared -= (number(one, "big") ^ number(two, "big")).bit_length() + 7 >> 3
        if shared == len(key):  # the next key goes on where this one ends
            stack.append((shared, [], values))
            depth = shared
            continue
        if shared > depth:
            stack.append((shared, [], b""))
            depth = shared
        stack[-1][1].append((key[depth], len(nodes)))
        if prefix := key[depth + 1 :]:
            nodes.append((_LEAF, b"%b\0%b" % (prefix, values), _NO_CHILDREN, b""))
        else:
            nodes.append((VALUES, values, _NO_CHILDREN, b""))
        while shared < depth:
            _, children, values = stack.pop()
            above = stack[-1][0]
            if above < shared:
                stack.append((shared, [], b""))
                above = shared
            stack[-1][1].append((key[above], len(nodes)))
            nodes.append(_inner(key[above + 1 : depth], children, values))
            depth = above
    nodes.append(_inner(b"", stack[0][1], stack[0][2]))
    return nodes


_LEAF = PREFIX | VALUES
_NO_CHILDREN: list[tuple[int, int]] = []
_END = ((b"", b""),)


def _inner(prefix: bytes, children: list[tuple[int, int]], values: bytes) -> _Node:
    flags = (PREFIX if prefix else 0) | (CHILDREN if children else 0) | (VALUES if values else 0)
    return flags, prefix + b"\0" if prefix else b"", children, values


def _body(node: _Node, words: list[int]) -> bytes:
    """The bytes of a node; `words` has the offset words of all nodes."""
    _, before, children, after = node
    if not children:
        return before + after
    first, last = children[0][0], children[-1][0]
    table = [0] * (last - first + 1)
    for char, child in children:
        table[char - first] = words[child]
    return b"%b%b%b" % (before, tables[len(table)].pack(first, last, *table), after)


def _post_order(nodes: list[_Node]) -> bytes:
    """Each node behind its children: the order in which they are complete."""
    parts = [b""]
    at = HEADER.size
    words: list[int] = []
    for node in nodes:
        body = _body(node, words) if node[2] else node[1] + node[3]
        words.append(node[0] | at)
        parts.append(body)
        at += len(body)
        if at > POSITION:
            raise ValueError("an index of more than 256 MiB cannot be addressed")
    parts[0] = HEADER.pack(MAGIC, VERSION, words[-1])
    return b"".join(parts)


def _pre_order(nodes: list[_Node]) -> bytes:
    """Each node before its children; where they are follows from the sizes."""
    words = [0] * len(nodes)
    sizes: list[int] = []
    totals: list[int] = []
    for node in nodes:
        sizes.append(len(_body(node, words)))
        totals.append(sizes[-1] + sum([totals[child] for _, child in node[2]]))
    if HEADER.size + totals[-1] > POSITION:
        raise ValueError("an index of more than 256 MiB cannot be addressed")
    order: list[int] = []
    stack = [(len(nodes) - 1, HEADER.size)]
    while stack:
        number, at = stack.pop()
        order.append(number)
        words[number] = nodes[number][0] | at
        at += sizes[number]
        below = []
        for _, child in nodes[number][2]:
            below.append((child, at))
            at += totals[child]
        stack += reversed(below)
    parts = [HEADER.pack(MAGIC, VERSION, words[-1])]
    parts += [_body(nodes[number], words) for number in order]
    return b"".join(parts)
