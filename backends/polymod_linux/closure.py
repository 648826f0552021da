"""Load plans as records: where each module is, who needs it, and what is missing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from polymod.backend import Depth
from polymod.errors import DependencyMissing, ModuleNotFound, PolymodError
from polymod.model.answers import DependencyStep, Presence, Relation
from polymod.model.files import DependencyKind
from polymod.source import unpacked
from polymod_linux.direct import DirectDependencies
from polymod_linux.lookup import Found
from polymod_linux.names import canonical, from_path

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from polymod.hosts.base import Host
    from polymod_linux.loadplan import Planned, Planner


class Closures:
    """What loading a module of one kernel would load, as records.

    `locate` gives the host's path for a path of the index.
    """

    def __init__(self, host: Host, planner: Planner, locate: Callable[[str], str]) -> None:
        self._host = host
        self._planner = planner
        self._known = planner.known
        self._locate = locate
        self._places: dict[str, tuple[str | None, Presence]] = {}
        self.direct = DirectDependencies(host, planner.known, locate)

    def of_name(self, text: str) -> list[DependencyStep] | None:
        """The steps for a name or alias, None where nothing is called so.

        Raises ModuleNotFound, DependencyMissing.
        """
        found = self._planner.lookup(text)
        if not found:
            return None
        steps: list[DependencyStep] = []
        for module in found:
            steps += self._steps(text, self._planner.plan(module))
        return steps

    def of_file(self, path: str) -> list[DependencyStep]:
        """The steps for a module file: as for its name where it is the installed one.

        Raises ModuleNotFound, DependencyMissing, MalformedModule.
        """
        from polymod_linux.format import LinuxFormat

        with self._host.open(path) as source:
            module = LinuxFormat().read(unpacked(source))
            name = canonical(module.name or from_path(path))
            root = Found(name, None, None, path)
            if self._is_installed(name, path):
                return self._steps(path, self._planner.plan(root))
            if "depends" in module.native:
                needed = [
                    canonical(dependency.name)
                    for dependency in module.dependencies
                    if dependency.kind is DependencyKind.MODULE
                ]
            else:
                imports = LinuxFormat().read(unpacked(source), Depth.FULL).imports or ()
                needed = self._owners(symbol.name for symbol in imports)
        missing = [other for other in needed if self.place(other)[1] is Presence.MISSING]
        if missing:
            raise DependencyMissing((name, missing[0]))
        plan = self._planner.plan(root, self._all_of(needed))
        return self._steps(path, plan, (path, Presence.LOADABLE), needed)

    def _is_installed(self, name: str, path: str) -> bool:
        installed = self._known.paths.get(name)
        if installed is None:
            return False
        here, there = self._host.stat(path), self._host.stat(self._locate(installed))
        return here is not None and there is not None and here.identity == there.identity

    def _owners(self, symbols: Iterable[str]) -> list[str]:
        """The modules that export `symbols`; what none exports is the kernel's own."""
        hits = (self._known.index.aliases(f"symbol:{symbol}") for symbol in symbols)
        return list(dict.fromkeys(canonical(found[0].module) for found in hits if found))

    def _all_of(self, needed: Sequence[str]) -> list[Found]:
        """`needed` and what they need, in the order of modules.dep: the first to load last."""
        load_order: dict[str, None] = {}
        for name in needed:
            load_order.update((found.name, None) for found in reversed(self._planner.hard(name)))
            load_order[name] = None
        return [Found(name, None, None, "modules.dep") for name in reversed(load_order)]

    def place(self, name: str) -> tuple[str | None, Presence]:
        """The path of a module (None for one that has no file), and whether it is there."""
        found = self._places.get(name)
        if found is None:
            path = self._known.paths.get(name)
            if path is not None:
                path = self._locate(path)
                found = path, Presence.LOADABLE if self._is_there(path) else Presence.MISSING
            elif name in self._known.builtins:
                found = None, Presence.BUILTIN
            else:
                found = None, Presence.MISSING
            self._places[name] = found
        return found

    def _is_there(self, path: str) -> bool:
        try:
            return self._host.exists(path)
        except PolymodError:
            return True  # there, or at least not known to be gone: loading it will tell

    def _steps(
        self,
        subject: str,
        plan: Sequence[Planned],
        root: tuple[str | None, Presence] | None = None,
        root_needs: Sequence[str] | None = None,
    ) -> list[DependencyStep]:
        """The records of one plan; `root` and `root_needs` are set for a file out of the tree."""
        if not plan:
            return []
        names = list(dict.fromkeys(planned.module.name for planned in plan))
        needs = {name: self.direct.of(name) for name in self._read(names)}
        places = {name: self.place(name) for name in names}
        requested = next(p.module.name for p in plan if p.relation is Relation.REQUESTED)
        if root is not None:
            places[requested], needs[requested] = root, tuple(root_needs or ())
        self._refuse_missing(requested, plan, places, needs)
        needed_by = self._needed_by(needs)
        return [
            DependencyStep(
                backend="linux",
                subject=subject,
                name=planned.module.name,
                path=places[planned.module.name][0],
                relation=planned.relation,
                presence=places[planned.module.name][1],
                needed_by=needed_by[planned.module.name],
                options=planned.options,
                command=planned.command,
            )
            for planned in plan
        ]

    def _read(self, names: list[str]) -> list[str]:
        self.direct.read(names)
        return names

    def _needed_by(self, needs: dict[str, tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
        """Who of a plan's modules needs each of them, softly too, in the plan's order."""
        owners: dict[str, dict[str, None]] = {name: {} for name in needs}
        for name, needed in needs.items():
            soft = self._planner.soft(name)
            for other in (*needed, *(found.name for found in (*soft.pre, *soft.post))):
                if other in owners and other != name:
                    owners[other][name] = None
        return {name: tuple(found) for name, found in owners.items()}

    def _refuse_missing(
        self,
        requested: str,
        plan: Sequence[Planned],
        places: dict[str, tuple[str | None, Presence]],
        needs: dict[str, tuple[str, ...]],
    ) -> None:
        """Raise for a file that is gone and without which the module cannot load."""
        for planned in plan:
            path, presence = places[planned.module.name]
            if not planned.required or presence is not Presence.MISSING or path is None:
                continue
            remedy = "install the kernel's modules again, or rebuild the index (polymod index)"
            if planned.module.name == requested:
                raise ModuleNotFound(
                    f"{requested}: modules.dep names {path}, which is gone",
                    path=path,
                    remedy=remedy,
                )
            raise DependencyMissing(_chain(requested, planned.module.name, needs), remedy=remedy)


def _chain(name: str, needed: str, needs: dict[str, tuple[str, ...]]) -> list[str]:
    """A shortest way from `name` to `needed`."""
    came_from = {name: ""}
    waiting = [name]
    for here in waiting:  # grows while it is gone through
        for other in needs.get(here, ()):
            if other not in came_from:
                came_from[other] = here
                waiting.append(other)
    chain = [needed]
    while came_from.get(chain[-1]):
        chain.append(came_from[chain[-1]])
    return chain[::-1] if chain[-1] == name else [name, needed]
