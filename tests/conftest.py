"""What tests in several rooms share: the program as a subprocess, and bounded runs.

Works on a checkout and on an installed polymod; the checkout is only put on the
path where polymod is not installed.
"""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.machinery import PathFinder
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import pytest

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

ROOT = Path(__file__).resolve().parent.parent
DATA = ROOT / "tests" / "data"
SAMPLES = DATA / "modules" / "linux"


def _make_importable() -> None:
    # tests/polymod looks like a namespace package called polymod: that one has no origin.
    for name, directory in (("polymod", ROOT), ("polymod_linux", ROOT / "backends")):
        spec = PathFinder.find_spec(name)
        if spec is None or spec.origin is None:
            sys.path.append(str(directory))
    if str(ROOT) not in sys.path:  # for `tests.polymod.elf_builder` and its like
        sys.path.append(str(ROOT))


_make_importable()


class RunPolymod(Protocol):
    """Runs ``polymod ARGUMENTS``; `status` is asserted where it is given."""

    def __call__(
        self,
        *arguments: str | os.PathLike[str],
        stdin: bytes = b"",
        status: int | None = None,
        cwd: Path | None = None,
        env: Mapping[str, str] | None = None,
    ) -> subprocess.CompletedProcess[bytes]: ...


class RunBounded(Protocol):
    """Runs Python source with little memory and processor time; returns its standard output."""

    def __call__(self, source: str, *arguments: str, memory: int = 1 << 30) -> str: ...


@pytest.fixture(scope="session")
def polymod_argv() -> Sequence[str]:
    """The words that start the program."""
    return (sys.executable, "-m", "polymod")


@pytest.fixture(scope="session")
def polymod_env() -> Mapping[str, str]:
    """The environment of a subprocess that is to find polymod."""
    kept = {key: text for key, text in os.environ.items() if not key.startswith("PYTHON")}
    paths = [path for path in sys.path if (Path(path or ".") / "polymod" / "__init__.py").exists()]
    paths += [path for path in sys.path if (Path(path or ".") / "polymod_linux").is_dir()]
    kept["PYTHONPATH"] = os.pathsep.join(dict.fromkeys(map(os.path.abspath, paths)))
    return kept


@pytest.fixture
def run_polymod(polymod_argv: Sequence[str], polymod_env: Mapping[str, str]) -> RunPolymod:
    """Run the command line as users do, in a process of its own."""

    def run(
        *arguments: str | os.PathLike[str],
        stdin: bytes = b"",
        status: int | None = None,
        cwd: Path | None = None,
        env: Mapping[str, str] | None = None,
    ) -> subprocess.CompletedProcess[bytes]:
        done = subprocess.run(
            [*polymod_argv, *(os.fspath(one) for one in arguments)],
            input=stdin,
            capture_output=True,
            cwd=cwd,
            env={**polymod_env, **(env or {})},
            timeout=300,
            check=False,
        )
        assert b"Traceback" not in done.stderr, done.stderr.decode(errors="replace")
        if status is not None:
            assert done.returncode == status, (done.returncode, done.stderr)
        return done

    return run


@pytest.fixture
def run_bounded(polymod_env: Mapping[str, str]) -> RunBounded:
    """Run Python source that must end within bounds of memory and processor time."""

    def run(source: str, *arguments: str, memory: int = 1 << 30) -> str:
        limits = (
            "import resource as _r\n"
            f"_r.setrlimit(_r.RLIMIT_AS, ({memory}, {memory}))\n"
            "_r.setrlimit(_r.RLIMIT_CPU, (30, 30))\n"
        )
        done = subprocess.run(
            [sys.executable, "-c", limits + source, *arguments],
            capture_output=True,
            text=True,
            env=dict(polymod_env),
            timeout=300,
            check=False,
        )
        assert done.returncode == 0, (done.returncode, done.stderr)
        return done.stdout

    return run
