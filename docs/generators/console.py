"""Console blocks in prose: their commands run, their output compared or put in.

A block is fenced as ``console``. Lines that start with ``$`` and a blank are
commands for sh, lines behind them that start with ``>`` and a blank go on with
them; what follows is their output, both streams as they come. A line of three
dots stands for any lines. The blocks of a page are run in order
by one shell, in a fresh directory that holds a copy of ``tests/data``.
"""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING, NamedTuple

from generators.source import ROOT

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

FENCE = "```console"
ANYTHING = "..."
_MARK = "\x1e"


class Step(NamedTuple):
    """One command of a page: its text, the number of its line, the output that is shown."""

    command: str
    line: int
    shown: tuple[str, ...]


#: Pages whose blocks need more than polymod, and have a test of their own.
ELSEWHERE = frozenset({"writing-a-backend.md"})


def pages() -> list[Path]:
    """Every page of prose that may hold console blocks to be run here."""
    found = sorted((ROOT / "docs").glob("*.md"))
    return [ROOT / "README.md", *(page for page in found if page.name not in ELSEWHERE)]


def steps(text: str) -> list[Step]:
    """The commands of a page."""
    found: list[Step] = []
    inside = False
    for number, line in enumerate(text.splitlines(), 1):
        if line.startswith("```"):
            inside = line == FENCE
        elif not inside:
            continue
        elif line.startswith("$ "):
            found.append(Step(line[2:], number, ()))
        elif line.startswith("> ") and found and not found[-1].shown:
            found[-1] = found[-1]._replace(command=f"{found[-1].command}\n{line[2:]}")
        elif found:
            found[-1] = found[-1]._replace(shown=(*found[-1].shown, line))
    return found


def run(commands: Sequence[Step], directory: Path) -> list[tuple[str, ...]]:
    """What each command puts out, lines without blanks at their ends."""
    script = ["status=0"]
    for step in commands:
        script += [f"printf '{_MARK}\\n'; (exit $status)", step.command, "status=$?"]
    environment = _environment(directory)
    shutil.copytree(ROOT / "tests" / "data", directory / "tests" / "data")
    done = subprocess.run(
        ["sh", "-c", "\n".join(script)],
        cwd=directory,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=300,
        check=False,
    )
    parts = done.stdout.decode("utf-8", "replace").split(f"{_MARK}\n")[1:]
    return [tuple(line.rstrip() for line in part.rstrip().splitlines()) for part in parts]


def _environment(directory: Path) -> dict[str, str]:
    programs = directory / ".programs"
    programs.mkdir()
    python = shlex.quote(sys.executable)
    for name, words in (("polymod", f"{python} -m polymod"), ("python3", python)):
        program = programs / name
        program.write_text(f'#!/bin/sh\nexec {words} "$@"\n', "utf-8")
        program.chmod(0o755)
    return {
        "PATH": f"{programs}:{os.environ.get('PATH', os.defpath)}",
        "PYTHONPATH": f"{ROOT}:{ROOT / 'backends'}",
        "HOME": str(directory),
        "LC_ALL": "C.UTF-8",
    }


def matches(shown: Sequence[str], real: Sequence[str]) -> bool:
    """Whether the output shown is the real one, dots standing for any lines."""
    return _matches([line.rstrip() for line in "\n".join(shown).rstrip().splitlines()], list(real))


def _matches(shown: list[str], real: list[str]) -> bool:
    if not shown:
        return not real
    if shown[0] == ANYTHING:
        return any(_matches(shown[1:], real[at:]) for at in range(len(real) + 1))
    return bool(real) and shown[0] == real[0] and _matches(shown[1:], real[1:])


def refreshed(text: str, directory: Path) -> str:
    """The page with the real output wherever what it shows does not match."""
    commands = steps(text)
    if not commands:
        return text
    lines = text.splitlines()
    for step, real in reversed(list(zip(commands, run(commands, directory), strict=True))):
        if not matches(step.shown, real):
            start = step.line + step.command.count("\n")
            lines[start : start + len(step.shown)] = real
    return "\n".join(lines) + "\n"
