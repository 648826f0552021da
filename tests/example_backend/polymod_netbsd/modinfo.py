"""``struct modinfo``: what a module says of itself (NetBSD sys/sys/module.h, module(9)).

The section ``link_set_modules`` of a loadable module holds exactly one
pointer, to a structure of mi_version, mi_class (an unsigned and an enum, four
bytes each), and three pointers: mi_modcmd, mi_name, mi_required.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from polymod.errors import MalformedModule
from polymod.model.files import BuiltFor
from polymod_netbsd.relocations import Place, Pointers

if TYPE_CHECKING:
    from polymod.formats.elf import ElfImage

LINK_SET = b"link_set_modules"

#: modclass_t by number, in the words of modstat(8).
CLASSES = ("any", "misc", "vfs", "driver", "exec", "secmodel", "bufq")


class Modinfo(NamedTuple):
    """The fields under their own names; `mi_required` is None for a null pointer."""

    mi_version: int
    mi_class: int
    mi_name: str
    mi_required: str | None


@dataclass(frozen=True, slots=True)
class NetbsdVersion(BuiltFor):
    """``__NetBSD_Version__`` of the kernel a module was built for, and the release it spells."""

    netbsd_version: int
    release: str


def parse(image: ElfImage) -> Modinfo:
    """The one modinfo structure of a module. Raises MalformedModule."""
    pointers = Pointers(image)
    start = _structure(image, pointers)
    version, kind = struct.unpack(f"{image.order}II", pointers.read(start, 8, "modinfo"))
    at_name, at_required = 8 + pointers.size, 8 + 2 * pointers.size
    texts = pointers.follow(start, (at_name, at_required), "modinfo")
    name, required = texts[at_name], texts[at_required]
    if name is None:
        raise MalformedModule("has no name", path=image.source.path, field="mi_name")
    return Modinfo(
        mi_version=version,
        mi_class=kind,
        mi_name=pointers.string(name, "mi_name"),
        mi_required=None if required is None else pointers.string(required, "mi_required"),
    )


def _structure(image: ElfImage, pointers: Pointers) -> Place:
    """Where the link set leads; the kernel takes a set of exactly one (kern_module.c)."""
    section = image.section(LINK_SET)
    field = LINK_SET.decode("ascii")
    if section is None or section.size != pointers.size:
        size = 0 if section is None else section.size
        raise MalformedModule(
            f"has {size} bytes instead of one pointer", path=image.source.path, field=field
        )
    target = pointers.follow(Place(image.sections.index(section), 0), (0,), field)[0]
    if target is None:
        raise MalformedModule("has a null pointer", path=image.source.path, field=field)
    return target


def required(text: str | None) -> tuple[str, ...]:
    """The names in mi_required as the kernel reads them: one comma may lead, an empty name ends."""
    names: list[str] = []
    for name in (text or "").removeprefix(",").split(","):
        if not name:
            break
        names.append(name)
    return tuple(names)


def netbsd_version(version: int) -> NetbsdVersion:
    """``__NetBSD_Version__`` (MMmmrrpp00, sys/sys/param.h) as the release uname(1) shows.

    The rr digits are zero since 3.0, so that the patch level may run into them.
    """
    major, minor, patch = version // 100000000, version // 1000000 % 100, version // 100 % 10000
    return NetbsdVersion(version, f"{major}.{minor}" + (f".{patch}" if patch else ""))
