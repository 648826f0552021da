"""The whole configuration of modprobe: which files count, in which order, and what they add up to.

Directories and precedence: modprobe.d(5) and kmod libkmod/libkmod-config.c,
release 33 and later. Older releases do not look into /usr/lib/modprobe.d where
that is not /lib/modprobe.d, and take ``*.alias`` files too.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Generic, TypeVar

from polymod.errors import ModuleNotFound, PolymodError
from polymod.hosts.base import DIRECTORY, FILE, LINK, OTHER
from polymod.model.base import Origin
from polymod_linux import cmdline, modprobe_d
from polymod_linux.matching import PatternSet
from polymod_linux.modprobe_d import (
    Alias,
    Blacklist,
    Command,
    Options,
    Problem,
    Softdep,
    Weakdep,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from polymod.hosts.base import Entry as DirectoryEntry
    from polymod.hosts.base import Host
    from polymod_linux.modprobe_d import Entry

E = TypeVar("E", Alias, Blacklist, Command, Options, Softdep, Weakdep)

#: From the highest precedence down: a file hides those of its name further down.
DIRECTORIES = (
    "/etc/modprobe.d",
    "/run/modprobe.d",
    "/usr/local/lib/modprobe.d",
    "/usr/lib/modprobe.d",
    "/lib/modprobe.d",
)


T = TypeVar("T", Alias, Command, Softdep, Weakdep)


class _Rules(Generic[T]):
    """Lines of one command in order, found by the pattern that each begins with."""

    def __init__(self, entries: Iterable[T]) -> None:
        self._entries: list[T] = list(entries)
        self._patterns = PatternSet(entry[0] for entry in self._entries)

    def all(self, name: str) -> list[T]:
        return [self._entries[number] for number in self._patterns.all(name)]

    def first(self, name: str) -> T | None:
        number = self._patterns.first(name)
        return None if number is None else self._entries[number]


class Config:
    """What all the files and the kernel command line say together. Names are canonical.

    `problems` are the lines that kmod skips, `refused` the modules that the
    kernel itself was told never to load (``module_blacklist=``), and `files`
    what was read, in order.
    """

    def __init__(
        self,
        entries: Iterable[Entry] = (),
        problems: Iterable[Problem] = (),
        *,
        refused: Iterable[str] = (),
        files: Iterable[str] = (),
    ) -> None:
        self.entries = tuple(entries)
        self.problems = tuple(problems)
        self.refused = frozenset(refused)
        self.files = tuple(files)
        of = self._of_type
        self._options = of(Options)
        self._texts: dict[str, list[str]] = {}
        for entry in self._options:
            self._texts.setdefault(entry.module, []).append(entry.text)
        self._blacklist = {entry.module: entry for entry in reversed(of(Blacklist))}
        commands = sorted(of(Command), key=lambda command: command.removes)
        self._called = {command.module: command for command in reversed(commands)}
        self._installs = _Rules(command for command in commands if not command.removes)
        self._removes = _Rules(command for command in commands if command.removes)
        self._aliases, self._softdeps = _Rules(of(Alias)), _Rules(of(Softdep))
        self._weakdeps = _Rules(of(Weakdep))

    def _of_type(self, kind: type[E]) -> list[E]:
        return [entry for entry in self.entries if isinstance(entry, kind)]

    def aliases(self, alias: str) -> list[Alias]:
        """The alias lines whose pattern matches, in order."""
        return self._aliases.all(alias)

    def install(self, module: str) -> Command | None:
        """The first install line whose pattern matches a module that is to be loaded."""
        return self._installs.first(module)

    def remove(self, module: str) -> Command | None:
        """The first remove line whose pattern matches a module that is to be removed."""
        return self._removes.first(module)

    def command_called(self, name: str) -> Command | None:
        """The first install line, else remove line, for exactly this name."""
        return self._called.get(name)

    def softdep(self, module: str) -> Softdep | None:
        """The one softdep line that counts for a module."""
        return self._softdeps.first(module)

    def weakdep(self, module: str) -> Weakdep | None:
        """The one weakdep line that counts for a module."""
        return self._weakdeps.first(module)

    def options(self, module: str, alias: str | None = None) -> str:
        """All parameters configured for a module, or for the alias that led to it."""
        if alias is None or alias not in self._texts:
            return " ".join(self._texts.get(module, ()))
        return " ".join(entry.text for entry in self._options if entry.module in (module, alias))

    def blacklisted(self, module: str) -> Blacklist | None:
        """The first blacklist line for a module."""
        return self._blacklist.get(module)


def read_config(
    host: Host,
    tree: Mapping[str, tuple[str, bytes]],
    paths: Sequence[str] = DIRECTORIES,
) -> Config:
    """The configuration in force on `host`.

    `tree` maps the file names modules.softdep and modules.weakdep of the kernel's
    own directory to their path and content; they take their place among the
    others by name. `paths` are directories or single files, highest first, as
    for ``modprobe -C``. Files that cannot be read are problems, not errors.
    """
    problems: list[Problem] = []
    chosen = {name: (path, True) for name, (path, _) in tree.items()}
    for path in paths:
        for name, found, holds_text in _files(host, path, problems):
            chosen.setdefault(name, (found, holds_text))
    order = sorted(chosen.items(), key=lambda item: item[0].encode("utf-8", "surrogateescape"))
    contents = host.read_many(
        path for name, (path, holds_text) in order if holds_text and name not in tree
    )
    entries: list[Entry] = []
    for name, (path, _) in order:
        data = tree[name][1] if name in tree else contents.get(path, b"")
        if isinstance(data, PolymodError):
            problems.append(Problem(Origin(path), data.message, data))
            continue
        new_entries, new_problems = modprobe_d.parse(data, path)
        entries += new_entries
        problems += new_problems
    line = _command_line(host, problems)
    return Config(
        [*entries, *line.entries],
        [*problems, *line.problems],
        refused=line.refused,
        files=[path for _, (path, _) in order],
    )


def _command_line(host: Host, problems: list[Problem]) -> cmdline.CommandLine:
    """The command line of the running kernel; an image at rest has none."""
    try:
        return cmdline.parse(host.read(cmdline.PATH))
    except ModuleNotFound:
        pass
    except PolymodError as error:
        problems.append(Problem(Origin(cmdline.PATH), error.message, error))
    return cmdline.CommandLine((), (), ())


def _files(host: Host, path: str, problems: list[Problem]) -> list[tuple[str, str, bool]]:
    """Each configuration file of a directory, or a single file, as `path` says.

    Its name, its path, and whether there is text in it: a link to /dev/null is
    read as empty, and so hides its namesakes further down.
    """
    found: list[tuple[str, str, bool]] = []
    try:
        stat = host.stat(path)
        if stat is None:
            return []
        if stat.type != DIRECTORY:
            return [(path.rpartition("/")[2], path, stat.type == FILE)]
        entries = host.list(path)
    except PolymodError as error:
        problems.append(Problem(Origin(path), error.message, error))
        return []
    for entry in entries:
        if entry.name.endswith(".conf") and not entry.name.startswith("."):
            kind = _leads_to(host, entry)
            if kind is None or kind == DIRECTORY:
                what = "a directory, not a file" if kind else "a link to nothing"
                problems.append(Problem(Origin(entry.path), f"is {what}"))
            else:
                found.append((entry.name, entry.path, kind == FILE))
    return found


def _leads_to(host: Host, entry: DirectoryEntry) -> str | None:
    """What a directory entry leads to, None for nothing.

    An image at rest has no /dev: a link to nothing there is taken for one to /dev/null.
    """
    if entry.type != LINK:
        return entry.type
    try:
        target = host.stat(entry.path)
    except PolymodError:
        return None
    if target is None:
        return OTHER if host.platform() is None else None
    return target.type
