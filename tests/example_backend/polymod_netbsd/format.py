"""NetBSD module files: relocatable ELF objects with a link set of modules."""

from __future__ import annotations

from typing import TYPE_CHECKING

from polymod.backend import CERTAIN, Claim, Depth, FileFormat
from polymod.errors import MalformedModule
from polymod.formats import elf
from polymod.formats.elf import ElfImage
from polymod.model.base import Gap, Why
from polymod.model.files import (
    Architecture,
    Dependency,
    DependencyKind,
    Format,
    ModuleFile,
    Provided,
    Symbol,
)
from polymod_netbsd import modinfo

if TYPE_CHECKING:
    from polymod.source import ByteSource

_CLAIM = Claim(CERTAIN, "an ELF relocatable with link_set_modules")

#: Symbols that the assembler and the loader make; no module exports them.
_NOT_IMPORTED = frozenset({b"", b"_GLOBAL_OFFSET_TABLE_", b"_gp_disp", b".TOC."})

_ABSENT = {
    "version": "NetBSD modules have no version of their own, only the kernel's: see built_for",
    "description": "NetBSD modules carry no description",
    "license": "NetBSD modules carry no licence",
    "source_version": "NetBSD has no hash of a module's source",
    "uuid": "NetBSD modules have no UUID",
}
_GAPS = {field: Gap(Why.NOT_APPLICABLE, text) for field, text in _ABSENT.items()}
_GAPS["hashes"] = Gap(Why.NOT_ASKED, "ask with --hash")


class NetbsdFormat(FileFormat):
    """``.kmod`` files of every architecture."""

    formats = (Format.ELF_RELOCATABLE.value,)

    def claims(self, source: ByteSource) -> Claim | None:
        named = source.path.endswith(".kmod")
        if source.head(4) != elf.MAGIC:
            if named and not source.size:
                raise MalformedModule("is empty", path=source.path, offset=0)
            return None
        try:
            image = source.view(ElfImage)
        except MalformedModule:
            if named:
                raise  # called like a module, and broken: that is worth telling
            return None
        if image.type != elf.ET_REL or image.section(modinfo.LINK_SET) is None:
            return None
        return _CLAIM

    def read(self, source: ByteSource, depth: Depth = Depth.METADATA) -> ModuleFile:
        image = source.view(ElfImage)
        info = modinfo.parse(image)
        gaps = dict(_GAPS)
        imports = exports = None
        if depth is Depth.FULL:
            imports, exports = symbols(image)
        else:
            gaps["imports"] = gaps["exports"] = Gap(Why.NOT_ASKED, "ask with --symbols")
        return ModuleFile(
            backend="netbsd",
            path=source.path,
            size=source.stored_size,
            compression=source.compression,
            format=Format.ELF_RELOCATABLE,
            name=info.mi_name,
            architectures=(Architecture(image.machine, image.bits, image.endian),),
            provides=(Provided(info.mi_name),),
            dependencies=tuple(
                Dependency(name, DependencyKind.MODULE)
                for name in modinfo.required(info.mi_required)
            ),
            built_for=modinfo.netbsd_version(info.mi_version),
            build_id=_build_id(image, gaps),
            imports=imports,
            exports=exports,
            native=native(info),
            gaps=gaps,
        )


def _build_id(image: ElfImage, gaps: dict[str, Gap]) -> str | None:
    """The build id; a damaged note is told as such, all else is still worth having."""
    try:
        found = image.build_id()
    except MalformedModule as error:
        gaps["build_id"] = Gap(Why.UNPARSABLE, str(error))
        return None
    if found is None:
        gaps["build_id"] = Gap(Why.NOT_REPORTED, "no .note.gnu.build-id section")
    return found


def native(info: modinfo.Modinfo) -> dict[str, object]:
    """The fields under NetBSD's own names, and the class in the word of modstat(8)."""
    known = info.mi_class < len(modinfo.CLASSES)
    return {**info._asdict(), "class": modinfo.CLASSES[info.mi_class] if known else None}


def symbols(image: ElfImage) -> tuple[tuple[Symbol, ...], tuple[Symbol, ...]]:
    """Imports and exports, in the order of the symbol table.

    The kernel resolves an undefined symbol to a global one of itself or of any
    loaded module (kern_ksyms.c); nothing else has to be done to export one.
    """
    imports: list[Symbol] = []
    exports: list[Symbol] = []
    for symbol in image.symbols():
        if symbol.name in _NOT_IMPORTED:
            continue
        item = Symbol(symbol.name.decode("utf-8", "surrogateescape"))
        if symbol.section == elf.SHN_UNDEF:
            imports.append(item)
        elif symbol.info >> 4 == elf.STB_GLOBAL:
            exports.append(item)
    return tuple(imports), tuple(exports)
