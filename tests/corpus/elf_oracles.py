"""What readelf and pyelftools say about module files: oracles that share no code with us."""

from __future__ import annotations

import gzip
import lzma
import re
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from collections.abc import Sequence

    from elftools.elf.elffile import ELFFile
    from elftools.elf.sections import NoteSection, SymbolTableSection

_BUILD_ID = re.compile(r"Build ID: ([0-9a-f]+)")
_SYMBOL = re.compile(
    r" *\d+: [0-9a-f]+ +\w+ (?!SECTION)\w+ +\w+ +\w+ (?:\[.*\] )?+ *(?P<section>\w+) (?P<name>.*)"
)
#: What the linker makes and no other module exports.
_MADE_BY_LINKER = {"", "_GLOBAL_OFFSET_TABLE_", ".TOC.", "__this_module"}


@dataclass(frozen=True, slots=True, kw_only=True)
class ElfFacts:
    """What an oracle found in one file; None for what it does not look at."""

    build_id: str | None
    undefined: list[str]
    exported: set[str]
    machine: tuple[str, int, str] | None = None
    modinfo: list[str] | None = None
    struct_name: str | None = None
    versions: list[tuple[str, int]] | None = None


def has_readelf() -> bool:
    """Whether binutils are installed (any target: readelf reads them all)."""
    return shutil.which("readelf") is not None


def plain(path: str) -> bytes:
    """The bytes of a module, unpacked."""
    data = Path(path).read_bytes()
    if path.endswith(".xz"):
        return lzma.decompress(data)
    return gzip.decompress(data) if path.endswith(".gz") else data


def readelf(path: str) -> ElfFacts:
    """What ``readelf -Wsn`` prints for the unpacked file."""
    with tempfile.NamedTemporaryFile(suffix=".ko") as file:
        file.write(plain(path))
        file.flush()
        done = subprocess.run(
            ["readelf", "-Wsn", file.name], capture_output=True, check=True, env={"LC_ALL": "C"}
        )
    output = done.stdout.decode("utf-8", "surrogateescape")
    symbols = [m for m in map(_SYMBOL.match, output.splitlines()) if m]
    build_id = _BUILD_ID.search(output)
    return ElfFacts(
        build_id=build_id[1] if build_id else None,
        undefined=_imported([m["name"] for m in symbols if m["section"] == "UND"]),
        exported=_exported([m["name"] for m in symbols if m["section"] != "UND"]),
    )


def _imported(names: Sequence[str]) -> list[str]:
    return [name for name in names if name not in _MADE_BY_LINKER]


def _exported(names: Sequence[str]) -> set[str]:
    mark = "__ksymtab_"
    return {name.removeprefix(mark) for name in names if name.startswith(mark)}


def pyelftools(path: str) -> ElfFacts:
    """The same and more as pyelftools reads it."""
    from elftools.elf.elffile import ELFFile

    elf = ELFFile(BytesIO(plain(path)))
    table = cast("SymbolTableSection", elf.get_section_by_name(".symtab"))
    symbols = list(table.iter_symbols())
    undefined = [s.name for s in symbols if s["st_shndx"] == "SHN_UNDEF"]
    defined = [s.name for s in symbols if s["st_shndx"] != "SHN_UNDEF"]
    return ElfFacts(
        build_id=_note_build_id(elf),
        undefined=_imported(undefined),
        exported=_exported(defined),
        machine=(
            str(elf.header["e_machine"]),
            int(elf.elfclass),
            "little" if elf.little_endian else "big",
        ),
        modinfo=[
            text.decode("utf-8", "surrogateescape")
            for text in _contents(elf, ".modinfo").split(b"\0")
            if text
        ],
        struct_name=_struct_name(elf),
        versions=_versions(elf),
    )


def _contents(elf: ELFFile, name: str) -> bytes:
    section = elf.get_section_by_name(name)
    return bytes(section.data()) if section is not None else b""


def _note_build_id(elf: ELFFile) -> str | None:
    section = cast("NoteSection | None", elf.get_section_by_name(".note.gnu.build-id"))
    if section is None:
        return None
    for note in section.iter_notes():
        if note["n_type"] == "NT_GNU_BUILD_ID":
            return str(note["n_desc"])
    return None


def _struct_name(elf: ELFFile) -> str:
    data = _contents(elf, ".gnu.linkonce.this_module")
    start = 24 if elf.elfclass == 64 else 12
    return data[start:64].split(b"\0")[0].decode()


def _versions(elf: ELFFile) -> list[tuple[str, int]]:
    data = _contents(elf, "__versions")
    width = elf.elfclass // 8
    order = "little" if elf.little_endian else "big"
    found = []
    for at in range(0, len(data), 64):
        crc = int.from_bytes(data[at : at + width], order)  # type: ignore[arg-type]  # a literal
        name = data[at + width : at + 64].split(b"\0")[0].decode()
        found.append((name.removeprefix("."), crc & 0xFFFFFFFF))
    return found
