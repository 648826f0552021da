"""Whole processes measured: wall and processor time, alternating, and memory at its peak."""

from __future__ import annotations

import os
import statistics
import subprocess
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

#: Seconds between two looks at the memory of a running command.
SAMPLE_S = 0.005


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """A command line to measure; `stdin` is a file that it reads."""

    name: str
    argv: Sequence[str]
    stdin: Path | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """Medians in seconds over `runs`; processor time is that of all its processes."""

    name: str
    wall_s: float
    cpu_s: float
    runs: int


class CommandBroke(Exception):
    """A measured command failed, so that its time means nothing."""


def _run(command: Command, environment: Mapping[str, str]) -> tuple[float, float]:
    """Wall and processor seconds of one run, its output thrown away."""
    with (
        open(command.stdin or os.devnull, "rb") as given,
        open(os.devnull, "wb") as nowhere,
        tempfile.TemporaryFile() as complaints,
    ):
        start = time.perf_counter()
        process = subprocess.Popen(
            command.argv, stdin=given, stdout=nowhere, stderr=complaints, env=environment
        )
        _, status, usage = os.wait4(process.pid, 0)
        elapsed = time.perf_counter() - start
        process.returncode = os.waitstatus_to_exitcode(status)
        complaints.seek(0)
        said = complaints.read()
    if process.returncode:
        raise CommandBroke(f"{command.name}: {process.returncode}: {said.decode()[-500:]}")
    return elapsed, usage.ru_utime + usage.ru_stime


def alternating(
    commands: Sequence[Command], runs: int, environment: Mapping[str, str]
) -> dict[str, Timing]:
    """Every command `runs` times, one after the other in turn, after one turn that only warms up.

    Turns, so that whatever else the machine does falls on all of them alike.
    """
    found: dict[str, list[tuple[float, float]]] = {one.name: [] for one in commands}
    for turn in range(runs + 1):
        for command in commands:
            measured = _run(command, environment)
            if turn:
                found[command.name].append(measured)
    return {
        name: Timing(
            name=name,
            wall_s=statistics.median(wall for wall, _ in seen),
            cpu_s=statistics.median(cpu for _, cpu in seen),
            runs=runs,
        )
        for name, seen in found.items()
    }


def peak_memory(command: Command, environment: Mapping[str, str]) -> int:
    """The most bytes that all processes of a command held at one time.

    The command gets a process group of its own, which is looked at every few
    milliseconds. Counted is the proportional set size (PSS, proc(5)
    smaps_rollup): a page that forked workers share with their parent counts
    once for all of them, where their resident sizes would count it for each.
    Where the kernel does not tell it, the resident sizes are added up.
    """
    with open(command.stdin or os.devnull, "rb") as given, open(os.devnull, "wb") as nowhere:
        process = subprocess.Popen(
            command.argv,
            stdin=given,
            stdout=nowhere,
            stderr=nowhere,
            env=environment,
            start_new_session=True,
        )
        most = 0
        while process.poll() is None:
            most = max(most, sum(map(_held, _group(process.pid))))
            time.sleep(SAMPLE_S)
    return most


def _group(leader: int) -> list[Path]:
    """The /proc directories of a process group's members."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            fields = _text(entry / "stat").rpartition(")")[2].split()
            if len(fields) > 2 and fields[2] == str(leader):
                found.append(entry)
    return found


def _held(process: Path) -> int:
    for line in _text(process / "smaps_rollup").splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) * 1024
    resident = _text(process / "statm").split()
    return int(resident[1]) * os.sysconf("SC_PAGE_SIZE") if resident else 0


def _text(path: Path) -> str:
    try:
        return path.read_text(errors="replace")
    except OSError:
        return ""  # it ended while we looked
