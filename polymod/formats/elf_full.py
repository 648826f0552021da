"""The deep reader of ELF files, an adapter over pyelftools.

Our own `polymod.formats.elf` reads the headers in bulk; what needs relocations
is rare and slow, and pyelftools knows it for every machine. This is the one
place that touches the library, and the one that turns its exceptions, and the
foreign ones it lets through on damaged input, into MalformedModule.
"""

from __future__ import annotations

from contextlib import contextmanager
from io import BufferedReader, RawIOBase
from typing import IO, TYPE_CHECKING, NamedTuple, cast

from polymod import limits
from polymod.errors import MalformedModule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from elftools.elf.elffile import ELFFile
    from elftools.elf.relocation import RelocationSection
    from elftools.elf.sections import Section, SymbolTableSection

    from polymod.source import ByteSource


class Relocation(NamedTuple):
    """One relocation: where it applies, and what it points at.

    `section` is the name of the section its symbol lies in ("" for an
    undefined or absolute one), `target` the offset in that section.
    """

    offset: int
    symbol: str
    section: str
    target: int


class _Stream(RawIOBase):
    """A byte source as the seekable stream that pyelftools wants."""

    def __init__(self, source: ByteSource) -> None:
        super().__init__()
        self._source = source
        self._at = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = 0, /) -> int:
        base = (0, self._at, self._source.size)[whence]
        self._at = max(base + offset, 0)
        return self._at

    def tell(self) -> int:
        return self._at

    def readinto(self, buffer: bytearray | memoryview, /) -> int:  # type: ignore[override]
        # typeshed's buffer type is a protocol of 3.12; these are what io hands over
        size = min(len(buffer), max(self._source.size - self._at, 0))
        buffer[:size] = self._source.read(self._at, size)
        self._at += size
        return size


@contextmanager
def translated(path: str) -> Iterator[None]:
    """Turn everything pyelftools raises on damage into MalformedModule for `path`."""
    from elftools.common.exceptions import DWARFError, ELFError
    from elftools.construct import ConstructError

    foreign = (
        ELFError,
        DWARFError,
        ConstructError,
        ArithmeticError,
        AssertionError,
        AttributeError,
        LookupError,
        NotImplementedError,
        RecursionError,
        TypeError,
        ValueError,
    )
    try:
        yield
    except foreign as error:
        raise MalformedModule(
            f"pyelftools cannot read it: {type(error).__name__}: {error}", path=path
        ) from error


class FullElf:
    """One ELF file opened for depth. Every method raises MalformedModule on damage."""

    def __init__(self, source: ByteSource) -> None:
        from elftools.elf.elffile import ELFFile

        self._path = source.path
        self._contents: dict[str, bytes] = {}
        with translated(self._path):
            self._elf: ELFFile = ELFFile(cast("IO[bytes]", BufferedReader(_Stream(source))))
            self.little: bool = self._elf.little_endian

    def section_size(self, name: str) -> int:
        """Bytes of a section in memory; 0 where there is none."""
        with translated(self._path):
            section = self._elf.get_section_by_name(name)
            return int(section["sh_size"]) if section is not None else 0

    def contents(self, name: str) -> bytes:
        """The bytes of a section; b"" where there is none."""
        found = self._contents.get(name)
        if found is None:
            with translated(self._path):
                section = self._elf.get_section_by_name(name)
                found = b""
                if section is not None and section["sh_size"] <= limits.READ_WINDOW:
                    found = bytes(section.data())
                self._contents[name] = found
        return found

    def relocations(self, name: str) -> list[Relocation]:
        """The relocations that apply to a section, ordered by place.

        In REL files the addend stands at the place itself; there it is taken
        from the section's contents.
        """
        with translated(self._path):
            table = self._elf.get_section_by_name(f".rela{name}")
            table = table or self._elf.get_section_by_name(f".rel{name}")
            if table is None or not hasattr(table, "iter_relocations"):
                return []
            return self._relocations(cast("RelocationSection", table), self.contents(name))

    def _relocations(self, table: RelocationSection, data: bytes) -> list[Relocation]:
        count = table.num_relocations()
        if count > limits.RELOCATIONS:
            raise MalformedModule(f"{count} relocations in {table.name}", path=self._path)
        symbols = cast("SymbolTableSection", self._elf.get_section(table["sh_link"]))
        entries = [cast("dict[str, int]", raw.entry) for raw in table.iter_relocations()]
        return sorted(self._relocation(entry, symbols, data) for entry in entries)

    def _relocation(
        self, entry: dict[str, int], symbols: SymbolTableSection, data: bytes
    ) -> Relocation:
        symbol = symbols.get_symbol(entry["r_info_sym"])
        at = entry["r_offset"]
        addend = entry.get("r_addend")
        if addend is None:
            order = "little" if self.little else "big"
            addend = int.from_bytes(data[at : at + 4], order, signed=True)  # type: ignore[arg-type]
        index = symbol["st_shndx"]
        section = self._elf.get_section(index).name if isinstance(index, int) else ""
        return Relocation(at, symbol.name, section, symbol["st_value"] + addend)

    def string_at(self, relocation: Relocation) -> str:
        """The NUL-terminated string a relocation points at, "" where there is none."""
        with translated(self._path):
            section: Section | None = self._elf.get_section_by_name(relocation.section)
            if section is None or section["sh_type"] == "SHT_NOBITS":
                return ""
            data = self.contents(relocation.section)
            if not 0 <= relocation.target < len(data):
                return ""
            most = relocation.target + limits.STRING
            end = data.find(b"\0", relocation.target, most)
            end = most if end < 0 else end
            return data[relocation.target : end].decode("utf-8", "surrogateescape")
