"""Records as JSON: key order, losslessness, and text that shares nothing by mistake."""

from __future__ import annotations

import json
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any

import pytest

import polymod
from polymod import (
    Architecture,
    Compression,
    Finding,
    Format,
    Gap,
    ModuleFile,
    Origin,
    Record,
    Resolution,
    Severity,
    Signature,
    Why,
    to_dict,
    to_json,
    to_plain,
)
from polymod.model.answers import Presence
from polymod.serialize import field_names
from tests.conftest import SAMPLES

if TYPE_CHECKING:
    from pathlib import Path


def _module(**how: Any) -> ModuleFile:
    given: dict[str, Any] = {
        "backend": "linux", "path": "/m.ko", "size": 12, "format": Format.ELF_RELOCATABLE,
        "name": "m", "native": {},
    }  # fmt: skip
    return ModuleFile(**{**given, **how})


def _keys(text: str) -> list[str]:
    pairs: list[tuple[str, object]] = json.loads(text, object_pairs_hook=lambda items: items)
    return [key for key, _ in pairs]


MODULE_FILE_KEYS = (
    "kind backend path size compression format name version description license authors"
    " aliases firmware architectures provides dependencies parameters built_for signatures"
    " build_id source_version uuid imports exports hashes native gaps"
)


def test_keys_come_in_the_order_of_the_contract() -> None:
    expected = MODULE_FILE_KEYS.split()
    assert _keys(to_json(_module())) == expected
    assert [*to_dict(_module())] == expected
    assert [*field_names(ModuleFile)] == expected


def _record_classes() -> list[type[Record]]:
    found = [getattr(polymod, name) for name in polymod.__all__]
    return [
        one
        for one in found
        if isinstance(one, type) and issubclass(one, Record) and one is not Record
    ]


@pytest.mark.parametrize("cls", _record_classes(), ids=lambda cls: cls.__name__)
def test_every_record_has_its_kind_first_and_its_gaps_last(cls: type[Record]) -> None:
    names = field_names(cls)
    assert (names[0], names[-1]) == ("kind", "gaps")
    assert set(names) == {"kind", *(field.name for field in fields(cls))}
    assert cls.kind == cls.kind.lower()


def test_kinds_are_told_apart() -> None:
    kinds = [cls.kind for cls in _record_classes()]
    assert len(set(kinds)) == len(kinds)


def test_nulls_enums_tuples_and_parts_are_plain() -> None:
    module = _module(
        compression=Compression.XZ,
        architectures=(Architecture("x86_64", 64, "little"),),
        signatures=(Signature(format="linux-appended", signer="me"),),
        hashes={"md5": "00"},
        native={"alias": ["a", "b"], "n": 1, "t": True, "none": None},
        gaps={"uuid": Gap(Why.NOT_APPLICABLE, "none here")},
    )
    plain = json.loads(to_json(module))
    assert plain["kind"] == "module_file"
    assert plain["compression"] == "xz"
    assert plain["version"] is None
    assert plain["authors"] == []
    assert plain["architectures"] == [{"machine": "x86_64", "bits": 64, "endian": "little"}]
    assert plain["signatures"] == [
        {
            "format": "linux-appended", "signer": "me", "issuer": None, "key_id": None,
            "serial": None, "hash_algorithm": None, "signed_at": None, "status": "unchecked",
        }
    ]  # fmt: skip
    assert plain["native"] == {"alias": ["a", "b"], "n": 1, "t": True, "none": None}
    assert plain["gaps"] == {"uuid": {"why": "not-applicable", "detail": "none here"}}
    assert to_plain(module) == plain


def test_nested_records_parts_are_plain_as_well() -> None:
    origin = Origin("/etc/modprobe.d/a.conf", 3)
    resolution = Resolution(
        backend="linux", alias="a", name="m", path=None, presence=Presence.BUILTIN, pattern=None,
        source="modules.builtin", origin=origin,
    )  # fmt: skip
    plain = json.loads(to_json(resolution))
    assert plain["origin"] == {"path": "/etc/modprobe.d/a.conf", "line": 3}
    assert plain["presence"] == "builtin"
    assert plain["blocked"] is False
    assert str(origin) == "/etc/modprobe.d/a.conf:3"
    assert str(Origin("/x")) == "/x"


def test_json_is_ascii_and_keeps_every_byte() -> None:
    odd = b'\xff latin \xe9 \0 \x1b[31m \n \xf0\x9f\x90\xa7 " \\'.decode("utf-8", "surrogateescape")
    text = to_json(_module(description=odd, path=odd, native={odd: [odd]}, authors=(odd,)))
    assert text.isascii()
    assert text.isprintable()
    plain = json.loads(text)
    for value in (
        plain["description"], plain["path"], plain["authors"][0], plain["native"][odd][0],
    ):  # fmt: skip
        assert value.encode("utf-8", "surrogateescape") == odd.encode("utf-8", "surrogateescape")


def test_text_is_shared_only_by_what_is_the_same() -> None:
    many = [
        _module(
            name=f"m{number}",
            architectures=(Architecture("x86_64", number, "little"),),
            gaps={"uuid": Gap(Why.NOT_REPORTED, str(number))},
            signatures=(Signature(format="f", signer=str(number)),),
        )
        for number in range(300)
    ]
    for _ in range(2):
        for number, module in enumerate(many):
            plain = json.loads(to_json(module))
            assert plain["architectures"][0]["bits"] == number
            assert plain["gaps"]["uuid"]["detail"] == str(number)
            assert plain["signatures"][0]["signer"] == str(number)


def test_objects_that_come_and_go_at_one_address_do_not_share_text() -> None:
    for number in range(20_000):
        module = _module(gaps={"uuid": Gap(Why.NOT_REPORTED, str(number))})
        assert f'"{number}"' in to_json(module)
        del module


@pytest.mark.parametrize("value", [7, "text", object(), {"a": 1}, Record], ids=repr)
def test_what_is_no_record_has_no_keys(value: object) -> None:
    with pytest.raises(TypeError):
        to_dict(value)


def test_plain_data_and_parts_are_json_too() -> None:
    assert to_json({"a": [1, None, "ä"]}) == '{"a": [1, null, "\\u00e4"]}'
    assert json.loads(to_json(Architecture("arm", 32, "little"))) == {
        "machine": "arm", "bits": 32, "endian": "little",
    }  # fmt: skip
    assert json.loads(to_json([Gap(Why.DENIED, "no")])) == [{"why": "denied", "detail": "no"}]


def test_a_record_without_optional_fields_has_them_as_null() -> None:
    finding = Finding(rule="r", severity=Severity.INFO, subject="s", message="m")
    plain = json.loads(to_json(finding))
    assert plain == {
        "kind": "finding", "rule": "r", "severity": "info", "subject": "s", "message": "m",
        "remedy": None, "evidence": None, "gaps": {},
    }  # fmt: skip


def test_a_record_of_a_plugin_is_taken_apart_like_ours() -> None:
    @dataclass(frozen=True, slots=True, kw_only=True)
    class Mine(Record):
        kind = "mine"
        only: int | None = None

    @dataclass(frozen=True, slots=True, kw_only=True)
    class Nothing(Record):
        kind = "nothing"

    assert to_json(Mine(only=3)) == '{"kind": "mine", "only": 3, "gaps": {}}'
    assert to_json(Nothing()) == '{"kind": "nothing", "gaps": {}}'


def test_records_are_frozen_and_compare_by_value() -> None:
    module = _module()
    assert module == replace(module)
    with pytest.raises(AttributeError):
        module.name = "other"  # type: ignore[misc]
    with pytest.raises((AttributeError, TypeError)):
        module.extra = 1  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    "path", sorted(SAMPLES.glob("x86_64/pm_[cefinosv]*.ko*")), ids=lambda path: path.name
)
def test_our_json_is_what_the_json_module_makes_of_the_plain_record(path: Path) -> None:
    module = polymod.inspect(path, symbols=True, hashes=["sha256"])
    text = to_json(module)
    assert json.dumps(json.loads(text)) == text
    assert json.loads(text)["name"] == module.name
