"""The benchmark works: it runs once over a tiny tree. Nothing is asserted about time."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from measure import Command, CommandBroke, alternating, peak_memory

HERE = Path(__file__).resolve().parent
SAMPLES = HERE.parent / "data" / "modules" / "linux" / "x86_64"
RELEASE = "6.1.0-pm"


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A module directory of two modules."""
    directory = tmp_path / "lib" / "modules" / RELEASE
    (directory / "kernel").mkdir(parents=True)
    for name in ("pm_core.ko", "pm_net.ko"):
        shutil.copy(SAMPLES / name, directory / "kernel" / name)
        with (directory / "modules.order").open("a") as order:
            order.write(f"kernel/{name}\n")
    for name in ("modules.builtin", "modules.builtin.modinfo"):
        (directory / name).touch()
    return directory


def test_it_measures_every_command_once_over_a_tiny_tree(tree: Path, tmp_path: Path) -> None:
    result = tmp_path / "result.json"
    command = [sys.executable, str(HERE / "bench.py"), str(tree), "--runs", "1"]
    done = subprocess.run(
        [*command, "--python", sys.executable, "--json", str(result)],
        capture_output=True,
        check=False,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
    )
    assert done.returncode == 0, done.stderr.decode()
    figures = json.loads(result.read_text())
    named = {one["name"]: one for group in figures["times"].values() for one in group}
    wanted = {"python -c pass", "polymod --version", "polymod inspect ONE", "polymod scan"}
    assert wanted <= set(named)
    if shutil.which("modinfo"):
        assert "modinfo (all, one process)" in named
    if shutil.which("depmod"):
        assert {"depmod", "polymod index"} <= set(named)
    assert all(one["wall_s"] > 0 for one in named.values())
    assert set(figures["peak_bytes"]) >= {"polymod scan", "polymod scan --jobs 1"}
    assert [path.name for path in tree.iterdir() if path.name.startswith("modules.dep")] == []


def test_the_medians_are_of_as_many_runs_as_were_asked_for(tmp_path: Path) -> None:
    marks = tmp_path / "marks"
    commands = [
        Command(name=name, argv=["sh", "-c", f"echo {name} >> {marks}"]) for name in ("a", "b")
    ]
    found = alternating(commands, 3, dict(os.environ))
    assert marks.read_text().split() == ["a", "b"] * 4  # one turn to warm up
    assert found["a"].runs == 3
    assert found["b"].wall_s > 0


def test_a_command_that_fails_is_no_measurement() -> None:
    broken = Command(name="broken", argv=["sh", "-c", "echo why >&2; exit 3"])
    with pytest.raises(CommandBroke, match="broken: 3: why"):
        alternating([broken], 1, dict(os.environ))


@pytest.mark.skipif(not Path("/proc/self/smaps_rollup").exists(), reason="needs Linux's /proc")
def test_memory_is_that_of_all_processes_of_the_command() -> None:
    source = "import os, time\nos.fork()\nheld = b'x' * (40 << 20)\ntime.sleep(0.5)"
    command = Command(name="two", argv=[sys.executable, "-c", source])
    assert 80 << 20 <= peak_memory(command, dict(os.environ)) < 160 << 20
