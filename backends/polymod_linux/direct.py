"""Which modules a module needs itself, not only through others.

modules.dep has direct and indirect dependencies together; the module files
have the direct ones alone (``depends`` in ``.modinfo``).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from polymod import limits
from polymod.errors import DependencyCycle, MalformedModule, ModuleNotFound, PolymodError
from polymod.formats.elf import ElfImage
from polymod.source import unpacked
from polymod_linux.names import canonical, from_path

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from polymod.hosts.base import Host
    from polymod.source import ByteSource
    from polymod_linux.lookup import KnownModules


class DirectDependencies:
    """The direct hard dependencies of one kernel's modules, read when asked and kept.

    `locate` gives the host's path for a path of the index.
    """

    def __init__(self, host: Host, modules: KnownModules, locate: Callable[[str], str]) -> None:
        self._host = host
        self._modules = modules
        self._locate = locate
        self._known: dict[str, tuple[str, ...]] = {}

    def read(self, names: Iterable[str]) -> None:
        """Read the files of `names` together, those not known yet."""
        paths = self._modules.paths
        wanted = [name for name in names if name not in self._known]
        located = {self._locate(paths[name]): name for name in wanted if name in paths}
        self._known.update(dict.fromkeys(wanted, ()))
        for path, source in self._host.open_many(located):
            self._known[located[path]] = self._completed(located[path], _depends(source))

    def of(self, name: str) -> tuple[str, ...]:
        """The modules that `name` needs itself, () for one without a file."""
        if name not in self._known:
            self.read((name,))
        return self._known[name]

    def _completed(self, name: str, declared: tuple[str, ...]) -> tuple[str, ...]:
        """What the file declares as far as the index agrees, and what only the index knows.

        A file that cannot be read declares nothing: then every dependency
        counts that no other one brings along. In a ring the index has no say.
        """
        try:
            closure = dict.fromkeys(map(from_path, self._modules.index.closure(name)))
        except DependencyCycle:
            return tuple(other for other in declared if other in self._modules.paths)
        direct = dict.fromkeys(other for other in declared if other in closure)
        covered = set(direct)
        for other in direct:
            covered.update(self._below(other))
        for other in closure:  # whoever needs others stands before them
            if other not in covered:
                direct[other] = None
                covered.add(other)
                covered.update(self._below(other))
        return tuple(direct)

    def _below(self, name: str) -> Iterable[str]:
        try:
            return map(from_path, self._modules.index.closure(name))
        except ModuleNotFound:  # modules.dep names a file that has no line of its own
            return ()


def _depends(source: ByteSource | PolymodError) -> tuple[str, ...]:
    """The canonical names in ``depends``; () also where they cannot be read."""
    if isinstance(source, PolymodError):
        return ()
    with source:
        try:
            image = ElfImage(unpacked(source))
            section = image.named_contents(b".modinfo", limits.MODINFO_BYTES) or b""
        except MalformedModule:
            return ()
    for text in section.split(b"\0"):
        if text.startswith(b"depends="):
            names = text[8:].decode("utf-8", "surrogateescape").split(",")
            return tuple(canonical(name) for name in names if name)
    return ()
