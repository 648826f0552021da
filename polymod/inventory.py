"""Which backend a host belongs to, and what each can do there."""

from __future__ import annotations

from typing import TYPE_CHECKING

from polymod.errors import AmbiguousBackend, PluginFailed, PolymodError, UnsupportedOperation

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from polymod.backend import Backend, Claim
    from polymod.hosts.base import Host
    from polymod.model.answers import BackendInfo
    from polymod.plugins import Plugins


def host_claims(host: Host, plugins: Plugins) -> list[tuple[Backend, Claim | None]]:
    """Every backend with what it says of the host."""
    return [(backend, backend.claims(host)) for backend in plugins.backends()]


def backend_for(host: Host, plugins: Plugins, wanted: str | None = None) -> Backend:
    """The backend called `wanted`, or the one with the strongest claim on the host.

    Raises UsageError for a name that is not there, UnsupportedOperation where
    nobody claims the host, AmbiguousBackend on a tie.
    """
    if wanted:
        return plugins.backend(wanted)
    claims = [(claim, backend) for backend, claim in host_claims(host, plugins) if claim]
    if not claims:
        raise UnsupportedOperation(
            "polymod",
            host.url,
            "no installed backend knows this system",
            remedy="choose one with --backend NAME; `polymod backends` lists them",
        )
    strongest = max(claim.strength for claim, _ in claims)
    best = [backend for claim, backend in claims if claim.strength == strongest]
    if len(best) > 1:
        raise AmbiguousBackend(host.url, [backend.name for backend in best])
    return best[0]


def describe_backends(host: Host, plugins: Plugins) -> Iterator[BackendInfo]:
    """What every installed backend is, and what it can do on `host` or why not."""
    from polymod.model.answers import BackendInfo
    from polymod.version import __version__

    for backend, claim in host_claims(host, plugins):
        builtin = plugins.is_builtin(backend.name)
        yield BackendInfo(
            name=backend.name,
            title=backend.title,
            plugin=plugins.origin(backend.name),
            version=__version__ if builtin else plugins.version_of(backend.name),
            claims_host=claim is not None,
            claim=None if claim is None else claim.reason,
            formats=_formats(backend),
            capabilities=_capabilities(backend, host, claim),
        )


def _formats(backend: Backend) -> tuple[str, ...]:
    try:
        return backend.file_format().formats
    except PluginFailed:  # noted with the plugins' failures
        return ()


def _capabilities(backend: Backend, host: Host, claim: Claim | None) -> dict[str, bool | str]:
    """Operations to True, or to the reason why they are not to be had here.

    Read off the parts that the backend really gives, never declared.
    """
    found: dict[str, bool | str] = {"inspect": True, "scan": True}
    parts: tuple[tuple[tuple[str, ...], Callable[[Host], object]], ...] = (
        (("deps", "resolve"), backend.inventory),
        (("index",), backend.indexer),
        (("load", "unload", "persist", "block"), backend.control),
    )
    for words, part in parts:
        answer: bool | str
        if claim is None:
            answer = f"{host.url} is not this system"
        else:
            try:
                answer = part(host) is not None or "this backend has no such part"
            except PolymodError as error:
                answer = str(error)
        found.update(dict.fromkeys(words, answer))
    return found
