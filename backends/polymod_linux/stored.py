"""The index files that are there: modules.dep and the others, text or binary.

Dependencies and statements come from the text, which keeps their order; alias
questions go to the binary files, which is what kmod itself asks. Where one
form is missing or damaged the other one serves, and the damage is told in
`problems`. Formats: modules.dep(5), kmod libkmod/libkmod-index.c.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from polymod.errors import MalformedModule, ModuleNotFound, PolymodError
from polymod_linux.index import AliasHit, ModuleIndex
from polymod_linux.index_text import builtin_alias_entries, builtin_lines, normal_form
from polymod_linux.index_trie import Trie
from polymod_linux.names import canonical, from_path

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from polymod.hosts.base import Host
    from polymod_linux.index_trie_writer import Entry

T = TypeVar("T")


def is_indexed(host: Host, directory: str) -> bool:
    """Whether a module directory has an index, in either form."""
    return host.exists(f"{directory}/modules.dep") or host.exists(f"{directory}/modules.dep.bin")


class StoredIndex(ModuleIndex):
    """The index files in `directory`, each read once, when it is first needed.

    `problems` collects lines and files that break their format; a question
    raises MalformedModule only where no form of the file it needs is sound.
    A directory without index answers as an empty one: see `is_indexed`.
    """

    def __init__(self, host: Host, directory: str) -> None:
        self.directory = directory.rstrip("/")
        self._problems: list[PolymodError] = []
        self._host = host
        self._contents: dict[str, bytes | None] = {}
        self._tries: dict[str, Trie | None] = {}
        self._lines: dict[str, tuple[str, str]] | None = None
        self._builtins: dict[str, str] | None = None

    # -- dependencies -------------------------------------------------------

    def paths(self) -> Mapping[str, str]:
        return {name: path for name, (path, _) in self._dependency_lines().items()}

    def closure(self, name: str) -> Sequence[str]:
        found = self._dependency_lines().get(canonical(name))
        if found is None:
            raise ModuleNotFound(
                f"{name}: not in {self.directory}/modules.dep",
                path=f"{self.directory}/modules.dep",
                remedy="check the name; if the file was installed lately, build the index again",
            )
        return found[1].split()

    def _dependency_lines(self) -> dict[str, tuple[str, str]]:
        """Module name to its path and the text behind the colon."""
        if self._lines is None:
            empty: dict[str, tuple[str, str]] = {}
            self._lines = self._either(
                "modules.dep", self._lines_of_text, self._lines_of_trie, empty
            )
        return self._lines

    def _lines_of_text(self, content: bytes) -> dict[str, tuple[str, str]]:
        found: dict[str, tuple[str, str]] = {}
        for number, line in enumerate(_text(content).split("\n"), 1):
            path, colon, rest = line.partition(":")
            if colon and path:
                found.setdefault(from_path(path), (path, rest))
            elif line:
                self._bad_line("modules.dep", number, line)
        return found

    @staticmethod
    def _lines_of_trie(trie: Trie) -> dict[str, tuple[str, str]]:
        found: dict[str, tuple[str, str]] = {}
        for hit in sorted(trie.items(), key=lambda hit: hit.priority):
            path, colon, rest = _text(hit.value).partition(":")
            if colon:
                found.setdefault(_text(hit.key), (path, rest))
        return found

    # -- aliases ------------------------------------------------------------

    @property
    def problems(self) -> Sequence[PolymodError]:
        return self._problems

    def aliases(self, alias: str) -> Sequence[AliasHit]:
        if alias.startswith("symbol:"):
            found = self._matches("modules.symbols", alias, self._statement_aliases)
            if found:
                return found
        return self._matches("modules.alias", alias, self._statement_aliases)

    def builtin_aliases(self, alias: str) -> Sequence[AliasHit]:
        return self._matches("modules.builtin.alias", alias, self._builtin_aliases)

    def _matches(
        self, name: str, alias: str, otherwise: Callable[[str], tuple[str, list[Entry]]]
    ) -> Sequence[AliasHit]:
        """What matches in the binary file, or in what `otherwise` has in its stead."""
        text = normal_form(alias.encode("utf-8", "surrogateescape"))
        if text is None:
            return ()
        file = f"{name}.bin"
        trie = self._trie(file)
        if trie is not None:
            try:
                return _hits(trie, text, file)
            except MalformedModule as error:
                self._note(error)
                self._tries[file] = None
        source, entries = otherwise(name)
        made = self._tries.get(f"made of {source}") or trie_of(entries, source)
        if made is None:
            return ()
        self._tries[f"made of {source}"] = made
        return _hits(made, text, source)

    def _statement_aliases(self, name: str) -> tuple[str, list[Entry]]:
        """The entries of modules.alias or modules.symbols, which are in order of modules."""
        order: dict[bytes, int] = {}
        entries: list[Entry] = []
        for number, words in self._statements(name, b"alias"):
            pattern, _, module = words.rpartition(b" ")
            normal = normal_form(pattern.rstrip())
            if not module or normal is None:
                self._bad_line(name, number, _text(words))
                continue
            entries.append((normal, order.setdefault(module, len(order)), module))
        return name, entries

    def _builtin_aliases(self, _: str) -> tuple[str, list[Entry]]:
        source = "modules.builtin.modinfo"
        return source, builtin_alias_entries(self._content(source) or b"")

    # -- statements ---------------------------------------------------------

    def builtins(self) -> Mapping[str, str]:
        """Built-in name to path; "" where only the binary file is there, which has none."""
        if self._builtins is None:
            empty: dict[str, str] = {}
            self._builtins = self._either(
                "modules.builtin",
                lambda content: {_text(name): _text(path) for name, path in builtin_lines(content)},
                lambda trie: {_text(hit.key): "" for hit in trie.items()},
                empty,
            )
        return self._builtins

    def softdeps(self) -> Sequence[tuple[str, str]]:
        return self._pairs("modules.softdep", b"softdep")

    def weakdeps(self) -> Sequence[tuple[str, str]]:
        return self._pairs("modules.weakdep", b"weakdep")

    def devnames(self) -> Sequence[tuple[str, str, str]]:
        found = []
        for number, line in self._statements("modules.devname", b""):
            words = _text(line).split()
            if len(words) == 3:
                found.append((canonical(words[0]), words[1], words[2]))
            else:
                self._bad_line("modules.devname", number, _text(line))
        return found

    def _pairs(self, name: str, keyword: bytes) -> list[tuple[str, str]]:
        found = []
        for _, line in self._statements(name, keyword):
            module, _, value = _text(line).partition(" ")
            found.append((canonical(module), value))
        return found

    def _statements(self, name: str, keyword: bytes) -> Iterator[tuple[int, bytes]]:
        """The numbered lines that begin with `keyword`, without it."""
        start = keyword + b" " if keyword else b""
        for number, line in enumerate((self._content(name) or b"").split(b"\n"), 1):
            if line.startswith(b"#") or not line:
                continue
            if line.startswith(start):
                yield number, line[len(start) :]
            else:
                self._bad_line(name, number, _text(line))

    # -- files --------------------------------------------------------------

    def _either(
        self,
        name: str,
        of_text: Callable[[bytes], T],
        of_trie: Callable[[Trie], T],
        empty: T,
    ) -> T:
        """What the text file says, else the binary one; `empty` without any."""
        content = self._content(name)
        if content is not None:
            return of_text(content)
        trie = self._trie(f"{name}.bin")
        return empty if trie is None else of_trie(trie)

    def _content(self, name: str) -> bytes | None:
        """A file, read once; None where it is missing or cannot be read."""
        if name not in self._contents:
            self._contents[name] = None
            try:
                self._contents[name] = self._host.read(f"{self.directory}/{name}")
            except ModuleNotFound:
                pass
            except PolymodError as error:
                self._note(error)
        return self._contents[name]

    def _trie(self, name: str) -> Trie | None:
        """A binary file, None where it is missing, empty or no index at all."""
        if name not in self._tries:
            self._tries[name] = None
            content = self._content(name)
            if content:  # depmod leaves an empty file where it has nothing to index
                try:
                    self._tries[name] = Trie(content, f"{self.directory}/{name}")
                except MalformedModule as error:
                    self._note(error)
        return self._tries[name]

    def _bad_line(self, name: str, number: int, line: str) -> None:
        path = f"{self.directory}/{name}"
        self._note(
            MalformedModule(
                f"{path}:{number}: not a line of {name}: {line[:120]!r}",
                path=path,
                field=name,
                remedy="build the index again",
            )
        )

    def _note(self, error: PolymodError) -> None:
        if len(self._problems) < _PROBLEMS:
            self._problems.append(error)


#: Problems told of one index: a file that is something else altogether has one a line.
_PROBLEMS = 1000


def trie_of(entries: Sequence[Entry], source: str) -> Trie | None:
    """A trie in memory over `entries`, None for none; keys the format cannot hold are left out."""
    from polymod_linux.index_trie_writer import write_trie

    kept = [entry for entry in entries if entry[0].isascii() and b"\0" not in entry[0]]
    return Trie(write_trie(kept), source) if kept else None


def _hits(trie: Trie, text: bytes, source: str) -> tuple[AliasHit, ...]:
    return tuple(AliasHit(_text(hit.key), _text(hit.value), source) for hit in trie.match(text))


def _text(data: bytes) -> str:
    return data.decode("utf-8", "surrogateescape")
