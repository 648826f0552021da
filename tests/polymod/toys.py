"""A toy backend and plugins that bring it, well-behaved or not."""

from __future__ import annotations

from typing import TYPE_CHECKING

from polymod import (
    Backend,
    Claim,
    Depth,
    FileFormat,
    Format,
    ModuleFile,
    hookimpl,
)
from polymod.backend import CERTAIN
from polymod.plugins import Plugins

if TYPE_CHECKING:
    from collections.abc import Iterable

    from polymod.hosts.base import Host
    from polymod.source import ByteSource


class Toy(FileFormat):
    """Files that begin with TOY; `fail` is raised where it is asked to."""

    formats = ("toy",)

    def __init__(
        self, strength: int = CERTAIN, *, in_claims: object = None, in_read: object = None
    ) -> None:
        self._strength = strength
        self._in_claims = in_claims
        self._in_read = in_read

    def claims(self, source: ByteSource) -> Claim | None:
        if isinstance(self._in_claims, Exception):
            raise self._in_claims
        if self._in_claims is not None:
            return self._in_claims  # type: ignore[return-value]  # that is the point
        return Claim(self._strength, "begins with TOY") if source.head(3) == b"TOY" else None

    def read(self, source: ByteSource, depth: Depth = Depth.METADATA) -> ModuleFile:
        if isinstance(self._in_read, Exception):
            raise self._in_read
        if self._in_read is not None:
            return self._in_read  # type: ignore[return-value]  # that is the point
        return ModuleFile(
            backend="toy", path=source.path, size=source.size, format=Format.SOM, name="toy",
            native={},
        )  # fmt: skip


class ToyBackend(Backend):
    """A backend over a toy format."""

    title = "Toys"

    def __init__(
        self, name: str = "toy", reader: FileFormat | None = None, host: Claim | None = None
    ) -> None:
        self.name = name  # type: ignore[misc]  # several of one class are wanted here
        self._reader = reader or Toy()
        self._host = host

    def claims(self, host: Host) -> Claim | None:
        return self._host

    def canonical(self, name: str) -> str:
        return name

    def file_format(self) -> FileFormat:
        return self._reader


def brings(*backends: object) -> object:
    """A plugin that offers these."""

    class Bringer:
        @hookimpl
        def polymod_backends(self) -> Iterable[object]:
            return backends

    return Bringer()


def plugins_with(**plugins: object) -> Plugins:
    made = Plugins(outside=False)
    for name, plugin in plugins.items():
        made.register(plugin, name)
    return made
