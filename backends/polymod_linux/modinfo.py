"""The strings of ``.modinfo``, and the record they make (linux include/linux/module.h).

A section holds NUL-terminated ``key=value`` strings in build order; keys may
repeat. The same strings, each with the module's name before it, stand in
modules.builtin.modinfo for code that is part of the kernel.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING

from polymod.model.files import BuiltFor, Dependency, DependencyKind, Parameter

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


class Info(dict[str, list[str]]):
    """Every key with its values, both in the order of the section.

    `declarations` are its ``parm`` and ``parmtype`` strings as they stand, for
    the order of parameters hangs on both keys together.
    """

    __slots__ = ("declarations",)

    def __init__(self) -> None:
        super().__init__()
        self.declarations: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class KernelVersion(BuiltFor):
    """``vermagic`` as it stands (its blank at the end too), its release, its other words."""

    vermagic: str
    release: str
    flags: tuple[str, ...]


def parse(section: bytes) -> Info:
    """The keys and values of a ``.modinfo`` section; bytes outside UTF-8 are kept (PEP 383).

    A string without ``=`` is a key with an empty value, as kmod reads it.
    """
    info = Info()
    strings = section.decode("utf-8", "surrogateescape").split("\0")
    for text in strings:
        if text:
            key, _, value = text.partition("=")
            if key in info:
                info[key].append(value)
            else:
                info[key] = [value]
    if "parm" in info or "parmtype" in info:
        info.declarations = tuple(s for s in strings if s.startswith(("parm=", "parmtype=")))
    return info


def first(info: Mapping[str, list[str]], key: str) -> str | None:
    """The first value of a key, None where the module has none."""
    values = info.get(key)
    return values[0] if values else None


def kernel_version(info: Mapping[str, list[str]]) -> KernelVersion | None:
    """What ``vermagic`` says (linux include/linux/vermagic.h), None without one."""
    vermagic = first(info, "vermagic")
    if vermagic is None:
        return None
    found = _versions.get(vermagic)
    if found is None:
        release, *flags = vermagic.split() or [""]
        found = KernelVersion(vermagic, release, tuple(flags))
        if len(_versions) < 1024 and len(vermagic) <= 1024:
            _versions[vermagic] = found
    return found


_versions: dict[str, KernelVersion] = {}


def dependencies(info: Mapping[str, list[str]]) -> tuple[Dependency, ...]:
    """``depends``, then ``softdep`` and ``weakdep``, each in the order of the file."""
    key = tuple((name, *info[name]) for name in ("depends", "softdep", "weakdep") if name in info)
    found = _dependencies.get(key)
    if found is None:
        found = tuple(_each_dependency(info))
        if len(_dependencies) < 4096 and sum(map(len, chain(*key))) <= 1024:
            _dependencies[key] = found
    return found


#: Whole families of drivers need the same few modules; the records share what says so.
_dependencies: dict[tuple[tuple[str, ...], ...], tuple[Dependency, ...]] = {}


def _each_dependency(info: Mapping[str, list[str]]) -> Iterable[Dependency]:
    for value in info.get("depends", ()):
        for name in value.split(","):
            if name:
                yield Dependency(name, DependencyKind.MODULE)
    for value in info.get("softdep", ()):
        yield from soft_dependencies(value)
    for value in info.get("weakdep", ()):
        for name in value.split():
            yield Dependency(name, DependencyKind.WEAK)


def soft_dependencies(text: str) -> Iterable[Dependency]:
    """The modules of ``pre: a b post: c``; words before either mark mean nothing.

    See modprobe.d(5) and kmod libkmod/libkmod-config.c.
    """
    kind: DependencyKind | None = None
    for word in text.split():
        if word == "pre:":
            kind = DependencyKind.SOFT_PRE
        elif word == "post:":
            kind = DependencyKind.SOFT_POST
        elif kind is not None:
            yield Dependency(word, kind)


def parameters(info: Info) -> tuple[Parameter, ...]:
    """``parm`` and ``parmtype`` paired by name, in the order that modinfo prints.

    That is the reverse of their first mention in the section, and so the order
    of the source: compilers emit the strings backwards. Of several types or
    texts for one parameter the last counts; a string without a colon declares
    nothing (kmod tools/modinfo.c).
    """
    found: dict[str, list[str | None]] = {}
    for text in info.declarations:
        key, _, value = text.partition("=")
        name, colon, rest = value.partition(":")
        if colon:
            found.setdefault(name, [None, None])[key == "parm"] = rest
    return tuple(Parameter(name, *found[name]) for name in reversed(found))
