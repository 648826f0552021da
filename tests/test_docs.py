"""The documents are held to the code: nothing is missing, stale, or says what is not so."""

from __future__ import annotations

import inspect
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote

import pytest

import polymod
from generators import commands, completion, console, reference
from polymod import errors, hookspecs, schema
from polymod.verbs import VERBS

if TYPE_CHECKING:
    from collections.abc import Mapping

ROOT = Path(__file__).resolve().parent.parent
DOCS = ROOT / "docs"
PAGES = [ROOT / "README.md", *sorted(DOCS.glob("**/*.md"))]
PROSE = [page for page in console.pages() if console.steps(page.read_text("utf-8"))]
MAN = sorted((DOCS / "man").glob("*.1"))

#: What may not stand in a document: paths of one machine.
PRIVATE = re.compile(r"/home/|/root/|/tmp/|pyenv")

#: A command line of polymod, by whatever path: its verb, global options before it.
VERB = re.compile(r"(?:^|[$|;] |/)polymod (?:--(?:root|host|record|output) \S+ )*([a-z]+)", re.M)


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


def page(name: str) -> str:
    return (DOCS / name).read_text("utf-8")


def run_generator(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, DOCS / "generate.py", *words],
        cwd=ROOT,
        env={"PYTHONPATH": f"{ROOT}:{ROOT / 'backends'}", "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        check=False,
    )


# -- generated documents ------------------------------------------------------


def test_every_generated_document_is_current() -> None:
    done = run_generator("--check")
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("verb", [verb.name for verb in VERBS])
def test_the_verb_has_its_section_and_its_man_page(verb: str) -> None:
    assert f"\n## {verb}\n" in page("reference/cli.md")
    assert (DOCS / "man" / f"polymod-{verb}.1").exists()
    assert f"polymod\\-{verb}" in page("man/polymod.1")


@pytest.mark.parametrize("command", commands.verbs(), ids=lambda command: command.name)
def test_every_option_of_the_verb_has_help_and_is_documented(command: commands.Command) -> None:
    _, _, section = page("reference/cli.md").partition(f"\n## {command.name}\n")
    section = section.split("\n## ")[0]
    shared = page("reference/cli.md").split("\n## Exit codes")[0]
    man = page(f"man/{command.page}.1").replace("\\-", "-")
    for option in command.options:
        assert option.help.endswith((".", "?")), option
        for spelling in option.spellings:
            assert f"{spelling}" in section + shared
            assert f"\\fB{spelling}\\fR" in man
    assert command.examples, "a verb shows an example"
    for example in command.examples:
        assert example in section


@pytest.mark.parametrize("hook", [name for name in vars(hookspecs) if name.startswith("polymod_")])
def test_the_hook_is_documented_with_its_arguments(hook: str) -> None:
    arguments = ", ".join(inspect.signature(getattr(hookspecs, hook)).parameters)
    assert f"\n## `{hook}({arguments})`\n" in page("reference/hooks.md")


@pytest.mark.parametrize("kind", sorted(schema.kinds()))
def test_every_field_of_the_record_has_its_row(kind: str) -> None:
    _, _, section = page("reference/records.md").partition(f"\n## {kind}\n")
    section = section.split("\n## ")[0]
    properties = schema.schema_of(kind)["properties"]
    assert isinstance(properties, dict)
    for field in properties:
        assert re.search(rf"^\| `{field}` \| \S", section, re.MULTILINE), field


def test_every_field_of_a_module_file_says_what_fills_it_on_linux() -> None:
    described = reference.linux_sources()
    assert isinstance(described["module_file"], dict)
    fields = set(schema.schema_of("module_file")["properties"])  # type: ignore[call-overload]
    assert set(described["module_file"]) == fields - {"kind"}
    known = set(schema.kinds()) | set(schema.envelope()["$defs"])  # type: ignore[call-overload]
    assert set(described) <= known


@pytest.mark.parametrize(
    "error",
    [one for one in vars(errors).values() if reference.is_error(one)],
    ids=lambda error: error.__name__,
)
def test_the_error_is_documented(error: type[errors.PolymodError]) -> None:
    assert f"\n## {error.__name__}\n" in page("reference/errors.md")
    assert f"`{error.code}`" in page("reference/errors.md")
    assert error.__name__ in (errors.__doc__ or "")


@pytest.mark.parametrize("name", polymod.__all__)
def test_the_public_name_is_in_the_reference(name: str) -> None:
    assert f"\n### `{name}`\n" in page("reference/api.md")


def test_every_exit_code_is_explained() -> None:
    for code in errors.ExitCode:
        assert f"\n| {int(code)} | " in page("contract.md")
        assert f"\n.B {int(code)}\n" in page("man/polymod.1")


@pytest.mark.parametrize("path", MAN, ids=name_of)
def test_the_man_page_is_sound(path: Path) -> None:
    if shutil.which("mandoc") is None:
        pytest.skip("mandoc is not installed")
    done = subprocess.run(
        ["mandoc", "-T", "lint", "-W", "warning", path], capture_output=True, text=True, check=False
    )
    # An unreleased version has no date.
    told = [line for line in done.stdout.splitlines() if "missing date" not in line]
    assert told == []


@pytest.mark.parametrize("shell", completion.FILES)
def test_the_completion_script_is_one_for_its_shell(shell: str) -> None:
    if shutil.which(shell) is None and shell != "bash":
        assert "_POLYMOD_COMPLETE" in page(f"completion/{completion.FILES[shell]}")
        return
    done = subprocess.run(
        [shell, "-n", DOCS / "completion" / completion.FILES[shell]],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")


# -- prose --------------------------------------------------------------------


@pytest.mark.parametrize("path", PROSE, ids=name_of)
def test_the_consoles_show_what_polymod_says(path: Path, tmp_path: Path) -> None:
    steps = console.steps(path.read_text("utf-8"))
    real = console.run(steps, tmp_path)
    assert len(real) == len(steps)
    for step, output in zip(steps, real, strict=True):
        place = f"{name_of(path)}:{step.line}: $ {step.command}"
        assert console.matches(step.shown, output), "\n".join(
            [place, "shown:", *step.shown, "real:", *output]
        )
        assert not any("Traceback" in line for line in output), place


def test_a_console_that_shows_something_else_is_noticed() -> None:
    assert console.matches(["a", "...", "d"], ["a", "b", "c", "d"])
    assert console.matches(["a "], ["a"])
    assert not console.matches(["a", "..."], ["b"])
    assert not console.matches(["a"], ["a", "b"])
    assert not console.matches([], ["a"])
    assert not console.matches(["a"], [])


def test_consoles_are_read_with_their_line_and_what_they_show() -> None:
    text = "x\n```console\n$ one\n> more\nshown\n$ two\n```\n$ no\n```sh\n$ no\n```\n"
    assert console.steps(text) == [
        console.Step("one\nmore", 3, ("shown",)),
        console.Step("two", 6, ()),
    ]


def test_the_readme_gives_both_commands() -> None:
    text = (ROOT / "README.md").read_text("utf-8")
    assert "sh tests/run" in text
    assert "python3 -m venv .venv && .venv/bin/pip install ." in text


@pytest.mark.parametrize("path", PAGES, ids=name_of)
def test_the_page_names_no_machine(path: Path) -> None:
    assert PRIVATE.findall(path.read_text("utf-8")) == []


@pytest.mark.parametrize("path", PAGES, ids=name_of)
def test_every_link_of_the_page_leads_somewhere(path: Path) -> None:
    text = re.sub(r"```.*?```", "", path.read_text("utf-8"), flags=re.DOTALL)
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if target.startswith("https://"):
            continue
        file, _, anchor = unquote(target).partition("#")
        aim = path.parent / file if file else path
        assert aim.exists(), target
        if anchor:
            assert anchor in anchors(aim.read_text("utf-8")), target


def anchors(text: str) -> set[str]:
    """The anchors of a page's headings, as Markdown readers make them."""
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", one.lower()).strip().replace(" ", "-") for one in headings}


def test_no_verb_is_shown_that_does_not_exist() -> None:
    known = {verb.name for verb in VERBS}
    for path in PAGES:
        text = path.read_text("utf-8")
        shown = [step.command for step in console.steps(text)]
        shown += re.findall(r"```sh\n(.*?)```", text, re.DOTALL)
        for verb in re.findall(VERB, "\n".join(shown)):
            assert verb in known, f"{name_of(path)}: polymod {verb}"


# -- what is made of them ------------------------------------------------------


def test_man_pages_and_completion_are_installed_with_polymod() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    shared = project["tool"]["hatch"]["build"]["targets"]["wheel"]["shared-data"]
    assert shared == {
        "docs/man": "share/man/man1",
        "docs/completion/polymod.bash": "share/bash-completion/completions/polymod",
        "docs/completion/_polymod": "share/zsh/site-functions/_polymod",
        "docs/completion/polymod.fish": "share/fish/vendor_completions.d/polymod.fish",
    }
    assert all((ROOT / source).exists() for source in shared)
    assert [path.name for path in MAN] == sorted(path.name for path in (DOCS / "man").iterdir())


def test_the_site_can_be_built(tmp_path: Path, polymod_env: Mapping[str, str]) -> None:
    pytest.importorskip("mkdocs", reason="mkdocs is not installed")
    done = subprocess.run(
        [
            *(sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet"),
            *("--config-file", ROOT / ".mkdocs.yml", "--site-dir", tmp_path / "site"),
        ],
        env=dict(polymod_env),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
