"""What fuzzing drives: each parser behind one function of bytes, and samples to start from.

A target's `run` returns for whatever the parser may answer and raises for
everything else: an exception that is no `PolymodError` where errors are
allowed, or an answer that breaks the contract.
"""

from __future__ import annotations

import json
from functools import cache
from tempfile import NamedTemporaryFile
from typing import TYPE_CHECKING, NamedTuple

from polymod import limits
from polymod.backend import Depth
from polymod.errors import (
    MalformedModule,
    ModuleNotFound,
    PolymodError,
    UnsupportedOperation,
)
from polymod.hosts.base import DIRECTORY, FILE, Completed, Edit, Entry, Host, Platform, Stat
from polymod.reading import Reader
from polymod.serialize import to_json
from polymod.source import ByteSource, BytesSource, unpacked

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

RELEASE = "6.1.0-pm"


class MemoryHost(Host):
    """A host of a few files in memory; directories exist where a file lies in them."""

    url = "memory:"

    def __init__(self, files: Mapping[str, bytes]) -> None:
        self._files = files

    def platform(self) -> Platform | None:
        return None

    def stat(self, path: str) -> Stat | None:
        if path in self._files:
            return Stat(FILE, len(self._files[path]), 0, (0, hash(path)))
        if any(one.startswith(f"{path.rstrip('/')}/") for one in self._files):
            return Stat(DIRECTORY, 0, 0, (0, hash(path)))
        return None

    def list(self, path: str) -> Sequence[Entry]:
        below = f"{path.rstrip('/')}/"
        names = dict.fromkeys(
            one.removeprefix(below).partition("/")[:2]
            for one in self._files
            if one.startswith(below)
        )
        if not names:
            raise ModuleNotFound(path, path=path)
        return [Entry(name, below + name, DIRECTORY if rest else FILE) for name, rest in names]

    def open(self, path: str) -> ByteSource:
        if path not in self._files:
            raise ModuleNotFound(path, path=path)
        return BytesSource(self._files[path], path)

    def run(self, argv: Sequence[str], *, stdin: bytes = b"", timeout_s: float = 30.0) -> Completed:
        raise UnsupportedOperation("memory", "run", "nothing runs here")

    def write(self, edits: Sequence[Edit]) -> None:
        raise UnsupportedOperation("memory", "write", "nothing is written here")


class BrokenPromise(AssertionError):
    """A parser answered something that its contract rules out."""


def _promise(kept: bool, message: str) -> None:
    if not kept:
        raise BrokenPromise(message)


def _sound(error: PolymodError) -> None:
    """An error says what, and a damaged file also where, if it says where at all."""
    _promise(bool(error.message), f"{type(error).__name__} without a message")
    _promise(error.offset is None or error.offset >= 0, f"offset {error.offset}")
    _promise(len(str(error)) < 10_000, "an error as long as a book")


# -- module files ---------------------------------------------------------------


@cache
def _reader() -> Reader:
    from polymod.plugins import shared

    return Reader(shared(), depth=Depth.FULL)


def module(data: bytes) -> None:
    """The whole way of a module file: unpack, recognise, read all there is, write it out."""
    try:
        record = _reader().read(MemoryHost({"/m.ko": data}), "/m.ko")
    except MalformedModule as error:
        _sound(error)
        _promise(error.path == "/m.ko", f"the error is about {error.path}")
        return
    json.loads(to_json(record))
    _promise(record.signatures is not None or "signatures" in record.gaps, "no gap: signatures")


def index_facts(data: bytes) -> None:
    """What the index takes from a module file; it never raises."""
    from polymod_linux.index_facts import read_facts

    read_facts(BytesSource(data, "/m.ko"))


def elf_full(data: bytes) -> None:
    """The deep reader: relocations of the export tables."""
    from polymod.formats.elf import ElfImage
    from polymod_linux.ksymtab import relocated_exports

    try:
        relocated_exports(ElfImage(BytesSource(data, "/m.ko")))
    except MalformedModule as error:
        _sound(error)


def packed(data: bytes) -> None:
    """Unpacking alone, to the end."""
    try:
        source = unpacked(BytesSource(data, "/m.ko"))
        _promise(0 <= source.size <= limits.READ_WINDOW or source.compression is None, "too much")
        source.read(0, min(source.size, limits.READ_WINDOW))
    except MalformedModule as error:
        _sound(error)


def signature(data: bytes) -> None:
    """An appended signature: trailer and DER."""
    from polymod_linux.signature import signatures

    try:
        for one in signatures(BytesSource(data, "/m.ko")):
            to_json(one)
    except MalformedModule as error:
        _sound(error)


def der(data: bytes) -> None:
    """A CMS message without anything around it."""
    from polymod.formats.cms import signed_data
    from polymod.formats.der import Der

    try:
        signed_data(Der(data, "/m.ko"))
    except MalformedModule as error:
        _sound(error)


def modinfo(data: bytes) -> None:
    """The strings of .modinfo, with no ELF file around them."""
    from polymod_linux import builtins, modinfo

    info = modinfo.parse(data)
    modinfo.kernel_version(info)
    modinfo.dependencies(info)
    modinfo.parameters(info)
    for name, own in builtins.parse(data).items():
        to_json(builtins.record(name, own))


# -- the index and the configuration ----------------------------------------------

_DIRECTORY = f"/lib/modules/{RELEASE}"
_QUESTIONS = (
    b"pci:v00001AF4d00001000sv00000000sd00000000bc00sc00i00",
    b"",
    b"a" * 300,
    b"[*?",
)


def trie(data: bytes) -> None:
    """A binary index: everything in it, and questions of both kinds."""
    from polymod_linux.index_trie import Trie

    try:
        index = Trie(data, "/modules.alias.bin")
        for question in _QUESTIONS:
            index.get(question)
            index.match(question)
        sum(1 for _ in index.items())
    except MalformedModule as error:
        _sound(error)


_INDEX_FILES = (
    "modules.dep",
    "modules.alias",
    "modules.symbols",
    "modules.softdep",
    "modules.weakdep",
    "modules.devname",
    "modules.builtin",
    "modules.builtin.modinfo",
    "modules.dep.bin",
    "modules.alias.bin",
)


def index_text(data: bytes) -> None:
    """Every file of the index, one by one: what is no such file is told in `problems`."""
    from polymod_linux.stored import StoredIndex

    for name in _INDEX_FILES:
        index = StoredIndex(MemoryHost({f"{_DIRECTORY}/{name}": data}), _DIRECTORY)
        try:
            for known in [*index.paths()][:50]:
                index.closure(known)
            index.builtins()
            index.softdeps()
            index.weakdeps()
            index.devnames()
            for alias in ("pci:v00001AF4d00001000", "symbol:a", "fs-ext4"):
                index.aliases(alias)
                index.builtin_aliases(alias)
        except MalformedModule as error:
            _sound(error)
        for problem in index.problems:
            _sound(problem)


def modprobe_d(data: bytes) -> None:
    """A configuration file; what is wrong in it is told by line."""
    from polymod_linux.modprobe_d import parse

    entries, problems = parse(data, "/etc/modprobe.d/x.conf")
    lines = data.count(b"\n") + 1
    for one in (*entries, *problems):
        line = one.origin.line
        _promise(line is None or 1 <= line <= lines, f"line {line} of {lines}")


def configuration(data: bytes) -> None:
    """The same file and kernel command line behind their front, which answers questions."""
    from polymod_linux.config import read_config

    host = MemoryHost({"/etc/modprobe.d/x.conf": data, "/proc/cmdline": data})
    found = read_config(host, {"modules.softdep": (f"{_DIRECTORY}/modules.softdep", data)})
    for name in ("pm_net", "net-pf-44", "*", ""):
        found.aliases(name)
        found.options(name)
        found.softdep(name)
        found.blacklisted(name)
        found.install(name)


def depmod_d(data: bytes) -> None:
    """depmod's configuration, regular expressions of the override lines included."""
    from polymod_linux.depmod_d import read_config

    for problem in read_config(MemoryHost({"/etc/depmod.d/x.conf": data}), RELEASE).problems:
        _sound(problem)


def cmdline(data: bytes) -> None:
    """The kernel's command line."""
    from polymod_linux.cmdline import parse

    parse(data)


def alias_pattern(data: bytes) -> None:
    """A pattern and a text, the first line and the rest."""
    from polymod_linux.matching import PatternSet, matches, normalize_alias

    pattern, _, text = data.decode("utf-8", "surrogateescape").partition("\n")
    normalize_alias(pattern)
    one = PatternSet([pattern]).first(text) is not None
    _promise(one == matches(pattern, text), f"{pattern!r} and {text!r}: two answers")


def transcript(data: bytes) -> None:
    """A recording of a host, read back from its file."""
    from polymod.hosts.replay import ReplayHost

    with NamedTemporaryFile(suffix=".json") as file:
        file.write(data)
        file.flush()
        try:
            host = ReplayHost(file.name)
            host.platform()
            host.stat("/lib/modules")
            host.list("/lib/modules")
            host.read("/proc/modules")
        except PolymodError as error:
            _sound(error)


class Target(NamedTuple):
    """A parser to fuzz: its function of bytes, and which samples suit it."""

    name: str
    run: Callable[[bytes], None]
    samples: str


TARGETS = {
    one.name: one
    for one in (
        Target("module", module, "modules"),
        Target("index_facts", index_facts, "modules"),
        Target("elf_full", elf_full, "modules"),
        Target("packed", packed, "packed"),
        Target("signature", signature, "signed"),
        Target("der", der, "messages"),
        Target("modinfo", modinfo, "strings"),
        Target("trie", trie, "tries"),
        Target("index_text", index_text, "texts"),
        Target("modprobe_d", modprobe_d, "texts"),
        Target("configuration", configuration, "texts"),
        Target("depmod_d", depmod_d, "texts"),
        Target("cmdline", cmdline, "texts"),
        Target("alias_pattern", alias_pattern, "patterns"),
        Target("transcript", transcript, "transcripts"),
    )
}
