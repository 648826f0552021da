"""The NetBSD backend of polymod: kernel modules (``.kmod``)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from polymod.hookspecs import hookimpl

if TYPE_CHECKING:
    from collections.abc import Iterable

    from polymod.backend import Backend


@hookimpl
def polymod_backends() -> Iterable[Backend]:
    """Offer the one backend that lives here."""
    from polymod_netbsd.backend import NetbsdBackend

    return (NetbsdBackend(),)
