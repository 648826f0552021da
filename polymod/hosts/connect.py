"""From a ``--host`` URL to a host; each kind is imported only when it is asked for."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from polymod.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable

    from polymod.hosts.base import Host

#: Scheme to ``module:function``, which takes what follows the colon.
SCHEMES = {
    "local": "polymod.hosts.local:from_url",
    "root": "polymod.hosts.offline:OfflineHost",
    "replay": "polymod.hosts.replay:ReplayHost",
}


def open_host(url: str, others: Callable[[str], Host | None] | None = None) -> Host:
    """The host that `url` names; `others` is asked about schemes that are not ours.

    Raises UsageError for a scheme nobody knows, and what the host raises.
    """
    scheme, colon, rest = url.partition(":")
    target = SCHEMES.get(scheme) if colon else None
    if target is None:
        found = others(url) if others else None
        if found is not None:
            return found
        known = ", ".join(f"{name}:" for name in SCHEMES)
        raise UsageError(f"no kind of host for {url!r}", remedy=f"known kinds: {known}")
    module, _, name = target.partition(":")
    make: Callable[[str], Host] = getattr(import_module(module), name)
    return make(rest)
