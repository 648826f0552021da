"""This machine as a host."""

from __future__ import annotations

import os
import stat as modes
from typing import TYPE_CHECKING

from polymod import limits
from polymod.errors import (
    HostUnreachable,
    ModuleNotFound,
    PolymodError,
    UnreadableFile,
    UsageError,
    from_os_error,
)
from polymod.hosts.base import (
    DIRECTORY,
    FILE,
    LINK,
    OTHER,
    Completed,
    Edit,
    Entry,
    Host,
    Platform,
    Stat,
)
from polymod.source import ByteSource, FileSource

if TYPE_CHECKING:
    from collections.abc import Sequence

# O_NONBLOCK: should a pipe have taken the file's place since stat, do not wait for it.
_OPEN = (
    os.O_RDONLY
    | getattr(os, "O_CLOEXEC", 0)
    | getattr(os, "O_NONBLOCK", 0)
    | getattr(os, "O_NOCTTY", 0)
    | getattr(os, "O_BINARY", 0)
)


def type_of(mode: int) -> str:
    """The entry type for a st_mode."""
    if modes.S_ISREG(mode):
        return FILE
    if modes.S_ISDIR(mode):
        return DIRECTORY
    return LINK if modes.S_ISLNK(mode) else OTHER


class LocalHost(Host):
    """The machine polymod runs on; relative paths are meant from the working directory."""

    url = "local:"

    def real(self, path: str) -> str:
        """The path to hand to the operating system for `path` (links still in it)."""
        return path

    def platform(self) -> Platform | None:
        if hasattr(os, "uname"):
            name = os.uname()
            return Platform(name.sysname, name.release, name.machine)
        import platform

        return Platform(platform.system(), platform.release(), platform.machine())

    def stat(self, path: str) -> Stat | None:
        try:
            found = os.stat(self.real(path))
        except (FileNotFoundError, NotADirectoryError):
            return None
        except (OSError, ValueError) as error:
            raise _typed(error, path) from error
        return Stat(
            type_of(found.st_mode), found.st_size, found.st_mtime_ns, (found.st_dev, found.st_ino)
        )

    def list(self, path: str) -> Sequence[Entry]:
        prefix = path if path.endswith("/") else f"{path}/"
        try:
            with os.scandir(self.real(path)) as entries:
                return [Entry(entry.name, prefix + entry.name, _kind(entry)) for entry in entries]
        except (OSError, ValueError) as error:
            raise _typed(error, path) from error

    def open(self, path: str) -> ByteSource:
        descriptor, size = self._opened(path)
        return FileSource(descriptor, path, size)

    def _opened(self, path: str) -> tuple[int, int]:
        """A descriptor of a regular file, and the size it is said to have."""
        try:
            real = self.real(path)
            found = os.stat(real)
            if not modes.S_ISREG(found.st_mode):
                raise _not_regular(path, found.st_mode)
            return os.open(real, _OPEN), found.st_size
        except (OSError, ValueError) as error:
            raise _typed(error, path) from error

    def read(self, path: str, limit: int = limits.TEXT_FILE) -> bytes:
        descriptor, size = self._opened(path)
        parts: list[bytes] = []
        try:
            # Files of /proc say 0, those of /sys a whole page: only the end is the end.
            room = limit + 1 if size <= limit else 0
            while room and (part := os.read(descriptor, min(max(size + 1, 1 << 16), room))):
                parts.append(part)
                room -= len(part)
        except OSError as error:
            raise _typed(error, path) from error
        finally:
            os.close(descriptor)
        if not room:
            raise UnreadableFile(f"{path}: more than the limit of {limit} bytes", path=path)
        return b"".join(parts)

    def run(self, argv: Sequence[str], *, stdin: bytes = b"", timeout_s: float = 30.0) -> Completed:
        import subprocess

        try:
            done = subprocess.run(
                list(argv),
                input=stdin,
                capture_output=True,
                timeout=timeout_s,
                env={**os.environ, "LC_ALL": "C"},
                check=False,
            )
        except FileNotFoundError as error:
            raise ModuleNotFound(
                f"{argv[0]}: no such program", path=argv[0], remedy="install it"
            ) from error
        except subprocess.TimeoutExpired as error:
            raise HostUnreachable(
                f"{argv[0]}: no end after {timeout_s} s", host=self.url
            ) from error
        except OSError as error:
            raise _typed(error, argv[0]) from error
        return Completed(tuple(argv), done.returncode, done.stdout, done.stderr)

    def write(self, edits: Sequence[Edit]) -> None:
        from polymod.hosts.atomic import write_all

        write_all([(self._place(edit), edit) for edit in edits])

    def _place(self, edit: Edit) -> str:
        """Where to write: the name itself, so that a link is replaced and never followed.

        Whoever could plant a link there would else choose the file to overwrite.
        """
        parent, slash, name = edit.path.rpartition("/")
        if name in ("", ".", ".."):
            return self.real(edit.path)
        return os.path.join(self.real(f"{parent}/") if slash else self.real(""), name)


def _kind(entry: os.DirEntry[str]) -> str:
    if entry.is_symlink():
        return LINK
    if entry.is_file(follow_symlinks=False):
        return FILE
    return DIRECTORY if entry.is_dir(follow_symlinks=False) else OTHER


def _not_regular(path: str, mode: int) -> PolymodError:
    kinds = (
        (modes.S_ISDIR, "a directory"),
        (modes.S_ISFIFO, "a pipe"),
        (modes.S_ISSOCK, "a socket"),
        (modes.S_ISBLK, "a block device"),
        (modes.S_ISCHR, "a character device"),
    )
    what = next((text for test, text in kinds if test(mode)), "no regular file")
    return UnreadableFile(f"{path}: is {what}, not a file", path=path, remedy="name a module file")


def _typed(error: OSError | ValueError, path: str) -> PolymodError:
    if isinstance(error, OSError):
        return from_os_error(error, path)
    return ModuleNotFound(f"{path!r}: not a path: {error}", remedy="check the path")


def from_url(rest: str) -> LocalHost:
    """The host for ``local:``; nothing may follow the colon."""
    if rest:
        raise UsageError(f"local: takes nothing after the colon, not {rest!r}")
    return LocalHost()
