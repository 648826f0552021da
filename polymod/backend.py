"""What a backend is: one OS family's knowledge, in the parts it really has.

A part that an OS lacks is absent from the type, and `capabilities` reads the
types, so that a backend cannot promise what it does not do.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from enum import IntEnum
from typing import TYPE_CHECKING, ClassVar, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from polymod.hosts.base import Host
    from polymod.model.answers import DependencyStep, Finding, IndexFile, Resolution
    from polymod.model.changes import ChangeRequest, Step, StepResult
    from polymod.model.failures import ModuleError
    from polymod.model.files import ModuleFile
    from polymod.source import ByteSource


class Depth(IntEnum):
    """How much of a file to read: its headers, what it declares, or its symbols too."""

    HEADER = 0
    METADATA = 1
    FULL = 2


class Claim(NamedTuple):
    """A backend's word that something is its own; the strongest claim wins."""

    strength: int
    reason: str


#: Strengths. A NAME claim says: called like a module of this OS, but broken.
CERTAIN, LIKELY, NAME = 100, 50, 10


class FileFormat(ABC):
    """The module files of one OS."""

    #: The contract's words for the containers this reader takes.
    formats: ClassVar[tuple[str, ...]]

    @abstractmethod
    def claims(self, source: ByteSource) -> Claim | None:
        """Whether these (unpacked) bytes are a module of this OS.

        None for anything else, however odd; a claim for a file that is this
        OS's by its contents, or that its name says is one and that is broken.
        Must not read more than headers.
        Raises MalformedModule for a file that is this OS's by its contents and
        too broken to tell more.
        """

    @abstractmethod
    def read(self, source: ByteSource, depth: Depth = Depth.METADATA) -> ModuleFile:
        """What the file says about itself. Raises MalformedModule."""


class Edge(NamedTuple):
    """One dependency between installed modules, for trees and graphs."""

    source: str
    target: str
    relation: str


class Inventory(ABC):
    """The modules installed on a host for one kernel: a snapshot that does not change.

    `release` names the kernel.
    """

    release: str

    @property
    def problems(self) -> Sequence[ModuleError]:
        """What the answers so far would have needed and could not read: they may lack it."""
        return ()

    @abstractmethod
    def names(self) -> Sequence[str]:
        """The canonical name of every module with a file, in the OS's own order."""

    @abstractmethod
    def files(self, depth: Depth = Depth.METADATA) -> Iterator[ModuleFile | ModuleError]:
        """Every module of this kernel that has a file, in that order.

        A file that is gone, broken or out of reach is an error among them.
        """

    @abstractmethod
    def find(self, name: str, depth: Depth = Depth.METADATA) -> ModuleFile:
        """The module called `name`, as file or as part of the kernel.

        Raises ModuleNotFound.
        """

    @abstractmethod
    def resolve(self, alias: str) -> Sequence[Resolution]:
        """The modules that serve a module alias, best first; () for none."""

    @abstractmethod
    def dependencies(self, name_or_path: str) -> Sequence[DependencyStep]:
        """What loading this would load, in load order, itself included.

        Raises ModuleNotFound, DependencyMissing, DependencyCycle.
        """

    @abstractmethod
    def edges(self) -> Sequence[Edge]:
        """Every direct dependency between the installed modules, in `names` order."""


class Indexer(ABC):
    """Builds the files by which an OS finds modules, and compares them with the modules.

    `problems` holds what was wrong with single modules or configuration lines
    in the last build or check; the rest is indexed all the same.
    """

    problems: Sequence[ModuleError] = ()

    @abstractmethod
    def build(self, outdir: str | None = None, *, into: Host | None = None) -> Sequence[IndexFile]:
        """Write the whole index, below `outdir` if given, all files or none.

        `into` is the host that `outdir` is on, None for the one with the modules.

        Raises DependencyCycle, WriteFailed, PermissionRefused.
        """

    @abstractmethod
    def check(self) -> Iterator[Finding]:
        """What in the present index is stale, missing or foreign; nothing is written."""


class Control(ABC):
    """Changes to a host: first planned, then executed step by step."""

    @abstractmethod
    def plan(self, request: ChangeRequest, inventory: Inventory) -> tuple[Step, ...]:
        """The steps that would do it; () where it is so already."""

    @abstractmethod
    def execute(self, step: Step) -> StepResult:
        """Do one step. Raises the error the OS's refusal stands for."""


class Backend(ABC):
    """One OS family. `name` is its word in machine output, `title` is for people."""

    name: ClassVar[str]
    title: ClassVar[str]

    @abstractmethod
    def claims(self, host: Host) -> Claim | None:
        """Whether `host` runs, or holds, this OS."""

    @abstractmethod
    def canonical(self, name: str) -> str:
        """The one spelling by which this OS compares module names."""

    @abstractmethod
    def file_format(self) -> FileFormat:
        """The reader of this OS's module files."""

    def inventory(self, host: Host, release: str | None = None) -> Inventory | None:
        """The modules installed on `host` for a kernel (None: the running, or only one).

        None where the backend has no such part. Raises ModuleNotFound where
        the host has no such kernel.
        """
        return None

    def indexer(self, host: Host, release: str | None = None) -> Indexer | None:
        """The index writer for a kernel of `host`, None where the OS has no index."""
        return None

    def control(self, host: Host) -> Control | None:
        """The way to change `host`, None where this backend cannot."""
        return None
