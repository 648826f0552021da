"""Wheels built once, and virtual environments to install them into."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import venv
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = Path(__file__).resolve().parents[2]
EXAMPLE = Path("tests") / "example_backend"


def run(*argv: str | os.PathLike[str], cwd: Path) -> subprocess.CompletedProcess[bytes]:
    """Run a program as a user without our environment would; nothing of ours is importable."""
    kept = {key: text for key, text in os.environ.items() if not key.startswith("PYTHON")}
    return subprocess.run(
        [os.fspath(word) for word in argv],
        cwd=cwd,
        env={**kept, "PIP_DISABLE_PIP_VERSION_CHECK": "1", "PIP_NO_INPUT": "1"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=600,
        check=False,
    )


def succeed(*argv: str | os.PathLike[str], cwd: Path) -> bytes:
    """The same for a program that must succeed; its standard output."""
    done = run(*argv, cwd=cwd)
    assert done.returncode == 0, (argv, done.stdout.decode(), done.stderr.decode())
    return done.stdout


class Environment(NamedTuple):
    """A virtual environment, and a directory to work in that holds nothing of polymod."""

    python: Path
    work: Path

    def pip(self, *words: str | os.PathLike[str], cwd: Path | None = None) -> None:
        """Run pip, which must succeed."""
        succeed(self.python, "-m", "pip", "--quiet", *words, cwd=cwd or self.work)

    def polymod(self, *words: str | os.PathLike[str]) -> subprocess.CompletedProcess[bytes]:
        """Run the installed command."""
        done = run(self.python.with_name(f"polymod{self.python.suffix}"), *words, cwd=self.work)
        assert b"Traceback" not in done.stderr, done.stderr.decode()
        return done

    def records(self, *words: str | os.PathLike[str]) -> list[dict[str, Any]]:
        """What the command says with ``--output ndjson``."""
        lines = self.polymod(*words, "--output", "ndjson").stdout.splitlines()
        return [json.loads(line) for line in lines]


class Built(NamedTuple):
    """What `build` made of a project: the source archive, and the wheel made from that."""

    sdist: Path
    wheel: Path


@pytest.fixture(scope="session")
def make_environment(
    tmp_path_factory: pytest.TempPathFactory,
) -> Callable[[], Environment]:
    """A maker of fresh virtual environments with pip in them."""

    def make() -> Environment:
        directory = tmp_path_factory.mktemp("environment")
        venv.create(directory / "venv", with_pip=True, symlinks=os.name != "nt")
        scripts = directory / "venv" / ("Scripts" if os.name == "nt" else "bin")
        (directory / "work").mkdir()
        suffix = ".exe" if os.name == "nt" else ""
        return Environment(scripts / f"python{suffix}", directory / "work")

    return make


@pytest.fixture(scope="session")
def make_clone(tmp_path_factory: pytest.TempPathFactory) -> Callable[[], Path]:
    """A maker of clean clones of this checkout.

    Where there is something to commit, or no git, it is a copy of all that git
    would take instead, so that the tests say something before the commit too.
    """

    def make() -> Path:
        clone = tmp_path_factory.mktemp("clone") / "polymod"
        state = run("git", "status", "--porcelain", cwd=ROOT) if shutil.which("git") else None
        if state is not None and (state.returncode, state.stdout) == (0, b""):
            succeed("git", "clone", "--quiet", ROOT, clone, cwd=ROOT)
            return clone
        for name in _files(known_to_git=state is not None and state.returncode == 0):
            if (ROOT / name).is_file() or (ROOT / name).is_symlink():
                (clone / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(ROOT / name, clone / name, follow_symlinks=False)
        return clone

    return make


def _files(*, known_to_git: bool) -> list[str]:
    if known_to_git:
        words = ("ls-files", "-z", "--cached", "--others", "--exclude-standard")
        return os.fsdecode(succeed("git", *words, cwd=ROOT)).split("\0")[:-1]
    every = (path.relative_to(ROOT) for path in ROOT.rglob("*"))
    return [
        str(path)
        for path in every
        if path.parts[0] != "dist"
        and not any(part == "__pycache__" or part.startswith(".") for part in path.parts[:-1])
    ]


def _build(project: Path, outdir: Path) -> Built:
    succeed(sys.executable, "-m", "build", "--outdir", outdir, project, cwd=outdir.parent)
    (sdist,) = outdir.glob("*.tar.gz")
    (wheel,) = outdir.glob("*.whl")
    return Built(sdist, wheel)


@pytest.fixture(scope="session")
def polymod_built(
    make_clone: Callable[[], Path], tmp_path_factory: pytest.TempPathFactory
) -> Built:
    """polymod, built from a clean clone."""
    return _build(make_clone(), tmp_path_factory.mktemp("built") / "polymod")


@pytest.fixture(scope="session")
def netbsd_built(make_clone: Callable[[], Path], tmp_path_factory: pytest.TempPathFactory) -> Built:
    """The example backend, built from a clean clone."""
    return _build(make_clone() / EXAMPLE, tmp_path_factory.mktemp("built") / "netbsd")
