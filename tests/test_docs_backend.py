"""The page docs/writing-a-backend.md: its code is the example's, its outputs are real."""

from __future__ import annotations

import inspect
import os
import re
import shlex
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import pytest

from polymod import backend, errors, hookspecs
from polymod.hosts.base import Host
from polymod.model.base import Why

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.conftest import RunPolymod

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "writing-a-backend.md"
EXAMPLE = ROOT / "tests" / "example_backend"
SAMPLES = ROOT / "tests" / "data" / "modules" / "netbsd" / "x86_64"
TEXT = PAGE.read_text(encoding="utf-8")

PARTS = (
    backend.Backend,
    backend.FileFormat,
    backend.Inventory,
    backend.Indexer,
    backend.Control,
)


class Block(NamedTuple):
    """A fenced block: its language, its text, and the file that the comment above names."""

    language: str
    text: str
    source: str | None

    @property
    def title(self) -> str:
        """What the test is called: the file and the first line."""
        return f"{self.source or self.language}: {self.text.strip().splitlines()[0].strip()}"


def blocks() -> Iterator[Block]:
    pattern = r"(?:^<!-- from (?P<source>\S+) -->\n)?^```(?P<language>\w*)\n(?P<text>.*?)^```$"
    for found in re.finditer(pattern, TEXT, re.MULTILINE | re.DOTALL):
        yield Block(found["language"], found["text"], found["source"])


CODE = [pytest.param(one, id=one.title) for one in blocks() if one.language in ("python", "toml")]
SHELL = [pytest.param(one, id=one.title) for one in blocks() if one.language == "console"]


def column(heading: str) -> list[str]:
    """Every word in backticks in the first column of the table under a heading line."""
    _, _, rest = TEXT.partition(f"\n{heading}\n")
    assert rest, f"the page has no table {heading}"
    rows = rest.split("\n\n", 1)[0].splitlines()[1:]
    return [word for row in rows for word in re.findall(r"`([^`]+)`", row.split("|")[1])]


# -- code -------------------------------------------------------------------


@pytest.mark.parametrize("block", CODE)
def test_the_code_is_the_example_s(block: Block) -> None:
    assert block.source is not None, "a code block needs a comment that names its file"
    assert block.text in (EXAMPLE / block.source).read_text(encoding="utf-8")


def test_every_file_of_the_example_s_package_is_used_on_the_page() -> None:
    named = {one.source for one in blocks()}
    package = {f"polymod_netbsd/{path.name}" for path in EXAMPLE.glob("polymod_netbsd/*.py")}
    assert package <= named


# -- what it prints ---------------------------------------------------------


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """A directory in which the plugin is as good as installed: pip would write the same."""
    directory = tmp_path / "site"
    facts = directory / "polymod_netbsd-0.1.0.dist-info"
    facts.mkdir(parents=True)
    (facts / "METADATA").write_text("Metadata-Version: 2.1\nName: polymod-netbsd\nVersion: 0.1.0\n")
    (facts / "entry_points.txt").write_text("[polymod]\nnetbsd = polymod_netbsd\n")
    shutil.copytree(EXAMPLE / "polymod_netbsd", directory / "polymod_netbsd")
    return directory


@pytest.fixture
def work(tmp_path: Path) -> Path:
    """The directory that the page's commands run in."""
    directory = tmp_path / "work"
    modules = directory / "image" / "stand" / "amd64" / "10.0" / "modules"
    for name in ("pm_bus", "pm_disk", "pmfs"):
        (modules / name).mkdir(parents=True)
        shutil.copy(SAMPLES / f"{name}.kmod", modules / name)
    shutil.copy(SAMPLES / "pmfs.kmod", directory)
    return directory


@pytest.mark.parametrize("block", SHELL)
def test_the_commands_print_what_the_page_says(
    block: Block,
    site: Path,
    work: Path,
    run_polymod: RunPolymod,
    polymod_env: dict[str, str],
) -> None:
    path = os.pathsep.join((str(site), polymod_env["PYTHONPATH"]))
    commands = re.split(r"^\$ ", block.text, flags=re.MULTILINE)[1:]
    assert commands
    for command in commands:
        line, _, wanted = command.partition("\n")
        program, *words = shlex.split(line)
        assert program == "polymod"
        done = run_polymod(*words, cwd=work, env={"PYTHONPATH": path, "PYTHONUTF8": "1"}, status=0)
        printed = [text.rstrip() for text in done.stdout.decode().splitlines()]
        assert "\n".join(printed).strip() == wanted.strip()


# -- lists ------------------------------------------------------------------


def hooks() -> dict[str, str]:
    return {
        name: f"`{name}({', '.join(inspect.signature(function).parameters)})`"
        for name, function in vars(hookspecs).items()
        if name.startswith("polymod_")
    }


def test_every_hook_has_its_heading_with_its_arguments() -> None:
    headings = re.findall(r"^### (`polymod_.*)$", TEXT, re.MULTILINE)
    assert headings == list(hooks().values())
    assert len(headings) == 6


@pytest.mark.parametrize("part", PARTS, ids=lambda part: part.__name__)
def test_every_part_and_each_of_its_methods_is_explained(part: type) -> None:
    assert part.__name__ in column("| part | answers | must it be there? |")
    for name, method in vars(part).items():
        if inspect.isfunction(method):
            assert re.search(rf"`{name}\([\w, ]*\)`", TEXT), f"{part.__name__}.{name}"


def test_arguments_are_called_as_in_the_code() -> None:
    owners = (*PARTS, Host)
    for name, arguments in re.findall(r"`(\w+)\(([\w, ]*)\)`", TEXT):
        signatures = [
            [word for word in inspect.signature(vars(owner)[name]).parameters if word != "self"]
            for owner in owners
            if name in vars(owner)
        ]
        if signatures and arguments:
            words = arguments.split(", ")
            assert any(words == known[: len(words)] for known in signatures), (name, arguments)


def test_every_strength_is_listed_with_its_number() -> None:
    rows = re.findall(r"^\| `([A-Z]+)` \| (\d+) \|", TEXT, re.MULTILINE)
    strengths = {
        name: str(value)
        for name, value in vars(backend).items()
        if name.isupper() and isinstance(value, int) and not isinstance(value, bool)
    }
    assert dict(rows) == {name: strengths[name] for name in ("CERTAIN", "LIKELY", "NAME")}
    assert set(strengths) - {"TYPE_CHECKING"} == {"CERTAIN", "LIKELY", "NAME"}


def test_every_reason_for_a_gap_is_listed() -> None:
    assert sorted(column("| reason | when |")) == sorted(Why)


def test_every_method_of_a_host_is_listed() -> None:
    listed = {word.partition("(")[0] for word in column("| method | does |")}
    methods = {name for name, value in vars(Host).items() if inspect.isfunction(value)}
    assert listed == {name for name in methods if not name.startswith("_")} - {"close"}


def test_the_errors_are_errors() -> None:
    for name in column("| error | when |"):
        assert issubclass(getattr(errors, name), errors.PolymodError)


def test_links_lead_somewhere() -> None:
    links = re.findall(r"\]\(([^)#]+)\)", TEXT)
    assert links
    for link in links:
        assert (PAGE.parent / link).exists(), link
