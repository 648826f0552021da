"""Reading module files: which backend's it is, what it says, its hashes."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from polymod.backend import Depth
from polymod.errors import (
    AmbiguousBackend,
    MalformedModule,
    NotAModule,
    PluginFailed,
    UnsupportedOperation,
)
from polymod.source import unpacked

if TYPE_CHECKING:
    from collections.abc import Sequence

    from polymod.backend import FileFormat
    from polymod.hosts.base import Host
    from polymod.model.files import ModuleFile
    from polymod.plugins import Plugins
    from polymod.source import ByteSource


class Reader:
    """Reads module files of any OS through the installed backends.

    `backend` restricts it to one. `hashes` names the digests to add, as
    `hashlib` spells them. Raises UsageError for a backend that is not there,
    UnsupportedOperation for an unknown hash.
    """

    def __init__(
        self,
        plugins: Plugins,
        *,
        backend: str | None = None,
        depth: Depth = Depth.METADATA,
        hashes: Sequence[str] = (),
    ) -> None:
        chosen = (plugins.backend(backend),) if backend else plugins.backends()
        self.plugins = plugins
        self._formats: list[tuple[str, FileFormat]] = []
        for one in chosen:
            try:
                self._formats.append((one.name, one.file_format()))
            except PluginFailed:  # noted; asked for by name it is the answer
                if backend:
                    raise
        self._depth = depth
        self._hashes = tuple(dict.fromkeys(hashes))
        _known_hashes(self._hashes)

    def read(self, host: Host, path: str) -> ModuleFile:
        """The module file at `path`.

        Raises NotAModule, MalformedModule, and what keeps the path from being read.
        """
        found = self.try_read(host, path)
        if found is None:
            raise NotAModule(
                "is no kernel module of a known system",
                path=path,
                remedy="name a module file; `polymod backends` lists the known formats",
            )
        return found

    def try_read(self, host: Host, path: str) -> ModuleFile | None:
        """The same, or None for a file that does not even claim to be a module."""
        with host.open(path) as raw, unpacked(raw) as source:
            chosen = self._recognise(source)
            if chosen is None:
                return None
            module = chosen.read(source, self._depth)
            return self._with_hashes(module, raw) if self._hashes else module

    def _recognise(self, source: ByteSource) -> FileFormat | None:
        """The format with the strongest claim on the bytes, None where none has any."""
        best: list[tuple[str, FileFormat]] = []
        strength = 0
        broken: MalformedModule | None = None
        for candidate in self._formats:
            try:
                claim = candidate[1].claims(source)
            except MalformedModule as error:
                broken = broken or error
                continue
            if claim is None or claim.strength < strength:
                continue
            if claim.strength > strength:
                best, strength = [], claim.strength
            best.append(candidate)
        if len(best) > 1:
            raise AmbiguousBackend(source.path, [name for name, _ in best])
        if not best and broken is not None:
            raise broken
        return best[0][1] if best else None

    def _with_hashes(self, module: ModuleFile, raw: ByteSource) -> ModuleFile:
        gaps = {field: gap for field, gap in module.gaps.items() if field != "hashes"}
        return replace(module, hashes=digests(raw, self._hashes), gaps=gaps)


def _known_hashes(names: Sequence[str]) -> None:
    """Raise UnsupportedOperation for a digest that hashlib does not have."""
    if not names:
        return
    import hashlib

    for name in names:
        if name not in hashlib.algorithms_available or name.startswith("shake"):
            known = ", ".join(sorted(hashlib.algorithms_guaranteed))
            raise UnsupportedOperation(
                "polymod", f"hash {name}", "no such digest", remedy=f"choose among {known}"
            )


def digests(source: ByteSource, names: Sequence[str]) -> dict[str, str]:
    """The digests of the bytes on disk, in lower-case hex, by `hashlib` name."""
    import hashlib

    objects = {name: hashlib.new(name, usedforsecurity=False) for name in names}
    at, size = 0, source.size
    while at < size:
        part = source.read(at, min(1 << 20, size - at))
        at += len(part)
        for digest in objects.values():
            digest.update(part)
    return {name: digest.hexdigest() for name, digest in objects.items()}
