"""What modprobe would load for a module, in its order (kmod libkmod/libkmod-module.c).

The rules, where they are finer than modprobe(8):

* Hard dependencies come from modules.dep alone, last one first, and each is
  wrapped in its own soft dependencies. They are not checked against what the
  plan holds already: a module that two others need appears twice, and loading
  it the second time does nothing.
* What a soft dependency names is looked up like an argument of modprobe and
  brings its own hard dependencies. Of these each is done once, so that rings
  of soft dependencies end. A module reached by an alias is not taken for the
  same one reached by its name.
* A module with soft dependencies that exist ignores its install line.
* A module reached through an alias and blacklisted gives nothing.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from polymod.errors import ModuleNotFound
from polymod.model.answers import Relation
from polymod_linux.lookup import Found, KnownModules, lookup
from polymod_linux.names import from_path

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from polymod_linux.config import Config
    from polymod_linux.index import ModuleIndex


class Planned(NamedTuple):
    """One load of a plan.

    `options` are the configured parameters, `command` the install command that
    runs instead. A failure of a load that is not `required` is passed over.
    """

    module: Found
    relation: Relation
    options: str
    command: str | None
    required: bool


class _Targets:
    """What one softdep line names, handed out once for a whole plan.

    Whoever goes through the line has seen to all that stand before `_next`, so one
    place serves all modules that the line counts for, and a line with
    thousands of names for every module stays cheap.
    """

    def __init__(self, modules: Sequence[Found]) -> None:
        self._modules = modules
        self._next = 0

    def next(self, visited: set[tuple[str, str | None]]) -> Found | None:
        """The next module that nobody visited yet."""
        while self._next < len(self._modules):
            module = self._modules[self._next]
            if module[:2] not in visited:
                return module
            self._next += 1
        return None


class Soft(NamedTuple):
    """The modules behind one softdep line."""

    pre: tuple[Found, ...]
    post: tuple[Found, ...]


_NO_SOFT = Soft((), ())
_DEPENDENCIES = "modules.dep"


class Planner:
    """The load plans of one kernel under one configuration; keeps what it looked up."""

    def __init__(self, config: Config, index: ModuleIndex) -> None:
        self.known = KnownModules(index)
        self._config = config
        self._found: dict[str, tuple[Found, ...]] = {}
        self._hard: dict[str, tuple[Found, ...]] = {}
        self._soft: dict[str, Soft] = {}
        self._softdeps: dict[int, Soft] = {}

    def lookup(self, text: str) -> tuple[Found, ...]:
        """See `polymod_linux.lookup.lookup`."""
        found = self._found.get(text)
        if found is None:
            found = self._found[text] = lookup(text, self._config, self.known)
        return found

    def hard(self, name: str) -> tuple[Found, ...]:
        """All hard dependencies, direct and indirect, in the order of modules.dep."""
        found = self._hard.get(name)
        if found is None:
            try:
                paths = self.known.index.closure(name)
            except ModuleNotFound:
                paths = ()
            found = self._hard[name] = tuple(
                Found(from_path(path), None, None, _DEPENDENCIES) for path in paths
            )
        return found

    def soft(self, name: str) -> Soft:
        """The modules to try before, and after, a module."""
        found = self._soft.get(name)
        if found is None:
            found = self._soft[name] = self._look_up_soft(name)
        return found

    def _look_up_soft(self, name: str) -> Soft:
        line = self._config.softdep(name)
        if line is None:
            return _NO_SOFT
        found = self._softdeps.get(id(line))
        if found is None:
            found = self._softdeps[id(line)] = Soft(
                tuple(found for word in line.pre for found in self.lookup(word)),
                tuple(found for word in line.post for found in self.lookup(word)),
            )
        return found

    def blacklisted(self, module: Found) -> bool:
        """Whether the configuration keeps modprobe from loading it through this alias."""
        return module.alias is not None and self._config.blacklisted(module.name) is not None

    def plan(self, module: Found, hard: Sequence[Found] | None = None) -> list[Planned]:
        """What loading `module` loads, in order; [] where it is blacklisted.

        `hard` replaces what modules.dep says it needs (what loads first stands last).
        """
        if self.blacklisted(module):
            return []
        hard = self.hard(module.name) if hard is None else hard
        required = {(module.name, module.alias), *((found.name, None) for found in hard)}
        return [
            Planned(
                found,
                relation,
                self._config.options(found.name, found.alias),
                None if ignores_command else self.install(found),
                found[:2] in required,
            )
            for found, relation, ignores_command in _Walk(self, module, hard).run()
        ]

    def install(self, module: Found) -> str | None:
        """The command that runs instead of loading a module without soft dependencies."""
        if module.command is not None:
            return module.command
        line = self._config.install(module.name)
        return None if line is None else line.command


class _Load(NamedTuple):
    """A module in the order of loading, and whether its install line is passed over."""

    module: Found
    relation: Relation
    ignores_command: bool


class _Walk:
    """One walk over hard and soft dependencies, with a stack of its own: chains may be long."""

    def __init__(self, planner: Planner, root: Found, hard: Sequence[Found]) -> None:
        self._planner = planner
        self._root, self._root_hard = root, hard
        self._visited: set[tuple[str, str | None]] = set()
        self._targets: dict[int, tuple[_Targets, _Targets]] = {}
        self._loads: list[_Load] = []
        self._stack: list[Callable[[], None]] = [partial(self._probe, root, Relation.REQUESTED)]

    def run(self) -> list[_Load]:
        """All loads, in order."""
        while self._stack:
            self._stack.pop()()
        return self._loads

    def _probe(self, module: Found, relation: Relation) -> None:
        """A module that was asked for, or that a soft dependency names."""
        if module[:2] in self._visited:
            return
        self._visited.add(module[:2])
        hard = self._root_hard if module is self._root else self._planner.hard(module.name)
        self._stack.append(partial(self._fill, module, relation))
        self._stack += [partial(self._fill, found, Relation.MODULE) for found in hard]

    def _fill(self, module: Found, relation: Relation) -> None:
        """A module between its soft dependencies, its hard ones being done."""
        soft = self._planner.soft(module.name)
        if not soft.pre and not soft.post:
            self._loads.append(_Load(module, relation, ignores_command=False))
            return
        targets = self._targets.get(id(soft))
        if targets is None:
            targets = self._targets[id(soft)] = _Targets(soft.pre), _Targets(soft.post)
        load = _Load(module, relation, ignores_command=True)
        self._stack.append(partial(self._soft, targets[1], Relation.SOFT_POST))
        self._stack.append(partial(self._loads.append, load))
        self._stack.append(partial(self._soft, targets[0], Relation.SOFT_PRE))

    def _soft(self, targets: _Targets, relation: Relation) -> None:
        target = targets.next(self._visited)
        if target is not None:
            self._stack.append(partial(self._soft, targets, relation))
            self._stack.append(partial(self._probe, target, relation))
