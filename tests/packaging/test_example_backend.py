"""A stranger's backend, really installed: it joins in, and leaves without a trace."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.packaging.conftest import Built, Environment

ROOT = Path(__file__).resolve().parents[2]
MODULES = ROOT / "tests" / "data" / "modules"
SAMPLE = MODULES / "netbsd" / "aarch64" / "pmfs.kmod"
EXPECTED: dict[str, list[dict[str, Any]]] = json.loads(
    (MODULES / "netbsd" / "expected.json").read_text(encoding="ascii")
)

NOT_A_MODULE = 7

pytestmark = pytest.mark.network


def netbsd_paths(key: str, **wanted: object) -> set[str]:
    """The sample paths of one list of expected.json whose facts are as wanted."""
    return {
        str(MODULES / "netbsd" / facts["path"])
        for facts in EXPECTED[key]
        if all(facts[name] == value for name, value in wanted.items())
    }


@pytest.fixture(scope="module")
def installed(
    polymod_built: Built, netbsd_built: Built, make_environment: Callable[[], Environment]
) -> Environment:
    """An environment with both wheels in it."""
    environment = make_environment()
    environment.pip("install", polymod_built.wheel, netbsd_built.wheel)
    return environment


def test_its_wheel_holds_its_package_and_announces_it(netbsd_built: Built) -> None:
    with zipfile.ZipFile(netbsd_built.wheel) as archive:
        names = archive.namelist()
        (points,) = (name for name in names if name.endswith("entry_points.txt"))
        assert archive.read(points).decode().split() == [
            "[polymod]",
            "netbsd",
            "=",
            "polymod_netbsd",
        ]
    top = {name.partition("/")[0] for name in names}
    assert {name for name in top if not name.endswith(".dist-info")} == {"polymod_netbsd"}
    assert "polymod_netbsd/py.typed" in names


def test_it_is_listed_with_where_it_comes_from(installed: Environment) -> None:
    answer = json.loads(installed.polymod("backends", "--output", "json").stdout)
    assert answer["errors"] == []
    by_name = {item["name"]: item for item in answer["items"]}
    assert {"linux", "netbsd"} <= set(by_name)
    netbsd = by_name["netbsd"]
    assert (netbsd["plugin"], netbsd["version"]) == ("netbsd", "0.1.0")
    assert netbsd["formats"] == ["elf-relocatable"]
    assert netbsd["capabilities"]["inspect"] is True
    assert netbsd["claims_host"] is False


def test_it_reads_a_module_file(installed: Environment) -> None:
    (module,) = installed.records("inspect", SAMPLE)
    assert (module["backend"], module["name"]) == ("netbsd", "pmfs")
    assert [one["name"] for one in module["dependencies"]] == ["pm_bus", "pm_disk"]
    assert module["built_for"] == {"netbsd_version": 1000000000, "release": "10.0"}


def test_a_scan_finds_its_modules_beside_the_others(installed: Environment) -> None:
    records = installed.records("scan", MODULES)
    netbsd = {one["path"] for one in records if one.get("backend") == "netbsd"}
    assert netbsd == netbsd_paths("samples")
    assert any(one.get("backend") == "linux" for one in records)
    broken = {one["path"] for one in records if one["kind"] == "error"}
    damaged = netbsd_paths("near_misses", malformed=True)
    assert {path for path in broken if "/netbsd/" in path} == damaged


def test_without_it_its_files_are_passed_over_in_silence(
    installed: Environment, netbsd_built: Built
) -> None:
    with_it = installed.records("scan", MODULES)
    installed.pip("uninstall", "--yes", "polymod-netbsd")
    try:
        names = [one.get("name") for one in installed.records("backends")]
        assert "linux" in names
        assert "netbsd" not in names
        without = installed.records("scan", MODULES)
        assert without == [one for one in with_it if "/netbsd/" not in one["path"]]
        alone = installed.polymod("scan", MODULES / "netbsd" / "x86_64")
        assert (alone.returncode, alone.stdout.count(b".kmod")) == (0, 0)
        assert b".kmod" not in alone.stderr
        asked = installed.polymod("inspect", SAMPLE)
        assert asked.returncode == NOT_A_MODULE
    finally:
        installed.pip("install", "--no-deps", netbsd_built.wheel)


def test_it_answers_for_an_image_of_its_system(installed: Environment, tmp_path: Path) -> None:
    source = MODULES / "netbsd" / "x86_64"
    for name in ("pm_bus", "pm_disk", "pmfs"):
        directory = tmp_path / "stand" / "amd64" / "10.0" / "modules" / name
        directory.mkdir(parents=True)
        (directory / f"{name}.kmod").write_bytes((source / f"{name}.kmod").read_bytes())
    steps = installed.records("--root", tmp_path, "deps", "pmfs")
    assert [one["name"] for one in steps] == ["pm_bus", "pm_disk", "pmfs"]
    assert {one["backend"] for one in steps} == {"netbsd"}
