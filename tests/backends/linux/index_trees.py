"""Small module trees, and the reference tool's answer about them.

The modules are the least that depmod reads: ELF relocatables with ``.modinfo``,
``__versions``, a symbol table, and the tables of exports (gABI chapter 4; linux
include/linux/export.h).
"""

from __future__ import annotations

import shutil
import struct
import subprocess
from typing import TYPE_CHECKING, NamedTuple

import pytest

from polymod.hosts.local import LocalHost
from polymod_linux.depmod_d import DepmodConfig, read_config
from polymod_linux.indexer import FILES, LinuxIndexer

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

RELEASE = "6.1.0-test"
DEPMOD = shutil.which("depmod")
MODPROBE = shutil.which("modprobe")

needs_depmod = pytest.mark.skipif(DEPMOD is None, reason="depmod (kmod) is not installed")


class Symbol(NamedTuple):
    """One entry of a symbol table."""

    name: str
    section: int = 0
    binding: int = 1
    value: int = 0
    type: int = 0


def module(
    *,
    imports: Sequence[str] = (),
    exports: Sequence[str] = (),
    info: Sequence[str | bytes] = (),
    versions: Sequence[str] | None = None,
    symbols: Sequence[Symbol] = (),
    crcs: bool = True,
    namespaces: Sequence[str] = (),
    bits: int = 64,
    order: str = "<",
    machine: int = 62,
    symtab: bool = True,
) -> bytes:
    """A module file; `exports` have CRCs as kernels with MODVERSIONS do, unless not `crcs`."""
    sections: list[tuple[bytes, int, bytes, int]] = []  # name, type, data, entry size
    strings = b"".join(_octets(line) + b"\0" for line in info)
    sections.append((b".modinfo", 1, strings, 0))
    table = list(symbols)
    if exports or namespaces:
        names = b"".join(_octets(name) + b"\0" for name in (*exports, *namespaces))
        sections.append((b"__ksymtab_strings", 1, names, 0))
    if exports and crcs:
        sections.append((b"__kcrctab", 1, bytes(4 * len(exports)), 0))
        place = len(sections)
        table += [Symbol(f"__crc_{name}", place, 0, 4 * at) for at, name in enumerate(exports)]
    table += [Symbol(name) for name in imports]
    if versions is not None:
        crc = struct.Struct(order + ("Q" if bits == 64 else "I"))
        records = [(crc.pack(1) + _octets(name)).ljust(64, b"\0") for name in versions]
        sections.append((b"__versions", 1, b"".join(records), 0))
    if symtab:
        sections += _symbol_sections(table, bits, order)
    return _elf(sections, bits, order, machine)


def _octets(text: str | bytes) -> bytes:
    return text if isinstance(text, bytes) else text.encode("utf-8", "surrogateescape")


def _symbol_sections(
    table: Sequence[Symbol], bits: int, order: str
) -> list[tuple[bytes, int, bytes, int]]:
    entry = struct.Struct(order + ("IBBHQQ" if bits == 64 else "IIIBBH"))
    names, data = b"\0", bytes(entry.size)
    for symbol in sorted(table, key=lambda symbol: symbol.binding != 0):
        info = symbol.binding << 4 | symbol.type
        place = (info, 0, symbol.section)
        values = (symbol.value, 0)
        row = (*place, *values) if bits == 64 else (*values, *place)
        data += entry.pack(len(names), *row)
        names += _octets(symbol.name) + b"\0"
    return [(b".symtab", 2, data, entry.size), (b".strtab", 3, names, 0)]


def _elf(
    sections: Sequence[tuple[bytes, int, bytes, int]], bits: int, order: str, machine: int
) -> bytes:
    word = "Q" if bits == 64 else "I"
    header = struct.Struct(f"{order}HHI{word}{word}{word}IHHHHHH")
    row = struct.Struct(f"{order}II{word}{word}{word}{word}II{word}{word}")
    names, body, rows = b"\0", b"", [bytes(row.size)]
    start = 16 + header.size
    every = [*sections, (b".shstrtab", 3, b"", 0)]
    for name, kind, data, entry in every:
        at, names = len(names), names + name + b"\0"
        data = names if name == b".shstrtab" else data
        link = len(sections) if kind == 2 else 0
        rows.append(row.pack(at, kind, 0, 0, start + len(body), len(data), link, 1, 1, entry))
        body += data + bytes(-len(data) % 8)
    ident = b"\x7fELF" + bytes((2 if bits == 64 else 1, 1 if order == "<" else 2, 1)) + bytes(9)
    sizes = (start, 0, 0, row.size, len(rows), len(rows) - 1)
    head = header.pack(1, machine, 1, 0, 0, start + len(body), 0, *sizes)
    return ident + head + body + b"".join(rows)


class Tree:
    """A root directory below `path` with one kernel's modules."""

    def __init__(self, path: Path, release: str = RELEASE) -> None:
        self.root = path / "root"
        self.release = release
        self.directory = self.root / "lib" / "modules" / release
        self.config_directory = path / "depmod.d"
        self.directory.mkdir(parents=True)
        self.config_directory.mkdir()

    def add(self, path: str, content: bytes | str) -> Path:
        """A file below the module directory."""
        file = self.directory / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(_octets(content))
        return file

    def configure(self, text: str, name: str = "test.conf") -> None:
        """A file of depmod.d."""
        (self.config_directory / name).write_text(text)

    def config(self) -> DepmodConfig:
        """What its depmod.d says."""
        return read_config(LocalHost(), self.release, [str(self.config_directory)])

    def indexer(self) -> LinuxIndexer:
        """Our indexer for it, with its own depmod.d only."""
        where = str(self.directory)
        return LinuxIndexer(LocalHost(), self.release, directory=where, config=self.config())

    def index(self) -> dict[str, bytes]:
        """What our indexer would write, by file name."""
        return {content.name: content.data for content in self.indexer().contents()[1]}

    def text(self, name: str) -> list[str]:
        """The lines of one text file of ours."""
        return self.index()[name].decode("utf-8", "surrogateescape").splitlines()

    def depmod(self) -> subprocess.CompletedProcess[bytes]:
        """Run the reference tool over the tree; it writes its files there."""
        argv = [
            DEPMOD or "depmod",
            "-b",
            str(self.root),
            "-C",
            str(self.config_directory),
            self.release,
        ]
        return subprocess.run(argv, capture_output=True, check=False, timeout=60)

    def reference(self) -> dict[str, bytes]:
        """What depmod writes, by file name; of kmod before 33 without modules.weakdep."""
        done = self.depmod()
        assert done.returncode == 0, done.stderr
        return read_index(self.directory)


def read_index(directory: Path) -> dict[str, bytes]:
    """Every index file that stands in `directory`."""
    return {name: (directory / name).read_bytes() for name in FILES if (directory / name).exists()}


def differences(ours: Mapping[str, bytes], theirs: Mapping[str, bytes]) -> dict[str, object]:
    """The files in which both differ; a modules.weakdep may be ours alone."""
    names = [name for name in (*ours, *theirs) if name != "modules.weakdep" or name in theirs]
    return {
        name: (ours.get(name), theirs.get(name))
        for name in names
        if ours.get(name) != theirs.get(name)
    }
