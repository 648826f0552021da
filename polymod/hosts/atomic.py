"""Files replaced whole: written beside, flushed, renamed.

See rename(2): a reader has either the old or the new content, also after a
crash, since the data is flushed before the name changes.
"""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING

from polymod.errors import WriteFailed, from_os_error

if TYPE_CHECKING:
    from collections.abc import Sequence

    from polymod.hosts.base import Edit

_SUFFIX = ".polymod-new"


def write_all(edits: Sequence[Edit]) -> None:
    """Make every edit; see `polymod.hosts.base.Host.write` for what is promised."""
    ready: list[tuple[str, str]] = []
    try:
        for edit in edits:
            if edit.content is not None:
                ready.append((f"{edit.path}{_SUFFIX}.{os.getpid()}", edit.path))
                _write_beside(edit, edit.content, ready[-1][0])
        while ready:
            _rename(*ready[0])
            ready.pop(0)
        for edit in edits:
            if edit.content is None:
                _remove(edit.path)
        for directory in dict.fromkeys(os.path.dirname(edit.path) or "." for edit in edits):
            _flush_directory(directory)
    finally:
        for temporary, _ in ready:
            with contextlib.suppress(OSError):
                os.unlink(temporary)


def _write_beside(edit: Edit, content: bytes, temporary: str) -> None:
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
            _dress(descriptor, edit)
            os.fsync(descriptor)
    except OSError as error:
        raise from_os_error(error, edit.path, writing=True) from error


def _dress(descriptor: int, edit: Edit) -> None:
    """Give the new file the owner and mode of the one it replaces."""
    try:
        old = os.stat(edit.path)
    except FileNotFoundError:
        mode = edit.mode
    else:
        mode = old.st_mode & 0o7777
        if hasattr(os, "fchown"):
            with contextlib.suppress(PermissionError):
                os.fchown(descriptor, old.st_uid, old.st_gid)
    if hasattr(os, "fchmod"):
        os.fchmod(descriptor, mode)


def _rename(temporary: str, path: str) -> None:
    try:
        os.replace(temporary, path)
    except OSError as error:
        raise WriteFailed(
            f"{path}: cannot be replaced: {error.strerror}", path=path, remedy="retry"
        ) from error


def _remove(path: str) -> None:
    try:
        os.unlink(path)
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
