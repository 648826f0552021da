"""The configuration of module indexing: depmod.d(5), as kmod's tools/depmod.c reads it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from polymod.errors import MalformedModule, ModuleNotFound, PolymodError, UnreadableFile
from polymod.hosts.base import DIRECTORY, FILE, join

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from polymod.hosts.base import Host

#: Where configuration is looked for, the highest first (the fourth since kmod 32).
DIRECTORIES = (
    "/etc/depmod.d",
    "/run/depmod.d",
    "/usr/local/lib/depmod.d",
    "/usr/lib/depmod.d",
    "/lib/depmod.d",
)

#: The words of a ``search`` line that are no directory.
BUILT_IN, EXTERNAL = "built-in", "external"


@dataclass(frozen=True, slots=True, kw_only=True)
class DepmodConfig:
    """What the lines say that hold for one kernel, each kind in the order of the lines.

    `searches` are directory names relative to the module directory, or the
    words ``built-in`` and ``external``; the first is the best. `overrides` are
    ``directory/module`` without suffix. `externals` are absolute directories.
    `excludes` are names of files and directories that are passed over.
    `files` are the paths read, `problems` what in them is no sound line.
    """

    searches: tuple[str, ...] = ("updates",)
    overrides: tuple[str, ...] = ()
    externals: tuple[str, ...] = ()
    excludes: frozenset[str] = frozenset()
    files: tuple[str, ...] = ()
    problems: tuple[PolymodError, ...] = ()


def read_config(host: Host, release: str, directories: Sequence[str] = DIRECTORIES) -> DepmodConfig:
    """The configuration of `host` for the kernel `release`.

    A file hides those of the same name in lower directories; the rest is read
    in byte order of the names. An entry of `directories` may be a file.
    """
    reader = _Reader(release)
    files = _files(host, directories, reader.problems)
    for path, content in host.read_many(files).items():
        if isinstance(content, PolymodError):
            reader.problems.append(content)
        else:
            reader.read(path, content)
    return DepmodConfig(
        searches=tuple(reader.searches) or ("updates",),
        overrides=tuple(reader.overrides),
        externals=tuple(reader.externals),
        excludes=frozenset(reader.excludes),
        files=tuple(files),
        problems=tuple(reader.problems),
    )


def _files(host: Host, directories: Sequence[str], problems: list[PolymodError]) -> list[str]:
    """The paths to read, in order of reading."""
    found: dict[str, str] = {}
    for directory in directories:
        try:
            for name, path in _in_directory(host, directory, problems):
                found.setdefault(name, path)
        except ModuleNotFound:
            continue
        except PolymodError as error:
            problems.append(error)
    names = sorted(found, key=lambda name: name.encode("utf-8", "surrogateescape"))
    return [found[name] for name in names]


def _in_directory(
    host: Host, directory: str, problems: list[PolymodError]
) -> Iterator[tuple[str, str]]:
    stat = host.stat(directory)
    if stat is None:
        return
    if stat.type == FILE:
        yield directory.rpartition("/")[2], directory
        return
    for entry in host.list(directory):
        if entry.name.startswith(".") or len(entry.name) < 6 or not entry.name.endswith(".conf"):
            continue
        target = host.stat(entry.path)
        if target is not None and target.type == DIRECTORY:
            problems.append(
                UnreadableFile(
                    f"{entry.path}: is a directory, depmod reads files only",
                    path=entry.path,
                    remedy="rename or remove it",
                )
            )
        elif target is not None:
            yield entry.name, join(directory, entry.name)


class _Reader:
    """Collects what the lines of all files say for one release."""

    def __init__(self, release: str) -> None:
        self._release = release
        self.searches: list[str] = []
        self.overrides: list[str] = []
        self.externals: list[str] = []
        self.excludes: list[str] = []
        self.problems: list[PolymodError] = []

    def read(self, path: str, content: bytes) -> None:
        """Take in one file."""
        for number, line in _lines(content.decode("utf-8", "surrogateescape")):
            if line.startswith("#"):
                continue
            words = [word for word in line.replace("\t", " ").split(" ") if word]
            if words and not self._take(words, f"{path}:{number}"):
                self.problems.append(
                    MalformedModule(
                        f"{path}:{number}: not a line of depmod.d(5): {line.strip()[:120]!r}",
                        path=path,
                        field=words[0][:40],
                        remedy="correct or remove the line; depmod ignores it",
                    )
                )

    def _take(self, words: list[str], where: str) -> bool:
        """Whether the line could be made use of."""
        command, *arguments = words
        if command == "search":
            self.searches += arguments
        elif command == "exclude":
            self.excludes += arguments
        elif command == "override" and len(arguments) >= 3:
            if self._is_meant(arguments[1], where):
                self.overrides.append(f"{arguments[2]}/{arguments[0]}")
        elif command == "external" and len(arguments) >= 2:
            if self._is_meant(arguments[0], where):
                self.externals.append(arguments[1])
        else:  # the other two are known, and did nothing since module-init-tools
            return command in ("make_map_files", "include")
        return True

    def _is_meant(self, pattern: str, where: str) -> bool:
        """Whether `pattern`, ``*`` or an extended regular expression, is found in the release."""
        if pattern == "*":
            return True
        try:
            return _found_in(pattern, self._release)
        except ValueError as error:
            self.problems.append(
                MalformedModule(
                    f"{where}: {pattern[:120]!r}: {error}",
                    path=where.rpartition(":")[0],
                    field="kernelversion",
                    remedy="use * or a plainer regular expression; until then the line is ignored",
                )
            )
            return False


def _lines(text: str) -> Iterator[tuple[int, str]]:
    """The lines, joined where a backslash ends one, with the number of their last part.

    Any other backslash is dropped, as kmod does it (freadline_wrapped).
    """
    joined = ""
    for number, line in enumerate(text.split("\n"), 1):
        pieces = line.split("\\")
        # Each backslash takes the next character as it is, be it another one.
        kept, at = pieces[0], 1
        while at < len(pieces):
            if not pieces[at] and at + 1 < len(pieces):
                kept += "\\" + pieces[at + 1]
                at += 2
            else:
                kept += pieces[at]
                at += 1
        goes_on = (len(line) - len(line.rstrip("\\"))) % 2 == 1
        joined += kept
        if not goes_on:
            yield number, joined.partition("\0")[0]
            joined = ""
    if joined:
        yield text.count("\n") + 1, joined.partition("\0")[0]


#: Repetitions in one expression: each may multiply the time a match takes.
_REPETITIONS = 3
_PATTERN_BYTES = 256
_ALTERNATIVES = 8


def _found_in(pattern: str, release: str) -> bool:
    """Whether a POSIX extended regular expression matches a part of `release`.

    Raises ValueError for what is no such expression, or could take too long.
    """
    import re

    if len(pattern) > _PATTERN_BYTES:
        raise ValueError(f"longer than {_PATTERN_BYTES} bytes")
    if (
        "(?" in pattern
        or re.search(r"[*+?}][*+?{]", pattern)
        or re.search(r"\\[0-9A-Za-z]", pattern)
    ):
        raise ValueError("not a POSIX extended regular expression")
    if (
        re.search(r"\)[*+{]", pattern)
        or len(re.findall(r"[*+?{]", pattern)) > _REPETITIONS
        or pattern.count("|") > _ALTERNATIVES
    ):
        raise ValueError("too many repetitions")
    try:
        return re.search(_translated(pattern), release) is not None
    except (re.error, OverflowError, RecursionError) as error:
        raise ValueError(str(error)) from error


_CLASSES = {
    "alnum": "0-9A-Za-z",
    "alpha": "A-Za-z",
    "digit": "0-9",
    "lower": "a-z",
    "upper": "A-Z",
    "xdigit": "0-9A-Fa-f",
}


def _translated(pattern: str) -> str:
    """`pattern` for Python: bracket expressions are where the two languages differ."""
    done = ""
    rest = pattern
    while True:
        plain, bracket, rest = rest.partition("[")
        done += plain
        if not bracket:
            return done
        if (len(plain) - len(plain.rstrip("\\"))) % 2:
            done += "["
            continue
        negation = "^" if rest.startswith("^") else ""
        inside, rest = _bracket(rest[len(negation) :])
        done += f"[{negation}{inside}]"


def _bracket(text: str) -> tuple[str, str]:
    """The inside of a bracket expression for Python, and what stands behind it."""
    inside, at = "", 0
    while at < len(text) and (text[at] != "]" or at == 0):
        name, closing, _ = text[at + 2 :].partition(":]")
        if text.startswith("[:", at) and closing:
            if name not in _CLASSES:
                raise ValueError(f"unknown character class {name!r}")
            inside += _CLASSES[name]
            at += len(name) + 4
        else:
            inside += f"\\{text[at]}" if text[at] in "\\[]&~|^" else text[at]
            at += 1
    if at >= len(text):
        raise ValueError("a bracket is not closed")
    return inside, text[at + 1 :]
