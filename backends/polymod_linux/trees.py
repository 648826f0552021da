"""Where a kernel's modules are on a host: ``/lib/modules/RELEASE`` (modprobe(8), hier(7))."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from polymod.errors import ModuleNotFound
from polymod.hosts.base import DIRECTORY, LINK, join

if TYPE_CHECKING:
    from polymod.hosts.base import Entry, Host

#: In the order in which they are looked into; often one is a link to the other.
MODULE_DIRECTORIES = ("/lib/modules", "/usr/lib/modules")


class KernelTree(NamedTuple):
    """The modules of one kernel: its release (as ``uname -r``), and their directory."""

    release: str
    directory: str


def releases(host: Host) -> list[str]:
    """The kernels that have a module directory on `host`, sorted."""
    found: set[str] = set()
    for base in MODULE_DIRECTORIES:
        if host.exists(base):
            found.update(entry.name for entry in host.list(base) if _is_directory(host, entry))
    return sorted(found)


def find_tree(host: Host, release: str | None = None) -> KernelTree:
    """The modules of the kernel `release`.

    None stands for the running kernel, or on an image at rest for the only one
    there is. Raises ModuleNotFound, with the releases there are.
    """
    running = release is None
    if release is None:
        platform = host.platform()
        release = platform.release if platform else _only_one(host)
    if release and "/" not in release and release not in (".", ".."):
        for base in MODULE_DIRECTORIES:
            directory = join(base, release)
            stat = host.stat(directory)
            if stat is not None and stat.type == DIRECTORY:
                return KernelTree(release, directory)
    what = f"the running kernel, {release}" if running else f"the kernel {release!r}"
    raise ModuleNotFound(
        f"there are no modules for {what}", path=MODULE_DIRECTORIES[0], remedy=_remedy(host)
    )


def _only_one(host: Host) -> str:
    found = releases(host)
    if len(found) == 1:
        return found[0]
    what = "the modules of several kernels, and none is running" if found else "no kernel's modules"
    raise ModuleNotFound(f"{host.url} has {what}", path=MODULE_DIRECTORIES[0], remedy=_remedy(host))


def _remedy(host: Host) -> str:
    found = releases(host)
    if found:
        return f"choose among {', '.join(found)}"
    return "install a kernel's modules there, or name another root"


def _is_directory(host: Host, entry: Entry) -> bool:
    if entry.type == LINK:
        stat = host.stat(entry.path)
        return stat is not None and stat.type == DIRECTORY
    return entry.type == DIRECTORY
