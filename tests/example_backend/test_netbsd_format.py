"""NetBSD module files: what is read, what is not taken for one, and what damage costs."""

from __future__ import annotations

import json
import random
import struct
from pathlib import Path
from typing import Any

import pytest

from polymod.backend import CERTAIN, Depth
from polymod.errors import MalformedModule, PolymodError
from polymod.formats.elf_full import FullElf
from polymod.hosts.local import LocalHost
from polymod.model.base import Why
from polymod.model.files import Architecture, DependencyKind, ModuleFile
from polymod.plugins import Plugins
from polymod.reading import Reader
from polymod.source import BytesSource
from polymod_netbsd.backend import NetbsdBackend
from polymod_netbsd.format import NetbsdFormat
from polymod_netbsd.modinfo import NetbsdVersion, netbsd_version

DATA = Path(__file__).resolve().parents[1] / "data" / "modules"
EXPECTED: dict[str, list[dict[str, Any]]] = json.loads(
    (DATA / "netbsd" / "expected.json").read_text(encoding="ascii")
)
SAMPLES = [pytest.param(facts, id=facts["path"]) for facts in EXPECTED["samples"]]
FOREIGN = [facts["path"] for facts in EXPECTED["near_misses"] if not facts["malformed"]]
DAMAGED = [facts["path"] for facts in EXPECTED["near_misses"] if facts["malformed"]]


def source(path: str) -> BytesSource:
    return BytesSource((DATA / "netbsd" / path).read_bytes(), path)


def claim_and_read(path: str) -> None:
    """What polymod does with a file: a claim may already tell the damage, else reading must."""
    if NetbsdFormat().claims(source(path)) is not None:
        read(path)


def read(path: str, depth: Depth = Depth.METADATA) -> ModuleFile:
    return NetbsdFormat().read(source(path), depth)


# -- what is read -----------------------------------------------------------


@pytest.mark.parametrize("facts", SAMPLES)
def test_a_module_says_what_was_declared(facts: dict[str, Any]) -> None:
    module = read(facts["path"])
    assert module.name == facts["name"]
    assert [one.name for one in module.provides] == [facts["name"]]
    assert [one.name for one in module.dependencies] == facts["required"]
    assert {one.kind for one in module.dependencies} <= {DependencyKind.MODULE}
    assert module.built_for == NetbsdVersion(facts["mi_version"], facts["release"])
    assert module.architectures == (Architecture(facts["machine"], facts["bits"], facts["endian"]),)
    assert module.native == {
        "mi_version": facts["mi_version"],
        "mi_class": facts["mi_class"],
        "mi_name": facts["name"],
        "mi_required": facts["mi_required"],
        "class": facts["class"],
    }


@pytest.mark.parametrize("facts", SAMPLES)
def test_imports_and_exports_are_the_undefined_and_the_global_symbols(
    facts: dict[str, Any],
) -> None:
    module = read(facts["path"], Depth.FULL)
    assert sorted(one.name for one in module.imports or ()) == facts["imports"]
    assert sorted(one.name for one in module.exports or ()) == facts["exports"]


@pytest.mark.parametrize("facts", SAMPLES)
def test_pyelftools_finds_the_same_name(facts: dict[str, Any]) -> None:
    full = FullElf(source(facts["path"]))
    (link,) = full.relocations("link_set_modules")
    pointer = 8 if facts["bits"] == 64 else 4
    name = next(
        relocation
        for relocation in full.relocations(link.section)
        if relocation.offset == link.target + 8 + pointer
    )
    assert full.string_at(name) == facts["name"]


def test_what_the_format_lacks_is_a_gap_with_its_reason() -> None:
    module = read("x86_64/pmfs.kmod")
    absent = ("version", "description", "license", "source_version", "uuid")
    assert [getattr(module, field) for field in absent] == [None] * len(absent)
    assert {module.gaps[field].why for field in absent} == {Why.NOT_APPLICABLE}
    assert module.gaps["build_id"].why is Why.NOT_REPORTED
    assert module.gaps["imports"].why is module.gaps["exports"].why is Why.NOT_ASKED


def test_every_null_field_has_its_gap() -> None:
    # a file that nothing packed has no compression; that is no unknown
    for depth in Depth:
        module = read("x86_64/pm_bus.kmod", depth)
        nulls = {field for field in ModuleFile.__slots__ if getattr(module, field) is None}
        assert nulls - {"compression"} == set(module.gaps)


@pytest.mark.parametrize(
    ("number", "release"),
    [(500000000, "5.0"), (500000200, "5.0.2"), (904000000, "9.4"), (999010400, "9.99.104")],
)
def test_the_version_number_spells_the_release(number: int, release: str) -> None:
    assert netbsd_version(number) == NetbsdVersion(number, release)


# -- what is claimed --------------------------------------------------------


@pytest.mark.parametrize("facts", SAMPLES)
def test_a_module_is_claimed_by_its_contents_whatever_its_name(facts: dict[str, Any]) -> None:
    whole = (DATA / "netbsd" / facts["path"]).read_bytes()
    claim = NetbsdFormat().claims(BytesSource(whole, "mystery"))
    assert claim is not None
    assert claim.strength == CERTAIN


def test_half_a_file_is_only_an_error_under_a_module_s_name() -> None:
    half = (DATA / "netbsd" / "near-miss" / "truncated.kmod").read_bytes()
    assert NetbsdFormat().claims(BytesSource(half, "core.dump")) is None
    with pytest.raises(MalformedModule):
        NetbsdFormat().claims(BytesSource(half, "pmfs.kmod"))


@pytest.mark.parametrize("path", FOREIGN)
def test_a_near_miss_is_not_claimed(path: str) -> None:
    assert NetbsdFormat().claims(source(path)) is None


def test_no_linux_module_is_claimed() -> None:
    paths = sorted((DATA / "linux").glob("*/*.ko"))
    assert len(paths) > 50
    for path in paths:
        assert NetbsdFormat().claims(BytesSource(path.read_bytes(), str(path))) is None, path


@pytest.mark.parametrize("path", DAMAGED)
def test_a_damaged_module_is_an_error_that_names_the_file(path: str) -> None:
    with pytest.raises(MalformedModule) as caught:
        claim_and_read(path)
    assert caught.value.path == path
    assert caught.value.offset is not None or caught.value.field is not None


def test_the_backend_joins_in_as_a_plugin_beside_the_built_in_ones() -> None:
    plugins = Plugins(outside=False)
    import polymod_netbsd

    plugins.register(polymod_netbsd, "netbsd")
    assert plugins.backend("netbsd").title == NetbsdBackend.title
    assert plugins.origin("netbsd") == "netbsd"
    assert not plugins.is_builtin("netbsd")
    reader = Reader(plugins)
    with LocalHost() as host:
        module = reader.read(host, str(DATA / "netbsd" / "sparc64" / "pmfs.kmod"))
        linux = reader.read(host, str(DATA / "linux" / "x86_64" / "pm_core.ko"))
    assert (module.backend, module.name) == ("netbsd", "pmfs")
    assert linux.backend == "linux"
    assert plugins.failures == []


# -- damage -----------------------------------------------------------------


def attempt(data: bytes) -> str:
    """The module's name, or the code of the error; anything else is a bug."""
    damaged = BytesSource(data, "damaged.kmod")
    try:
        if NetbsdFormat().claims(damaged) is None:
            return "not claimed"
        return NetbsdFormat().read(damaged, Depth.FULL).name or ""
    except PolymodError as error:
        return error.code


@pytest.mark.parametrize(
    "path",
    ["x86_64/pmfs.kmod", "i386/pmfs.kmod", "ppc/pmfs.kmod", "mips64el/pmfs.kmod"],
)
def test_changed_bytes_give_an_answer_or_a_typed_error(path: str) -> None:
    whole = (DATA / "netbsd" / path).read_bytes()
    chance = random.Random(path)
    outcomes = set()
    for _ in range(1500):
        data = bytearray(whole)
        for _ in range(chance.randint(1, 8)):
            at = chance.randrange(len(data))
            data[at] = chance.choice((0, 1, 0x7F, 0x80, 0xFF, chance.randrange(256)))
        outcomes.add(attempt(bytes(data)))
    assert {"pmfs", "malformed"} <= outcomes


@pytest.mark.parametrize("path", ["x86_64/pmfs.kmod", "mips/pmfs.kmod"])
def test_every_cut_gives_a_typed_error(path: str) -> None:
    whole = (DATA / "netbsd" / path).read_bytes()
    outcomes = {attempt(whole[:size]) for size in range(0, len(whole), 7)}
    assert outcomes <= {"malformed", "not claimed"}


def test_a_table_that_claims_a_million_relocations_costs_one_error() -> None:
    whole = bytearray((DATA / "netbsd" / "x86_64" / "pmfs.kmod").read_bytes())
    (table,) = struct.unpack_from("<Q", whole, 40)
    (count,) = struct.unpack_from("<H", whole, 60)
    for index in range(count):
        at = table + index * 64
        (kind,) = struct.unpack_from("<I", whole, at + 4)
        if kind == 4:  # SHT_RELA
            struct.pack_into("<Q", whole, at + 32, 24 * 1_000_001)
    assert attempt(bytes(whole)) == "malformed"
