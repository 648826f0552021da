r"""The lines of modprobe.d(5), read as kmod reads them (kmod libkmod/libkmod-config.c).

What the manual page does not say, and matters: a backslash before any
character but a line end is dropped and the character kept (``\;`` is ``;``,
``\\`` is one backslash), also a comment goes on where its line ends in a
backslash, ``#`` starts a comment only as the very first character, a NUL ends
the line, a carriage return is a character like others, and what follows the
module's name is kept with its blanks.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from polymod.model.base import Origin
from polymod_linux.matching import normalize_alias

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from polymod.errors import PolymodError

_BLANK = b"\t "


class Alias(NamedTuple):
    """``alias PATTERN MODULE``; every line that matches applies."""

    pattern: str
    module: str
    origin: Origin


class Blacklist(NamedTuple):
    """``blacklist MODULE``: not to be loaded when reached through an alias."""

    module: str
    origin: Origin


class Options(NamedTuple):
    """``options MODULE TEXT``; `module` may also be an alias; all lines add up."""

    module: str
    text: str
    origin: Origin


class Command(NamedTuple):
    """``install MODULE COMMAND`` or ``remove MODULE COMMAND``; the first that matches counts.

    `module` is a pattern when a module is about to be loaded, and a plain name
    when one is looked for.
    """

    module: str
    command: str
    origin: Origin
    removes: bool = False


class Softdep(NamedTuple):
    """``softdep MODULE pre: A B post: C``; only the first line that matches counts."""

    module: str
    pre: tuple[str, ...]
    post: tuple[str, ...]
    origin: Origin


class Weakdep(NamedTuple):
    """``weakdep MODULE A B``: what a boot image should hold too; nothing is loaded for it."""

    module: str
    weak: tuple[str, ...]
    origin: Origin


class Problem(NamedTuple):
    """A line, or a file, that does not say what its author meant, and why.

    `error` is set for a file that could not be read at all.
    """

    origin: Origin
    message: str
    error: PolymodError | None = None


Entry = Alias | Blacklist | Options | Command | Softdep | Weakdep


def parse(data: bytes, path: str) -> tuple[list[Entry], list[Problem]]:
    """The commands of one file in order, and what is wrong with the rest; never raises.

    `path` is for the origins; a command's line is the one it begins on.
    """
    entries: list[Entry] = []
    problems: list[Problem] = []
    for number, line in logical_lines(data):
        if not line or line[:1] == b"#":
            continue
        origin = Origin(path, number)
        if b"\0" in line:
            line = line.partition(b"\0")[0]
            problems.append(Problem(origin, "what follows the NUL on this line is ignored"))
        word, rest = _word(line)
        if not word:
            continue
        reader = _COMMANDS.get(word)
        entry = reader(rest, origin, problems) if reader else _unknown(word)
        if isinstance(entry, str):
            problems.append(Problem(origin, entry))
        else:
            if line[-1:] == b"\r":
                problems.append(
                    Problem(origin, "the carriage return at its end is taken as part of the line")
                )
            entries.append(entry)
    return entries, problems


def logical_lines(data: bytes) -> Iterator[tuple[int, bytes]]:
    """The lines after joining and unescaping, each with the number of its first one."""
    if b"\\" not in data:
        yield from enumerate(data.split(b"\n"), 1)
        return
    first, parts = 1, list[bytes]()
    for number, piece in enumerate(data.split(b"\n"), 1):
        slashes = len(piece) - len(piece.rstrip(b"\\"))
        if slashes % 2:
            parts.append(_unescaped(piece[:-1]))
            continue
        parts.append(_unescaped(piece))
        yield first, b"".join(parts)
        first, parts = number + 1, []
    if parts:
        yield first, b"".join(parts)


def _unescaped(piece: bytes) -> bytes:
    if b"\\" not in piece:
        return piece
    first, *others = piece.split(b"\\\\")
    return b"\\".join([first.replace(b"\\", b""), *(part.replace(b"\\", b"") for part in others)])


def _word(text: bytes) -> tuple[bytes, bytes]:
    """The first word, and all that stands behind the one blank after it (strtok_r(3))."""
    text = text.lstrip(_BLANK)
    blank, tab = text.find(b" "), text.find(b"\t")
    if blank < 0 or 0 <= tab < blank:
        blank = tab
    return (text, b"") if blank < 0 else (text[:blank], text[blank + 1 :])


def _text(data: bytes) -> str:
    return data.decode("utf-8", "surrogateescape")


def _module(rest: bytes, command: str) -> tuple[str | None, bytes, str]:
    """The normal form of the name that a command is about, the rest, and else the complaint."""
    word, rest = _word(rest)
    if not word:
        return None, b"", f"{command}: no module is named"
    name = normalize_alias(_text(word))
    return name, rest, f"{command}: the brackets of {_text(word)} do not pair"


def _alias(rest: bytes, origin: Origin, _: list[Problem]) -> Entry | str:
    pattern, rest, complaint = _module(rest, "alias")
    if pattern is None:
        return complaint
    module, _rest, complaint = _module(rest, "alias")
    return complaint if module is None else Alias(pattern, module, origin)


def _blacklist(rest: bytes, origin: Origin, _: list[Problem]) -> Entry | str:
    module, rest, complaint = _module(rest, "blacklist")
    return complaint if module is None else Blacklist(module, origin)


def _options(rest: bytes, origin: Origin, _: list[Problem]) -> Entry | str:
    module, rest, complaint = _module(rest, "options")
    if module is None:
        return complaint
    if not rest:
        return "options: none are given"
    return Options(module, _text(rest.replace(b"\t", b" ")), origin)


def _command(rest: bytes, origin: Origin, removes: bool) -> Entry | str:
    word = "remove" if removes else "install"
    module, rest, complaint = _module(rest, word)
    if module is None:
        return complaint
    return Command(module, _text(rest), origin, removes) if rest else f"{word}: no command is given"


def _install(rest: bytes, origin: Origin, _: list[Problem]) -> Entry | str:
    return _command(rest, origin, removes=False)


def _remove(rest: bytes, origin: Origin, _: list[Problem]) -> Entry | str:
    return _command(rest, origin, removes=True)


def _softdep(rest: bytes, origin: Origin, problems: list[Problem]) -> Entry | str:
    module, rest, complaint = _module(rest, "softdep")
    if module is None:
        return complaint
    if not rest:
        return "softdep: no modules are given"
    words = _words(rest)
    lists: dict[bytes, list[str]] = {b"pre:": [], b"post:": []}
    current: list[str] | None = None
    idle: list[str] = []
    for word in words:
        if word in lists:
            current = lists[word]
        elif current is not None:
            current.append(_text(word))
        else:
            idle.append(_text(word).strip())
    if idle:
        problems.append(Problem(origin, _idle(idle)))
    return Softdep(module, tuple(lists[b"pre:"]), tuple(lists[b"post:"]), origin)


def _idle(words: list[str]) -> str:
    """The complaint about words that no ``pre:`` or ``post:`` precedes."""
    if words[0] in ("pre:", "post:"):
        return f"softdep: kmod overlooks {words[0]} where two blanks, not one, stand before it"
    return f"softdep: without pre: or post: before it, this does nothing: {' '.join(words)}"


def _weakdep(rest: bytes, origin: Origin, _: list[Problem]) -> Entry | str:
    module, rest, complaint = _module(rest, "weakdep")
    if module is None:
        return complaint
    if not rest:
        return "weakdep: no modules are given"
    return Weakdep(module, tuple(map(_text, _words(rest))), origin)


def _words(text: bytes) -> list[bytes]:
    """The words of a dependency list as kmod cuts them.

    One blank (not two) at the beginning stays in the first word: its loop only
    moves the word's start at the second blank of a run.
    """
    words = text.split()
    if words and text[:1].isspace() and not text[1:2].isspace():
        words[0] = text[:1] + words[0]
    return words


def _unknown(word: bytes) -> str:
    if word in (b"include", b"config"):
        return f"{_text(word)}: no longer a command of modprobe.d"
    if word[:1] == b"#":
        return "a comment must begin with the first character of its line"
    return f"{_text(word[:64])}: not a command of modprobe.d"


_COMMANDS: dict[bytes, Callable[[bytes, Origin, list[Problem]], Entry | str]] = {
    b"alias": _alias,
    b"blacklist": _blacklist,
    b"options": _options,
    b"install": _install,
    b"remove": _remove,
    b"softdep": _softdep,
    b"weakdep": _weakdep,
}
