"""What is in the distribution, and that it installs in every usual way."""

from __future__ import annotations

import tarfile
import zipfile
from email import message_from_bytes
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.packaging.conftest import Built, Environment

ROOT = Path(__file__).resolve().parents[2]
SAMPLE = ROOT / "tests" / "data" / "modules" / "linux" / "x86_64" / "pm_core.ko"

pytestmark = pytest.mark.network


def members(wheel: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(wheel) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def only(found: dict[str, bytes], end: str) -> bytes:
    (name,) = (name for name in found if name.endswith(end))
    return found[name]


def backends() -> set[str]:
    return {path.parent.name for path in (ROOT / "backends").glob("polymod_*/__init__.py")}


# -- what is in it ----------------------------------------------------------


def test_the_wheel_holds_polymod_and_the_built_in_backends_and_nothing_else(
    polymod_built: Built,
) -> None:
    found = members(polymod_built.wheel)
    top = {name.partition("/")[0] for name in found}
    packages = {name for name in top if not name.endswith((".dist-info", ".data"))}
    assert packages == {"polymod", *backends()}
    assert not [name for name in found if name.endswith(".pyc")]


def test_the_wheel_holds_every_module_of_the_source(polymod_built: Built) -> None:
    found = set(members(polymod_built.wheel))
    roots = (ROOT / "polymod", *(ROOT / "backends" / name for name in backends()))
    for root in roots:
        for path in root.rglob("*.py"):
            assert path.relative_to(root.parent).as_posix() in found


def test_every_package_says_that_it_is_typed(polymod_built: Built) -> None:
    found = members(polymod_built.wheel)
    assert {"polymod/py.typed", "polymod/__init__.pyi"} <= set(found)
    assert {f"{name}/py.typed" for name in backends()} <= set(found)


def test_the_wheel_carries_the_licence_and_names_it(polymod_built: Built) -> None:
    found = members(polymod_built.wheel)
    assert only(found, "/LICENSE") == (ROOT / "docs" / "LICENSE").read_bytes()
    facts = message_from_bytes(only(found, ".dist-info/METADATA"))
    assert facts["License-Expression"] == "MIT"
    assert facts["Name"] == "polymod"
    assert facts.get_payload()  # the README


def test_the_wheel_installs_one_command_and_no_plugin(polymod_built: Built) -> None:
    text = only(members(polymod_built.wheel), ".dist-info/entry_points.txt").decode()
    assert text.split() == ["[console_scripts]", "polymod", "=", "polymod.cli:main"]


def test_beside_the_packages_only_pages_and_completions_are_installed(polymod_built: Built) -> None:
    shared = [name for name in members(polymod_built.wheel) if ".data/" in name]
    assert [name for name in shared if ".data/data/share/" not in name] == []


def test_the_source_archive_holds_the_tests_with_their_samples_and_the_documents(
    polymod_built: Built,
) -> None:
    with tarfile.open(polymod_built.sdist) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    wanted = {
        "pyproject.toml",
        "README.md",
        "docs/LICENSE",
        "backends/polymod_linux/__init__.py",
        "tests/conftest.py",
        "tests/data/modules/SOURCES.md",
        "tests/data/modules/linux/x86_64/pm_core.ko",
    }
    assert wanted <= names


# -- installing it ----------------------------------------------------------


@pytest.mark.parametrize("option", [(), ("--editable",)], ids=["plain", "editable"])
def test_a_clean_clone_installs(
    option: tuple[str, ...],
    make_clone: Callable[[], Path],
    make_environment: Callable[[], Environment],
) -> None:
    environment = make_environment()
    environment.pip("install", *option, ".", cwd=make_clone())
    assert environment.polymod("--help").returncode == 0
    (backend,) = (one for one in environment.records("backends") if one.get("name") == "linux")
    assert backend["kind"] == "backend"
    (module,) = environment.records("inspect", SAMPLE)
    assert (module["backend"], module["name"]) == ("linux", "pm_core")
