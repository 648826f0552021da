"""The NetBSD backend's parts, in one place."""

from __future__ import annotations

from typing import TYPE_CHECKING

from polymod.backend import CERTAIN, LIKELY, Backend, Claim

if TYPE_CHECKING:
    from polymod.backend import FileFormat, Inventory
    from polymod.hosts.base import Host


class NetbsdBackend(Backend):
    """NetBSD, any architecture, from 5.0 on."""

    name = "netbsd"
    title = "NetBSD kernel modules"

    def claims(self, host: Host) -> Claim | None:
        platform = host.platform()
        if platform is not None:
            if platform.system == "NetBSD":
                return Claim(CERTAIN, f"runs NetBSD {platform.release}")
            return None
        from polymod_netbsd.inventory import trees

        found = trees(host)
        return Claim(LIKELY, f"has {found[0].path}") if found else None

    def canonical(self, name: str) -> str:
        return name  # the kernel compares module names byte by byte (kern_module.c)

    def file_format(self) -> FileFormat:
        from polymod_netbsd.format import NetbsdFormat

        return NetbsdFormat()

    def inventory(self, host: Host, release: str | None = None) -> Inventory | None:
        from polymod_netbsd.inventory import NetbsdInventory

        return NetbsdInventory(host, release)
