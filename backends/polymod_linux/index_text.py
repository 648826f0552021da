"""The content of every index file, from what is known of the modules.

Text and order are those of kmod's tools/depmod.c (kmod 30 to 34 write the same
text; modules.weakdep since 33). Names and values are bytes as they stand in
the modules.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from polymod.errors import MalformedModule, PolymodError
from polymod_linux.index_facts import strings
from polymod_linux.index_trie_writer import write_trie
from polymod_linux.matching import normalize_alias
from polymod_linux.module_files import SYMBOL_BUCKETS, hash_of
from polymod_linux.names import from_path

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from polymod_linux.depmod import ModuleTree
    from polymod_linux.index_trie import Layout
    from polymod_linux.index_trie_writer import Entry

ALIAS_HEADER = b"# Aliases extracted from modules themselves.\n"
SOFTDEP_HEADER = b"# Soft dependencies extracted from modules themselves.\n"
WEAKDEP_HEADER = b"# Weak dependencies extracted from modules themselves.\n"
SYMBOLS_HEADER = b"# Aliases for symbols, used by symbol_request().\n"
DEVNAME_HEADER = b"# Device nodes to trigger on-demand module loading.\n"


class Content(NamedTuple):
    """What one index file has to hold, and the number of its entries."""

    name: str
    data: bytes
    entries: int


def dependency_lines(tree: ModuleTree, closures: Sequence[Sequence[int]]) -> list[bytes]:
    """The lines of modules.dep without their ends: ``path: path path``, by number."""
    spelled = [module.spelling.encode("utf-8", "surrogateescape") for module in tree.modules]
    return [
        b" ".join([spelled[number] + b":", *[spelled[other] for other in needed]])
        for number, needed in enumerate(closures)
    ]


def dependency_files(tree: ModuleTree, lines: list[bytes], layout: Layout) -> list[Content]:
    """modules.dep and its binary form."""
    entries = list(zip(tree.names(), range(len(lines)), lines, strict=True))
    text = b"\n".join([*lines, b""])
    return [
        Content("modules.dep", text, len(lines)),
        _trie("modules.dep.bin", entries, layout),
    ]


def alias_files(tree: ModuleTree, layout: Layout) -> list[Content]:
    """modules.alias and its binary form."""
    names = tree.names()
    parts = [ALIAS_HEADER]
    count = 0
    for name, fact in zip(names, tree.facts, strict=True):
        if fact.aliases:
            inner = fact.aliases[:-1].replace(b"\0", b" %b\nalias " % name)
            parts.append(b"alias %b %b\n" % (inner, name))
            count += fact.aliases.count(b"\0")
    return [
        Content("modules.alias", b"".join(parts), count),
        _trie("modules.alias.bin", alias_entries(tree), layout),
    ]


def alias_entries(tree: ModuleTree) -> Iterator[Entry]:
    """The normal form of every alias that has one, with its module."""
    for number, (name, fact) in enumerate(zip(tree.names(), tree.facts, strict=True)):
        if fact.aliases:
            for alias in _normal_aliases(fact.aliases):
                yield alias, number, name


def _normal_aliases(run: bytes) -> Iterable[bytes]:
    if b"[" not in run and b"]" not in run and len(run) < 4096:
        return strings(run.replace(b"-", b"_"))
    normal = [normal_form(alias) for alias in strings(run)]
    return [alias for alias in normal if alias is not None]


def normal_form(alias: bytes) -> bytes | None:
    """`alias` as binary indexes have it; None where its brackets do not pair."""
    text = normalize_alias(alias.decode("utf-8", "surrogateescape"))
    return None if text is None else text.encode("utf-8", "surrogateescape")


def softdep_file(tree: ModuleTree) -> Content:
    """modules.softdep."""
    runs = [fact.softdeps for fact in tree.facts]
    return _statements("modules.softdep", SOFTDEP_HEADER, b"softdep", tree.names(), runs)


def weakdep_file(tree: ModuleTree) -> Content:
    """modules.weakdep."""
    runs = [fact.weakdeps for fact in tree.facts]
    return _statements("modules.weakdep", WEAKDEP_HEADER, b"weakdep", tree.names(), runs)


def _statements(
    file: str, header: bytes, word: bytes, names: Sequence[bytes], runs: Sequence[bytes]
) -> Content:
    lines = [
        b"%b %b %b\n" % (word, name, value)
        for name, run in zip(names, runs, strict=True)
        if run
        for value in strings(run)
    ]
    return Content(file, b"".join([header, *lines]), len(lines))


def symbol_files(tree: ModuleTree, owners: dict[bytes, int], layout: Layout) -> list[Content]:
    """modules.symbols and its binary form, in the order of kmod's symbol table."""
    names = tree.names()
    ordered = sorted([(hash_of(symbol) % SYMBOL_BUCKETS, symbol) for symbol in owners])
    entries = [
        (b"symbol:" + symbol, owners[symbol], names[owners[symbol]]) for _, symbol in ordered
    ]
    lines = [b"alias %b %b\n" % (key, name) for key, _, name in entries]
    return [
        Content("modules.symbols", b"".join([SYMBOLS_HEADER, *lines]), len(lines)),
        _trie("modules.symbols.bin", entries, layout),
    ]


def builtin_files(tree: ModuleTree, layout: Layout) -> list[Content]:
    """modules.builtin.bin and modules.builtin.alias.bin; empty files without their sources."""
    names = Content("modules.builtin.bin", b"", 0)
    if tree.builtin is not None:
        entries = [(name, 0, b"") for name, _ in builtin_lines(tree.builtin)]
        names = _trie("modules.builtin.bin", entries, layout)
    aliases = Content("modules.builtin.alias.bin", b"", 0)
    if tree.builtin_modinfo is not None:
        found = builtin_alias_entries(tree.builtin_modinfo)
        aliases = _trie("modules.builtin.alias.bin", found, layout)
    return [names, aliases]


def builtin_lines(content: bytes) -> list[tuple[bytes, bytes]]:
    """(name, path) of every line of modules.builtin that begins with a letter."""
    found = []
    for line in content.split(b"\n"):
        if line[:1].isalpha():
            name = from_path(line.decode("utf-8", "surrogateescape"))
            if name:
                found.append((name.encode("utf-8", "surrogateescape"), line))
    return found


def builtin_alias_entries(content: bytes) -> list[Entry]:
    """The aliases of modules.builtin.modinfo (``module.alias=value`` and a NUL) in normal form."""
    found = []
    records = iter(content.split(b"\0"))
    for record in records:
        name, dot, rest = record.partition(b".")
        if not dot or not name:
            continue
        key, equals, value = rest.partition(b"=")
        if not equals:
            next(records, None)  # depmod then skips to the NUL after the next one
        elif key == b"alias" and value:
            alias = normal_form(value)
            if alias is not None:
                found.append((alias, 0, name))
    return found


def devname_file(tree: ModuleTree) -> Content:
    """modules.devname: what systemd-tmpfiles and udev make nodes of before a module is there."""
    lines = []
    for name, fact in zip(tree.names(), tree.facts, strict=True):
        if b"devname:" in fact.aliases:
            device, numbers = device_of(strings(fact.aliases))
            if device is not None and numbers is not None:
                lines.append(b"%b %b %b\n" % (name, device, numbers))
    return Content(
        "modules.devname", b"".join([DEVNAME_HEADER, *lines] if lines else []), len(lines)
    )


def device_of(aliases: Iterable[bytes]) -> tuple[bytes | None, bytes | None]:
    """The device name, and ``c10:200`` or ``b7:0``, that the aliases announce."""
    device: bytes | None = None
    numbers: bytes | None = None
    for alias in aliases:
        if alias.startswith(b"devname:"):
            device = alias.removeprefix(b"devname:")
        else:
            numbers = _numbers(alias) or numbers
        if device is not None and numbers is not None:
            break
    return device, numbers


def _numbers(alias: bytes) -> bytes | None:
    """``c10:200`` for ``char-major-10-200``, None without two numbers."""
    kind, found, rest = alias.partition(b"-major-")
    if not found or kind not in (b"char", b"block"):
        return None
    major, rest = _unsigned(rest)
    if major is None or rest[:1] != b"-":
        return None
    minor, _ = _unsigned(rest[1:])
    return None if minor is None else b"%c%d:%d" % (kind[0], major, minor)


def _unsigned(text: bytes) -> tuple[int | None, bytes]:
    """What scanf(3) takes for ``%u``, and the rest: white space and a sign may come first."""
    text = text.lstrip(b" \t\n\v\f\r")
    negative = text.startswith(b"-")
    unsigned = text[1:] if text[:1] in (b"+", b"-") else text
    rest = unsigned.lstrip(b"0123456789")
    digits = unsigned[: len(unsigned) - len(rest)][:19]
    if not digits:
        return None, text
    return (-int(digits) if negative else int(digits)) & 0xFFFFFFFF, rest


def _trie(file: str, entries: Iterable[Entry], layout: Layout) -> Content:
    kept = [entry for entry in entries if entry[0].isascii()]
    return Content(file, write_trie(kept, layout), len(kept))


def without_place(tree: ModuleTree) -> list[PolymodError]:
    """What of the modules no index can hold, or only in a way that means something else."""
    problems: list[PolymodError] = []
    for module, fact in zip(tree.modules, tree.facts, strict=True):
        odd = b""
        if not fact.aliases.isascii() or not module.name.isascii():
            odd = b"bytes outside ASCII have no place in a binary index"
        elif b"\n" in fact.aliases or b"\n" in fact.softdeps or b"\n" in fact.weakdeps:
            odd = b"a line end in a value makes another line of the rest"
        elif b"devname:" in fact.aliases and None in device_of(strings(fact.aliases)):
            odd = b"a devname alias without a char-major or block-major alias is left out"
        if odd:
            problems.append(
                MalformedModule(
                    f"{module.path}: {odd.decode()}",
                    path=module.path,
                    field=".modinfo",
                    remedy="correct the module's aliases",
                )
            )
    return problems
