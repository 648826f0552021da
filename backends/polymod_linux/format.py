"""Linux module files: what `modinfo` shows and what lies beside it.

Layout: linux Documentation and include/linux/module.h; kmod libkmod-elf.c and
libkmod-module.c for what the tools make of it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from polymod import limits
from polymod.backend import CERTAIN, Claim, Depth, FileFormat
from polymod.errors import MalformedModule
from polymod.formats import elf
from polymod.formats.elf import ElfImage
from polymod.model.base import Gap, Why
from polymod.model.files import Architecture, Format, ModuleFile, Provided
from polymod_linux import modinfo
from polymod_linux.names import is_module_path
from polymod_linux.signature import signatures

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from polymod.model.files import Compression, Signature, Symbol
    from polymod.source import ByteSource

T = TypeVar("T")

_CLAIM = Claim(CERTAIN, "an ELF relocatable with .modinfo or .gnu.linkonce.this_module")

_NOT_ASKED = Gap(Why.NOT_ASKED, "ask with --symbols")
_NO_HASHES = Gap(Why.NOT_ASKED, "ask with --hash")
_NO_UUID = Gap(Why.NOT_APPLICABLE, "Linux modules have a build id instead")

#: Field that may be null: the .modinfo key or section that would have told it.
_SOURCES = {
    "name": "no name in .modinfo and no module struct",
    "version": "no version in .modinfo",
    "description": "no description in .modinfo",
    "license": "no license in .modinfo",
    "built_for": "no vermagic in .modinfo",
    "build_id": "no .note.gnu.build-id section",
    "source_version": "no srcversion in .modinfo",
}
_MISSING = {field: Gap(Why.NOT_REPORTED, text) for field, text in _SOURCES.items()}

_architectures: dict[tuple[str, int, str], tuple[Architecture, ...]] = {}
_gap_sets: dict[tuple[bool, ...], Mapping[str, Gap]] = {}


class LinuxFormat(FileFormat):
    """``.ko`` files of every architecture, plain or packed."""

    formats = (Format.ELF_RELOCATABLE.value,)

    def claims(self, source: ByteSource) -> Claim | None:
        try:
            head = source.head(64)
            if head[:4] != elf.MAGIC:
                if not source.size and is_module_path(source.path):
                    raise MalformedModule("is empty", path=source.path, offset=0)
                return None
            if len(head) >= 18 and elf.ET_REL not in (head[16], head[17]):
                return None
            image = source.view(ElfImage)
        except MalformedModule:
            if is_module_path(source.path):
                raise
            return None
        if image.type != elf.ET_REL:
            return None
        if image.section(b".modinfo") or image.section(b".gnu.linkonce.this_module"):
            return _CLAIM
        return None

    def read(self, source: ByteSource, depth: Depth = Depth.METADATA) -> ModuleFile:
        image = source.view(ElfImage)
        info = modinfo.parse(image.named_contents(b".modinfo", limits.MODINFO_BYTES) or b"")
        problems: dict[str, Gap] = {}
        imports: tuple[Symbol, ...] | None = None
        exports: tuple[Symbol, ...] | None = None
        if depth is Depth.FULL:
            from polymod_linux import symbols

            imports = _attempt("imports", lambda: symbols.imports(image), problems)
            exports = _attempt("exports", lambda: symbols.exports(image), problems)
        struct_name = _struct_name(image)
        return record(
            info,
            path=source.path,
            size=source.stored_size,
            compression=source.compression,
            name=modinfo.first(info, "name") or struct_name,
            struct_name=struct_name,
            architectures=_architecture(image),
            signatures=_attempt("signatures", lambda: signatures(source), problems),
            build_id=_attempt("build_id", image.build_id, problems),
            imports=imports,
            exports=exports,
            problems=problems,
        )


def record(
    info: modinfo.Info,
    *,
    path: str,
    size: int,
    compression: Compression | None,
    name: str | None,
    struct_name: str | None,
    architectures: tuple[Architecture, ...],
    signatures: tuple[Signature, ...] | None,
    build_id: str | None,
    imports: tuple[Symbol, ...] | None,
    exports: tuple[Symbol, ...] | None,
    problems: Mapping[str, Gap],
) -> ModuleFile:
    """The record for what .modinfo and the rest of a file said.

    `problems` are the gaps of parts that could not be read; nulls that the
    file plainly does not declare get theirs here.
    """
    first = modinfo.first
    version, built_for = first(info, "version"), modinfo.kernel_version(info)
    description, licence = first(info, "description"), first(info, "license")
    source_version = first(info, "srcversion")
    provided = struct_name or name
    missing = (
        name is None,
        version is None,
        description is None,
        licence is None,
        built_for is None,
        build_id is None,
        source_version is None,
        imports is None and exports is None,
    )
    gaps = _gap_sets.get(missing) or _gap_set(missing)
    return ModuleFile(
        backend="linux",
        path=path,
        size=size,
        compression=compression,
        format=Format.ELF_RELOCATABLE,
        name=name,
        version=version,
        description=description,
        license=licence,
        authors=tuple(info.get("author", ())),
        aliases=tuple(info.get("alias", ())),
        firmware=tuple(info.get("firmware", ())),
        architectures=architectures,
        provides=(Provided(provided, version),) if provided else (),
        dependencies=modinfo.dependencies(info),
        parameters=modinfo.parameters(info),
        built_for=built_for,
        signatures=signatures,
        build_id=build_id,
        source_version=source_version,
        imports=imports,
        exports=exports,
        native=info,
        gaps={**gaps, **problems} if problems else gaps,
    )


def _gap_set(missing: tuple[bool, ...]) -> Mapping[str, Gap]:
    """The gaps for one pattern of nulls; kernels have a dozen patterns, so they are shared."""
    gaps = {field: _MISSING[field] for field, null in zip(_MISSING, missing, strict=False) if null}
    gaps["uuid"] = _NO_UUID
    gaps["hashes"] = _NO_HASHES
    if missing[-1]:
        gaps["imports"] = gaps["exports"] = _NOT_ASKED
    _gap_sets[missing] = gaps
    return gaps


def _architecture(image: ElfImage) -> tuple[Architecture, ...]:
    key = image.machine, image.bits, image.endian
    found = _architectures.get(key)
    if found is None:
        found = _architectures[key] = (Architecture(*key),)
    return found


def _struct_name(image: ElfImage) -> str | None:
    """The name in struct module, by which the kernel knows the module.

    It stands behind the state word and the list head: at 24 with 56 bytes of
    room, or at 12 with 60 (linux include/linux/module.h, MODULE_NAME_LEN).
    """
    section = image.section(b".gnu.linkonce.this_module")
    offset, room = (24, 56) if image.bits == 64 else (12, 60)
    if section is None or section.size < offset + room or section.type == elf.SHT_NOBITS:
        return None
    data = image.source.read(section.offset + offset, room, ".gnu.linkonce.this_module")
    return data.partition(b"\0")[0].decode("utf-8", "surrogateescape") or None


def _attempt(field: str, read: Callable[[], T], problems: dict[str, Gap]) -> T | None:
    """A damaged part is told as such; all else the file says is still worth having."""
    try:
        return read()
    except MalformedModule as error:
        problems[field] = Gap(Why.UNPARSABLE, str(error))
        return None
