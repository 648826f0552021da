"""The modules installed for one Linux kernel, and what modprobe would do with them."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from polymod.backend import Depth, Edge, Inventory
from polymod.errors import (
    HostUnreachable,
    ModuleNotFound,
    PermissionRefused,
    PolymodError,
    UnreadableFile,
)
from polymod.model.answers import Presence, Relation, Resolution
from polymod.model.failures import as_record
from polymod.source import unpacked
from polymod_linux.config import DIRECTORIES, Config, read_config
from polymod_linux.names import canonical
from polymod_linux.trees import find_tree

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from polymod.hosts.base import Host
    from polymod.model.answers import DependencyStep
    from polymod.model.failures import ModuleError
    from polymod.model.files import ModuleFile
    from polymod.source import ByteSource
    from polymod_linux import modinfo
    from polymod_linux.closure import Closures
    from polymod_linux.index import ModuleIndex
    from polymod_linux.loadplan import Planner
    from polymod_linux.lookup import Found

#: Install commands that only say no, or yes without doing anything (man modprobe.d).
BLOCKING = frozenset(
    ("/bin/false", "/bin/true", "/usr/bin/false", "/usr/bin/true", "false", "true", ":", "exit 1")
)


class LinuxInventory(Inventory):
    """The modules below /lib/modules/RELEASE, by depmod's index or, without one, by themselves.

    `config_paths` replace the directories of modprobe.d, as ``modprobe -C``
    does; `index` replaces the index. Everything is read when first needed and
    then kept. Raises ModuleNotFound where the host has no such kernel.
    """

    def __init__(
        self,
        host: Host,
        release: str | None = None,
        *,
        config_paths: Sequence[str] = DIRECTORIES,
        index: ModuleIndex | None = None,
    ) -> None:
        self._tree = find_tree(host, release)
        self.release, self.directory = self._tree
        self._host = host
        self._config_paths = config_paths
        self._given_index = index

    @cached_property
    def index(self) -> ModuleIndex:
        """The module index: the stored one, or one computed where that is absent or damaged."""
        if self._given_index is not None:
            return self._given_index
        from polymod_linux.opening import open_index

        return open_index(self._host, self._tree)

    @cached_property
    def config(self) -> Config:
        """The configuration in force; its `problems` are lines that modprobe skips."""
        return read_config(self._host, self._soft_lines(), self._config_paths)

    def _soft_lines(self) -> dict[str, tuple[str, bytes]]:
        """modules.softdep and modules.weakdep, which count as configuration.

        Written anew from the index: it may be a computed one. A line's number is
        the one it has where depmod wrote the file.
        """
        found: dict[str, tuple[str, bytes]] = {}
        lists = (("softdep", self.index.softdeps()), ("weakdep", self.index.weakdeps()))
        for word, pairs in lists:
            lines = [f"# {word}", *(f"{word} {module} {text}" for module, text in pairs)]
            data = "\n".join(lines).encode("utf-8", "surrogateescape")
            found[f"modules.{word}"] = (f"{self.directory}/modules.{word}", data)
        return found

    @cached_property
    def planner(self) -> Planner:
        """The load plans under the configuration in force."""
        from polymod_linux.loadplan import Planner

        return Planner(self.config, self.index)

    @cached_property
    def _closures(self) -> Closures:
        from polymod_linux.closure import Closures

        return Closures(self._host, self.planner, self.locate)

    @cached_property
    def _builtin_info(self) -> Mapping[str, modinfo.Info] | None:
        from polymod_linux.builtins import read_modinfo

        return read_modinfo(self._host, self.directory)

    @property
    def problems(self) -> Sequence[ModuleError]:
        """The files that the answers so far would have needed and could not have.

        Lines and modules that kmod passes over as well are not among them.
        """
        met = [one.error for one in self.config.problems if one.error is not None]
        kinds = (PermissionRefused, UnreadableFile, HostUnreachable)
        return [as_record(one) for one in (*met, *self.index.problems) if isinstance(one, kinds)]

    def locate(self, path: str) -> str:
        """The host's path for a path of the index, which may be relative."""
        return path if path.startswith("/") else f"{self.directory}/{path}"

    @cached_property
    def _paths(self) -> Mapping[str, str]:
        return self.index.paths()

    def names(self) -> Sequence[str]:
        return tuple(self._paths)

    def files(self, depth: Depth = Depth.METADATA) -> Iterator[ModuleFile | ModuleError]:
        """Every module that has a file, in the order of modules.dep."""
        for path, source in self._host.open_many(map(self.locate, self._paths.values())):
            try:
                if isinstance(source, PolymodError):
                    raise source
                with source:
                    yield _read(source, depth)
            except PolymodError as error:
                yield as_record(error, path)

    def find(self, name: str, depth: Depth = Depth.METADATA) -> ModuleFile:
        """The module called `name`, ``-`` and ``_`` alike.

        Raises ModuleNotFound, MalformedModule, and what keeps its file from
        being read.
        """
        wanted = canonical(name)
        path = self._paths.get(wanted)
        if path is not None:
            with self._host.open(self.locate(path)) as source:
                return _read(source, depth)
        if wanted in self.index.builtins():
            from polymod_linux.builtins import record

            return record(wanted, (self._builtin_info or {}).get(wanted))
        raise self._unknown(name)

    def resolve(self, alias: str) -> Sequence[Resolution]:
        """The modules that modprobe would load for an alias, a name or ``symbol:NAME``.

        In its order (``modprobe -R``); a module may come more than once, by
        several patterns.
        """
        return tuple(self._resolution(alias, found) for found in self.planner.lookup(alias))

    def _resolution(self, alias: str, found: Found) -> Resolution:
        path, presence = self._closures.place(found.name)
        return Resolution(
            backend="linux",
            alias=alias,
            name=found.name,
            path=path,
            presence=presence,
            pattern=found.pattern,
            source=found.source,
            origin=found.origin,
            blocked=presence is not Presence.BUILTIN and self._is_blocked(found),
        )

    def _is_blocked(self, found: Found) -> bool:
        if found.name in self.config.refused or self.planner.blacklisted(found):
            return True
        soft = self.planner.soft(found.name)
        command = None if soft.pre or soft.post else self.planner.install(found)
        return command is not None and command.strip() in BLOCKING

    def dependencies(self, name_or_path: str) -> Sequence[DependencyStep]:
        """What ``modprobe --show-depends`` lists, in its order, repeats kept.

        Takes a name, an alias, or the path of a module file that need not be
        in the tree. Hard dependencies that modules.dep names and that are gone
        raise DependencyMissing; soft ones come with presence ``missing``. ()
        where the configuration blacklists all that the alias stands for.
        Raises ModuleNotFound.
        """
        if _is_path(name_or_path):
            return tuple(self._closures.of_file(name_or_path))
        steps = self._closures.of_name(name_or_path)
        if steps is None:
            raise self._unknown(name_or_path)
        return tuple(steps)

    def edges(self) -> Sequence[Edge]:
        """Hard dependencies as the files declare them, then the soft ones in force."""
        direct, paths = self._closures.direct, self._paths
        direct.read(paths)
        edges: dict[Edge, None] = {}
        for name in paths:
            for needed in direct.of(name):
                edges[Edge(name, needed, Relation.MODULE.value)] = None
            soft = self.planner.soft(name)
            for relation, found in ((Relation.SOFT_PRE, soft.pre), (Relation.SOFT_POST, soft.post)):
                for target in found:
                    if target.name in paths:
                        edges[Edge(name, target.name, relation.value)] = None
        return tuple(edges)

    def _unknown(self, name: str) -> ModuleNotFound:
        from difflib import get_close_matches

        known = [*self._paths, *self.index.builtins()]
        close = get_close_matches(canonical(name), known, 3) if len(name) < 64 else []
        remedy = f"did you mean {', '.join(close)}?" if close else "check the name and the kernel"
        return ModuleNotFound(f"{name}: no module of kernel {self.release}", remedy=remedy)


def _is_path(text: str) -> bool:
    from polymod_linux.names import is_module_path

    return text.startswith(("/", "./", "../")) or is_module_path(text)


def _read(source: ByteSource, depth: Depth) -> ModuleFile:
    from polymod_linux.format import LinuxFormat

    return LinuxFormat().read(unpacked(source), depth)
