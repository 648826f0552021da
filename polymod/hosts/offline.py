"""A directory that holds another machine's root file system, as a host.

Every link is resolved inside the root: an absolute one starts there again, and
``..`` ends there (compare openat2(2), RESOLVE_IN_ROOT). Textual checks are not
containment: ``lib/modules -> /etc`` in an image would read our own files.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from polymod import limits
from polymod.errors import ModuleNotFound, UnreadableFile, UnsupportedOperation, UsageError
from polymod.hosts.local import LocalHost

if TYPE_CHECKING:
    from collections.abc import Sequence

    from polymod.hosts.base import Completed, Edit, Platform


class OfflineHost(LocalHost):
    """The file system below `root`; nothing runs there.

    Raises ModuleNotFound where `root` is no directory.
    """

    def __init__(self, root: str) -> None:
        if not root:
            raise UsageError("root: needs a directory", remedy="root:/mnt/image")
        self._root = os.path.realpath(root)
        if not os.path.isdir(self._root):
            raise ModuleNotFound(
                f"{root}: no directory to take as a root", path=root, remedy="check --root"
            )
        self.url = f"root:{root}"
        self._directories: dict[str, str] = {}

    def platform(self) -> Platform | None:
        return None

    def real(self, path: str) -> str:
        """Where `path` of the image is on this machine, all its links resolved.

        The result may not exist. Raises UnreadableFile on a ring of links.
        """
        parent, _, name = path.rpartition("/")
        directory = self._directories.get(parent)
        if directory is None:
            directory = self._directories[parent] = self._follow(self._root, parent, path)
        return self._follow(directory, name, path)

    def _follow(self, current: str, rest: str, path: str) -> str:
        """Walk `rest`, a part of `path`, from the resolved directory `current`, name by name."""
        names = rest.split("/")[::-1]
        links = 0
        while names:
            name = names.pop()
            if name in ("", "."):
                continue
            if name == "..":
                current = current if current == self._root else os.path.dirname(current)
                continue
            found = os.path.join(current, name)
            try:
                target = os.readlink(found)
            except (OSError, ValueError):
                current = found  # no link, or not there: whoever opens it learns which
                continue
            links += 1
            if links > limits.SYMLINKS:
                raise UnreadableFile(
                    f"{path}: too many symbolic links, or a ring of them", path=path
                )
            if target.startswith("/"):
                current = self._root
            names.extend(target.split("/")[::-1])
        return current

    def run(self, argv: Sequence[str], *, stdin: bytes = b"", timeout_s: float = 30.0) -> Completed:
        raise UnsupportedOperation(self.url, "run", "nothing runs below an offline root")

    def write(self, edits: Sequence[Edit]) -> None:
        self._directories.clear()
        super().write(edits)
