"""The host seam: the few things polymod does to a machine, wherever that is.

A `Host` reads files, lists directories, runs programs and writes files. What
stands above it never learns whether that is this machine, an image below a
directory, a machine far away or a recording. Paths are strings in the host's
own syntax, absolute unless the host is this machine.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from polymod import limits
from polymod.errors import PolymodError, UnreadableFile

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from typing import Self

    from polymod.source import ByteSource

T = TypeVar("T")

FILE, DIRECTORY, LINK, OTHER = "file", "directory", "link", "other"


class Entry(NamedTuple):
    """One name in a directory; `type` is that of the name itself, links not followed."""

    name: str
    path: str
    type: str


class Stat(NamedTuple):
    """What a path leads to, links followed: its type, size in bytes, and time.

    `modified_ns` is nanoseconds since 1970 UTC; `identity` is equal for two
    paths exactly where they lead to the same thing on that host.
    """

    type: str
    size: int
    modified_ns: int
    identity: tuple[int, int]


class Platform(NamedTuple):
    """The running system, as uname(2) has it; None fields where a host cannot know."""

    system: str
    release: str
    machine: str


class Completed(NamedTuple):
    """What a program did: the exit status, and both its streams."""

    argv: tuple[str, ...]
    exit_status: int
    stdout: bytes
    stderr: bytes


class Edit(NamedTuple):
    """The new content of one file; None removes it. `mode` is for a file that is new."""

    path: str
    content: bytes | None
    mode: int = 0o644


class Host(ABC):
    """Where polymod looks and acts. `url` names it, as ``--host`` takes it."""

    url: str

    #: Whether forked copies of this process may ask the host as well; no for one
    #: that has to see every answer, or that holds a connection.
    parallel: bool = True

    @abstractmethod
    def platform(self) -> Platform | None:
        """The running kernel's identity, None where nothing runs (an image)."""

    @abstractmethod
    def stat(self, path: str) -> Stat | None:
        """What `path` leads to, None where there is nothing (also for broken links).

        Raises PermissionRefused, UnreadableFile, HostUnreachable.
        """

    @abstractmethod
    def list(self, path: str) -> Sequence[Entry]:
        """The names in a directory, in the order the directory has them.

        Raises ModuleNotFound, PermissionRefused, UnreadableFile.
        """

    @abstractmethod
    def open(self, path: str) -> ByteSource:
        """The bytes of a regular file, as stored; the caller closes the source.

        Raises ModuleNotFound, PermissionRefused, UnreadableFile (also for what
        is no regular file: no pipe is waited for, no device is touched).
        """

    @abstractmethod
    def run(self, argv: Sequence[str], *, stdin: bytes = b"", timeout_s: float = 30.0) -> Completed:
        """Run a program with ``LC_ALL=C`` and wait for its end; no shell is involved.

        Raises ModuleNotFound where there is no such program, HostUnreachable on
        time-out, UnsupportedOperation where nothing can run.
        """

    @abstractmethod
    def write(self, edits: Sequence[Edit]) -> None:
        """Make all `edits`, each file whole or not at all.

        Every new content is written and flushed beside its place first, and
        only then each is renamed into it. Until the first rename a failure
        leaves everything as it was; a reader never sees half a file. Owner and
        mode of a replaced file are kept; missing directories are made.

        Raises PermissionRefused, WriteFailed, UnsupportedOperation.
        """

    # -- in terms of the above; a slow transport overrides the batch forms --

    def read(self, path: str, limit: int = limits.TEXT_FILE) -> bytes:
        """The whole of a small file, as stored, also where its size is unknown (/proc).

        Raises UnreadableFile where it is larger than `limit` bytes.
        """
        with self.open(path) as source:
            if source.size > limit:
                raise UnreadableFile(f"{path}: more than the limit of {limit} bytes", path=path)
            return source.read(0, source.size)

    def read_many(self, paths: Iterable[str]) -> dict[str, bytes | PolymodError]:
        """Each of `paths` read whole, or the error it gave; the order is kept."""
        return {path: _attempt(self.read, path) for path in paths}

    def open_many(self, paths: Iterable[str]) -> Iterator[tuple[str, ByteSource | PolymodError]]:
        """Each of `paths` opened in turn, or the error it gave."""
        for path in paths:
            yield path, _attempt(self.open, path)

    def exists(self, path: str) -> bool:
        """Whether `path` leads to something."""
        return self.stat(path) is not None

    def walk(self, path: str, *, follow: bool = False, ordered: bool = False) -> Iterator[Entry]:
        """Everything below a directory but directories, depth first.

        Links come as type ``link`` unless `follow`: then links to directories
        are walked too, each real directory once at most on one branch, and
        other links come as what they lead to. `ordered` sorts by name within
        each directory; otherwise the directory's own order rules, as depmod
        meets it. Directories that cannot be read raise where they stand.
        """
        return _walk(self, path, follow, ordered, ())

    def close(self) -> None:  # noqa: B027  # most hosts hold nothing open
        """Let go of the connection, or finish the recording."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _attempt(call: Callable[[str], T], path: str) -> T | PolymodError:
    try:
        return call(path)
    except PolymodError as error:
        return error


def join(directory: str, name: str) -> str:
    """`directory` and `name` with one slash between them."""
    return directory + name if directory.endswith("/") else f"{directory}/{name}"


def _walk(
    host: Host, path: str, follow: bool, ordered: bool, above: tuple[tuple[int, int], ...]
) -> Iterator[Entry]:
    if len(above) > limits.WALK_DEPTH:
        raise UnreadableFile(f"{path}: nested deeper than {limits.WALK_DEPTH}", path=path)
    if follow:
        stat = host.stat(path)
        if stat is None or stat.identity in above:
            return
        above = (*above, stat.identity)
    else:
        above = (*above, (0, 0))
    entries = host.list(path)
    for entry in sorted(entries) if ordered else entries:
        kind = entry.type
        if kind == LINK and follow:
            target = host.stat(entry.path)
            kind = LINK if target is None else target.type
            entry = entry._replace(type=kind)
        if kind == DIRECTORY:
            yield from _walk(host, entry.path, follow, ordered, above)
        else:
            yield entry
