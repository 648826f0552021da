"""Transcripts come from other people: damage and lies in one are typed errors."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from polymod import limits
from polymod.errors import (
    MalformedModule,
    ModuleNotFound,
    PolymodError,
    UnreadableFile,
)
from polymod.hosts.replay import ReplayHost

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from polymod.hosts.base import Host


# -- damage -----------------------------------------------------------------

EMPTY: dict[str, object] = {
    "schema": "polymod-transcript/1",
    "host": "local:",
    "stats": {},
    "lists": {},
    "files": {},
    "reads": {},
    "runs": [],
}


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"not json", id="no JSON"),
        pytest.param(b"\xff\xfe", id="no UTF-8"),
        pytest.param(b"[]", id="a list"),
        pytest.param(b"null", id="null"),
        pytest.param(b"{}", id="an empty object"),
        pytest.param(b'{"schema": "polymod/1"}', id="another schema"),
        pytest.param(b'{"schema": ["polymod-transcript/1"]}', id="a schema that is a list"),
        pytest.param(json.dumps(EMPTY).encode()[:-1], id="cut short"),
        pytest.param(b"[" * 200_000, id="nested deeply"),
        pytest.param(b'{"a":' * 200_000, id="objects nested deeply"),
        pytest.param(b'{"schema": ' + b"9" * 10_000 + b"}", id="a number too long"),
        *(
            pytest.param(json.dumps({**EMPTY, key: value}).encode(), id=f"{key} is {value!r}")
            for key in EMPTY
            for value in (None, 7, [1], "x")
            if not (key == "host" and value == "x") and not (key == "runs" and value == [1])
        ),
    ],
)
def test_what_is_no_transcript_is_malformed(tmp_path: Path, text: bytes) -> None:
    file = tmp_path / "t.json"
    file.write_bytes(text)
    with pytest.raises(MalformedModule) as caught:
        ReplayHost(str(file))
    assert caught.value.path == str(file)


def test_a_huge_transcript_is_not_read(tmp_path: Path) -> None:
    file = tmp_path / "t.json"
    with file.open("wb") as stream:
        stream.truncate(limits.TRANSCRIPT + 1)
    with pytest.raises(UnreadableFile, match="limit"):
        ReplayHost(str(file))


@pytest.mark.parametrize("name", ["missing", ".", "/dev/zero"])
def test_a_transcript_that_cannot_be_read_is_a_typed_error(tmp_path: Path, name: str) -> None:
    with pytest.raises((ModuleNotFound, UnreadableFile)):
        ReplayHost(str(tmp_path / name))


NUMBERS: list[object] = [-1, 1.5, True, "1", None, [], 1 << 200]
BAD_ANSWERS: dict[str, list[object]] = {
    "platform": [7, "x", [], ["a", "b"], ["a", "b", 1], {}, {"error": 1}],
    "stats": [
        7, "file", [], {}, ["file", 1, 1], [1, 1, 1, [1, 1]],
        *(["file", number, 1, [1, 1]] for number in NUMBERS),
        *(["file", 1, 1, [1, number]] for number in NUMBERS),
        ["file", 1, 1, 1], ["file", 1, 1, [1]], {"error": None}, {"error": {}},
        {"error": {"code": "unreadable"}}, {"error": {"code": [], "message": "x"}},
        {"error": {"code": "unreadable", "message": 1}},
        {"error": {"code": "unreadable", "message": "x", "path": 1}},
        {"error": {"code": "malformed", "message": "x", "offset": "x"}},
    ],
    "lists": [7, None, {}, [1], [[]], [["a", "b"]], [["a", "b", 1]], ["abc"]],
    "reads": [7, None, [], {}, {"base64": 1}, {"base64": "%%%%"}, {"base64": "YQ"},
              {"base64": "ä"}, "\ud800"],
    "files": [
        7, None, [], "x", {}, {"size": 1}, {"parts": []},
        *({"size": number, "parts": []} for number in NUMBERS),
        *({"size": 1, "end": number, "parts": []} for number in NUMBERS if number is not None),
        {"size": 9, "parts": {}}, {"size": 9, "parts": [1]}, {"size": 9, "parts": [[0]]},
        *({"size": 9, "parts": [[number, "x"]]} for number in NUMBERS),
        {"size": 9, "parts": [[0, 1]]}, {"size": 9, "parts": [[0, "abc"], [2, "x"]]},
        {"size": 9, "parts": [[5, "abc"], [0, "x"]]},
        {"size": 9, "parts": [], "failures": 1}, {"size": 9, "parts": [], "failures": [1]},
        {"size": 9, "parts": [], "failures": [[0, 1, {}]]},
        {"size": 9, "parts": [], "failures": [[0, "x", {"error": {"code": "a", "message": ""}}]]},
    ],
}  # fmt: skip
ASK: dict[str, Callable[[Host], object]] = {
    "platform": lambda host: host.platform(),
    "stats": lambda host: host.stat("/p"),
    "lists": lambda host: host.list("/p"),
    "reads": lambda host: host.read("/p"),
    "files": lambda host: host.open("/p"),
}


@pytest.mark.parametrize("key", BAD_ANSWERS)
def test_an_answer_of_the_wrong_shape_is_malformed(tmp_path: Path, key: str) -> None:
    file = tmp_path / "t.json"
    for answer in BAD_ANSWERS[key]:
        where = answer if key == "platform" else {"/p": answer}
        file.write_text(json.dumps({**EMPTY, key: where}))
        replay = ReplayHost(str(file))
        with pytest.raises(MalformedModule) as caught:
            ASK[key](replay)
        assert caught.value.path == str(file), answer


@pytest.mark.parametrize(
    "kept",
    [
        1,
        {"argv": ["ls"], "stdin": 1},
        {"argv": ["ls"]},
        {"argv": ["ls"], "stdin": "", "answer": 1},
        {"argv": ["ls"], "stdin": "", "answer": {}},
        {"argv": ["ls"], "stdin": "", "answer": {"exit_status": "0", "stdout": "", "stderr": ""}},
        {"argv": ["ls"], "stdin": "", "answer": {"exit_status": 0, "stdout": 1, "stderr": ""}},
    ],
    ids=repr,
)
def test_a_run_of_the_wrong_shape_is_malformed(tmp_path: Path, kept: object) -> None:
    file = tmp_path / "t.json"
    file.write_text(json.dumps({**EMPTY, "runs": [kept]}))
    with pytest.raises(MalformedModule):
        ReplayHost(str(file)).run(["ls"])


def test_an_error_nobody_knows_is_an_error_all_the_same(tmp_path: Path) -> None:
    file = tmp_path / "t.json"
    answer = {"error": {"code": "from-the-future", "message": "went wrong"}}
    file.write_text(json.dumps({**EMPTY, "stats": {"/p": answer}}))
    with pytest.raises(PolymodError, match="went wrong"):
        ReplayHost(str(file)).stat("/p")


def test_a_transcript_with_lies_about_a_file_gives_malformed(tmp_path: Path) -> None:
    file = tmp_path / "t.json"
    answer = {"size": 1 << 100, "end": None, "parts": [[1 << 90, "x"]]}
    file.write_text(json.dumps({**EMPTY, "files": {"/p": answer}}))
    with ReplayHost(str(file)).open("/p") as source:
        for offset in (0, 1 << 90, 1 << 100):
            try:
                source.read(offset, 5)
            except PolymodError:
                continue
            pytest.fail("gave what is not there")
