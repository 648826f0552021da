"""Every module file below some paths: streaming, in a stable order, in parallel.

A path that is a file must be a module; below a directory everything that is
none is only counted. Links to files are read, links to directories are not
followed, so no ring of links can hold a scan.
"""

from __future__ import annotations

from itertools import chain, islice
from typing import TYPE_CHECKING, Generic, NamedTuple, TypeVar

from polymod import limits
from polymod.errors import PolymodError, UnreadableFile
from polymod.hosts.base import DIRECTORY, FILE, LINK
from polymod.model.failures import as_record
from polymod.parallel import map_chunks, processors

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from polymod.errors import PluginFailed
    from polymod.hosts.base import Host
    from polymod.model.failures import ModuleError
    from polymod.model.files import ModuleFile
    from polymod.reading import Reader

R = TypeVar("R")

#: Files handed to a worker at a time: much less than a scan, much more than a message costs.
CHUNK = 96


class Target(NamedTuple):
    """A path to read; `named` when the user named it, so that it must be a module.

    `error` is set where the path could not even be listed.
    """

    path: str
    named: bool
    error: PolymodError | None = None


class Part(NamedTuple, Generic[R]):
    """What one chunk gave, in its order: rendered modules (or records) and errors.

    `skipped` counts the files that are no modules; `failures` are plugins that failed.
    """

    entries: list[R | ModuleError]
    modules: int
    skipped: int
    failures: list[PluginFailed]


def targets(host: Host, paths: Iterable[str]) -> Iterator[Target]:
    """The files to look at for `paths`, directories walked in the order of names."""
    for path in paths:
        try:
            stat = host.stat(path)
        except PolymodError as error:
            yield Target(path, named=True, error=error)
            continue
        if stat is None or stat.type != DIRECTORY:
            yield Target(path, named=True)
            continue
        yield from _below(host, path)


def _below(host: Host, directory: str) -> Iterator[Target]:
    """Like `Host.walk`, but a directory that cannot be read is one error, not the end."""
    waiting = [(directory, 0)]
    while waiting:
        here, depth = waiting.pop()
        try:
            if depth > limits.SCAN_DEPTH:
                raise UnreadableFile(f"{here}: nested deeper than {limits.SCAN_DEPTH}", path=here)
            entries = sorted(host.list(here))
        except PolymodError as error:
            yield Target(here, named=True, error=error)
            continue
        inner = []
        for entry in entries:
            if entry.type == DIRECTORY:
                inner.append((entry.path, depth + 1))
            elif entry.type == FILE or (entry.type == LINK and _leads_to_file(host, entry.path)):
                yield Target(entry.path, named=False)
        waiting += reversed(inner)


def _leads_to_file(host: Host, path: str) -> bool:
    try:
        stat = host.stat(path)
    except PolymodError:
        return False  # a ring of links, or one out of reach: nothing to read there
    return stat is not None and stat.type == FILE


def scan_parts(
    host: Host,
    reader: Reader,
    paths: Iterable[str],
    *,
    jobs: int | None = None,
    render: Callable[[ModuleFile], R],
) -> Iterator[Part[R]]:
    """The scan in chunks, in order.

    `render` makes an entry of each module, in the process that read the file.
    Errors of single files are ModuleError entries. `jobs` None takes every
    processor; a few files are not worth a second one. A host that is not
    `parallel` is asked by this process alone.
    """

    def work(chunk: list[Target]) -> Part[R]:
        return _read_chunk(host, reader, chunk, render)

    processes = (jobs or processors()) if host.parallel else 1
    found = targets(host, paths)
    first = [*islice(found, CHUNK)]
    if len(first) < CHUNK:
        processes = 1
    for part in map_chunks(work, chain(first, found), jobs=processes, chunk=CHUNK):
        for failure in part.failures:  # a worker's own list of them ends with it
            reader.plugins.note(failure)
        yield part


def _read_chunk(
    host: Host,
    reader: Reader,
    chunk: list[Target],
    render: Callable[[ModuleFile], R],
) -> Part[R]:
    entries: list[R | ModuleError] = []
    modules = skipped = 0
    known = len(reader.plugins.failures)
    for target in chunk:
        try:
            module = _read(host, reader, target)
        except PolymodError as error:
            entries.append(as_record(error, path=target.path))
            continue
        if module is None:
            skipped += 1
            continue
        modules += 1
        entries.append(render(module))
    return Part(entries, modules, skipped, reader.plugins.failures[known:])


def _read(host: Host, reader: Reader, target: Target) -> ModuleFile | None:
    if target.error is not None:
        raise target.error
    if target.named:
        return reader.read(host, target.path)
    return reader.try_read(host, target.path)
