"""Where the unpacked kernels of the corpus are, and samples of their modules.

The corpus is what `fetch.py` left in its cache: ``tree-PACKAGE/lib/modules/RELEASE``.
"""

from __future__ import annotations

import os
import random
import re
import sys
from dataclasses import dataclass
from pathlib import Path

_MODULE = re.compile(r"\.ko(\.gz|\.xz|\.zst)?$")

#: Modules of a tree in a sample, unless POLYMOD_SAMPLE says otherwise.
SAMPLE = 150


@dataclass(frozen=True, slots=True, kw_only=True)
class Tree:
    """One kernel's module directory, and the package it came out of."""

    package: str
    directory: Path

    @property
    def release(self) -> str:
        """The kernel release, by which the directory is called."""
        return self.directory.name

    def modules(self) -> list[str]:
        """The absolute path of every module file, sorted."""
        return sorted(
            os.path.join(here, name)
            for here, _, names in os.walk(self.directory)
            for name in names
            if _MODULE.search(name)
        )


def cache_directory() -> Path:
    """POLYMOD_CORPORA, or polymod-corpora in the user's cache directory."""
    chosen = os.environ.get("POLYMOD_CORPORA")
    if chosen:
        return Path(chosen)
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "polymod-corpora"


def trees(cache: Path | None = None) -> list[Tree]:
    """The unpacked kernels of the cache in the order of their names; [] where there is none."""
    base = cache or cache_directory()
    found = [
        Tree(package=package.name.removeprefix("tree-"), directory=directory)
        for package in sorted(base.glob("tree-*"))
        if package.suffix != ".part"
        for below in ("lib/modules", "usr/lib/modules")
        for directory in sorted((package / below).glob("*"))
        if (directory / "kernel").is_dir()
    ]
    # A merged /usr shows the same directory by both ways.
    return [*{tree.directory.resolve(): tree for tree in reversed(found)}.values()][::-1]


def seed() -> int:
    """POLYMOD_SEED, or a new seed; print it, so that a run can be repeated."""
    chosen = os.environ.get("POLYMOD_SEED")
    return int(chosen) if chosen else random.SystemRandom().randrange(1 << 32)


def sample_size() -> int | None:
    """POLYMOD_SAMPLE: modules per tree, None for ``all``."""
    chosen = os.environ.get("POLYMOD_SAMPLE", str(SAMPLE))
    return None if chosen == "all" else int(chosen)


def sample(paths: list[str], size: int | None, seed_: int) -> list[str]:
    """`size` of the paths in their order, always the same ones for one seed; all for None."""
    if size is None or size >= len(paths):
        return paths
    return sorted(random.Random(seed_).sample(paths, size))


def say(text: str) -> None:
    """A line on standard output, at once."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()
