"""The Linux backend's parts, in one place."""

from __future__ import annotations

from typing import TYPE_CHECKING

from polymod.backend import CERTAIN, LIKELY, Backend, Claim
from polymod_linux.names import canonical

if TYPE_CHECKING:
    from polymod.backend import FileFormat, Indexer, Inventory
    from polymod.hosts.base import Host


class LinuxBackend(Backend):
    """Linux, any architecture, from 2.6 on."""

    name = "linux"
    title = "Linux loadable kernel modules"

    def claims(self, host: Host) -> Claim | None:
        platform = host.platform()
        if platform is not None:
            if platform.system == "Linux":
                return Claim(CERTAIN, f"runs Linux {platform.release}")
            return None
        from polymod_linux.trees import MODULE_DIRECTORIES

        for directory in MODULE_DIRECTORIES:
            if host.exists(directory):
                return Claim(LIKELY, f"has {directory}")
        return None

    def canonical(self, name: str) -> str:
        return canonical(name)

    def file_format(self) -> FileFormat:
        from polymod_linux.format import LinuxFormat

        return LinuxFormat()

    def inventory(self, host: Host, release: str | None = None) -> Inventory | None:
        from polymod_linux.inventory import LinuxInventory

        return LinuxInventory(host, release)

    def indexer(self, host: Host, release: str | None = None) -> Indexer | None:
        from polymod_linux.indexer import LinuxIndexer

        return LinuxIndexer(host, release)
