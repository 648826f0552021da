"""What is imported before the work begins: counted, so that it stays little."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.conftest import DATA, SAMPLES

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    Imported = Callable[..., set[str]]

SAMPLE = str(SAMPLES / "x86_64" / "pm_core.ko")
ROOT = str(DATA / "roots" / "linux-basic")

#: Slow to import, and needed by few.
_HEAVY = (
    "argparse asyncio concurrent csv ctypes elftools email hashlib http importlib.metadata"
    " importlib.resources lzma macholib multiprocessing pathlib pefile pickle rich select shutil"
    " socket sqlite3 ssl subprocess tempfile typer unittest urllib zipfile"
)
HEAVY = frozenset(_HEAVY.split())

PROBE = """
import sys
before = set(sys.modules)
sys.argv[:1] = ["polymod"]
from polymod.cli import main
status = 0
try:
    main()
except SystemExit as stop:
    status = stop.code
imported = sorted(set(sys.modules) - before)
import json
sys.stderr.write("\\n" + json.dumps([status or 0, imported]))
"""


@pytest.fixture
def imported(polymod_env: Mapping[str, str]) -> Callable[..., set[str]]:
    """What ``polymod ARGUMENTS`` imports beyond bare Python."""

    def ask(*arguments: str) -> set[str]:
        done = subprocess.run(
            [sys.executable, "-c", PROBE, *arguments],
            capture_output=True,
            env=dict(polymod_env),
            check=True,
        )
        status, names = json.loads(done.stderr.splitlines()[-1])
        assert status in (0, 1), done.stderr
        return set(names)

    return ask


def _heavy(names: set[str]) -> set[str]:
    tops = {name for name in names if name in HEAVY}
    return tops | {name for name in names if name.partition(".")[0] in HEAVY}


def _ours(names: set[str]) -> set[str]:
    return {name for name in names if name.partition(".")[0].startswith("polymod")}


@pytest.mark.parametrize("option", ["--version", "-V"])
def test_the_version_costs_next_to_nothing(imported: Imported, option: str) -> None:
    names = imported(option)
    assert _ours(names) == {"polymod", "polymod.cli", "polymod.version"}
    assert len(names) <= 15
    assert not _heavy(names)


@pytest.mark.parametrize("form", ["table", "json", "ndjson"])
def test_inspecting_one_file_imports_little(imported: Imported, form: str) -> None:
    names = imported("inspect", SAMPLE, "--output", form)
    assert not _heavy(names)
    assert len(names) <= 140
    verbs = {name for name in _ours(names) if name.startswith("polymod.cli.cmd_")}
    assert verbs == {"polymod.cli.cmd_inspect"}
    unneeded = {
        "polymod.guard", "polymod.hosts.offline", "polymod.hosts.record", "polymod.hosts.replay",
        "polymod.inventory", "polymod.model.answers", "polymod.model.changes", "polymod.parallel",
        "polymod.scanning", "polymod_linux.inventory", "polymod_linux.symbols",
    }  # fmt: skip
    assert not unneeded & names
    if form == "table":
        assert "json" not in names


def test_a_scan_needs_processes_but_not_the_library_for_them(imported: Imported) -> None:
    names = imported("scan", SAMPLE, "--output", "ndjson")
    assert not _heavy(names) - {"pickle", "select"}
    assert "polymod_linux.symbols" not in names


@pytest.mark.parametrize(
    "arguments",
    [
        pytest.param(["deps", "pm_vpn"], id="deps"),
        pytest.param(["resolve", "fs-pmfs"], id="resolve"),
        pytest.param(["backends"], id="backends"),
    ],
)
def test_no_verb_that_reads_imports_what_is_slow(imported: Imported, arguments: list[str]) -> None:
    # The root has no index, so all modules are read: an .xz file, by several processes.
    names = imported("--root", ROOT, *arguments, "--output", "ndjson")
    assert not _heavy(names) - {"lzma", "pickle", "select"}


def test_the_help_imports_no_verb(imported: Imported) -> None:
    names = imported("--help")
    assert not {name for name in names if name.startswith("polymod.cli.cmd_")}
    assert not _heavy(names) - {"shutil", "lzma"}  # click asks shutil for the terminal's width


def test_importing_the_package_imports_none_of_its_parts(polymod_env: Mapping[str, str]) -> None:
    source = (
        "import sys; before = set(sys.modules); import polymod;"
        "print(*sorted(set(sys.modules) - before))"
    )
    out = subprocess.run(
        [sys.executable, "-c", source],
        capture_output=True,
        text=True,
        env=dict(polymod_env),
        check=True,
    ).stdout
    assert _ours(set(out.split())) == {"polymod"}
