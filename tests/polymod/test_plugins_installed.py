"""Plugins that are really installed: found by entry point, named where they fail."""

from __future__ import annotations

import json
import textwrap
from typing import TYPE_CHECKING

import pytest

from tests.conftest import SAMPLES

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from tests.conftest import RunPolymod

# -- installed ones ---------------------------------------------------------


@pytest.fixture
def install(tmp_path: Path) -> Callable[[str, str], dict[str, str]]:
    """Put a distribution with a plugin where Python finds it; gives the environment for it."""

    def put(name: str, source: str) -> dict[str, str]:
        info = tmp_path / "site" / f"{name}-1.5.dist-info"
        info.mkdir(parents=True)
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.5\n")
        (info / "entry_points.txt").write_text(f"[polymod]\n{name} = {name}_plugin\n")
        (tmp_path / "site" / f"{name}_plugin.py").write_text(textwrap.dedent(source))
        return {"EXTRA_PATH": str(tmp_path / "site")}

    return put


@pytest.fixture
def run_with(run_polymod: RunPolymod, polymod_env: Mapping[str, str]) -> Callable[..., object]:
    def run(extra: Mapping[str, str], *arguments: str, status: int | None = None) -> object:
        path = f"{extra['EXTRA_PATH']}:{polymod_env['PYTHONPATH']}"
        return run_polymod(*arguments, status=status, env={"PYTHONPATH": path})

    return run


def test_an_installed_plugin_adds_a_verb(
    install: Callable[[str, str], dict[str, str]], run_with: Callable[..., object]
) -> None:
    env = install(
        "hello",
        """
        import click
        from polymod import Verb, hookimpl

        @hookimpl
        def polymod_commands():
            return [Verb("hello", "Say hello.", "hello_plugin:hello")]

        @click.command("hello")
        def hello():
            click.echo("hello there")
        """,
    )
    done = run_with(env, "hello", status=0)
    assert done.stdout == b"hello there\n"  # type: ignore[attr-defined]
    done = run_with(env, "--help", status=0)
    assert b"Say hello." in done.stdout  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    "source",
    [
        pytest.param("import nothing_of_that_name", id="an import that fails"),
        pytest.param("raise SystemExit(0)", id="an exit"),
        pytest.param("def (", id="a syntax error"),
    ],
)
def test_an_installed_plugin_that_cannot_be_loaded_is_told(
    install: Callable[[str, str], dict[str, str]],
    run_with: Callable[..., object],
    source: str,
) -> None:
    env = install("broken", source)
    sample = str(SAMPLES / "x86_64" / "pm_core.ko")
    done = run_with(env, "inspect", sample, "-o", "ndjson", status=0)
    assert json.loads(done.stdout)["name"] == "pm_core"  # type: ignore[attr-defined]
    assert b"plugin broken" in done.stderr  # type: ignore[attr-defined]


def test_the_version_of_an_installed_plugin_is_shown(
    install: Callable[[str, str], dict[str, str]], run_with: Callable[..., object]
) -> None:
    env = install(
        "toys",
        """
        from polymod import Backend, hookimpl, FileFormat

        class Format(FileFormat):
            formats = ("toy",)
            def claims(self, source): return None
            def read(self, source, depth=1): raise NotImplementedError

        class Toys(Backend):
            name, title = "toys", "Toys"
            def claims(self, host): return None
            def canonical(self, name): return name
            def file_format(self): return Format()

        @hookimpl
        def polymod_backends():
            return [Toys()]
        """,
    )
    done = run_with(env, "backends", "-o", "ndjson", status=0)
    records = [json.loads(line) for line in done.stdout.splitlines()]  # type: ignore[attr-defined]
    (toys,) = [record for record in records if record["name"] == "toys"]
    assert (toys["plugin"], toys["version"]) == ("toys", "1.5")
