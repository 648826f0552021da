"""Records that answer a question: dependencies, resolutions, findings, index files."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import ClassVar

from polymod.model.base import Origin, Record


class Relation(StrEnum):
    """Why a module is in a dependency answer."""

    REQUESTED = "requested"
    MODULE = "module"
    SOFT_PRE = "soft-pre"
    SOFT_POST = "soft-post"


class Presence(StrEnum):
    """Where a module lives: a file to load, or in the kernel image already.

    ``missing`` is known to be in neither, ``unknown`` has no file and may be
    in an image that nobody could look into.
    """

    LOADABLE = "loadable"
    BUILTIN = "builtin"
    MISSING = "missing"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class DependencyStep(Record):
    """One module of a dependency closure (kind ``dependency``), in load order.

    `subject` is what was asked about, `needed_by` the modules of this closure
    that need it directly, `options` the configured parameters as one string,
    `command` the configured install command that replaces the load.
    """

    kind: ClassVar[str] = "dependency"

    backend: str
    subject: str
    name: str
    path: str | None
    relation: Relation
    presence: Presence
    needed_by: tuple[str, ...] = ()
    options: str = ""
    command: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Dependant(Record):
    """A module that needs another (kind ``dependant``), as ``deps --reverse`` finds it.

    `needs` is the module on the way to `subject` that it needs directly, and
    `distance` the number of such steps: 1 for those that need `subject` itself.
    """

    kind: ClassVar[str] = "dependant"

    backend: str
    subject: str
    name: str
    relation: str
    needs: str
    distance: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DependencyEdge(Record):
    """One direct dependency (kind ``dependency_edge``): `source` needs `target`."""

    kind: ClassVar[str] = "dependency_edge"

    backend: str
    source: str
    target: str
    relation: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Resolution(Record):
    """A module that serves an alias (kind ``resolution``), best first.

    `pattern` is the alias expression that matched, `source` the index or
    configuration it stands in, `blocked` whether the configuration keeps the
    OS from loading it through this alias.
    """

    kind: ClassVar[str] = "resolution"

    backend: str
    alias: str
    name: str
    path: str | None
    presence: Presence
    pattern: str | None
    source: str
    origin: Origin | None = None
    blocked: bool = False


class Severity(StrEnum):
    """How bad a finding is."""

    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding(Record):
    """Something a check found (kind ``finding``); `rule` is kebab-case and stable."""

    kind: ClassVar[str] = "finding"

    rule: str
    severity: Severity
    subject: str
    message: str
    remedy: str | None = None
    evidence: Mapping[str, object] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexFile(Record):
    """A file of the OS's module index (kind ``index_file``), as written or as planned."""

    kind: ClassVar[str] = "index_file"

    backend: str
    path: str
    size: int
    entries: int
    changed: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class BackendInfo(Record):
    """An installed backend (kind ``backend``) and what it can do on the asked host.

    `plugin` is the distribution or module it comes from; `capabilities` maps
    an operation to True, or to the reason why it is not possible here.
    """

    kind: ClassVar[str] = "backend"

    name: str
    title: str
    plugin: str
    version: str | None
    claims_host: bool
    claim: str | None
    formats: tuple[str, ...]
    capabilities: Mapping[str, bool | str]
