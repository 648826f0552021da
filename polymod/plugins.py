"""Plugins: the built-in backends from a table, outside ones by entry point.

A typed front over pluggy, whose results are untyped: what a plugin gives is
looked at here, and what it raises is kept here, with its name.
"""

from __future__ import annotations

import os
import sys
from importlib import import_module
from typing import TYPE_CHECKING

import pluggy

from polymod import hookspecs
from polymod.errors import PluginFailed, PolymodError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from polymod.backend import Backend
    from polymod.hosts.base import Host
    from polymod.model.changes import Plan, Step, StepResult
    from polymod.rules import Rule
    from polymod.verbs import Verb

#: Built-in plugins. Each is shaped like a stranger's, and only imported from here.
BUILTIN = ("polymod_linux",)

GROUP = "polymod"


class Plugins:
    """The plugins of one process.

    `failures` holds, once each, the plugins that could not be loaded or that
    raised; requests go on without them.
    """

    def __init__(self, *, outside: bool = True) -> None:
        self._manager = pluggy.PluginManager(hookspecs.PROJECT)
        self._manager.add_hookspecs(hookspecs)
        self.failures: list[PluginFailed] = []
        self._backends: tuple[Backend, ...] | None = None
        self._origins: dict[str, str] = {}
        for name in BUILTIN:
            self._manager.register(import_module(name), name)
        if outside and _has_entry_points():
            self._load_outside()

    def register(self, plugin: object, name: str) -> None:
        """Add a plugin by hand, as tests and programs that embed polymod do."""
        self._manager.register(plugin, name)
        self._backends = None

    def _load_outside(self) -> None:
        from importlib.metadata import entry_points

        for point in entry_points(group=GROUP):
            try:
                self._manager.register(point.load(), point.name)
            except (Exception, SystemExit) as error:  # noqa: BLE001  # anything may come
                self._failed(point.name, f"cannot be loaded: {error}")

    def _failed(self, plugin: str, message: str) -> PluginFailed:
        failure = PluginFailed(plugin, message)
        self.note(failure)
        return failure

    def note(self, failure: PluginFailed) -> None:
        """Keep a failure, once; a worker process found it, or a request here."""
        if str(failure) not in map(str, self.failures):
            self.failures.append(failure)

    def _ask(self, hook: str, **arguments: object) -> Iterator[tuple[str, object]]:
        """Every plugin's answer to a hook, each with the plugin's name."""
        plugins = self._manager.list_name_plugin()
        for name, plugin in plugins:
            if plugin is None or not hasattr(plugin, hook):
                continue
            others = [other for _, other in plugins if other is not plugin]
            call = self._manager.subset_hook_caller(hook, others)
            try:
                answer = call(**arguments)
            except (Exception, SystemExit) as error:  # a stranger's code: named and left out
                if isinstance(error, PolymodError) and _is_firstresult(hook):
                    raise  # that is its answer: the host cannot be opened
                self._failed(name, f"{hook} raised {type(error).__name__}: {error}")
                continue
            if isinstance(answer, list) and not _is_firstresult(hook):
                for one in answer:
                    yield name, one
            elif answer is not None:
                yield name, answer

    def _ask_many(self, hook: str, kind: type[object]) -> Iterator[tuple[str, object]]:
        """The items of every plugin's iterable answer, the wrong ones told and dropped."""
        for name, answer in self._ask(hook):
            try:
                items = list(answer)  # type: ignore[call-overload]  # looked at just below
            except Exception as error:  # noqa: BLE001  # may be a generator of a stranger's
                self._failed(name, f"{hook} gave no list: {error}")
                continue
            for item in items:
                if isinstance(item, kind):
                    yield name, item
                else:
                    self._failed(name, f"{hook} gave {item!r}, not a {kind.__name__}")

    # -- the hooks, typed ---------------------------------------------------

    def backends(self) -> tuple[Backend, ...]:
        """Every installed backend, built-in ones first.

        Of two with one name the built-in one stays and the other is a failure.
        """
        if self._backends is None:
            from polymod.backend import Backend

            found: dict[str, Backend] = {}
            for plugin, item in self._ask_many("polymod_backends", Backend):
                if not isinstance(item, Backend):
                    continue
                backend = item if plugin in BUILTIN else self._fenced(plugin, item)
                if backend.name in found:
                    self._failed(plugin, f"brings a second backend called {backend.name}")
                    continue
                found[backend.name] = backend
                self._origins[backend.name] = plugin
            self._backends = tuple(found.values())
        return self._backends

    def _fenced(self, plugin: str, backend: Backend) -> Backend:
        from polymod.guard import FencedBackend

        return FencedBackend(backend, lambda message: self._failed(plugin, message))

    def backend(self, name: str) -> Backend:
        """The backend called `name`. Raises UsageError naming those there are."""
        for backend in self.backends():
            if backend.name == name:
                return backend
        names = ", ".join(backend.name for backend in self.backends())
        raise UsageError(f"no backend called {name}", remedy=f"installed backends: {names}")

    def origin(self, backend: str) -> str:
        """The name of the plugin that brought a backend."""
        self.backends()
        return self._origins[backend]

    def is_builtin(self, backend: str) -> bool:
        """Whether a backend came with polymod itself."""
        return self.origin(backend) in BUILTIN

    def version_of(self, backend: str) -> str | None:
        """The version of the distribution that brought an outside backend, None if unknown."""
        from importlib.metadata import entry_points

        for point in entry_points(group=GROUP, name=self.origin(backend)):
            return point.dist.version if point.dist else None
        return None

    def open_host(self, spec: str) -> Host | None:
        """The host a plugin makes of an unknown URL, None where no plugin does."""
        from polymod.hosts.base import Host

        for name, answer in self._ask("polymod_open_host", spec=spec):
            if isinstance(answer, Host):
                return answer
            self._failed(name, f"polymod_open_host gave {answer!r}, not a Host")
        return None

    def rules(self) -> tuple[Rule, ...]:
        """Every plugin's audit and check rules."""
        from polymod.rules import Rule

        return tuple(
            item for _, item in self._ask_many("polymod_rules", Rule) if isinstance(item, Rule)
        )

    def review_plan(self, plan: Plan, policy: Mapping[str, object]) -> tuple[str, ...]:
        """Every veto against a plan, each with the plugin's name before it.

        A plugin that fails to review vetoes: silence is not consent.
        """
        known = len(self.failures)
        vetoes = [
            f"{name}: {answer}"
            for name, answer in self._ask("polymod_review_plan", plan=plan, policy=policy)
        ]
        return (*vetoes, *(str(failure) for failure in self.failures[known:]))

    def commands(self) -> tuple[Verb, ...]:
        """Every plugin's verbs."""
        from polymod.verbs import Verb

        return tuple(
            item for _, item in self._ask_many("polymod_commands", Verb) if isinstance(item, Verb)
        )

    def step_done(self, plan: Plan, step: Step, outcome: StepResult) -> None:
        """Tell every plugin that a step was executed."""
        for _ in self._ask("polymod_step_done", plan=plan, step=step, outcome=outcome):
            pass


def _is_firstresult(hook: str) -> bool:
    return hook == "polymod_open_host"


def _has_entry_points() -> bool:
    """Whether any installed distribution names our group.

    importlib.metadata takes longer to import than all else; most machines have
    no outside plugin, and a look at the few small files settles that.
    """
    wanted = f"[{GROUP}]".encode()
    for directory in sys.path:
        try:
            names = os.listdir(directory or ".")
        except OSError:
            continue
        for name in names:
            if name.endswith((".dist-info", ".egg-info")):
                try:
                    with open(os.path.join(directory, name, "entry_points.txt"), "rb") as stream:
                        if wanted in stream.read(1 << 16):
                            return True
                except OSError:
                    continue
    return False


_shared: list[Plugins] = []


def shared() -> Plugins:
    """The plugins of this process, loaded at the first call."""
    if not _shared:
        _shared.append(Plugins())
    return _shared[0]
