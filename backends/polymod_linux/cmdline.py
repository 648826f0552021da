"""What the kernel command line says about modules.

Two readers differ. modprobe takes every ``module.param=value`` as an options
line, and ``modprobe.blacklist=a,b`` as blacklist lines (kmod
libkmod/libkmod-config.c). The kernel itself refuses the modules of
``module_blacklist=a,b``, however they are loaded (linux kernel/module/main.c).
Both compare module names as they stand: one written with ``-`` blocks nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from polymod.model.base import Origin
from polymod_linux.matching import normalize_alias
from polymod_linux.modprobe_d import Blacklist, Options, Problem

if TYPE_CHECKING:
    from collections.abc import Iterator

PATH = "/proc/cmdline"

#: Bytes of the command line that kmod reads (its buffer has one more, for the NUL).
READ_BYTES = 4095

#: No architecture's COMMAND_LINE_SIZE is larger.
KERNEL_BYTES = 65536

_BLANK = " \n\t\v\f\r"


class CommandLine(NamedTuple):
    """`entries` are as if from modprobe.d, `refused` what the kernel will not load at all."""

    entries: tuple[Blacklist | Options, ...]
    refused: tuple[str, ...]
    problems: tuple[Problem, ...]


class _Word(NamedTuple):
    module: str
    parameter: str
    value: str | None

    @property
    def text(self) -> str:
        """The parameter as an options line has it; kmod turns tabs into blanks."""
        text = self.parameter if self.value is None else f"{self.parameter}={self.value}"
        return text.replace("\t", " ")


def parse(data: bytes, path: str = PATH) -> CommandLine:
    """What a command line says; never raises."""
    origin = Origin(path)
    entries: list[Blacklist | Options] = []
    problems: list[Problem] = []
    for word in _words(data[:READ_BYTES].partition(b"\0")[0].decode("utf-8", "surrogateescape")):
        if word.module == "modprobe" and word.parameter == "blacklist" and word.value is not None:
            names = word.value.split(",")
            entries += [Blacklist(name, origin) for name in names]
            problems += _dashed("modprobe.blacklist", names, origin)
            continue
        module = normalize_alias(word.module)
        if module is None:
            problems.append(Problem(origin, f"the brackets of {word.module} do not pair"))
        else:
            entries.append(Options(module, word.text, origin))
    refused = _refused(data[:KERNEL_BYTES].decode("utf-8", "surrogateescape"))
    problems += _dashed("module_blacklist", refused, origin)
    return CommandLine(tuple(entries), tuple(refused), tuple(problems))


def _dashed(parameter: str, names: list[str], origin: Origin) -> Iterator[Problem]:
    for name in names:
        if "-" in name:
            right = name.replace("-", "_")
            yield Problem(origin, f"{parameter}: {name} blocks nothing, it must read {right}")


def _words(text: str) -> Iterator[_Word]:
    """The words of the form ``module.parameter[=value]``, as kmod cuts them.

    A quote may open the whole word, or stand inside the value; then blanks do
    not end it. Everything else is passed over, and a quote never closed takes
    the rest with it.
    """
    for word, closed in _cut(text):
        found = _split(word) if closed else None
        if found is not None:
            yield found


def _cut(text: str) -> Iterator[tuple[str, bool]]:
    """The pieces between blanks outside quotes, and whether their quotes are closed."""
    start, quoted = 0, False
    for at, character in enumerate(text):
        if character == '"':
            quoted = not quoted
        elif character in _BLANK and not quoted:
            if at > start:
                yield text[start:at], True
            start = at + 1
    if start < len(text):
        yield text[start:], not quoted


def _split(word: str) -> _Word | None:
    opened = word[0] == '"'
    name, equals, value = word.removeprefix('"').partition("=")
    module, dot, parameter = name.partition(".")
    if not dot or "." in parameter or any(mark in name for mark in _BLANK + '"'):
        return None
    if not equals:
        return None if opened else _Word(module, parameter, None)
    return _Word(module, parameter, f'"{value}' if opened else value)


def _refused(text: str) -> list[str]:
    """The names of the last ``module_blacklist=`` before ``--`` (linux lib/cmdline.c next_arg)."""
    found: list[str] = []
    for word, _ in _cut(text):
        if word == "--":
            break
        name, equals, value = word.removeprefix('"').partition("=")
        if equals and name.replace("-", "_") == "module_blacklist":
            found = [part for part in value.strip('"\n').split(",") if part]
    return found
