"""Compare polymod with the tools it stands beside, as whole processes, in one run.

::

    python tests/bench/bench.py                      # the largest kernel of the corpus
    python tests/bench/bench.py /lib/modules/RELEASE --runs 9 --json result.json
    python tests/bench/bench.py TREE --python PYTHON  # one that has polymod installed

polymod is built into a wheel and installed into a fresh virtual environment,
so that what is measured is what users have: compiled modules, the installed
script. Each figure is the median of runs that alternate between the commands,
with all files in the page cache. Ratios are to the reference in the same group.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import venv
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from measure import Command, Timing, alternating, peak_memory

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

ROOT = Path(__file__).resolve().parent.parent.parent

#: Room for one xargs process to take every path at once.
_XARGS_BYTES = "2000000"


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Commands that do the same; the first one is the reference."""

    title: str
    commands: Sequence[Command]
    runs: int


def install(directory: Path) -> Path:
    """Build the wheel, install it into a new environment; the environment's Python."""
    venv.create(directory / "venv", with_pip=True)
    python = directory / "venv" / "bin" / "python"
    subprocess.run([python, "-m", "pip", "install", "--quiet", "build"], check=True)
    subprocess.run(
        [python, "-m", "build", "--wheel", "--outdir", directory, ROOT],
        check=True,
        stdout=subprocess.DEVNULL,
    )
    (wheel,) = directory.glob("*.whl")
    subprocess.run([python, "-m", "pip", "install", "--quiet", wheel], check=True)
    return python


def polymod(python: Path) -> list[str]:
    """How to start polymod: the installed script, or the module where there is none."""
    script = python.parent / "polymod"
    return [str(script)] if script.exists() else [str(python), "-m", "polymod"]


def module_paths(tree: Path) -> list[Path]:
    """The module files of a tree that modinfo can read, in the order of their names."""
    wanted = (".ko", ".ko.xz", ".ko.gz", ".ko.zst")
    return sorted(path for path in tree.rglob("*.ko*") if path.name.endswith(wanted))


def _modinfo(paths: Path) -> list[str]:
    return ["xargs", "-0", "-s", _XARGS_BYTES, "-a", str(paths), "modinfo"]


def hard_links(tree: Path, directory: Path) -> Path:
    """A root directory whose modules are hard links to `tree`'s, and which has no index.

    Copies where the file systems differ. Other files are always copied: the
    index tools write beside them.
    """
    release = directory / "lib" / "modules" / tree.name
    for path in tree.rglob("*"):
        target = release / path.relative_to(tree)
        if path.is_symlink() or not path.is_file():
            continue
        target.parent.mkdir(parents=True, exist_ok=True)
        if ".ko" not in path.name:
            if path.name in ("modules.order", "modules.builtin", "modules.builtin.modinfo"):
                shutil.copyfile(path, target)
            continue
        try:
            os.link(path, target)
        except OSError:
            shutil.copyfile(path, target)
    return directory


def groups(tree: Path, python: Path, work: Path, runs: int) -> Iterator[Group]:
    """What is compared with what. Tools that are not installed are left out."""
    program = polymod(python)
    paths = module_paths(tree)
    listed = work / "paths"
    listed.write_bytes(b"\0".join(map(os.fsencode, paths)))
    bare = Command(name="python -c pass", argv=[str(python), "-c", "pass"])
    one = str(max(paths, key=lambda path: path.stat().st_size))
    starts = [bare, Command(name="polymod --version", argv=[*program, "--version"])]
    inspect = [*program, "inspect", "--output", "json", one]
    starts.append(Command(name="polymod inspect ONE", argv=inspect))
    if shutil.which("modinfo"):
        starts.append(Command(name="modinfo ONE", argv=["modinfo", one]))
    yield Group(title="start", commands=starts, runs=2 * runs)
    scan = [*program, "scan", "--output", "ndjson", str(tree)]
    scans = [Command(name="modinfo (all, one process)", argv=_modinfo(listed))]
    scans = scans if shutil.which("modinfo") else []
    scans.append(Command(name="polymod scan", argv=scan))
    scans.append(Command(name="polymod scan --jobs 1", argv=[*scan, "--jobs", "1"]))
    scans.append(Command(name="polymod scan --symbols", argv=[*scan, "--symbols"]))
    yield Group(title=f"scan, {len(paths)} modules", commands=scans, runs=runs)
    if shutil.which("depmod"):
        yield _index(tree, program, work, runs)


def _index(tree: Path, program: Sequence[str], work: Path, runs: int) -> Group:
    theirs, ours = hard_links(tree, work / "depmod"), hard_links(tree, work / "polymod")
    return Group(
        title="index",
        commands=[
            Command(name="depmod", argv=["depmod", "-b", str(theirs), tree.name]),
            Command(name="polymod index", argv=[*program, "index", tree.name, "--root", str(ours)]),
        ],
        runs=runs,
    )


def memory(groups_: Sequence[Group], environment: Mapping[str, str]) -> dict[str, int]:
    """Peak bytes over all processes, for the scans."""
    return {
        command.name: peak_memory(command, environment)
        for group in groups_
        if group.title.startswith("scan")
        for command in group.commands
    }


def _table(title: str, timings: Mapping[str, Timing]) -> Iterator[str]:
    reference = next(iter(timings.values()))
    yield f"\n{title:<32} {'wall s':>9} {'cpu s':>9} {'ratio':>7} {'cpu ratio':>10}"
    for name, one in timings.items():
        yield (
            f"  {name:<30} {one.wall_s:9.4f} {one.cpu_s:9.4f}"
            f" {one.wall_s / reference.wall_s:7.2f} {_ratio(one.cpu_s, reference.cpu_s):>10}"
        )


def _ratio(one: float, reference: float) -> str:
    return f"{one / reference:.2f}" if reference > 0 else "-"


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def _default_tree() -> Path | None:
    sys.path.append(str(ROOT / "tests" / "corpus"))
    from trees import trees

    found = trees()
    return max(found, key=lambda tree: len(tree.modules())).directory if found else None


def bench(tree: Path, python: Path, work: Path, runs: int) -> dict[str, object]:
    """Run everything, print the tables; the figures as plain data."""
    environment = {**os.environ, "LC_ALL": "C"}
    listed = [*groups(tree, python, work, runs)]
    timed: dict[str, object] = {}
    for group in listed:
        timings = alternating(group.commands, group.runs, environment)
        for line in _table(group.title, timings):
            _say(line)
        timed[group.title] = [asdict(one) for one in timings.values()]
    held = memory(listed, environment)
    _say(f"\n{'peak memory, all processes':<32} {'MB':>9}")
    for name, size in held.items():
        _say(f"  {name:<30} {size / 1e6:9.1f}")
    return {"tree": str(tree), "processors": os.cpu_count(), "times": timed, "peak_bytes": held}


def main(arguments: Sequence[str]) -> int:
    """Run the comparison that the command line asks for."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("tree", nargs="?", type=Path, help="a kernel's module directory")
    parser.add_argument("--runs", type=int, default=7, help="runs of each command [7]")
    parser.add_argument("--python", type=Path, help="a Python with polymod, else one is made")
    parser.add_argument("--json", type=Path, help="write the figures to this file as well")
    chosen = parser.parse_args(arguments)
    tree = chosen.tree or _default_tree()
    if tree is None:
        parser.error("no corpus: name a TREE, or run python tests/corpus/fetch.py")
    with tempfile.TemporaryDirectory(prefix="polymod-bench-") as name:
        work = Path(name)
        python = chosen.python or install(work)
        figures = bench(tree.resolve(), python, work, chosen.runs)
    text = json.dumps(figures)
    _say(f"\n{text}")
    if chosen.json:
        chosen.json.write_text(f"{text}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
