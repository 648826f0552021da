"""Modules that are part of the kernel image, as modules.builtin and its ``.modinfo`` tell of them.

modules.builtin.modinfo (kernel 5.2 and later) holds NUL-terminated strings
``module.key=value``, else as in a module's ``.modinfo`` (kbuild
Documentation/kbuild/kbuild.rst, kmod libkmod/libkmod-builtin.c).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from polymod.errors import ModuleNotFound
from polymod.hosts.base import join
from polymod.model.base import Gap, Why
from polymod.model.files import ModuleFile, Provided
from polymod_linux import modinfo
from polymod_linux.names import canonical

if TYPE_CHECKING:
    from polymod.hosts.base import Host

FILE = "modules.builtin.modinfo"

_BUILT_IN = Gap(Why.NOT_APPLICABLE, "built into the kernel")
_NO_UUID = Gap(Why.NOT_APPLICABLE, "Linux modules have a build id instead")

#: What only a file of its own could have.
_WITHOUT_FILE = {
    "path": _BUILT_IN,
    "size": _BUILT_IN,
    "compression": _BUILT_IN,
    "format": _BUILT_IN,
    "architectures": Gap(Why.NOT_REPORTED, f"{FILE} does not name the machine"),
    "built_for": _BUILT_IN,
    "signatures": Gap(Why.NOT_APPLICABLE, "built into the kernel, and signed with it if at all"),
    "build_id": _BUILT_IN,
    "source_version": _BUILT_IN,
    "uuid": _NO_UUID,
    "imports": _BUILT_IN,
    "exports": _BUILT_IN,
    "hashes": _BUILT_IN,
}


def read_modinfo(host: Host, directory: str) -> dict[str, modinfo.Info] | None:
    """Canonical module name to its keys and values, None where the kernel came without them.

    Raises PermissionRefused and UnreadableFile.
    """
    try:
        data = host.read(join(directory, FILE))
    except ModuleNotFound:
        return None
    return parse(data)


def parse(data: bytes) -> dict[str, modinfo.Info]:
    """The same from the bytes of the file; never raises. Strings without a dot are passed over."""
    strings: dict[bytes, list[bytes]] = {}
    for text in data.split(b"\0"):
        module, dot, rest = text.partition(b".")
        if dot and b"=" not in module:
            strings.setdefault(module, []).append(rest)
    return {
        canonical(module.decode("utf-8", "surrogateescape")): modinfo.parse(b"\0".join(own))
        for module, own in strings.items()
    }


def record(name: str, info: modinfo.Info | None) -> ModuleFile:
    """The record of the built-in module `name`; `info` is None where nothing is said of it."""
    said = modinfo.Info() if info is None else info
    first = modinfo.first
    version = first(said, "version")
    texts = {
        "version": version,
        "description": first(said, "description"),
        "license": first(said, "license"),
    }
    detail = f"not in {FILE}" if info is None else f"{FILE} has none for it"
    gaps = {
        **{field: Gap(Why.NOT_REPORTED, detail) for field, text in texts.items() if text is None},
        **_WITHOUT_FILE,
    }
    return ModuleFile(
        backend="linux",
        path=None,
        size=None,
        format=None,
        name=name,
        version=version,
        description=texts["description"],
        license=texts["license"],
        authors=tuple(said.get("author", ())),
        aliases=tuple(said.get("alias", ())),
        firmware=tuple(said.get("firmware", ())),
        provides=(Provided(name, version),),
        dependencies=modinfo.dependencies(said),
        parameters=modinfo.parameters(said),
        signatures=None,
        native=said,
        gaps=gaps,
    )
