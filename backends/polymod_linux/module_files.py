"""Which module files of a kernel count, and in which order: depmod's rules.

The rules are those of kmod's tools/depmod.c: how the tree is searched, which of
several files with one name wins (depmod.d(5)), and the order of modules.order
followed by that of a hash table.
"""

from __future__ import annotations

import struct
import sys
from typing import TYPE_CHECKING, NamedTuple

from polymod import limits
from polymod.errors import MalformedModule, PolymodError, UnreadableFile
from polymod.hosts.base import DIRECTORY, FILE, LINK
from polymod_linux.depmod_d import BUILT_IN, EXTERNAL
from polymod_linux.index_trie import Layout
from polymod_linux.names import SUFFIXES, from_path

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from polymod.hosts.base import Entry, Host
    from polymod_linux.depmod_d import DepmodConfig

#: Names below a module directory that are passed over: links to the kernel's source.
_SKIPPED = frozenset(("build", "source"))

#: Bytes of a line of modules.order, its end included (PATH_MAX).
_ORDER_LINE = 4095

#: Hash buckets for modules by name, and for symbols (kmod tools/depmod.c).
MODULE_BUCKETS, SYMBOL_BUCKETS = 512, 2048


class ModulePath(NamedTuple):
    """A module file that counts: its name, where it is on the host, and as indexes spell it.

    `spelling` is relative to the module directory, or absolute outside of it.
    """

    name: str
    path: str
    spelling: str


def find_modules(
    host: Host, directory: str, config: DepmodConfig, problems: list[PolymodError]
) -> list[ModulePath]:
    """The winning file of every module name, in no certain order.

    What cannot be looked into is added to `problems`. Raises ModuleNotFound,
    PermissionRefused and UnreadableFile for `directory` itself.
    """
    found: dict[str, str] = {}
    ranks = _Ranks(directory, config)
    excluded = _SKIPPED | config.excludes
    for path in _files_below(host, directory, excluded, problems):
        _count(found, path, ranks)
    for outside in reversed(config.externals):
        if host.exists(outside):
            for path in _files_below(host, outside.rstrip("/") or "/", excluded, problems, True):
                _count(found, path, ranks)
    prefix = f"{directory}/"
    return [
        ModulePath(name, path, path[len(prefix) :] if path.startswith(prefix) else path)
        for name, path in found.items()
    ]


def _count(found: dict[str, str], path: str, ranks: _Ranks) -> None:
    name = from_path(path)
    present = found.get(name)
    if present is None or ranks.replaces(present, path):
        found[name] = path


def _files_below(
    host: Host,
    directory: str,
    excluded: frozenset[str],
    problems: list[PolymodError],
    forgiving: bool = False,
) -> Iterator[str]:
    """The paths of all files named like modules, in the directories' own order."""
    try:
        entries = iter(host.list(directory))
    except PolymodError as error:
        if not forgiving:
            raise
        problems.append(error)
        return
    stack: list[tuple[str, Iterator[Entry]]] = [(directory, entries)]
    entered = 0
    while stack:
        for entry in stack[-1][1]:
            kind: str | None = entry.type
            if entry.name in excluded or (kind == FILE and not _named_like_one(entry.name)):
                continue
            if kind != FILE and kind != DIRECTORY:
                kind = _kind_behind(host, entry, stack, problems)
            if kind == FILE and _named_like_one(entry.name):
                yield entry.path
            elif kind == DIRECTORY and _go_down(host, entry.path, stack, problems):
                entered += 1
                if entered > limits.MODULE_DIRECTORIES:  # links to links to links
                    raise UnreadableFile(
                        f"{directory}: more than {limits.MODULE_DIRECTORIES} directories",
                        path=directory,
                        remedy="look for directories that link to each other",
                    )
                break
        else:
            stack.pop()


def _named_like_one(name: str) -> bool:
    return name.endswith(SUFFIXES) and name not in SUFFIXES


def _go_down(
    host: Host,
    path: str,
    stack: list[tuple[str, Iterator[Entry]]],
    problems: list[PolymodError],
) -> bool:
    try:
        if len(stack) >= limits.WALK_DEPTH:
            raise UnreadableFile(f"{path}: nested deeper than {limits.WALK_DEPTH}", path=path)
        stack.append((path, iter(host.list(path))))
    except PolymodError as error:
        problems.append(error)
        return False
    return True


def _kind_behind(
    host: Host,
    entry: Entry,
    stack: Sequence[tuple[str, object]],
    problems: list[PolymodError],
) -> str | None:
    """What a link leads to; None for nothing, and for a directory that holds the link."""
    try:
        if entry.type != LINK:
            raise UnreadableFile(f"{entry.path}: neither file nor directory", path=entry.path)
        stat = host.stat(entry.path)
        if stat is None:
            raise UnreadableFile(
                f"{entry.path}: a link to nothing", path=entry.path, remedy="remove the link"
            )
        if stat.type == DIRECTORY:
            for above, _ in stack:
                found = host.stat(above)
                if found is not None and found.identity == stat.identity:
                    return None
    except PolymodError as error:
        problems.append(error)
        return None
    return stat.type


class _Ranks:
    """Which of two files with one name counts (depmod_module_is_higher_priority in kmod)."""

    def __init__(self, directory: str, config: DepmodConfig) -> None:
        self._directory = directory
        # kmod keeps each kind of line last first, and counts ranks from there.
        self._overrides = config.overrides[::-1]
        self._searches = config.searches[::-1]
        self._externals = config.externals[::-1]

    def replaces(self, old: str, new: str) -> bool:
        """Whether `new`, met later, takes the place of `old`."""
        old, new = _without_suffix(old), _without_suffix(new)
        inside_old, inside_new = self._inside(old), self._inside(new)
        for override in self._overrides:
            if inside_new == override:
                return True
            if inside_old == override:
                return False
        rank_old = rank_new = otherwise = -1
        rank = 0
        for search in self._searches:
            if search == BUILT_IN:
                otherwise = rank
            elif search == EXTERNAL:
                for outside in self._externals:
                    rank_new = rank if new.startswith(f"{outside}/") else rank_new
                    rank_old = rank if old.startswith(f"{outside}/") else rank_old
                    rank += 1
            elif inside_new.startswith(f"{search}/"):
                # Only one of both is looked at: below one searched directory the last wins.
                rank_new = rank
            elif inside_old.startswith(f"{search}/"):
                rank_old = rank
            rank += 1
        rank_new = otherwise if rank_new < 0 else rank_new
        rank_old = otherwise if rank_old < 0 else rank_old
        return rank_new > rank_old

    def _inside(self, path: str) -> str:
        """`path` relative to the module directory, "" outside."""
        return path[len(self._directory) + 1 :] if path.startswith(self._directory) else ""


def _without_suffix(path: str) -> str:
    """`path` up to the first dot of its last part."""
    directory, slash, name = path.rpartition("/")
    return directory + slash + name.partition(".")[0]


# -- order ------------------------------------------------------------------


def in_order(
    modules: Iterable[ModulePath],
    order: bytes | None,
    layout: Layout,
    problems: list[PolymodError],
    order_path: str = "modules.order",
) -> list[ModulePath]:
    """The modules that modules.order lists, in its order, then the rest in hash order.

    A module listed twice stands where it is listed last up to kmod 33 and where
    it is first since kmod 34. A file that does not end each line, or has one
    too long, counts as absent, and is a problem.
    """
    found = sorted(modules, key=_by_bucket)
    if order is None:
        return found
    lines = order.split(b"\n")
    if lines.pop() or b"\0" in order or any(len(line) >= _ORDER_LINE for line in lines):
        problems.append(
            MalformedModule(
                f"{order_path}: has a line without an end; depmod ignores the whole file",
                path=order_path,
                field="modules.order",
                remedy="install the kernel's modules again",
            )
        )
        return found
    places: dict[bytes, int] = {}
    if layout is Layout.PRE_ORDER:
        for place, line in enumerate(lines):
            places.setdefault(line, place)
    else:
        places.update(zip(lines, range(len(lines)), strict=True))
    last = len(lines)
    found.sort(key=lambda module: places.get(_listed_as(module), last))
    return found


def _listed_as(module: ModulePath) -> bytes:
    """How modules.order spells the file: without what follows ``.ko``."""
    if module.spelling.startswith("/"):
        return b""
    directory, slash, name = module.spelling.rpartition("/")
    stem = name[: len(module.name) + len(".ko")]
    return (directory + slash + stem).encode("utf-8", "surrogateescape")


def _by_bucket(module: ModulePath) -> tuple[int, bytes]:
    name = module.name.encode("utf-8", "surrogateescape")
    return hash_of(name) % MODULE_BUCKETS, name


def hash_of(key: bytes) -> int:
    """The hash of a string as kmod has it (shared/hash.c, after P. Hsieh), 32 bits.

    Pairs of bytes are read in this machine's byte order, and single bytes are
    signed, as they are for kmod on x86.
    """
    size = value = len(key)
    whole = size & ~3
    pairs = iter(_pairs[whole >> 1].unpack_from(key))
    for low, high in zip(pairs, pairs, strict=True):
        value += low
        # What overflows 32 bits may stay until something is shifted down.
        value = (value << 16 ^ high << 11 ^ value) & 0xFFFFFFFF
        value += value >> 11
    rest = key[whole:]
    if len(rest) == 3:
        value += int.from_bytes(rest[:2], sys.byteorder)
        value = (value ^ value << 16 ^ _signed(rest[2]) << 18) & _MASK
        value += value >> 11
    elif len(rest) == 2:
        value += int.from_bytes(rest, sys.byteorder)
        value = (value ^ value << 11) & _MASK
        value += value >> 17
    elif rest:
        value += _signed(rest[0])
        value = (value ^ value << 10) & _MASK
        value += value >> 1
    value = (value ^ value << 3) & _MASK
    value += value >> 5
    value = (value ^ value << 4) & _MASK
    value += value >> 17
    value = (value ^ value << 25) & _MASK
    return value + (value >> 6) & _MASK


_MASK = 0xFFFFFFFF


class _Pairs(dict[int, struct.Struct]):
    """The format of so many 16-bit numbers in this machine's byte order."""

    def __missing__(self, count: int) -> struct.Struct:
        made = struct.Struct(f"={count}H")
        if len(self) < 1024:
            self[count] = made
        return made


_pairs = _Pairs()


def _signed(byte: int) -> int:
    return byte - 256 if byte > 127 else byte
