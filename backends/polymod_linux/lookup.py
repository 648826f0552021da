"""From a name or an alias to the modules that stand behind it, as modprobe looks them up.

The first source with an answer ends the search (kmod libkmod/libkmod-module.c,
kmod_module_new_from_lookup): alias lines of the configuration, modules.dep,
modules.symbols, install and remove lines, modules.alias, modules.builtin,
modules.builtin.alias. What an alias leads to is not looked up again: an alias
of an alias leads nowhere.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from polymod_linux.matching import normalize_alias

if TYPE_CHECKING:
    from collections.abc import Iterable

    from polymod.model.base import Origin
    from polymod_linux.config import Config
    from polymod_linux.index import AliasHit, ModuleIndex


class Found(NamedTuple):
    """A module that a name or alias stands for, and where that is written.

    `alias` is None for a module found by its own name; else the alias by which
    options may be given: the pattern of a configuration line, or the text
    looked up. `pattern` is what matched. `command` is the install command when
    nothing but an install line knows the name.
    """

    name: str
    alias: str | None
    pattern: str | None
    source: str
    origin: Origin | None = None
    command: str | None = None


class KnownModules:
    """An index together with what it says of every module, asked for once."""

    def __init__(self, index: ModuleIndex) -> None:
        self.index = index
        self.paths = index.paths()
        self.builtins = index.builtins()


CONFIGURATION = "modprobe.d"
_SYMBOLS = "modules.symbols"


def lookup(text: str, config: Config, known: KnownModules) -> tuple[Found, ...]:
    """All modules that modprobe would take `text` for, in its order, repeats kept.

    () where there are none, also for a text whose brackets do not pair.
    """
    alias = normalize_alias(text)
    if alias is None:
        return ()
    lines = config.aliases(alias)
    if lines:
        return tuple(
            Found(line.module, line.pattern, line.pattern, CONFIGURATION, line.origin)
            for line in lines
        )
    if alias in known.paths:
        return (Found(alias, None, None, "modules.dep"),)
    hits = known.index.aliases(alias)
    if alias.startswith("symbol:"):
        symbols = [hit for hit in hits if hit.source.startswith(_SYMBOLS)]
        if symbols:
            return _aliases(alias, symbols)
    return (
        _command(alias, config)
        or _aliases(alias, (hit for hit in hits if not hit.source.startswith(_SYMBOLS)))
        or _builtin(alias, known)
    )


def _command(name: str, config: Config) -> tuple[Found, ...]:
    line = config.command_called(name)
    if line is None:
        return ()
    command = None if line.removes else line.command
    module = line.module.partition(".")[0]
    return (Found(module, None, None, CONFIGURATION, line.origin, command),)


def _builtin(alias: str, known: KnownModules) -> tuple[Found, ...]:
    if alias in known.builtins:
        return (Found(alias, None, None, "modules.builtin"),)
    return _aliases(alias, known.index.builtin_aliases(alias))


def _aliases(alias: str, hits: Iterable[AliasHit]) -> tuple[Found, ...]:
    return tuple(Found(hit.module, alias, hit.pattern, hit.source) for hit in hits)
