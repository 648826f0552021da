"""What modules say must not reach a terminal raw, and closed streams are no crash."""

from __future__ import annotations

import json
import os
import pty
import shlex
import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest

from polymod.verbs import VERBS
from tests.conftest import DATA, SAMPLES
from tests.polymod.elf_builder import module

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from tests.conftest import RunPolymod

SAMPLE = str(SAMPLES / "x86_64" / "pm_core.ko")
INFO = str(SAMPLES / "x86_64" / "pm_info.ko")
TEXT = str(SAMPLES / "near-miss" / "tutor.ko")
BROKEN = str(SAMPLES / "near-miss" / "truncated.ko")
ROOT = str(DATA / "roots" / "linux-basic")
VERB_NAMES = [verb.name for verb in VERBS]


# -- terminals --------------------------------------------------------------

HOSTILE = (
    b"name=evil\x1b[2J\0"
    b"description=\x1b]0;title\x07 \x9b31m \x08\x08 \x7f\r\0"
    b"author=\xff\xfe\x1b[31m\0"
    b"license=\xc2\x9b31m\0"
    b"alias=\xe2\x80\xae reversed\0"
    b"version=\x1b\0"
    b"vermagic=\x1b[31m x\0"
    b"depends=a\x1bb\0"
    b"firmware=f\x1b\0"
    b"parm=p\x1b:t\x1b\0"
    b"parmtype=p\x1b:int\x1b\0"
)


def _assert_safe(text: bytes) -> None:
    for char in text.decode("utf-8"):  # and it is UTF-8
        assert char in "\n" or char.isprintable(), repr(char)


@pytest.fixture
def hostile(tmp_path: Path) -> Path:
    directory = tmp_path / "hostile"
    directory.mkdir()
    (directory / "evil.ko").write_bytes(module(HOSTILE))
    for name in (b"evil\x1b[31m.ko", b"evil\xff.ko", b"new\nline.ko"):
        shutil.copy(directory / "evil.ko", directory / os.fsdecode(name))
    (directory / "broken\x1b[31m.ko").write_bytes(b"\x7fELF")
    return directory


def test_no_control_character_reaches_a_terminal(run_polymod: RunPolymod, hostile: Path) -> None:
    files = sorted(str(path) for path in hostile.iterdir())
    for arguments in (["scan", str(hostile)], ["inspect", *files], ["inspect", "-v", *files]):
        done = run_polymod(*arguments, status=10)
        assert b"evil" in done.stdout
        _assert_safe(done.stdout)
        _assert_safe(done.stderr)


def test_one_field_reaches_a_terminal_safely_too(
    polymod_argv: Sequence[str], polymod_env: Mapping[str, str], hostile: Path
) -> None:
    for field in ("name", "description", "author", "path"):
        text = _on_a_terminal(
            polymod_argv, polymod_env, "inspect", "-F", field, str(hostile / "evil.ko")
        )
        assert text
        _assert_safe(text.replace(b"\r\n", b"\n"))


def _on_a_terminal(argv: Sequence[str], env: Mapping[str, str], *arguments: str) -> bytes:
    parent, child = pty.openpty()
    with subprocess.Popen([*argv, *arguments], stdout=child, env=dict(env)) as process:
        os.close(child)
        parts = []
        while True:
            try:
                part = os.read(parent, 1 << 16)
            except OSError:  # EIO: the other side is closed
                break
            if not part:
                break
            parts.append(part)
    os.close(parent)
    assert process.returncode == 0
    return b"".join(parts)


def test_a_value_cannot_pretend_to_be_another_line(run_polymod: RunPolymod, tmp_path: Path) -> None:
    path = tmp_path / "evil.ko"
    path.write_bytes(module(b"name=evil\0description=fine\nsigner:         Debian\0"))
    lines = run_polymod("inspect", path, status=0).stdout.decode().splitlines()
    assert not [line for line in lines if line.startswith("signer:")]


def test_a_machine_form_is_lossless(run_polymod: RunPolymod, hostile: Path) -> None:
    done = run_polymod("inspect", hostile / "evil.ko", "-o", "ndjson", status=0)
    record = json.loads(done.stdout)
    assert record["name"] == "evil\x1b[2J"
    assert record["authors"][0].encode("utf-8", "surrogateescape") == b"\xff\xfe\x1b[31m"


def test_the_locale_changes_nothing(run_polymod: RunPolymod, hostile: Path) -> None:
    runs = [
        run_polymod("inspect", INFO, hostile / "evil.ko", env={"LC_ALL": locale, "LANG": locale})
        for locale in ("C", "C.UTF-8", "POSIX", "de_DE.UTF-8", "nonsense")
    ]
    assert {(run.stdout, run.stderr, run.returncode) for run in runs} == {(runs[0].stdout, b"", 0)}


# -- no stream to write to --------------------------------------------------


@pytest.mark.parametrize(
    "arguments", ["--version", f"inspect {SAMPLE}", f"scan {SAMPLE}", "scan -", "--help"]
)
def test_closed_streams_are_no_crash(
    polymod_argv: Sequence[str], polymod_env: Mapping[str, str], arguments: str
) -> None:
    done = subprocess.run(
        f"{shlex.join(polymod_argv)} {arguments} <&- >&-",
        shell=True,
        capture_output=True,
        env=dict(polymod_env),
        check=False,
    )
    assert b"Traceback" not in done.stderr
    assert b"Exception ignored" not in done.stderr
