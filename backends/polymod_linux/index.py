"""What the module index of one kernel answers, read from its files or computed anew.

Both forms give the same answers; `stored.py` reads the files that depmod left,
`computed.py` works them out from the modules themselves (modules.dep(5),
depmod(8)).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from polymod.errors import PolymodError


class AliasHit(NamedTuple):
    """An alias pattern that matched, the module it names, and the file it stands in."""

    pattern: str
    module: str
    source: str


class ModuleIndex(ABC):
    """The index of one kernel's modules. Names are canonical (``_``, no suffix).

    Paths are as modules.dep has them: relative to the kernel's module
    directory, or absolute for modules that depmod.d calls external.
    `problems` are the files that could not be read so far, and their damage.
    """

    @property
    @abstractmethod
    def problems(self) -> Sequence[PolymodError]:
        """What went wrong with single files and lines up to now."""

    @abstractmethod
    def paths(self) -> Mapping[str, str]:
        """Module name to path, in the order of modules.dep."""

    @abstractmethod
    def closure(self, name: str) -> Sequence[str]:
        """The paths of all hard dependencies of a module, direct and indirect.

        In the order of modules.dep: what must be loaded first stands last.

        Raises ModuleNotFound.
        """

    @abstractmethod
    def aliases(self, alias: str) -> Sequence[AliasHit]:
        """The aliases of module files that match `alias`, best first.

        As modules.alias and modules.symbols (``symbol:`` only) have them; nothing
        of modules.builtin.
        """

    @abstractmethod
    def builtin_aliases(self, alias: str) -> Sequence[AliasHit]:
        """The same from modules.builtin.alias, for code that is in the kernel."""

    @abstractmethod
    def builtins(self) -> Mapping[str, str]:
        """Built-in module name to the path modules.builtin gives it, in its order."""

    @abstractmethod
    def softdeps(self) -> Sequence[tuple[str, str]]:
        """(module, ``pre: a b post: c``) as the lines of modules.softdep, in order."""

    @abstractmethod
    def weakdeps(self) -> Sequence[tuple[str, str]]:
        """(module, ``a b``) as the lines of modules.weakdep, in order."""

    @abstractmethod
    def devnames(self) -> Sequence[tuple[str, str, str]]:
        """(module, device name, ``c10:200``) as the lines of modules.devname."""
