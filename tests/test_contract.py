"""What polymod puts out is what the contract says: keys, order, schemas, gaps, forms.

The key lists stand here by hand: they are the contract, so no code may change them.
"""

from __future__ import annotations

import csv
import io
import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from jsonschema import Draft202012Validator

import polymod
from polymod import schema, schema_texts

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable, Iterable, Mapping

    Item = dict[str, Any]
    Run = Callable[..., subprocess.CompletedProcess[bytes]]

ROOT = Path(__file__).resolve().parent.parent
DATA = ROOT / "tests" / "data"
SAMPLES = DATA / "modules" / "linux"
SCHEMAS = ROOT / "docs" / "schema"

MODULE_FILE_KEYS = """
kind backend path size compression format name version description license authors aliases firmware
architectures provides dependencies parameters built_for signatures build_id source_version uuid
imports exports hashes native gaps
"""

PART_KEYS = {
    "architectures": "machine bits endian",
    "provides": "name version",
    "dependencies": "name kind minimum preferred maximum",
    "parameters": "name type description",
    "signatures": "format signer issuer key_id serial hash_algorithm signed_at status",
    "imports": "name crc namespace library",
    "exports": "name crc namespace library",
}

#: What an error record must have, in this order; it may have more.
ERROR_KEYS = ["code", "message", "path", "host", "offset", "remedy"]

GAP_REASONS = {"not-reported", "not-applicable", "denied", "unreadable", "unparsable", "not-asked"}

#: Null there says "none", as the contract's table has it, so it needs no gap.
PLAINLY_NOT_APPLICABLE = {"compression"}

#: Commands and the kinds of record they put out; IMAGE stands for an indexed root.
ANSWERS = {
    "inspect a module": (["inspect", "MODULE"], {"module_file"}),
    "inspect with everything": (
        ["inspect", "--symbols", "--hash", "sha256,md5", "MODULE"],
        {"module_file"},
    ),
    "inspect what is not there": (["inspect", "no-such-file.ko"], {"error"}),
    "inspect a built-in module": (["inspect", "--root", "IMAGE", "pm_lz"], {"module_file"}),
    "scan samples": (["scan", "SAMPLES"], {"module_file", "error"}),
    "scan samples with everything": (
        ["scan", "--symbols", "--hash", "sha256", "SAMPLES"],
        {"module_file", "error"},
    ),
    "scan roots": (["scan", "ROOTS"], {"module_file"}),
    "deps": (["deps", "--root", "IMAGE", "pm_vpn", "pmfs", "pm_top"], {"dependency"}),
    "deps reversed": (["deps", "--root", "IMAGE", "--reverse", "pm_core"], {"dependant"}),
    "deps told why": (
        ["deps", "--root", "IMAGE", "--why", "pm_vpn", "pm_core"],
        {"dependency_edge"},
    ),
    "deps of nothing": (["deps", "--root", "IMAGE", "no_such_module"], {"error"}),
    "resolve": (
        ["resolve", "--root", "IMAGE", "pm-out-of-tree", "pm-first", "pm-tabbed"],
        {"resolution"},
    ),
    "index": (["index", "--root", "IMAGE"], {"index_file"}),
    "index checked where there is none": (["index", "--root", "BARE", "--check"], {"finding"}),
    "backends": (["backends", "--root", "IMAGE"], {"backend"}),
}


@pytest.fixture
def places(tmp_path: Path, run_polymod: Run) -> Mapping[str, Path]:
    """The words in capitals of `ANSWERS`, and what they stand for."""
    image, bare = tmp_path / "image", tmp_path / "bare"
    shutil.copytree(DATA / "roots" / "linux-basic", bare)
    shutil.copytree(DATA / "roots" / "linux-basic", image)
    run_polymod("index", "--root", image, status=0)
    return {
        "IMAGE": image,
        "BARE": bare,
        "SAMPLES": SAMPLES,
        "ROOTS": DATA / "roots",
        "MODULE": SAMPLES / "x86_64" / "pm_info.ko",
    }


def lines_of(done: subprocess.CompletedProcess[bytes]) -> list[Item]:
    return [json.loads(line) for line in done.stdout.splitlines()]


def problems(document: object, name: str) -> list[str]:
    described = json.loads((SCHEMAS / f"{name}.json").read_text("utf-8"))
    found = Draft202012Validator(described).iter_errors(document)
    return [f"{error.json_path}: {error.message[:300]}" for error in found]


def nulls(item: Item) -> set[str]:
    return {key for key, value in item.items() if value is None}


def empties(item: Item) -> set[str]:
    """Lists that are empty because nobody could say: they may have a gap too."""
    return {key for key, value in item.items() if value == []}


# -- the schemas -------------------------------------------------------------


@pytest.mark.parametrize("name", sorted(schema.documents()))
def test_the_schema_file_is_current(name: str) -> None:
    assert (SCHEMAS / name).read_text("utf-8") == schema.documents()[name]


@pytest.mark.parametrize("name", sorted(schema.documents()))
def test_the_schema_is_a_schema(name: str) -> None:
    Draft202012Validator.check_schema(json.loads((SCHEMAS / name).read_text("utf-8")))


@pytest.mark.parametrize("kind", sorted(schema.kinds()))
def test_every_field_of_a_kind_has_its_sentence(kind: str) -> None:
    described = schema.schema_of(kind)
    properties, parts = described["properties"], described["$defs"]
    assert isinstance(properties, dict)
    assert isinstance(parts, dict)
    assert described["description"]
    assert list(schema_texts.FIELDS[kind]) == list(properties)
    for part, body in parts.items():
        assert list(schema_texts.FIELDS[part]) == list(body["properties"]), part


def test_a_record_with_a_key_too_many_or_too_few_is_refused(run_polymod: Run) -> None:
    path = SAMPLES / "x86_64" / "pm_core.ko"
    item = lines_of(run_polymod("inspect", path, "-o", "ndjson", status=0))[0]
    assert problems(item, "module_file") == []
    assert problems({**item, "colour": None}, "module_file")
    assert problems({key: item[key] for key in item if key != "uuid"}, "module_file")
    assert problems({**item, "size": "12"}, "module_file")
    assert problems({**item, "built_for": {"sdk": "14.0"}}, "module_file")
    assert problems({**item, "gaps": {"nothing": {"why": "denied", "detail": ""}}}, "module_file")


def test_the_schemas_can_be_had_at_run_time(tmp_path: Path) -> None:
    schema.write(str(tmp_path))
    written = {path.name: path.read_text("utf-8") for path in tmp_path.iterdir()}
    assert written == schema.documents()


# -- every answer ------------------------------------------------------------


@pytest.mark.parametrize(("words", "kinds"), ANSWERS.values(), ids=ANSWERS.keys())
def test_every_record_validates(
    words: list[str], kinds: set[str], run_polymod: Run, places: Mapping[str, Path]
) -> None:
    arguments = [str(places.get(word, word)) for word in words]
    found = lines_of(run_polymod(*arguments, "--output", "ndjson"))
    assert {item["kind"] for item in found} == kinds
    for item in found:
        assert problems(item, item["kind"]) == [], item
        assert next(iter(item)) == "kind"
        assert list(item)[-1] == "gaps"
        assert set(item["gaps"]) <= nulls(item) | empties(item), "a gap for what is told"
        assert {gap["why"] for gap in item["gaps"].values()} <= GAP_REASONS
        assert all(gap["detail"] for gap in item["gaps"].values())


@pytest.mark.parametrize(("words", "kinds"), ANSWERS.values(), ids=ANSWERS.keys())
def test_json_and_ndjson_hold_the_same_records(
    words: list[str], kinds: set[str], run_polymod: Run, places: Mapping[str, Path]
) -> None:
    arguments = [str(places.get(word, word)) for word in words]
    by_line = run_polymod(*arguments, "-o", "ndjson")
    whole = run_polymod(*arguments, "-o", "json", status=by_line.returncode)
    document = json.loads(whole.stdout)
    assert problems(document, "polymod-1") == []
    assert list(document) == ["schema", "items", "errors"]
    assert document["schema"] == "polymod/1"
    found = lines_of(by_line)
    if words[0] == "index" and "--check" not in words:
        found = [{**item, "changed": False} for item in found]
    assert document["items"] == [item for item in found if item["kind"] != "error"]
    assert document["errors"] == [item for item in found if item["kind"] == "error"]
    assert whole.stdout.isascii()
    assert by_line.stdout.isascii()


@pytest.mark.parametrize("form", ["json", "ndjson"])
def test_an_error_that_ends_the_run_is_a_record_too(form: str, run_polymod: Run) -> None:
    done = run_polymod("inspect", "--no-such-option", "x", "--output", form, status=2)
    document = json.loads(done.stdout)
    record = document["errors"][0] if form == "json" else document
    assert problems(record, "error") == []
    assert (record["code"], record["exit_code"]) == ("usage", 2)


# -- module_file, by the contract's own list ---------------------------------


def every_sample(run_polymod: Run, *options: str) -> Iterable[Item]:
    done = run_polymod("scan", *options, SAMPLES, DATA / "roots", "-o", "ndjson", status=10)
    found = [item for item in lines_of(done) if item["kind"] == "module_file"]
    assert len(found) > 80
    return found


def test_module_files_have_the_keys_of_the_contract_in_its_order(run_polymod: Run) -> None:
    for item in every_sample(run_polymod, "--symbols", "--hash", "sha256"):
        assert list(item) == MODULE_FILE_KEYS.split()
        for field, keys in PART_KEYS.items():
            for part in item[field] or ():
                assert list(part) == keys.split(), field
        if item["built_for"] is not None:
            assert list(item["built_for"]) == ["vermagic", "release", "flags"]


def test_errors_have_the_keys_of_the_contract_in_its_order(run_polymod: Run) -> None:
    done = run_polymod("inspect", "no-such-file.ko", "-o", "ndjson", status=4)
    (item,) = lines_of(done)
    assert [key for key in item if key in ERROR_KEYS] == ERROR_KEYS


@pytest.mark.parametrize("options", [[], ["--symbols", "--hash", "sha256"]], ids=["", "in full"])
def test_every_null_of_a_linux_module_has_its_gap(options: list[str], run_polymod: Run) -> None:
    for item in every_sample(run_polymod, *options):
        told = nulls(item) - PLAINLY_NOT_APPLICABLE
        assert set(item["gaps"]) == told, item["path"]


def test_a_built_in_module_has_a_gap_for_all_it_cannot_have(
    run_polymod: Run, places: Mapping[str, Path]
) -> None:
    done = run_polymod("inspect", "--root", places["IMAGE"], "pm_lz", "-o", "ndjson", status=0)
    (item,) = lines_of(done)
    assert list(item) == MODULE_FILE_KEYS.split()
    assert {"path", "size", "signatures", "build_id"} <= nulls(item)
    told = nulls(item) - PLAINLY_NOT_APPLICABLE
    assert told <= set(item["gaps"]) <= nulls(item) | empties(item)


def test_what_was_asked_for_is_told_and_what_was_not_has_a_gap(run_polymod: Run) -> None:
    path = SAMPLES / "x86_64" / "pm_core.ko"
    plain = lines_of(run_polymod("inspect", path, "-o", "ndjson", status=0))[0]
    for field in ("imports", "exports", "hashes"):
        assert plain["gaps"][field]["why"] == "not-asked"
    words = ["inspect", "--symbols", "--hash", "sha256", path, "-o", "ndjson"]
    full = lines_of(run_polymod(*words, status=0))[0]
    assert full["imports"]
    assert full["exports"]
    assert list(full["hashes"]) == ["sha256"]


# -- values ------------------------------------------------------------------


def test_numbers_in_text_are_written_as_the_contract_says(run_polymod: Run) -> None:
    lower_hex = set("0123456789abcdef")
    for item in every_sample(run_polymod, "--symbols", "--hash", "sha256"):
        digests = [*item["hashes"].values(), item["build_id"] or ""]
        digests += [
            one[key] or "" for one in item["signatures"] or () for key in ("key_id", "serial")
        ]
        assert all(set(digest) <= lower_hex for digest in digests)
        for symbol in [*(item["imports"] or ()), *(item["exports"] or ())]:
            crc = symbol["crc"]
            assert crc is None or (crc[:2] == "0x" and len(crc) == 10 and set(crc[2:]) <= lower_hex)


def test_bytes_outside_utf8_are_kept(run_polymod: Run) -> None:
    path = SAMPLES / "x86_64" / "pm_latin1.ko"
    item = lines_of(run_polymod("inspect", path, "-o", "ndjson", status=0))[0]
    author = item["authors"][0].encode("utf-8", "surrogateescape")
    assert not author.isascii()
    assert b"author=" + author + b"\0" in path.read_bytes()
    plain = run_polymod("inspect", "-F", "author", path, status=0).stdout
    assert plain == author + b"\n"


def test_the_api_gives_what_the_command_line_puts_out(run_polymod: Run) -> None:
    directory = SAMPLES / "x86_64"
    words = ["scan", "--symbols", "--hash", "sha1", directory, "-o", "ndjson"]
    found = polymod.scan(directory, symbols=True, hashes=["sha1"])
    assert [polymod.to_plain(record) for record in found] == lines_of(run_polymod(*words))
    path = directory / "pm_info.ko"
    (item,) = lines_of(run_polymod("inspect", path, "-o", "ndjson", status=0))
    assert polymod.to_plain(polymod.inspect(path)) == item


def test_csv_is_a_selection_of_the_same_records(run_polymod: Run) -> None:
    done = run_polymod("scan", SAMPLES, "-o", "csv", status=10)
    text = done.stdout.decode("utf-8", "surrogateescape")
    rows = list(csv.DictReader(io.StringIO(text, newline="")))
    items = [
        item
        for item in lines_of(run_polymod("scan", SAMPLES, "-o", "ndjson", status=10))
        if item["kind"] == "module_file"
    ]
    assert [row["path"] for row in rows] == [item["path"] for item in items]
    for row, item in zip(rows, items, strict=True):
        assert row["name"] == (item["name"] or "")
        assert row["version"] == (item["version"] or "")
        assert row["machine"] == item["architectures"][0]["machine"]
        assert row["release"] == ((item["built_for"] or {}).get("release") or "")
        if item["signatures"] == []:
            assert row["signer"] == "-"
        elif item["signatures"] is None:
            assert row["signer"] == ""


def test_a_table_on_a_pipe_goes_to_standard_output_and_notes_do_not(run_polymod: Run) -> None:
    done = run_polymod("scan", DATA / "roots", status=0)
    assert done.stdout.startswith(b"NAME ")
    assert b"module files" not in done.stdout
    assert b"module files" in done.stderr
