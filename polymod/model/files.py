"""The record of a module file: what it says about itself (kind ``module_file``)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import ClassVar

from polymod.model.base import Record


class Compression(StrEnum):
    """How a file is packed on disk."""

    GZIP = "gzip"
    XZ = "xz"
    ZSTD = "zstd"


class Format(StrEnum):
    """The container a module comes in."""

    ELF_RELOCATABLE = "elf-relocatable"
    ELF_SHARED = "elf-shared"
    MACHO_KEXT_BUNDLE = "macho-kext-bundle"
    MACHO_OBJECT = "macho-object"
    PE = "pe"
    XCOFF = "xcoff"
    SOM = "som"
    KEXT_CODELESS = "kext-codeless"


class DependencyKind(StrEnum):
    """What sort of thing a module needs."""

    MODULE = "module"
    SOFT_PRE = "soft-pre"
    SOFT_POST = "soft-post"
    WEAK = "weak"
    KERNEL = "kernel"
    KPI = "kpi"
    LIBRARY = "library"
    SERVICE = "service"
    GROUP = "group"
    IMPORT_FILE = "import-file"


class SignatureStatus(StrEnum):
    """How far a signature was looked at; inspection alone says ``unchecked``."""

    UNCHECKED = "unchecked"
    VALID = "valid"
    INVALID = "invalid"
    UNTRUSTED = "untrusted"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Architecture:
    """One slice's machine in the GNU spelling, its word size in bits, its byte order."""

    machine: str
    bits: int
    endian: str


@dataclass(frozen=True, slots=True)
class Provided:
    """A module inside the file."""

    name: str
    version: str | None = None


@dataclass(frozen=True, slots=True)
class Dependency:
    """Something the module needs, with the versions it accepts where the OS has such."""

    name: str
    kind: DependencyKind
    minimum: str | None = None
    preferred: str | None = None
    maximum: str | None = None


@dataclass(frozen=True, slots=True)
class Parameter:
    """A declared parameter; `type` and `description` are None where the file has none."""

    name: str
    type: str | None = None
    description: str | None = None


@dataclass(frozen=True, slots=True)
class BuiltFor:
    """What ties a file to a kernel; every backend has its own fields below this."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Signature:
    """One signature as the file carries it.

    `key_id` and `serial` are lower-case hex, `signed_at` is RFC 3339 in UTC.
    """

    format: str
    signer: str | None = None
    issuer: str | None = None
    key_id: str | None = None
    serial: str | None = None
    hash_algorithm: str | None = None
    signed_at: str | None = None
    status: SignatureStatus = SignatureStatus.UNCHECKED


@dataclass(frozen=True, slots=True)
class Symbol:
    """An imported or exported symbol; `crc` is ``0x`` and eight hex digits."""

    name: str
    crc: str | None = None
    namespace: str | None = None
    library: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ModuleFile(Record):
    """What a module file says about itself; the fields are section 2 of the contract.

    `size` is bytes on disk. Text that is not UTF-8 is kept losslessly by the
    surrogateescape rule (PEP 383). `signatures` is () when unsigned and None
    when they could not be read; then, as for every null, `gaps` says why.
    """

    kind: ClassVar[str] = "module_file"

    backend: str
    path: str | None
    size: int | None
    compression: Compression | None = None
    format: Format | None
    name: str | None
    version: str | None = None
    description: str | None = None
    license: str | None = None
    authors: tuple[str, ...] = ()
    aliases: tuple[str, ...] = ()
    firmware: tuple[str, ...] = ()
    architectures: tuple[Architecture, ...] = ()
    provides: tuple[Provided, ...] = ()
    dependencies: tuple[Dependency, ...] = ()
    parameters: tuple[Parameter, ...] = ()
    built_for: BuiltFor | None = None
    signatures: tuple[Signature, ...] | None = ()
    build_id: str | None = None
    source_version: str | None = None
    uuid: str | None = None
    imports: tuple[Symbol, ...] | None = None
    exports: tuple[Symbol, ...] | None = None
    hashes: Mapping[str, str] | None = None
    native: Mapping[str, object]
