"""The command line: help, options anywhere, exit codes, forms of output, and safe terminals."""

from __future__ import annotations

import csv
import io
import json
import shlex
from typing import TYPE_CHECKING

import pytest

from polymod.verbs import VERBS
from tests.conftest import DATA, SAMPLES

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import RunPolymod

SAMPLE = str(SAMPLES / "x86_64" / "pm_core.ko")
INFO = str(SAMPLES / "x86_64" / "pm_info.ko")
TEXT = str(SAMPLES / "near-miss" / "tutor.ko")
BROKEN = str(SAMPLES / "near-miss" / "truncated.ko")
ROOT = str(DATA / "roots" / "linux-basic")
VERB_NAMES = [verb.name for verb in VERBS]


# -- help -------------------------------------------------------------------


@pytest.mark.parametrize("option", ["--help", "-h"])
def test_the_program_lists_its_verbs_and_exit_codes(run_polymod: RunPolymod, option: str) -> None:
    out = run_polymod(option, status=0).stdout.decode()
    for verb in VERBS:
        assert f"  {verb.name} " in out
        assert verb.help in out
    assert "Exit codes: 0 done or yes" in out
    assert "Example:\n    polymod " in out


@pytest.mark.parametrize("name", VERB_NAMES)
def test_every_verb_has_help_with_examples_that_parse(run_polymod: RunPolymod, name: str) -> None:
    out = run_polymod(name, "--help", status=0).stdout.decode()
    assert out.startswith(f"Usage: polymod {name}")
    examples = out.partition("Example:\n")[2]
    assert f"polymod {name}" in examples
    for option in ("--host", "--root", "--backend", "--output", "--record", "--verbose", "--quiet"):
        assert option in out
    for line in examples.strip().splitlines():
        line = line.strip().removeprefix('eval "$(').removesuffix(')"')
        words = shlex.split(line.rpartition("| ")[2])
        assert words[0] == "polymod"
        at = words.index(name)
        # What click cannot parse, it answers with "Usage"; --help stops it from running.
        done = run_polymod(*words[1 : at + 1], "--help", *words[at + 1 :])
        assert done.returncode == 0, (line, done.stderr)


@pytest.mark.parametrize("option", ["--version", "-V"])
def test_the_version(run_polymod: RunPolymod, option: str) -> None:
    from polymod.version import __version__

    assert run_polymod(option, status=0).stdout.decode() == f"polymod {__version__}\n"


# -- options ----------------------------------------------------------------


@pytest.mark.parametrize(
    "arguments",
    [
        pytest.param(["--output", "ndjson", "inspect", SAMPLE], id="before the verb"),
        pytest.param(["inspect", "--output", "ndjson", SAMPLE], id="behind the verb"),
        pytest.param(["inspect", SAMPLE, "--output", "ndjson"], id="at the end"),
        pytest.param(["inspect", SAMPLE, "--output=ndjson"], id="with an equals sign"),
        pytest.param(["-o", "ndjson", "inspect", SAMPLE], id="short, before"),
        pytest.param(["inspect", SAMPLE, "-ondjson"], id="short, in one word"),
        pytest.param(["-o", "csv", "inspect", SAMPLE, "-o", "ndjson"], id="both: the later wins"),
        pytest.param(
            ["--backend", "linux", "-o", "ndjson", "inspect", SAMPLE], id="with a backend"
        ),
        pytest.param(["inspect", "-o", "ndjson", "--host", "local:", SAMPLE], id="with a host"),
        pytest.param(["--root", "/", "-o", "ndjson", "inspect", SAMPLE], id="with a root"),
    ],
)
def test_global_options_stand(run_polymod: RunPolymod, arguments: list[str]) -> None:
    done = run_polymod(*arguments, status=0)
    assert json.loads(done.stdout)["name"] == "pm_core"


@pytest.mark.parametrize("form", ["table", "json", "ndjson", "csv"])
@pytest.mark.parametrize(
    "arguments",
    [
        pytest.param(["--nonsense"], id="an unknown option"),
        pytest.param(["inspect", "--nonsense", SAMPLE], id="an unknown option of a verb"),
        pytest.param(["nonsense"], id="an unknown verb"),
        pytest.param(["inspect"], id="no path"),
        pytest.param(["scan"], id="nothing to scan"),
        pytest.param(["resolve"], id="no alias"),
        pytest.param(["scan", "--jobs", "0", "."], id="no process"),
        pytest.param(["scan", "--jobs", "many", "."], id="a number that is none"),
        pytest.param(["--backend", "beos", "inspect", SAMPLE], id="an unknown backend"),
        pytest.param(["--host", "gopher://x", "inspect", SAMPLE], id="an unknown kind of host"),
        pytest.param(["--host", "root:/", "--root", "/", "inspect", SAMPLE], id="two hosts"),
        pytest.param(["index", "--check", "--outdir", "/tmp"], id="what excludes each other"),
    ],
)
def test_usage_errors_are_2_in_every_form(
    run_polymod: RunPolymod, arguments: list[str], form: str
) -> None:
    done = run_polymod(*arguments, "--output", form, status=2)
    assert done.stderr
    _assert_one_error(done.stdout, form, "usage")


def _assert_one_error(stdout: bytes, form: str, code: str) -> None:
    if form == "json":
        whole = json.loads(stdout)
        assert (whole["schema"], whole["items"]) == ("polymod/1", [])
        (error,) = whole["errors"]
    elif form == "ndjson":
        (error,) = [json.loads(line) for line in stdout.splitlines()]
    else:
        assert stdout == b""
        return
    assert error["kind"] == "error"
    assert error["code"] == code
    assert error["message"]
    assert {"path", "host", "offset", "remedy", "gaps"} <= error.keys()


def test_an_unknown_form_of_output_is_a_usage_error(run_polymod: RunPolymod) -> None:
    done = run_polymod("inspect", SAMPLE, "--output", "xml", status=2)
    assert b"xml" in done.stderr


def test_no_argument_shows_the_help(run_polymod: RunPolymod) -> None:
    done = run_polymod()
    assert b"Usage: polymod" in done.stdout + done.stderr
    assert done.returncode in (0, 2)


@pytest.mark.parametrize("option", ["-q", "--quiet"])
def test_quiet_says_nothing_but_errors(
    run_polymod: RunPolymod, option: str, tmp_path: Path
) -> None:
    assert run_polymod("scan", tmp_path, option, status=0).stderr == b""
    assert run_polymod("scan", BROKEN, option, status=7).stderr


# -- exit codes -------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        pytest.param(["inspect", SAMPLE], 0, id="done"),
        pytest.param(["inspect", "/missing.ko"], 4, id="not found"),
        pytest.param(["inspect", "/missing.ko", "/gone.ko"], 4, id="none of them found"),
        pytest.param(["inspect", BROKEN], 7, id="malformed"),
        pytest.param(["inspect", TEXT], 7, id="no module"),
        pytest.param(["inspect", TEXT, BROKEN], 7, id="all malformed"),
        pytest.param(["inspect", SAMPLE, BROKEN], 10, id="some of several"),
        pytest.param(["inspect", BROKEN, "/missing.ko"], 10, id="failed in different ways"),
        pytest.param(["inspect", "/dev/null"], 3, id="a device"),
        pytest.param(["inspect", SAMPLE, "--hash", "md99"], 6, id="an unknown hash"),
        pytest.param(["inspect", "-F", "name", SAMPLE, "/missing.ko"], 10, id="a field of some"),
        pytest.param(["inspect", "-F", "name", "/missing.ko"], 4, id="a field of none"),
        pytest.param(["scan", SAMPLE], 0, id="a scan"),
        pytest.param(["scan", "/missing"], 4, id="a scan of nothing"),
        pytest.param(["scan", SAMPLE, BROKEN], 10, id="a scan of some"),
        pytest.param(["--root", "/missing", "scan", "/"], 4, id="a root that is not there"),
        pytest.param(["--host", "replay:/missing", "scan", "/"], 4, id="no such recording"),
        pytest.param(["--host", f"replay:{TEXT}", "scan", "/"], 7, id="no recording"),
        pytest.param(["--record", "/missing/t.json", "scan", SAMPLE], 3, id="no place to record"),
        pytest.param(["--root", ROOT, "deps", "pm_vpn"], 0, id="dependencies"),
        pytest.param(["--root", ROOT, "deps", "nothing"], 4, id="dependencies of nothing"),
        pytest.param(["--root", ROOT, "resolve", "nothing"], 4, id="an alias of nothing"),
        pytest.param(["--root", ROOT, "index", "--check"], 1, id="an index that is not there"),
        pytest.param(["backends"], 0, id="backends"),
        pytest.param(["completion", "bash"], 0, id="completion"),
    ],
)
def test_the_exit_code_says(run_polymod: RunPolymod, arguments: list[str], expected: int) -> None:
    done = run_polymod(*arguments, status=expected)
    if expected not in (0, 1):
        assert done.stderr.startswith(b"polymod: ")


@pytest.mark.parametrize("form", ["json", "ndjson"])
@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        pytest.param(["--root", "/missing", "scan", "/"], "not-found", id="no root"),
        pytest.param(["--host", f"replay:{TEXT}", "scan", "/"], "malformed", id="no recording"),
        pytest.param(["inspect", SAMPLE, "--hash", "md99"], "unsupported", id="an unknown hash"),
        pytest.param(["--root", str(SAMPLES), "deps", "m"], "unsupported", id="no system"),
    ],
)
def test_an_error_that_ends_the_run_is_an_answer_too(
    run_polymod: RunPolymod, arguments: list[str], code: str, form: str
) -> None:
    _assert_one_error(run_polymod("-o", form, *arguments).stdout, form, code)


# -- forms ------------------------------------------------------------------


def test_ndjson_is_an_object_a_line_errors_among_them(run_polymod: RunPolymod) -> None:
    done = run_polymod("inspect", SAMPLE, BROKEN, INFO, "-o", "ndjson", status=10)
    records = [json.loads(line) for line in done.stdout.splitlines()]
    assert [record["kind"] for record in records] == ["module_file", "error", "module_file"]
    assert records[1]["path"] == BROKEN
    assert records[1]["offset"] is not None
    assert done.stdout.isascii()


def test_json_has_the_items_and_the_errors_apart(run_polymod: RunPolymod) -> None:
    done = run_polymod("inspect", BROKEN, SAMPLE, TEXT, INFO, "-o", "json", status=10)
    whole = json.loads(done.stdout)
    assert [*whole] == ["schema", "items", "errors"]
    assert [item["name"] for item in whole["items"]] == ["pm_core", "pm_info"]
    assert [error["path"] for error in whole["errors"]] == [BROKEN, TEXT]


def test_csv_has_a_header_and_a_row_each(run_polymod: RunPolymod) -> None:
    done = run_polymod("scan", SAMPLE, INFO, "-o", "csv", status=0)
    header, *rows = csv.reader(io.StringIO(done.stdout.decode(), newline=""))
    assert header == ["name", "version", "machine", "release", "signer", "path"]
    assert [row[0] for row in rows] == ["pm_core", "pm_info"]
    assert all(len(row) == len(header) for row in rows)


def test_a_table_is_readable(run_polymod: RunPolymod) -> None:
    header, row = run_polymod("scan", SAMPLE, status=0).stdout.decode().splitlines()
    assert header.split() == ["NAME", "VERSION", "MACHINE", "RELEASE", "SIGNER", "PATH"]
    assert row.split()[0] == "pm_core"
    assert row.endswith(SAMPLE)
    block = run_polymod("inspect", SAMPLE, status=0).stdout.decode()
    assert "license:        GPL\n" in block


@pytest.mark.parametrize(
    ("field", "expected"),
    [
        ("name", ["pm_core"]),
        ("license", ["GPL"]),
        ("vermagic", ["6.1.0-pm SMP preempt mod_unload modversions "]),
        ("built_for.release", ["6.1.0-pm"]),
        ("architectures.machine", ["x86_64"]),
        ("depends", [""]),
        ("nothing", []),
        ("version", []),
        ("imports", []),
    ],
)
def test_one_field_is_a_line_a_value(
    run_polymod: RunPolymod, field: str, expected: list[str]
) -> None:
    for option in (["-F", field], ["--field", field], [f"--field={field}"]):
        out = run_polymod("inspect", *option, SAMPLE, status=0).stdout.decode()
        assert out == "".join(f"{line}\n" for line in expected)


def test_one_field_as_json_is_a_value_a_line(run_polymod: RunPolymod) -> None:
    out = run_polymod("inspect", "-F", "license", SAMPLE, "-o", "ndjson", status=0).stdout
    assert [json.loads(line) for line in out.splitlines()] == ["GPL"]


def test_hashes_are_added_where_asked(run_polymod: RunPolymod) -> None:
    import hashlib
    from pathlib import Path

    done = run_polymod("inspect", SAMPLE, "--hash", "sha256,md5,sha256", "-o", "json", status=0)
    (item,) = json.loads(done.stdout)["items"]
    data = Path(SAMPLE).read_bytes()
    assert item["hashes"] == {
        "sha256": hashlib.sha256(data).hexdigest(),
        "md5": hashlib.md5(data).hexdigest(),
    }
    assert "hashes" not in item["gaps"]


def test_symbols_are_added_where_asked(run_polymod: RunPolymod) -> None:
    plain, full = (
        json.loads(run_polymod("inspect", SAMPLE, "-o", "ndjson", *more, status=0).stdout)
        for more in ((), ("--symbols",))
    )
    assert (plain["imports"], plain["exports"]) == (None, None)
    assert plain["gaps"]["imports"]["why"] == "not-asked"
    assert full["imports"][0] == {
        "name": "_printk", "crc": "0x5595a2cf", "namespace": None, "library": None,
    }  # fmt: skip
    assert "imports" not in full["gaps"]
