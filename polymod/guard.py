"""A fence around outside backends: what a stranger's code raises stays theirs.

Whatever is no PolymodError becomes a PluginFailed that names the plugin, and
answers of the wrong type count as such. Questions that all backends are asked
("is this yours?") are then answered with no; the others raise. Backends that
come with polymod go without: their faults are ours to find.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, TypeVar

from polymod.backend import Backend, Claim, Control, Depth, FileFormat, Indexer, Inventory
from polymod.errors import PluginFailed, PolymodError
from polymod.model.base import Record

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from polymod.backend import Edge
    from polymod.hosts.base import Host
    from polymod.model.answers import DependencyStep, Finding, IndexFile, Resolution
    from polymod.model.changes import ChangeRequest, Step, StepResult
    from polymod.model.failures import ModuleError
    from polymod.model.files import ModuleFile
    from polymod.source import ByteSource

T = TypeVar("T")


class Fence(NamedTuple):
    """Calls a stranger's code; `report` keeps each failure and gives it back."""

    report: Callable[[str], PluginFailed]

    def call(self, what: str, call: Callable[[], T], kind: type | tuple[type, ...]) -> T:
        """What `call` returns, sure to be a `kind`. Raises PluginFailed, or its PolymodError."""
        try:
            answer = call()
        except PolymodError:
            raise
        except Exception as error:
            raise self.report(f"{what} raised {type(error).__name__}: {error}") from error
        if not isinstance(answer, kind):
            raise self.report(f"{what} gave {answer!r}")
        return answer

    def ask(self, what: str, call: Callable[[], T | None], kind: type) -> T | None:
        """The same for a question with None for no; a failure is a no as well."""
        try:
            return self.call(what, call, (kind, type(None)))
        except PluginFailed:
            return None

    def each(self, what: str, items: Callable[[], Iterable[T]], kind: type) -> Iterator[T]:
        """The items of an iterable answer, each sure to be a `kind`."""
        waiting = iter(self.call(what, lambda: iter(items()), object))
        while True:
            item = self.call(what, lambda: next(waiting, _END), (kind, _End))
            if isinstance(item, _End):
                return
            yield item


class _End:
    pass


_END = _End()


class FencedBackend(Backend):
    """An outside backend behind its fence, with the same name and title."""

    def __init__(self, inner: Backend, report: Callable[[str], PluginFailed]) -> None:
        self._inner = inner
        self._fence = Fence(report)
        self.name = str(inner.name)  # type: ignore[misc]  # one class stands for many backends
        self.title = str(inner.title)  # type: ignore[misc]

    def claims(self, host: Host) -> Claim | None:
        return self._fence.ask("claims(host)", lambda: self._inner.claims(host), Claim)

    def canonical(self, name: str) -> str:
        return self._fence.call("canonical", lambda: self._inner.canonical(name), str)

    def file_format(self) -> FileFormat:
        made = self._fence.call("file_format", self._inner.file_format, FileFormat)
        return FencedFormat(made, self._fence)

    def inventory(self, host: Host, release: str | None = None) -> Inventory | None:
        made = self._part("inventory", lambda: self._inner.inventory(host, release), Inventory)
        return FencedInventory(made, self._fence) if made else None

    def indexer(self, host: Host, release: str | None = None) -> Indexer | None:
        made = self._part("indexer", lambda: self._inner.indexer(host, release), Indexer)
        return FencedIndexer(made, self._fence) if made else None

    def control(self, host: Host) -> Control | None:
        made = self._part("control", lambda: self._inner.control(host), Control)
        return FencedControl(made, self._fence) if made else None

    def _part(self, what: str, make: Callable[[], T | None], kind: type) -> T | None:
        return self._fence.call(what, make, (kind, type(None)))


class FencedFormat(FileFormat):
    """A stranger's reader of module files."""

    def __init__(self, inner: FileFormat, fence: Fence) -> None:
        self._inner = inner
        self._fence = fence
        self.formats = tuple(  # type: ignore[misc]  # one class stands for many formats
            fence.each("formats", lambda: inner.formats, str)
        )

    def claims(self, source: ByteSource) -> Claim | None:
        return self._fence.ask("claims(source)", lambda: self._inner.claims(source), Claim)

    def read(self, source: ByteSource, depth: Depth = Depth.METADATA) -> ModuleFile:
        return self._fence.call("read", lambda: self._inner.read(source, depth), Record)


class FencedInventory(Inventory):
    """A stranger's inventory."""

    def __init__(self, inner: Inventory, fence: Fence) -> None:
        self._inner = inner
        self._fence = fence
        self.release = str(inner.release)

    @property
    def problems(self) -> Sequence[ModuleError]:
        return [*self._fence.each("problems", lambda: self._inner.problems, Record)]

    def names(self) -> Sequence[str]:
        return [*self._fence.each("names", self._inner.names, str)]

    def files(self, depth: Depth = Depth.METADATA) -> Iterator[ModuleFile | ModuleError]:
        return self._fence.each("files", lambda: self._inner.files(depth), Record)

    def find(self, name: str, depth: Depth = Depth.METADATA) -> ModuleFile:
        return self._fence.call("find", lambda: self._inner.find(name, depth), Record)

    def resolve(self, alias: str) -> Sequence[Resolution]:
        return [*self._fence.each("resolve", lambda: self._inner.resolve(alias), Record)]

    def dependencies(self, name_or_path: str) -> Sequence[DependencyStep]:
        asked = self._inner.dependencies
        return [*self._fence.each("dependencies", lambda: asked(name_or_path), Record)]

    def edges(self) -> Sequence[Edge]:
        return [*self._fence.each("edges", self._inner.edges, tuple)]


class FencedIndexer(Indexer):
    """A stranger's index writer."""

    def __init__(self, inner: Indexer, fence: Fence) -> None:
        self._inner = inner
        self._fence = fence

    def build(self, outdir: str | None = None, *, into: Host | None = None) -> Sequence[IndexFile]:
        asked = self._inner.build
        made = [*self._fence.each("build", lambda: asked(outdir, into=into), Record)]
        self.problems = self._inner.problems
        return made

    def check(self) -> Iterator[Finding]:
        yield from self._fence.each("check", self._inner.check, Record)
        self.problems = self._inner.problems


class FencedControl(Control):
    """A stranger's way to change a host."""

    def __init__(self, inner: Control, fence: Fence) -> None:
        self._inner = inner
        self._fence = fence

    def plan(self, request: ChangeRequest, inventory: Inventory) -> tuple[Step, ...]:
        made = self._inner.plan
        return tuple(self._fence.each("plan", lambda: made(request, inventory), Record))

    def execute(self, step: Step) -> StepResult:
        from polymod.model.changes import StepResult

        return self._fence.call("execute", lambda: self._inner.execute(step), StepResult)
