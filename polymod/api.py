"""The Python API: what `polymod` itself exports (section 3 of the design).

Everything here opens what it needs and closes it again; plugins are those of
the process (`polymod.plugins.shared`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from polymod.backend import Depth
from polymod.errors import UnsupportedOperation
from polymod.hosts.connect import open_host
from polymod.plugins import shared
from polymod.reading import Reader

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from os import PathLike
    from typing import Self

    from polymod.backend import Backend, Edge, Indexer, Inventory
    from polymod.hosts.base import Host
    from polymod.model.answers import DependencyStep, Finding, IndexFile, Resolution
    from polymod.model.failures import ModuleError
    from polymod.model.files import ModuleFile


def inspect(
    path: str | PathLike[str],
    *,
    symbols: bool = False,
    hashes: Sequence[str] = (),
    backend: str | None = None,
) -> ModuleFile:
    """What the module file at `path` says about itself, whatever OS it is for.

    `symbols` adds imports and exports, `hashes` digests by `hashlib` name.
    Raises ModuleNotFound, NotAModule, MalformedModule, PermissionRefused,
    UnreadableFile, AmbiguousBackend.
    """
    with connect() as machine:
        return machine.inspect(path, symbols=symbols, hashes=hashes, backend=backend)


def scan(
    *paths: str | PathLike[str],
    symbols: bool = False,
    hashes: Sequence[str] = (),
    backend: str | None = None,
    jobs: int | None = None,
) -> Iterator[ModuleFile | ModuleError]:
    """Every module file at or below `paths`, in the order of names, streaming.

    Broken ones come as ModuleError, everything else is passed over. `jobs` is
    the number of processes, None for as many as there are processors.
    """
    machine = connect()
    return machine.scan(*paths, symbols=symbols, hashes=hashes, backend=backend, jobs=jobs)


def connect(url: str = "local:", *, backend: str | None = None) -> Machine:
    """The host that `url` names: ``local:``, ``root:DIR``, ``replay:FILE``, or a plugin's.

    Raises UsageError for an unknown scheme, ModuleNotFound for a root or a
    recording that is not there.
    """
    return Machine(open_url(url), backend=backend)


def open_url(url: str) -> Host:
    """The bare host that `url` names, the plugins' schemes included; see `connect`."""
    return open_host(url, lambda unknown: shared().open_host(unknown))


class Machine:
    """A host together with the backend that knows its OS."""

    def __init__(self, host: Host, *, backend: str | None = None) -> None:
        self.host = host
        self._wanted = backend
        self._inventories: dict[str | None, Inventory] = {}

    # -- files ------------------------------------------------------------

    def inspect(
        self,
        path: str | PathLike[str],
        *,
        symbols: bool = False,
        hashes: Sequence[str] = (),
        backend: str | None = None,
    ) -> ModuleFile:
        """As `polymod.inspect`, for a file of this host."""
        return self.reader(symbols=symbols, hashes=hashes, backend=backend).read(
            self.host, _text(path)
        )

    def scan(
        self,
        *paths: str | PathLike[str],
        symbols: bool = False,
        hashes: Sequence[str] = (),
        backend: str | None = None,
        jobs: int | None = None,
    ) -> Iterator[ModuleFile | ModuleError]:
        """As `polymod.scan`, for paths of this host."""
        from polymod.scanning import scan_parts

        reader = self.reader(symbols=symbols, hashes=hashes, backend=backend)
        texts = map(_text, paths)
        for part in scan_parts(self.host, reader, texts, jobs=jobs, render=lambda module: module):
            yield from part.entries

    def reader(
        self, *, symbols: bool = False, hashes: Sequence[str] = (), backend: str | None = None
    ) -> Reader:
        """The reader behind `inspect` and `scan`, for those who read many files.

        Raises UsageError for an unknown backend, UnsupportedOperation for an
        unknown hash.
        """
        depth = Depth.FULL if symbols else Depth.METADATA
        return Reader(shared(), backend=backend or self._wanted, depth=depth, hashes=hashes)

    # -- installed modules --------------------------------------------------

    @property
    def backend(self) -> Backend:
        """The backend of this host's OS.

        Raises UnsupportedOperation where none claims it, AmbiguousBackend.
        """
        from polymod.inventory import backend_for

        return backend_for(self.host, shared(), self._wanted)

    def inventory(self, release: str | None = None) -> Inventory:
        """A snapshot of the modules installed for a kernel (None: the running one).

        Raises UnsupportedOperation, ModuleNotFound.
        """
        found = self._inventories.get(release)
        if found is None:
            made = self.backend.inventory(self.host, release)
            if made is None:
                raise UnsupportedOperation(
                    self.backend.name, "inventory", "this backend reads single files only"
                )
            found = self._inventories[release] = made
        return found

    def problems(self, *, release: str | None = None) -> Sequence[ModuleError]:
        """What the answers so far could not read, so that they may lack it; () when whole."""
        return self.inventory(release).problems

    def available(self, *, release: str | None = None) -> Iterator[ModuleFile | ModuleError]:
        """Every module that is installed for a kernel, as its file says; broken ones as errors."""
        return self.inventory(release).files()

    def find(self, name: str, *, release: str | None = None, symbols: bool = False) -> ModuleFile:
        """The installed (or built-in) module called `name`. Raises ModuleNotFound."""
        depth = Depth.FULL if symbols else Depth.METADATA
        return self.inventory(release).find(name, depth)

    def resolve(self, alias: str, *, release: str | None = None) -> Sequence[Resolution]:
        """The modules that serve `alias`, best first."""
        return self.inventory(release).resolve(alias)

    def dependencies(self, name: str, *, release: str | None = None) -> Sequence[DependencyStep]:
        """What loading `name` (a module, an alias, or a path) loads, each once, in order."""
        from polymod.deps import distinct

        return distinct(self.inventory(release).dependencies(name))

    def edges(self, *, release: str | None = None) -> Sequence[Edge]:
        """Every direct dependency between the installed modules."""
        return self.inventory(release).edges()

    def indexer(self, release: str | None = None) -> Indexer:
        """What builds and checks the module index. Raises UnsupportedOperation."""
        made = self.backend.indexer(self.host, release)
        if made is None:
            raise UnsupportedOperation(self.backend.name, "index", "this OS has no module index")
        return made

    def build_index(
        self, release: str | None = None, *, outdir: str | None = None
    ) -> Sequence[IndexFile]:
        """Write the module index of a kernel, all files or none.

        `outdir` is a directory of this machine, whatever host the modules are on.
        """
        return write_index(self.indexer(release), outdir)

    def check_index(self, release: str | None = None) -> Iterator[Finding]:
        """What in the module index differs from the modules; nothing is written."""
        return self.indexer(release).check()

    def close(self) -> None:
        """Let go of the host."""
        self.host.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def write_index(indexer: Indexer, outdir: str | None) -> Sequence[IndexFile]:
    """Build an index beside its modules, or below `outdir` on this machine."""
    if outdir is None:
        return indexer.build()
    from polymod.hosts.local import LocalHost

    return indexer.build(outdir, into=LocalHost())


def _text(path: str | PathLike[str]) -> str:
    from os import fspath

    return fspath(path)
