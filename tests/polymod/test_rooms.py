"""Imports point down only, and backends reach the world through the host alone.

All import statements are read, those inside functions and for type checkers
as well: an arrow up is an arrow up, also when it is drawn late.
"""

from __future__ import annotations

import ast
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import pytest

import polymod
import polymod_linux
from polymod.plugins import BUILTIN

if TYPE_CHECKING:
    from collections.abc import Iterator

CORE = Path(polymod.__file__).parent
BACKENDS = [Path(polymod_linux.__file__).parent]

#: The rooms from bottom to top; each knows itself and what is below it.
FLOORS = (
    "errors limits version model",
    "source serialize parallel hosts formats",
    "backend hookspecs rules verbs",
    "guard plugins reading inventory deps deps_text scanning schema schema_texts api",
    "cli __main__",
)
FLOOR = {room: floor for floor, rooms in enumerate(FLOORS) for room in rooms.split()}

#: What a backend may know of the core (section 6 of the design).
_FOR_BACKENDS = (
    "errors limits version model source serialize parallel hosts formats backend hookspecs rules"
)
FOR_BACKENDS = frozenset(_FOR_BACKENDS.split())

#: A backend touches files, programs and the network through its host only.
_NOT_FOR_BACKENDS = (
    "asyncio ctypes fcntl fileinput glob http importlib io mmap multiprocessing os pathlib shutil"
    " socket ssl subprocess tempfile urllib"
)
NOT_FOR_BACKENDS = frozenset(_NOT_FOR_BACKENDS.split())


class Import(NamedTuple):
    """One import: what is imported, where it stands, and whether only type checkers see it."""

    target: str
    file: Path
    line: int
    typing_only: bool

    def __str__(self) -> str:
        return f"{self.file}:{self.line} imports {self.target}"


def _files(top: Path) -> list[Path]:
    found = sorted(top.rglob("*.py"))
    assert found
    return found


def _imports(file: Path) -> Iterator[Import]:
    tree = ast.parse(file.read_bytes())
    hidden = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test)
        for child in node.body
        for inner in ast.walk(child)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield Import(alias.name, file, node.lineno, id(node) in hidden)
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{file}:{node.lineno}: a relative import"
            module = node.module or ""
            for alias in node.names:
                # `from polymod import limits` imports polymod.limits.
                name = f"{module}.{alias.name}" if module == "polymod" else module
                yield Import(name, file, node.lineno, id(node) in hidden)


def _room(target: str) -> str | None:
    package, _, rest = target.partition(".")
    if package != "polymod":
        return None
    return rest.partition(".")[0] or "api"  # the package itself is the front of the API


def _core_files() -> list[tuple[str, Path]]:
    rooms = []
    for file in _files(CORE):
        room = file.relative_to(CORE).parts[0].removesuffix(".py")
        if room not in ("__init__", "testing"):
            rooms.append((room, file))
    return rooms


def test_every_file_of_the_core_has_its_floor() -> None:
    assert {room for room, _ in _core_files()} <= FLOOR.keys()


def test_no_arrow_in_the_core_points_up() -> None:
    up = []
    for room, file in _core_files():
        for found in _imports(file):
            target = _room(found.target)
            if target is None:
                continue
            assert target in FLOOR, f"{found}: no room of the core"
            if FLOOR[target] > FLOOR[room]:
                up.append(str(found))
    assert up == []


def test_the_test_would_see_an_arrow_up(tmp_path: Path) -> None:
    file = tmp_path / "errors.py"
    file.write_text(
        "from typing import TYPE_CHECKING\n"
        "if TYPE_CHECKING:\n    from polymod.cli import app\n"
        "def f():\n    from polymod import plugins\n    import polymod.cli.app\n"
    )
    found = [(_room(one.target), one.typing_only) for one in _imports(file)]
    assert sorted(found, key=str) == [
        ("cli", False), ("cli", True), ("plugins", False), (None, False),
    ]  # fmt: skip


def test_no_room_of_the_core_imports_a_backend_by_name() -> None:
    for _, file in _core_files():
        for found in _imports(file):
            assert not found.target.startswith("polymod_"), str(found)


def test_nothing_imports_what_is_for_tests() -> None:
    for top in (CORE, *BACKENDS):
        for file in _files(top):
            if "testing" in file.parts:
                continue
            for found in _imports(file):
                assert _room(found.target) != "testing", str(found)


def test_what_is_for_tests_does_not_import_the_command_line() -> None:
    for file in sorted((CORE / "testing").rglob("*.py")):
        for found in _imports(file):
            assert _room(found.target) != "cli", str(found)


def test_the_backends_looked_at_are_all_that_are_built_in() -> None:
    assert sorted(top.name for top in BACKENDS) == sorted(BUILTIN)


@pytest.mark.parametrize("top", BACKENDS, ids=lambda top: top.name)
def test_a_backend_knows_the_lower_rooms_and_itself_only(top: Path) -> None:
    for file in _files(top):
        for found in _imports(file):
            package = found.target.partition(".")[0]
            if package == "polymod":
                assert _room(found.target) in FOR_BACKENDS, str(found)
            else:
                assert not package.startswith("polymod_") or package == top.name, str(found)


@pytest.mark.parametrize("top", BACKENDS, ids=lambda top: top.name)
def test_a_backend_does_not_touch_the_system_itself(top: Path) -> None:
    for file in _files(top):
        for found in _imports(file):
            assert found.target.partition(".")[0] not in NOT_FOR_BACKENDS, str(found)
        for node in ast.walk(ast.parse(file.read_bytes())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                called = node.func.id
                assert called not in ("open", "exec", "eval", "__import__", "print", "input"), (
                    f"{file}:{node.lineno} calls {called}()"
                )


def test_the_core_asks_no_backend_for_its_name() -> None:
    """``if backend == "linux"`` in the core is knowledge in the wrong room."""
    names = {"linux", "freebsd", "macos", "darwin", "windows", "aix", "hpux", "hp-ux", "vxworks"}
    for _, file in _core_files():
        for node in ast.walk(ast.parse(file.read_bytes())):
            if isinstance(node, ast.Compare | ast.MatchValue):
                words = {
                    inner.value.lower()
                    for inner in ast.walk(node)
                    if isinstance(inner, ast.Constant) and isinstance(inner.value, str)
                }
                assert not words & names, f"{file}:{node.lineno} compares with {words & names}"


@pytest.mark.parametrize("top", [CORE, *BACKENDS], ids=lambda top: top.name)
def test_every_file_fits_a_head(top: Path) -> None:
    for file in _files(top):
        assert len(file.read_text().splitlines()) <= 400, file
