"""The modules installed for a NetBSD kernel: ``/stand/ARCH/VERSION/modules/NAME/NAME.kmod``.

See module(7), and sys/kern/kern_module.c for how the kernel finds and orders
them. VERSION is major.minor for a release, and the whole version for -current.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from polymod.backend import Depth, Edge, Inventory
from polymod.errors import DependencyCycle, ModuleNotFound, UsageError
from polymod.hosts.base import DIRECTORY, FILE, join
from polymod.model.answers import DependencyStep, Presence, Relation, Resolution
from polymod.model.base import Gap, Why
from polymod.source import unpacked
from polymod_netbsd.format import NetbsdFormat

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from polymod.hosts.base import Host
    from polymod.model.files import ModuleFile

STAND = "/stand"

_NO_FILE = Gap(Why.NOT_REPORTED, "no file for it: the kernel may have it built in, or lack it")


class Tree(NamedTuple):
    """The modules of one kernel: its machine, its version, and the directory."""

    machine: str
    version: str
    path: str


def trees(host: Host) -> list[Tree]:
    """Every module directory of a host, ordered by machine and version."""
    found: list[Tree] = []
    for machine in _directories(host, STAND):
        for version in _directories(host, join(STAND, machine)):
            path = f"{STAND}/{machine}/{version}/modules"
            if version[:1].isdigit() and _type(host, path) == DIRECTORY:
                found.append(Tree(machine, version, path))
    return found


def _directories(host: Host, path: str) -> list[str]:
    if _type(host, path) != DIRECTORY:
        return []
    return sorted(entry.name for entry in host.list(path) if _type(host, entry.path) == DIRECTORY)


def _type(host: Host, path: str) -> str | None:
    found = host.stat(path)
    return None if found is None else found.type


def directory_version(release: str) -> str:
    """The VERSION directory for a release of uname(1): ``10.1_STABLE`` has its modules in 10.1."""
    parts = release.partition("_")[0].split(".")
    return ".".join(parts if parts[1:2] == ["99"] else parts[:2])


def choose(host: Host, release: str | None) -> Tree:
    """The tree for a release or ``ARCH/VERSION``; for None the running, or only, kernel's.

    Raises ModuleNotFound, UsageError where several would do.
    """
    every, platform = trees(host), host.platform()
    wanted = release or (platform.release if platform else None)
    fitting = every
    if wanted is not None:
        version = directory_version(wanted)
        fitting = [t for t in every if version == t.version or wanted == f"{t.machine}/{t.version}"]
    if platform is not None and len(fitting) > 1:
        fitting = [tree for tree in fitting if tree.machine == platform.machine] or fitting
    if len(fitting) == 1:
        return fitting[0]
    there = ", ".join(f"{tree.machine}/{tree.version}" for tree in every) or "none"
    if not fitting:
        raise ModuleNotFound(
            f"no modules for {wanted or 'any kernel'} below {STAND}",
            remedy=f"name a kernel with --kernel; there are: {there}",
        )
    raise UsageError(
        f"several kernels below {STAND}: {there}", remedy="choose one with --kernel ARCH/VERSION"
    )


class NetbsdInventory(Inventory):
    """The modules of one kernel. The directory is listed once, each file read at most once."""

    def __init__(self, host: Host, release: str | None) -> None:
        self._host = host
        self._tree = choose(host, release)
        self.release = self._tree.version
        self._paths: dict[str, str] = {}
        for name in _directories(host, self._tree.path):
            path = f"{self._tree.path}/{name}/{name}.kmod"
            if _type(host, path) == FILE:
                self._paths[name] = path
        self._read: dict[str, ModuleFile] = {}

    def names(self) -> Sequence[str]:
        return tuple(self._paths)

    def files(self, depth: Depth = Depth.METADATA) -> Iterator[ModuleFile]:
        for name in self._paths:
            yield self.find(name, depth)

    def find(self, name: str, depth: Depth = Depth.METADATA) -> ModuleFile:
        path = self._paths.get(name)
        if path is None:
            raise ModuleNotFound(
                f"{name}: no such module below {self._tree.path}",
                remedy="check the spelling; a module that is built into the kernel has no file",
            )
        return self._file(path, depth)

    def _file(self, path: str, depth: Depth = Depth.METADATA) -> ModuleFile:
        found = self._read.get(path)
        if found is None or depth is Depth.FULL:
            with self._host.open(path) as raw:
                found = NetbsdFormat().read(unpacked(raw), depth)
            if depth is not Depth.FULL:
                self._read[path] = found
        return found

    def resolve(self, alias: str) -> Sequence[Resolution]:
        """The module of that very name: NetBSD has no other aliases."""
        path = self._paths.get(alias)
        if path is None:
            return ()
        return (
            Resolution(
                backend="netbsd",
                alias=alias,
                name=alias,
                path=path,
                presence=Presence.LOADABLE,
                pattern=None,
                source=self._tree.path,
            ),
        )

    def edges(self) -> Sequence[Edge]:
        return tuple(
            Edge(name, dependency.name, dependency.kind.value)
            for name in self._paths
            for dependency in self.find(name).dependencies
        )

    def dependencies(self, name_or_path: str) -> Sequence[DependencyStep]:
        first = self._file(name_or_path) if "/" in name_or_path else self.find(name_or_path)
        start = first.name if "/" in name_or_path and first.name else name_or_path
        needed_by: dict[str, list[str]] = {start: []}
        steps: list[DependencyStep] = []
        for name in self._load_order(start, first, needed_by):
            path = first.path if name == start else self._paths.get(name)
            steps.append(
                DependencyStep(
                    backend="netbsd",
                    subject=name_or_path,
                    name=name,
                    path=path,
                    relation=Relation.REQUESTED if name == start else Relation.MODULE,
                    presence=Presence.MISSING if path is None else Presence.LOADABLE,
                    needed_by=tuple(needed_by[name]),
                    gaps={} if path else {"path": _NO_FILE},
                )
            )
        return steps

    def _load_order(
        self, start: str, first: ModuleFile, needed_by: dict[str, list[str]]
    ) -> list[str]:
        """What the kernel loads, in its order: all that a module requires, then the module.

        Fills `needed_by`. Without recursion: a hostile tree may be deep.
        """
        order: list[str] = []
        chain = {start: iter(first.dependencies)}
        while chain:
            here = next(reversed(chain))
            dependency = next(chain[here], None)
            if dependency is None:
                order.append(here)
                del chain[here]
                continue
            name = dependency.name
            if name in chain:
                ring = [*chain]
                raise DependencyCycle([*ring[ring.index(name) :], name])
            seen = name in needed_by
            holders = needed_by.setdefault(name, [])
            if here not in holders:
                holders.append(here)
            if not seen:
                chain[name] = iter(self.find(name).dependencies if name in self._paths else ())
        return order
