"""Scans: what is found, in which order, and how they end when somebody else ends them."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import polymod
from polymod import ModuleError, ModuleFile
from tests.conftest import SAMPLES
from tests.polymod.elf_builder import module

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tests.conftest import RunPolymod

KO = SAMPLES / "x86_64" / "pm_core.ko"


def _records(stdout: bytes) -> list[dict[str, object]]:
    return [json.loads(line) for line in stdout.splitlines()]


def _paths(stdout: bytes) -> list[object]:
    return [record["path"] for record in _records(stdout)]


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """Modules, damaged ones, near misses, links and a pipe, in a few directories."""
    top = tmp_path / "tree"
    for name in ("a", "a/deep/er", "b", "c"):
        (top / name).mkdir(parents=True, exist_ok=True)
    shutil.copy(KO, top / "b" / "core.ko")
    shutil.copy(KO, top / "a" / "deep" / "er" / "core.KO.bak")  # known by its contents
    shutil.copy(SAMPLES / "x86_64" / "pm_comp_xz.ko.xz", top / "z.ko.xz")
    shutil.copy(SAMPLES / "s390x" / "pm_core.ko", top / "a" / "big.ko")
    shutil.copytree(SAMPLES / "near-miss", top / "c", dirs_exist_ok=True)
    (top / "a" / "text").write_text("no module")
    (top / "a" / "ring").symlink_to("..")
    (top / "a" / "self").symlink_to("self")
    (top / "b" / "link.ko").symlink_to("core.ko")
    (top / "b" / "broken.ko").symlink_to("nowhere.ko")
    os.mkfifo(top / "b" / "pipe.ko")
    return top


# -- what is found ----------------------------------------------------------


def test_a_mixed_tree_gives_modules_errors_and_a_count(tree: Path, run_polymod: RunPolymod) -> None:
    done = run_polymod("scan", tree, "-o", "ndjson", status=10)
    found = [
        (record["kind"], os.path.relpath(str(record["path"]), tree))
        for record in _records(done.stdout)
    ]
    assert found == [
        ("module_file", "z.ko.xz"),
        ("module_file", "a/big.ko"),
        ("module_file", "a/deep/er/core.KO.bak"),
        ("module_file", "b/core.ko"),
        ("module_file", "b/link.ko"),
        ("error", "c/empty.ko"),
        ("error", "c/header_only.ko"),
        ("error", "c/truncated.ko"),
    ]
    # Passed over: a text, and tutor.ko, shared.ko, plain.o, plain_object.ko, magic_only.ko.
    assert b"5 module files, 3 errors, 6 other files" in done.stderr


def test_a_damaged_module_is_an_error_with_its_place(tree: Path) -> None:
    errors = {
        Path(item.path or "").name: item
        for item in polymod.scan(tree)
        if isinstance(item, ModuleError)
    }
    assert {name: error.code for name, error in errors.items()} == dict.fromkeys(
        ("empty.ko", "header_only.ko", "truncated.ko"), "malformed"
    )
    assert errors["truncated.ko"].offset == int.from_bytes(
        (SAMPLES / "near-miss" / "truncated.ko").read_bytes()[40:48], "little"
    )


@pytest.mark.parametrize("name", ["tutor.ko", "shared.ko", "plain.o", "plain_object.ko"])
def test_a_file_that_was_named_must_be_a_module(name: str) -> None:
    (item,) = polymod.scan(SAMPLES / "near-miss" / name)
    assert isinstance(item, ModuleError)
    assert (item.code, item.exit_code) == ("not-a-module", 7)


def test_an_empty_directory_is_no_error(tmp_path: Path, run_polymod: RunPolymod) -> None:
    done = run_polymod("scan", tmp_path, "-o", "ndjson", status=0)
    assert done.stdout == b""
    assert b"0 module files" in done.stderr


def test_what_is_missing_is_an_error_and_the_rest_is_done(
    tree: Path, run_polymod: RunPolymod
) -> None:
    done = run_polymod("scan", tree / "missing", tree / "b", "-o", "ndjson", status=10)
    assert [record["kind"] for record in _records(done.stdout)] == [
        "error", "module_file", "module_file",
    ]  # fmt: skip
    run_polymod("scan", tree / "missing", tree / "gone", status=4)


@pytest.mark.parametrize("target", ["..", ".", "/", "self"])
def test_a_ring_of_links_is_not_walked(tmp_path: Path, target: str) -> None:
    shutil.copy(KO, tmp_path / "core.ko")
    (tmp_path / "self").symlink_to(target)
    found = [item.path for item in polymod.scan(tmp_path)]
    assert found == [str(tmp_path / "core.ko")]


def test_a_link_that_was_named_is_followed(tree: Path) -> None:
    (tree.parent / "link").symlink_to(tree / "b")
    found = [item.path for item in polymod.scan(tree.parent / "link")]
    assert found == [str(tree.parent / "link" / name) for name in ("core.ko", "link.ko")]


def test_directories_deeper_than_a_path_can_be_end_in_an_error(tmp_path: Path) -> None:
    here = tmp_path
    before = os.getcwd()
    os.chdir(here)
    try:
        for _ in range(30):
            os.mkdir("d" * 200)
            os.chdir("d" * 200)
    finally:
        os.chdir(before)
    items = list(polymod.scan(tmp_path))
    assert [type(item) for item in items] == [ModuleError]
    shutil.rmtree(tmp_path / ("d" * 200))


def test_odd_names_come_out_losslessly(tmp_path: Path, run_polymod: RunPolymod) -> None:
    names = [b"a\nb.ko", b"latin\xe9.ko", b"\x1b[31m.ko", b'quote".ko']
    for name in names:
        shutil.copy(KO, tmp_path / os.fsdecode(name))
    done = run_polymod("scan", tmp_path, "-o", "ndjson", status=0)
    found = [os.path.basename(os.fsencode(str(path))) for path in _paths(done.stdout)]
    assert found == sorted(names)


# -- order ------------------------------------------------------------------


@pytest.mark.parametrize("form", ["ndjson", "json", "csv", "table"])
def test_the_order_is_the_same_for_any_number_of_jobs(
    tmp_path: Path, run_polymod: RunPolymod, form: str
) -> None:
    for number in range(60):
        directory = tmp_path / f"d{number * 7 % 60:02}"
        directory.mkdir()
        for inner in range(5):
            (directory / f"m{inner * 3 % 5}.ko").write_bytes(module(b"name=m\0x=%d\0" % number))
        (directory / "broken.ko").write_bytes(b"\x7fELF")
    runs = [run_polymod("scan", tmp_path, "-o", form, "-j", str(jobs)) for jobs in (1, 2, 3, 9)]
    assert {(run.stdout, run.stderr, run.returncode) for run in runs} == {
        (runs[0].stdout, runs[0].stderr, 10)
    }
    if form == "ndjson":
        paths = _paths(runs[0].stdout)
        assert len(paths) == 360
        assert paths == sorted(map(str, paths))


def test_the_order_does_not_come_from_the_directory(tmp_path: Path) -> None:
    for name in ("z", "m", "a", "Z", "10", "9"):
        (tmp_path / f"{name}.ko").write_bytes(module())
    names = [Path(item.path or "").stem for item in polymod.scan(tmp_path, jobs=1)]
    assert names == ["10", "9", "Z", "a", "m", "z"]


def test_paths_keep_the_order_they_were_given_in(tree: Path) -> None:
    found = [item.path for item in polymod.scan(tree / "z.ko.xz", tree / "b", tree / "a/big.ko")]
    assert found == [str(tree / name) for name in ("z.ko.xz", "b/core.ko", "b/link.ko", "a/big.ko")]


def test_the_api_gives_records_from_other_processes(tree: Path) -> None:
    alone, together = (list(polymod.scan(tree, symbols=True, jobs=jobs)) for jobs in (1, 4))
    assert alone == together
    assert sum(isinstance(item, ModuleFile) for item in alone) == 5


# -- standard input ---------------------------------------------------------


def test_paths_come_from_standard_input(tree: Path, run_polymod: RunPolymod) -> None:
    lines = f"{tree}/b\n\n{tree}/z.ko.xz".encode()
    done = run_polymod("scan", "-", "-o", "ndjson", stdin=lines, status=0)
    assert [Path(str(path)).name for path in _paths(done.stdout)] == [
        "core.ko", "link.ko", "z.ko.xz",
    ]  # fmt: skip


@pytest.mark.parametrize("option", ["--null", "-0"])
def test_paths_separated_by_nul_may_hold_newlines(
    tmp_path: Path, run_polymod: RunPolymod, option: str
) -> None:
    names = [b"a\nb.ko", b"latin\xe9.ko", b" .ko"]
    for name in names:
        shutil.copy(KO, tmp_path / os.fsdecode(name))
    stdin = b"\0".join(os.path.join(os.fsencode(tmp_path), name) for name in names) + b"\0"
    done = run_polymod("scan", option, "-", "-o", "ndjson", stdin=stdin, status=0)
    assert [os.path.basename(os.fsencode(str(path))) for path in _paths(done.stdout)] == names


def test_standard_input_that_is_no_list_is_refused(run_polymod: RunPolymod) -> None:
    done = run_polymod("scan", "-", stdin=b"x" * 200_000, status=2)
    assert b"standard input has a line of more than" in done.stderr


@pytest.mark.parametrize("stdin", [b"", b"\n\n"])
def test_an_empty_standard_input_is_an_empty_scan(stdin: bytes, run_polymod: RunPolymod) -> None:
    assert run_polymod("scan", "-", "-o", "json", stdin=stdin, status=0).stdout == (
        b'{"schema": "polymod/1", "items": [], "errors": []}\n'
    )


def test_thousands_of_paths_are_taken(tmp_path: Path, run_polymod: RunPolymod) -> None:
    (tmp_path / "m.ko").write_bytes(module())
    done = run_polymod(
        "scan", "-", "-o", "csv", stdin=f"{tmp_path}/m.ko\n".encode() * 5000, status=0
    )
    assert done.stdout.count(b"\r\n") == 5001


# -- ends from outside ------------------------------------------------------


@pytest.fixture
def big_tree(tmp_path: Path) -> Path:
    """Enough modules that a scan of them fills every pipe."""
    content = module(b"name=m\0" + b"alias=pci:v*d*sv*sd*bc*sc*i*\0" * 500)
    for number in range(3000):
        (tmp_path / f"{number:04}.ko").write_bytes(content)
    return tmp_path


def _start(argv: Sequence[str], env: Mapping[str, str], *arguments: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [*argv, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=dict(env),
        start_new_session=True,
    )


@pytest.mark.parametrize("form", ["ndjson", "json", "csv", "table"])
@pytest.mark.parametrize("jobs", ["1", "3"])
def test_a_closed_pipe_is_quiet(
    big_tree: Path,
    polymod_argv: Sequence[str],
    polymod_env: Mapping[str, str],
    form: str,
    jobs: str,
) -> None:
    with _start(
        polymod_argv, polymod_env, "scan", str(big_tree), "-o", form, "-j", jobs
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.readline()
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait() == 0


@pytest.mark.parametrize("jobs", ["1", "3"])
def test_ctrl_c_ends_a_scan_and_its_workers(
    big_tree: Path, polymod_argv: Sequence[str], polymod_env: Mapping[str, str], jobs: str
) -> None:
    with _start(
        polymod_argv, polymod_env, "scan", str(big_tree), "-o", "ndjson", "-j", jobs
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline()  # at work now, and soon stuck on a pipe nobody reads
        os.killpg(process.pid, signal.SIGINT)
        # Both pipes end when the last process holding them is gone.
        _, err = process.communicate(timeout=120)
    assert process.returncode == 130
    assert err == b"polymod: interrupted\n"


def test_ctrl_c_while_waiting_for_standard_input(
    polymod_argv: Sequence[str], polymod_env: Mapping[str, str]
) -> None:
    with subprocess.Popen(
        [*polymod_argv, "-v", "scan", "-", "-o", "json"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=dict(polymod_env),
        start_new_session=True,
    ) as process:
        assert process.stdin is not None
        # One chunk of paths is answered while the rest is waited for.
        process.stdin.write(f"{KO}\n".encode() * 500)
        process.stdin.flush()
        assert process.stdout is not None
        assert process.stdout.read(1)
        os.killpg(process.pid, signal.SIGINT)
        _, err = process.communicate(timeout=120)
    assert process.returncode == 130
    assert b"Traceback" not in err


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")
@pytest.mark.parametrize("form", ["ndjson", "table"])
def test_a_full_disk_behind_standard_output_is_told(
    polymod_argv: Sequence[str], polymod_env: Mapping[str, str], form: str
) -> None:
    with open("/dev/full", "wb") as full:
        done = subprocess.run(
            [*polymod_argv, "scan", str(SAMPLES), "-o", form],
            stdout=full,
            stderr=subprocess.PIPE,
            env=dict(polymod_env),
            check=False,
        )
    assert done.returncode == 3
    assert b"standard output: no space left on device" in done.stderr
    assert b"Traceback" not in done.stderr
    assert b"Exception ignored" not in done.stderr
