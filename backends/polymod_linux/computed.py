"""The index worked out from the modules themselves, for kernels without index files."""

from __future__ import annotations

from typing import TYPE_CHECKING

from polymod.errors import DependencyCycle, ModuleNotFound, PolymodError
from polymod_linux import index_text
from polymod_linux.depmod import (
    ModuleTree,
    closures,
    direct_dependencies,
    load_numbers,
    read_tree,
    symbol_owners,
)
from polymod_linux.index import AliasHit, ModuleIndex
from polymod_linux.index_facts import strings
from polymod_linux.names import canonical
from polymod_linux.stored import trie_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from polymod.hosts.base import Host
    from polymod_linux.depmod_d import DepmodConfig
    from polymod_linux.index_trie import Trie
    from polymod_linux.index_trie_writer import Entry


class ComputedIndex(ModuleIndex):
    """What depmod would write for `directory`, kept in memory.

    The modules are read when the first question is asked; `problems` then says
    what could not be read. `closure` raises DependencyCycle for a module that
    needs one of a ring; the others answer all the same.
    """

    def __init__(
        self,
        host: Host,
        directory: str,
        *,
        release: str | None = None,
        config: DepmodConfig | None = None,
        jobs: int | None = None,
    ) -> None:
        self.directory = directory.rstrip("/")
        self._host = host
        self._release = release
        self._config = config
        self._jobs = jobs
        self._tree: ModuleTree | None = None
        self._numbers: dict[str, int] = {}
        self._direct: list[list[int]] | None = None
        self._owners: dict[bytes, int] | None = None
        self._closures: list[list[int]] = []
        self._ring: tuple[DependencyCycle, set[int]] | None = None
        self._tries: dict[str, Trie | None] = {}

    def tree(self) -> ModuleTree:
        """The modules and their facts, read once.

        Raises ModuleNotFound, PermissionRefused, UnreadableFile for the directory.
        """
        if self._tree is None:
            self._tree = read_tree(
                self._host,
                self.directory,
                release=self._release,
                config=self._config,
                jobs=self._jobs,
            )
            self._numbers = {
                module.name: number for number, module in enumerate(self._tree.modules)
            }
        return self._tree

    @property
    def problems(self) -> Sequence[PolymodError]:
        """Module files and configuration lines that could not be read."""
        return self.tree().problems

    def paths(self) -> Mapping[str, str]:
        return {module.name: module.spelling for module in self.tree().modules}

    def closure(self, name: str) -> Sequence[str]:
        modules = self.tree().modules
        number = self._number(name)
        if self._direct is None:
            self._solve()
        if self._ring is not None and number in self._ring[1]:
            raise self._ring[0]
        return [modules[other].spelling for other in self._closures[number]]

    def direct(self, name: str) -> Sequence[str]:
        """The names of the modules that `name` needs a symbol of, in the order of its imports.

        Raises ModuleNotFound.
        """
        modules = self.tree().modules
        number = self._number(name)
        if self._direct is None:
            self._solve()
        return [modules[other].name for other in (self._direct or [])[number]]

    def _number(self, name: str) -> int:
        number = self._numbers.get(canonical(name))
        if number is None:
            raise ModuleNotFound(
                f"{name}: no such module below {self.directory}",
                path=self.directory,
                remedy="check the name and the kernel release",
            )
        return number

    def _solve(self) -> None:
        """Work out all dependencies; modules that lead into a ring are set apart."""
        tree = self.tree()
        names = [module.name for module in tree.modules]
        direct = direct_dependencies(tree.facts, self._symbol_owners())
        self._direct = direct
        sound = direct
        try:
            numbers = load_numbers(direct, names)
        except DependencyCycle as error:
            stuck = _leading_to(direct, [names.index(name) for name in error.members])
            self._ring = (error, stuck)
            sound = [[] if number in stuck else needed for number, needed in enumerate(direct)]
            numbers = load_numbers(sound, names)
        self._closures = closures(sound, numbers)

    def _symbol_owners(self) -> dict[bytes, int]:
        if self._owners is None:
            self._owners = symbol_owners(self.tree().facts)
        return self._owners

    # -- aliases ------------------------------------------------------------

    def aliases(self, alias: str) -> Sequence[AliasHit]:
        tree = self.tree()
        if alias.startswith("symbol:"):
            symbol = alias.removeprefix("symbol:").encode("utf-8", "surrogateescape")
            owner = self._symbol_owners().get(symbol)
            if owner is not None:
                return (AliasHit(alias, tree.modules[owner].name, "modules.symbols"),)
        return self._matches(alias, "modules.alias")

    def builtin_aliases(self, alias: str) -> Sequence[AliasHit]:
        return self._matches(alias, "modules.builtin.modinfo")

    def _matches(self, alias: str, source: str) -> Sequence[AliasHit]:
        text = index_text.normal_form(alias.encode("utf-8", "surrogateescape"))
        if text is None:
            return ()
        if source not in self._tries:
            self._tries[source] = trie_of(self._entries(source), source)
        trie = self._tries[source]
        if trie is None:
            return ()
        return tuple(AliasHit(_text(hit.key), _text(hit.value), source) for hit in trie.match(text))

    def _entries(self, source: str) -> list[Entry]:
        if source == "modules.alias":
            return list(index_text.alias_entries(self.tree()))
        return index_text.builtin_alias_entries(self.tree().builtin_modinfo or b"")

    # -- statements ---------------------------------------------------------

    def builtins(self) -> Mapping[str, str]:
        lines = index_text.builtin_lines(self.tree().builtin or b"")
        return {_text(name): _text(path) for name, path in lines}

    def softdeps(self) -> Sequence[tuple[str, str]]:
        tree = self.tree()
        return [
            (module.name, _text(value))
            for module, fact in zip(tree.modules, tree.facts, strict=True)
            for value in strings(fact.softdeps)
        ]

    def weakdeps(self) -> Sequence[tuple[str, str]]:
        tree = self.tree()
        return [
            (module.name, _text(value))
            for module, fact in zip(tree.modules, tree.facts, strict=True)
            for value in strings(fact.weakdeps)
        ]

    def devnames(self) -> Sequence[tuple[str, str, str]]:
        found = []
        tree = self.tree()
        for module, fact in zip(tree.modules, tree.facts, strict=True):
            if b"devname:" in fact.aliases:
                device, numbers = index_text.device_of(strings(fact.aliases))
                if device is not None and numbers is not None:
                    found.append((module.name, _text(device), _text(numbers)))
        return found


def _leading_to(direct: Sequence[Sequence[int]], members: Sequence[int]) -> set[int]:
    """The `members`, and every module that needs one of them, directly or not."""
    users: list[list[int]] = [[] for _ in direct]
    for number, needed in enumerate(direct):
        for other in needed:
            users[other].append(number)
    found = set(members)
    waiting = list(found)
    while waiting:
        for user in users[waiting.pop()]:
            if user not in found:
                found.add(user)
                waiting.append(user)
    return found


def _text(data: bytes) -> str:
    return data.decode("utf-8", "surrogateescape")
