"""Files replaced whole: written beside, flushed, renamed.

See rename(2): a reader has either the old or the new content, also after a
crash, since the data is flushed before the name changes.
"""

from __future__ import annotations

import contextlib
import os
import time
from typing import TYPE_CHECKING

from polymod.errors import WriteFailed, from_os_error

if TYPE_CHECKING:
    from collections.abc import Sequence

    from polymod.hosts.base import Edit

_SUFFIX = ".polymod-new"

#: Seconds after which nobody can still be writing a file beside its place.
_STALE_S = 3600.0


def write_all(places: Sequence[tuple[str, Edit]]) -> None:
    """Make every edit, each at the path of this machine that stands before it.

    See `polymod.hosts.base.Host.write` for what is promised. Errors name the
    path in the edit, which is the host's.
    """
    directories = [*dict.fromkeys(os.path.dirname(real) or "." for real, _ in places)]
    for directory in directories:
        _sweep(directory)
    for real, edit in places:
        if os.path.isdir(real) and not os.path.islink(real):
            raise WriteFailed(
                f"{edit.path}: is a directory", path=edit.path, remedy="move it out of the way"
            )
    ready: list[tuple[str, str, Edit]] = []
    try:
        for real, edit in places:
            if edit.content is not None:
                ready.append((f"{real}{_SUFFIX}.{os.getpid()}", real, edit))
                _write_beside(edit, edit.content, real, ready[-1][0])
        while ready:
            _rename(*ready[0])
            ready.pop(0)
        for real, edit in places:
            if edit.content is None:
                _remove(real, edit.path)
        for directory in directories:
            _flush_directory(directory)
    finally:
        for temporary, _, _ in ready:
            with contextlib.suppress(OSError):
                os.unlink(temporary)


def _sweep(directory: str) -> None:
    """Take away what a killed process left half written here.

    By age: a process number says nothing of a writer in another container.
    """
    with contextlib.suppress(OSError):
        for name in os.listdir(directory):
            _, found, owner = name.rpartition(f"{_SUFFIX}.")
            path = os.path.join(directory, name)
            if found and owner.isdecimal() and time.time() - os.lstat(path).st_mtime > _STALE_S:
                os.unlink(path)


def _write_beside(edit: Edit, content: bytes, real: str, temporary: str) -> None:
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
    try:
        os.makedirs(os.path.dirname(temporary) or ".", exist_ok=True)
        _forget(temporary)
        descriptor = os.open(temporary, flags, 0o600)
    except OSError as error:
        raise from_os_error(error, edit.path, writing=True) from error
    try:
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(content)
            stream.flush()
            _dress(descriptor, real, edit.mode)
            os.fsync(descriptor)
    except OSError as error:
        raise from_os_error(error, edit.path, writing=True) from error


def _dress(descriptor: int, real: str, mode: int) -> None:
    """Give the new file the owner and mode of the one it replaces, if there is one."""
    try:
        old = os.stat(real)
    except FileNotFoundError:
        pass
    else:
        mode = old.st_mode & 0o7777
        if hasattr(os, "fchown"):
            with contextlib.suppress(PermissionError):
                os.fchown(descriptor, old.st_uid, old.st_gid)
    if hasattr(os, "fchmod"):
        os.fchmod(descriptor, mode)


def _rename(temporary: str, real: str, edit: Edit) -> None:
    try:
        os.replace(temporary, real)
    except OSError as error:
        raise WriteFailed(
            f"{edit.path}: cannot be replaced: {error.strerror}", path=edit.path, remedy="retry"
        ) from error


def _remove(real: str, path: str) -> None:
    try:
        os.unlink(real)
    except FileNotFoundError:
        return
    except OSError as error:
        raise from_os_error(error, path, writing=True) from error


def _forget(temporary: str) -> None:
    with contextlib.suppress(FileNotFoundError):
        os.unlink(temporary)


def _flush_directory(directory: str) -> None:
    """Make the renames themselves durable, where the system can."""
    if not hasattr(os, "O_DIRECTORY"):
        return
    with contextlib.suppress(OSError):
        descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
