"""Which index answers for a kernel: the stored one where it is whole, else a computed one."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from polymod.hosts.base import Host
    from polymod_linux.index import ModuleIndex
    from polymod_linux.trees import KernelTree

#: What kmod asks of an index, each in the forms that will do. modules.builtin and its
#: ``.modinfo`` come with the kernel, and modules.weakdep only with kmod 33 and later.
_NEEDED = (
    ("modules.dep", "modules.dep.bin"),
    ("modules.alias", "modules.alias.bin"),
    ("modules.symbols", "modules.symbols.bin"),
    ("modules.softdep",),
)


def is_complete(host: Host, directory: str) -> bool:
    """Whether the index files in a module directory answer every question."""
    present = {entry.name for entry in host.list(directory)}
    return all(not present.isdisjoint(forms) for forms in _NEEDED)


def open_index(host: Host, tree: KernelTree) -> ModuleIndex:
    """The index of a kernel's modules; computed where files are missing, or modules.dep is void.

    Raises PermissionRefused and UnreadableFile for the directory.
    """
    if is_complete(host, tree.directory):
        from polymod_linux.stored import StoredIndex

        stored = StoredIndex(host, tree.directory)
        if stored.paths():
            return stored
    from polymod_linux.computed import ComputedIndex

    return ComputedIndex(host, tree.directory, release=tree.release)
