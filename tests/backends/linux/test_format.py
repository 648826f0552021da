"""What polymod says of every sample, against what the samples were built to say."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import polymod
from polymod import Compression, Format, MalformedModule, ModuleFile, NotAModule, Why
from polymod.backend import Depth
from polymod.source import BytesSource
from polymod_linux.format import LinuxFormat
from polymod_linux.modinfo import KernelVersion
from tests.conftest import SAMPLES
from tests.polymod.elf_builder import SHAPE_IDS, SHAPES, Sec, build, module

if TYPE_CHECKING:
    from collections.abc import Iterable

    Sample = dict[str, Any]

EXPECTED: dict[str, list[Sample]] = json.loads((SAMPLES / "expected.json").read_text())
samples = pytest.mark.parametrize("sample", EXPECTED["samples"], ids=lambda one: one["path"])

#: (declared in the file, name as stored) for the packings of the samples.
_SUFFIXES = {"gz": Compression.GZIP, "xz": Compression.XZ, "zst": Compression.ZSTD}


def _inspect(sample: Sample) -> ModuleFile:
    return polymod.inspect(SAMPLES / sample["path"], symbols=True)


def _values(sample: Sample, key: str) -> list[str]:
    return [value for name, value in sample["modinfo"] if name == key]


def _first(sample: Sample, key: str) -> str | None:
    return next(iter(_values(sample, key)), None)


def _crc(number: int | None) -> str | None:
    return None if number is None else f"0x{number:08x}"


def test_every_sample_that_is_there_is_expected() -> None:
    there = {str(path.relative_to(SAMPLES)) for path in SAMPLES.glob("*/*.ko*")}
    told = {one["path"] for key in ("samples", "near_misses") for one in EXPECTED[key]}
    assert there <= told


@samples
def test_the_container(sample: Sample) -> None:
    found = _inspect(sample)
    assert found.backend == "linux"
    assert found.path == str(SAMPLES / sample["path"])
    assert found.size == (SAMPLES / sample["path"]).stat().st_size
    assert found.format is Format.ELF_RELOCATABLE
    assert found.compression == sample["compression"]
    (one,) = found.architectures
    assert (one.machine, one.bits, one.endian) == (
        sample["machine"], sample["bits"], sample["endian"],
    )  # fmt: skip
    assert found.build_id == sample["build_id"]


@samples
def test_the_name_and_the_texts(sample: Sample) -> None:
    found = _inspect(sample)
    assert found.name == sample["name"]
    assert [(one.name, one.version) for one in found.provides] == [
        (sample["name"], _first(sample, "version"))
    ]
    for field, key in (
        ("version", "version"),
        ("description", "description"),
        ("license", "license"),
        ("source_version", "srcversion"),
    ):
        assert getattr(found, field) == _first(sample, key), field
    assert found.authors == tuple(_values(sample, "author"))
    assert found.aliases == tuple(_values(sample, "alias"))
    assert found.firmware == tuple(_values(sample, "firmware"))


@samples
def test_every_key_stands_in_native_in_the_order_of_the_file(sample: Sample) -> None:
    expected: dict[str, list[str]] = {}
    for key, value in sample["modinfo"]:
        expected.setdefault(key, []).append(value)
    native = _inspect(sample).native
    assert native == expected
    assert [*native] == [*expected]


@samples
def test_what_it_was_built_for(sample: Sample) -> None:
    built_for = _inspect(sample).built_for
    assert isinstance(built_for, KernelVersion)
    release, *flags = sample["vermagic"].split()
    assert built_for == KernelVersion(sample["vermagic"], release, tuple(flags))


@samples
def test_the_dependencies(sample: Sample) -> None:
    expected = [
        (name, "module")
        for value in _values(sample, "depends")
        for name in value.split(",")
        if name
    ]
    for value in _values(sample, "softdep"):
        expected += _soft(value)
    for value in _values(sample, "weakdep"):
        expected += [(name, "weak") for name in value.split()]
    found = _inspect(sample).dependencies
    assert [(one.name, str(one.kind)) for one in found] == expected
    assert {(one.minimum, one.preferred, one.maximum) for one in found} <= {(None, None, None)}


def _soft(value: str) -> Iterable[tuple[str, str]]:
    before, _, after = value.partition("post:")
    for name in before.partition("pre:")[2].split():
        yield name, "soft-pre"
    for name in after.split():
        yield name, "soft-post"


@samples
def test_the_parameters_in_the_order_that_modinfo_prints(sample: Sample) -> None:
    found = _inspect(sample).parameters
    assert [(one.name, one.type, one.description) for one in found] == [
        (one["name"], one["type"], one["description"]) for one in reversed(sample["parameters"])
    ]


@samples
def test_the_exports(sample: Sample) -> None:
    found = _inspect(sample).exports
    assert found is not None
    assert sorted((one.name, one.crc, one.namespace) for one in found) == sorted(
        (one["name"], _crc(one["crc"]), one["namespace"]) for one in sample["exports"]
    )


@samples
def test_the_imports(sample: Sample) -> None:
    found = _inspect(sample)
    if sample["versions_malformed"]:
        assert found.imports is None
        assert found.gaps["imports"].why is Why.UNPARSABLE
        assert "__versions" in found.gaps["imports"].detail
        return
    assert found.imports is not None
    expected = {one["name"]: _crc(one["crc"]) for one in sample["imports"]}
    # Names that only the version table has (module_layout above all) follow the symbols.
    # Where there is an extended table, the kernel heeds no other.
    table = sample["versions_extended"] or sample["versions"] or []
    only_there = {one["name"]: _crc(one["crc"]) for one in table if one["name"] not in expected}
    names = [one.name for one in found.imports]
    assert sorted(names[: len(expected)]) == sorted(expected)
    assert names[len(expected) :] == [*only_there]
    assert {one.name: one.crc for one in found.imports} == {**expected, **only_there}


@samples
def test_the_signature(sample: Sample) -> None:
    found, expected = _inspect(sample), sample["signature"]
    if expected is None:
        assert found.signatures == ()
    elif not expected["readable"]:
        assert found.signatures is None
        assert found.gaps["signatures"].why is Why.UNPARSABLE
    else:
        assert found.signatures is not None
        (one,) = found.signatures
        assert (one.format, one.status) == ("linux-appended", "unchecked")
        assert one.signer == one.issuer == expected["signer"]
        assert one.serial == expected["serial"]
        assert one.key_id == (expected["serial"] or expected["key_id"])
        assert one.hash_algorithm == expected["digest"]
        assert "signatures" not in found.gaps


@samples
def test_every_null_has_its_reason_and_nothing_else_has(sample: Sample) -> None:
    for symbols in (False, True):
        found = polymod.inspect(SAMPLES / sample["path"], symbols=symbols)
        nulls = {name for name in polymod.to_dict(found) if getattr(found, name, "") is None}
        assert set(found.gaps) == nulls - {"compression"}
        assert all(gap.detail for gap in found.gaps.values())
        assert found.gaps["hashes"].why is Why.NOT_ASKED
        assert found.gaps["uuid"].why is Why.NOT_APPLICABLE
        if not symbols:
            assert found.gaps["imports"].why is found.gaps["exports"].why is Why.NOT_ASKED


@samples
def test_a_shallow_look_says_the_same_but_for_the_symbols(sample: Sample) -> None:
    path = SAMPLES / sample["path"]
    plain, full = (polymod.to_dict(polymod.inspect(path, symbols=deep)) for deep in (False, True))
    for key in plain.keys() - {"imports", "exports", "gaps"}:
        assert plain[key] == full[key], key


@pytest.mark.parametrize("one", EXPECTED["near_misses"], ids=lambda one: Path(one["path"]).name)
def test_a_near_miss(one: Sample) -> None:
    path = SAMPLES / one["path"]
    with pytest.raises(MalformedModule) as caught:
        polymod.inspect(path)
    damaged = one["malformed"]
    assert isinstance(caught.value, NotAModule) is not damaged
    below = [item for item in polymod.scan(path.parent) if item.path == str(path)]
    assert [type(item).__name__ for item in below] == ["ModuleError"] * damaged


# -- what no sample has -----------------------------------------------------


def _read(data: bytes, path: str = "/m.ko", depth: Depth = Depth.FULL) -> ModuleFile:
    return LinuxFormat().read(BytesSource(data, path), depth)


@pytest.mark.parametrize(("bits", "order"), SHAPES, ids=SHAPE_IDS)
def test_the_name_may_come_from_the_module_struct_alone(bits: int, order: str) -> None:
    # struct module: a state word and a list head, then the name (linux include/linux/module.h).
    data = bytes(24 if bits == 64 else 12) + b"from_struct" + bytes(60)
    elf = build([Sec(b".gnu.linkonce.this_module", data)], bits=bits, order=order).data
    source = BytesSource(elf, "/x.ko")
    assert LinuxFormat().claims(source)
    found = _read(elf)
    assert found.name == "from_struct"
    assert [one.name for one in found.provides] == ["from_struct"]
    assert found.built_for is None
    assert found.gaps["built_for"].why is Why.NOT_REPORTED


def test_a_module_without_any_name_has_none() -> None:
    found = _read(module(b"license=GPL\0"))
    assert found.name is None
    assert found.provides == ()
    assert found.gaps["name"].why is Why.NOT_REPORTED


@pytest.mark.parametrize(
    ("info", "native"),
    [
        pytest.param(b"", {}, id="an empty section"),
        pytest.param(b"\0\0\0", {}, id="padding alone"),
        pytest.param(b"a=b", {"a": ["b"]}, id="no NUL at the end"),
        pytest.param(b"a=\0", {"a": [""]}, id="an empty value"),
        pytest.param(b"=b\0", {"": ["b"]}, id="an empty key"),
        pytest.param(b"ab\0", {"ab": [""]}, id="no equals sign"),
        pytest.param(b"a=b=c\0", {"a": ["b=c"]}, id="two equals signs"),
        pytest.param(b"a=1\0b=2\0a=1\0", {"a": ["1", "1"], "b": ["2"]}, id="a key again"),
        pytest.param(b"a=\xff\0", {"a": ["\udcff"]}, id="a byte that is no UTF-8"),
    ],
)
def test_modinfo_with(info: bytes, native: dict[str, list[str]]) -> None:
    assert _read(module(info)).native == native


@pytest.mark.parametrize(
    ("info", "expected"),
    [
        pytest.param(b"parm=a:text\0", [("a", None, "text")], id="a text alone"),
        pytest.param(b"parmtype=a:int\0", [("a", "int", None)], id="a type alone"),
        pytest.param(
            b"parm=b:x\0parmtype=a:int\0parmtype=b:uint\0",
            [("a", "int", None), ("b", "uint", "x")],
            id="two, the last first",
        ),
        pytest.param(b"parm=a\0", [], id="no colon: declares nothing"),
        pytest.param(b"parm=a:\0", [("a", None, "")], id="an empty text"),
        pytest.param(b"parm=a:b:c\0", [("a", None, "b:c")], id="two colons"),
        pytest.param(b"parm=a:1\0parm=a:2\0", [("a", None, "2")], id="two texts: the last"),
        pytest.param(b"parm=:x\0", [("", None, "x")], id="no name"),
    ],
)
def test_parameters_are_read_as_modinfo_does_with(
    info: bytes, expected: list[tuple[str, str | None, str | None]]
) -> None:
    found = [(one.name, one.type, one.description) for one in _read(module(info)).parameters]
    assert found == expected


@pytest.mark.parametrize(
    ("data", "path", "claimed"),
    [
        pytest.param(module(), "/m.ko", True, id="a module"),
        pytest.param(module(), "/m.bin", True, id="a module of another name"),
        pytest.param(module(kind=3), "/m.ko", False, id="a shared object with .modinfo"),
        pytest.param(module(kind=2), "/m.ko", False, id="a program with .modinfo"),
        pytest.param(build([Sec(b".text")]).data, "/m.ko", False, id="an object without"),
        pytest.param(b"text", "/m.ko", False, id="a text"),
        pytest.param(b"", "/m.txt", False, id="an empty file of another name"),
        pytest.param(b"\x7fELF", "/m.txt", False, id="a cut ELF file of another name"),
        pytest.param(module()[:200], "/m.o", False, id="a cut object of another name"),
    ],
)
def test_claims(data: bytes, path: str, claimed: bool) -> None:
    assert (LinuxFormat().claims(BytesSource(data, path)) is not None) is claimed


@pytest.mark.parametrize("path", ["/m.ko", "/m.ko.xz", "/m.ko.gz", "/m.ko.zst"])
@pytest.mark.parametrize("size", [0, 4, 40, 63, 64, 200])
def test_a_cut_module_of_its_proper_name_is_malformed(path: str, size: int) -> None:
    with pytest.raises(MalformedModule):
        LinuxFormat().claims(BytesSource(module()[:size], path))


def test_a_huge_modinfo_is_refused() -> None:
    data = build([Sec(b".modinfo", b"a=b\0" * 2_000_000)]).data
    with pytest.raises(MalformedModule, match="more than the limit"):
        _read(data)


def test_hostile_export_tables_end(run_bounded: Any) -> None:
    # Two relocations one byte apart make records of one byte; the section claims 2**60 of them.
    out = run_bounded(
        """
import struct
from polymod.backend import Depth
from polymod.source import BytesSource
from polymod_linux.format import LinuxFormat
from tests.polymod.elf_builder import Sec, Sym, build, symbol_table
rela = b"".join(struct.pack("<QQq", at, 1 << 32 | 1, 0) for at in (0, 1, 2))
data = build([
    Sec(b".modinfo", b"name=m\\0"),
    Sec(b"__ksymtab", b"", type=8, size=1 << 60),
    Sec(b".symtab", symbol_table([Sym(0), Sym(1, section=2)]), type=2, link=4, entry_size=24),
    Sec(b".strtab", b"\\0x\\0", type=3),
    Sec(b".rela__ksymtab", rela, type=4, link=3, info=2, entry_size=24),
]).data
print(LinuxFormat().read(BytesSource(data, "/m.ko"), Depth.FULL).exports)
"""
    )
    assert out in ("()\n", "None\n")
