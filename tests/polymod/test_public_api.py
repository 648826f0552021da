"""The names that `polymod` gives: all there, all documented, the same to type checkers."""

from __future__ import annotations

import ast
import importlib
import inspect
import pkgutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import polymod

if TYPE_CHECKING:
    from collections.abc import Mapping

PACKAGE = Path(polymod.__file__).parent


def _stub() -> dict[str, str]:
    """Public name to the module that __init__.pyi takes it from."""
    tree = ast.parse((PACKAGE / "__init__.pyi").read_text())
    names = {}
    for node in tree.body:
        if isinstance(node, ast.ImportFrom):
            for alias in node.names:
                assert alias.asname == alias.name, f"{alias.name} is not exported"
                names[alias.name] = node.module or ""
    return names


def test_the_names_are_those_of_the_stub() -> None:
    assert sorted(_stub()) == sorted(polymod.__all__)
    assert sorted(dir(polymod)) == sorted(polymod.__all__)


def test_the_stub_takes_each_name_from_where_it_is() -> None:
    for name, module in _stub().items():
        assert getattr(importlib.import_module(module), name) is getattr(polymod, name), name


@pytest.mark.parametrize("name", sorted(polymod.__all__))
def test_there_is(name: str) -> None:
    assert getattr(polymod, name) is not None


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no_such_name"):
        _ = polymod.no_such_name  # type: ignore[attr-defined]


def test_no_module_takes_the_place_of_a_name(polymod_env: Mapping[str, str]) -> None:
    """Importing ``polymod.x`` sets the attribute x of polymod, whatever was there."""
    submodules = {info.name for info in pkgutil.iter_modules([str(PACKAGE)])}
    assert not submodules & set(polymod.__all__)
    source = """
import importlib, pkgutil, types, polymod
for info in pkgutil.walk_packages(polymod.__path__, "polymod."):
    if not info.name.startswith(("polymod.__main__", "polymod.testing")):
        importlib.import_module(info.name)
for name in polymod.__all__:
    assert not isinstance(getattr(polymod, name), types.ModuleType), name
"""
    subprocess.run([sys.executable, "-c", source], env=dict(polymod_env), check=True)


def test_the_api_can_be_called_again_and_again(tmp_path: Path) -> None:
    for _ in range(2):
        assert list(polymod.scan(tmp_path)) == []


def _public_members(cls: type) -> list[tuple[str, object]]:
    return [
        (name, member)
        for name, member in vars(cls).items()
        if not name.startswith("_")
        and (
            inspect.isfunction(member) or isinstance(member, property | classmethod | staticmethod)
        )
    ]


@pytest.mark.parametrize("name", sorted(set(polymod.__all__) - {"__version__"}))
def test_it_is_documented(name: str) -> None:
    thing = getattr(polymod, name)
    assert inspect.getdoc(thing), name
    if not inspect.isclass(thing):
        return
    # A dataclass without a docstring gets its signature for one, which says nothing.
    assert not (thing.__doc__ or "").startswith(f"{name}("), name
    for member, _ in _public_members(thing):
        assert inspect.getdoc(getattr(thing, member)), f"{name}.{member}"


def _modules() -> list[str]:
    names = [info.name for info in pkgutil.walk_packages([str(PACKAGE)], "polymod.")]
    return [name for name in names if name != "polymod.__main__"]


@pytest.mark.parametrize("name", _modules())
def test_every_module_and_what_is_public_in_it_is_documented(name: str) -> None:
    module = importlib.import_module(name)
    assert module.__doc__, name
    for key, thing in vars(module).items():
        if key.startswith("_") or getattr(thing, "__module__", None) != name:
            continue
        if inspect.isfunction(thing) or inspect.isclass(thing):
            assert inspect.getdoc(thing), f"{name}.{key}"
        if inspect.isclass(thing):
            for member, _ in _public_members(thing):
                assert inspect.getdoc(getattr(thing, member)), f"{name}.{key}.{member}"


def test_the_package_says_it_is_typed() -> None:
    assert (PACKAGE / "py.typed").exists()


def test_the_version_is_that_of_the_program() -> None:
    out = subprocess.run(
        [sys.executable, "-m", "polymod", "--version"],
        capture_output=True,
        text=True,
        cwd=PACKAGE.parent,
        check=True,
    ).stdout
    assert out == f"polymod {polymod.__version__}\n"
