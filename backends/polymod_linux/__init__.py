"""The Linux backend of polymod: loadable kernel modules (``.ko``)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from polymod.hookspecs import hookimpl

if TYPE_CHECKING:
    from collections.abc import Iterable

    from polymod.backend import Backend


@hookimpl
def polymod_backends() -> Iterable[Backend]:
    """Offer the one backend that lives here."""
    from polymod_linux.backend import LinuxBackend

    return (LinuxBackend(),)
