"""Module names and aliases the way kmod compares them (kmod shared/util.c)."""

from __future__ import annotations

SUFFIXES = (".ko", ".ko.gz", ".ko.xz", ".ko.zst")


def canonical(name: str) -> str:
    """`name` with every ``-`` turned into ``_``, as struct module has it."""
    return name.replace("-", "_")


def from_path(path: str) -> str:
    """The module name a path gives: its last part up to the first dot, canonical."""
    return canonical(path.rpartition("/")[2].partition(".")[0])


def is_module_path(path: str) -> bool:
    """Whether the name ends as a kernel module's does, packed or not, and has more to it."""
    return path.endswith(SUFFIXES) and not path.rpartition("/")[2].startswith(SUFFIXES)
