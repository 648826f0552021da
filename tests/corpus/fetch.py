"""Download and unpack Debian's kernels for the comparisons; nothing is installed.

::

    python tests/corpus/fetch.py             # whatever is not there yet
    python tests/corpus/fetch.py --refresh   # newer packages where there are any
    python tests/corpus/fetch.py amd64 s390x

Packages of six architectures come through apt's ordinary client, by the sources
this machine is configured with. Each architecture has its own apt state below
the cache directory (POLYMOD_CORPORA, else polymod-corpora in the user's cache),
so that the machine's own is never touched, and no privilege is needed. About
400 MB are downloaded and 3 GB unpacked. Needs Debian's apt and dpkg-deb only.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

from trees import cache_directory, say

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """A kernel of the corpus: Debian's architecture, and the package that depends on it.

    Without `meta` the newest kernel is meant that no meta package names, such
    as the one of the next release that a stable release carries as well.
    """

    label: str
    architecture: str
    meta: str | None


WANTED = (
    Wanted(label="amd64", architecture="amd64", meta="linux-image-amd64"),
    Wanted(label="i386", architecture="i386", meta="linux-image-686-pae"),
    Wanted(label="arm64", architecture="arm64", meta="linux-image-arm64"),
    Wanted(label="armhf", architecture="armhf", meta="linux-image-armmp"),
    Wanted(label="ppc64el", architecture="ppc64el", meta="linux-image-powerpc64le"),
    Wanted(label="s390x", architecture="s390x", meta="linux-image-s390x"),
    Wanted(label="amd64-newer", architecture="amd64", meta=None),
)

_IMAGE = re.compile(r"linux-image-(?P<release>\d[\d.]*[-+]?[\w.+]*)-amd64$")


class Missing(Exception):
    """Something the corpus wants is not to be had; the message says what and why."""


class Apt:
    """apt's client for one architecture, its state below the cache directory."""

    #: What apt said when package lists could not be fetched, "" where all is well.
    trouble: str

    def __init__(self, cache: Path, architecture: str) -> None:
        self.architecture = architecture
        self.state = cache / f"apt-{architecture}"
        (self.state / "lists" / "partial").mkdir(parents=True, exist_ok=True)
        (self.state / "cache" / "archives" / "partial").mkdir(parents=True, exist_ok=True)
        (self.state / "status").touch()
        options = {
            "APT::Architecture": architecture,
            "APT::Architectures::": architecture,
            "Dir::State": self.state,
            "Dir::State::lists": self.state / "lists",
            "Dir::State::status": self.state / "status",
            "Dir::Cache": self.state / "cache",
            "Acquire::Languages": "none",
            "Acquire::Retries": 2,
        }
        if os.geteuid() == 0:  # apt's own user cannot write where we unpack
            options["APT::Sandbox::User"] = "root"
        self._options = [f"-o{name}={value}" for name, value in options.items()]
        self._updated = False
        self.trouble = ""

    def update(self) -> None:
        """Fetch the package lists, once.

        Some sources may fail (a mirror in the middle of its update): what the
        others have, or had the last time, still serves.
        """
        if not self._updated:
            self._updated = True
            done = self._run("apt-get", "update", "-q", "--error-on=any")
            self.trouble = _last_lines(done) if done.returncode else ""

    def dependency(self, meta: str) -> str:
        """The image package that a meta package stands for. Raises Missing."""
        done = self._run("apt-cache", "depends", "--important", meta)
        for line in done.stdout.splitlines():
            kind, _, name = line.strip().partition(": ")
            if kind == "Depends" and name.startswith("linux-image-"):
                return name
        if self.trouble:
            raise Missing(
                f"apt cannot fetch the package lists of {self.architecture}; is there a network, "
                f"and do the sources have this architecture? It said:\n{self.trouble}"
            )
        raise Missing(f"this release has no {meta} for {self.architecture}")

    def newest_besides(self, known: str) -> str:
        """The newest amd64 image that is newer than the package `known`. Raises Missing."""
        done = self._run("apt-cache", "pkgnames", "linux-image-")
        images = [name for name in done.stdout.split() if _IMAGE.match(name)]
        newest = max(images, key=_numbers, default=known)
        if _numbers(newest) <= _numbers(known) or newest == known:
            raise Missing(f"this release has no kernel newer than {known}")
        return newest

    def download(self, package: str, directory: Path) -> Path:
        """The .deb of a package, downloaded into `directory`. Raises Missing."""
        before = set(directory.glob("*.deb"))
        done = self._run("apt-get", "download", package, directory=directory)
        fresh = sorted(set(directory.glob("*.deb")) - before)
        if done.returncode or len(fresh) != 1:
            raise Missing(f"apt cannot download {package}. It said:\n{_last_lines(done)}")
        return fresh[0]

    def _run(
        self, program: str, *arguments: str, directory: Path | None = None
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [program, *self._options, *arguments],
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
            cwd=directory,
            env={**os.environ, "LC_ALL": "C"},
        )


def _numbers(package: str) -> list[int]:
    found = _IMAGE.match(package)
    return [int(number) for number in re.findall(r"\d+", found["release"])] if found else []


def _last_lines(done: subprocess.CompletedProcess[str]) -> str:
    lines = [line for line in (done.stderr or done.stdout).splitlines() if line.strip()]
    return "\n".join(f"    {line}" for line in lines[-6:]) or "    nothing"


def fetch(wanted: Wanted, apt: Apt, cache: Path, *, refresh: bool) -> str:
    """Make sure of one kernel; the sentence says what was done. Raises Missing."""
    marker = cache / f"have-{wanted.label}"
    present = cache / marker.read_text().strip() if marker.exists() else None
    if present is not None and present.is_dir() and not refresh:
        return f"{present.name} is there"
    apt.update()
    if wanted.meta is None:
        package = apt.newest_besides(apt.dependency("linux-image-amd64"))
    else:
        package = apt.dependency(wanted.meta)
    tree = _existing(cache, package, wanted.architecture)
    said = "is there"
    if tree is None:
        tree = _unpack(apt, package, cache)
        said = "unpacked"
    marker.write_text(f"{tree.name}\n")
    doubt = f", though some package lists are old or missing:\n{apt.trouble}" if apt.trouble else ""
    return f"{tree.name} {said}{doubt}"


def _existing(cache: Path, package: str, architecture: str) -> Path | None:
    found = sorted(cache.glob(f"tree-{package}_*_{architecture}"))
    return found[-1] if found else None


def _unpack(apt: Apt, package: str, cache: Path) -> Path:
    downloads = apt.state / "cache"
    archive = apt.download(package, downloads)
    tree = cache / f"tree-{archive.stem}"
    part = tree.with_name(f"{tree.name}.part")
    shutil.rmtree(part, ignore_errors=True)
    done = subprocess.run(
        ["dpkg-deb", "-x", str(archive), str(part)], capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise Missing(f"{archive} cannot be unpacked:\n{_last_lines(done)}")
    archive.unlink()
    part.rename(tree)
    return tree


def main(arguments: Sequence[str]) -> int:
    """Fetch what is wanted; 1 where something is missing at the end."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("labels", nargs="*", metavar="ARCHITECTURE", help="only these")
    parser.add_argument("--refresh", action="store_true", help="ask for newer packages")
    chosen = parser.parse_args(arguments)
    for program in ("apt-get", "apt-cache", "dpkg-deb"):
        if shutil.which(program) is None:
            sys.stderr.write(f"{program} is missing: the corpus is fetched on Debian" + "\n")
            return 1
    cache = cache_directory()
    cache.mkdir(parents=True, exist_ok=True)
    say(f"corpus in {cache}")
    clients: dict[str, Apt] = {}
    missing = 0
    for wanted in WANTED:
        if chosen.labels and wanted.label not in chosen.labels:
            continue
        if wanted.architecture not in clients:
            clients[wanted.architecture] = Apt(cache, wanted.architecture)
        apt = clients[wanted.architecture]
        try:
            said = fetch(wanted, apt, cache, refresh=chosen.refresh)
        except Missing as error:
            missing += 1
            said = f"missing: {error}"
        say(f"{wanted.label}: {said}")
    return 1 if missing else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
