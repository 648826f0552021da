"""The stored and the computed index give the same answers, whichever files are left."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from polymod.errors import DependencyCycle, MalformedModule, ModuleNotFound
from polymod.hosts.local import LocalHost
from polymod_linux.computed import ComputedIndex
from polymod_linux.depmod_d import DepmodConfig
from polymod_linux.index import AliasHit, ModuleIndex
from polymod_linux.indexer import FILES
from polymod_linux.stored import StoredIndex, is_indexed
from tests.backends.linux.index_trees import Tree, module

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def build(tmp_path: Path) -> Tree:
    """A tree with its index built."""
    tree = Tree(tmp_path)
    info = ["alias=pci:v00001234d*sv*", "alias=bus-[0-9a-f]*", "softdep=pre: b-c", "weakdep=w x"]
    tree.add("kernel/a.ko", module(imports=["fb"], info=[*info, "softdep=post: c"]))
    devices = ["alias=devname:foo", "alias=char-major-10-200", "alias=pci:v00001234d00005678sv*"]
    tree.add("kernel/b-c.ko", module(imports=["fc"], exports=["fb", "other"], info=devices))
    tree.add("kernel/c.ko", module(exports=["fc"]))
    tree.add("modules.order", "kernel/a.ko\nkernel/b-c.ko\nkernel/c.ko\n")
    tree.add("modules.builtin", "kernel/x/built-in.ko\nkernel/y.ko\n")
    tree.add("modules.builtin.modinfo", b"built_in.alias=fs-x\0y.license=GPL\0y.alias=of:N*T*\0")
    tree.indexer().build()
    return tree


def stored(tree: Tree) -> StoredIndex:
    return StoredIndex(LocalHost(), str(tree.directory))


def computed(tree: Tree) -> ModuleIndex:
    return ComputedIndex(LocalHost(), str(tree.directory), config=DepmodConfig())


def text_only(tree: Tree) -> ModuleIndex:
    for name in FILES:
        if name.endswith(".bin"):
            (tree.directory / name).unlink()
    return stored(tree)


def damaged_binaries(tree: Tree) -> ModuleIndex:
    for name in FILES:
        if name.endswith(".bin"):
            (tree.directory / name).write_bytes(b"\xb0\x07\xf4W\0\x02\0\x01\xff\xff\xff\xff")
    return stored(tree)


def binaries_only(tree: Tree) -> ModuleIndex:
    for name in ("modules.dep", "modules.alias", "modules.symbols", "modules.builtin.modinfo"):
        (tree.directory / name).unlink()
    return stored(tree)


FORMS: dict[str, Callable[[Tree], ModuleIndex]] = {
    "as depmod leaves it": stored,
    "worked out": computed,
    "text only": text_only,
    "binaries damaged": damaged_binaries,
    "binaries only": binaries_only,
}
EVERY_FORM = pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    """A tree with its index built."""
    return build(tmp_path)


@EVERY_FORM
def test_paths_stand_in_the_order_of_modules_dep(
    tree: Tree, form: Callable[[Tree], ModuleIndex]
) -> None:
    assert list(form(tree).paths().items()) == [
        ("a", "kernel/a.ko"),
        ("b_c", "kernel/b-c.ko"),
        ("c", "kernel/c.ko"),
    ]


@EVERY_FORM
def test_a_closure_ends_with_what_is_loaded_first(
    tree: Tree, form: Callable[[Tree], ModuleIndex]
) -> None:
    index = form(tree)
    assert list(index.closure("a")) == ["kernel/b-c.ko", "kernel/c.ko"]
    assert list(index.closure("b-c")) == ["kernel/c.ko"]
    assert list(index.closure("c")) == []
    with pytest.raises(ModuleNotFound):
        index.closure("nosuch")


@EVERY_FORM
def test_an_alias_finds_its_modules_best_first(
    tree: Tree, form: Callable[[Tree], ModuleIndex]
) -> None:
    index = form(tree)
    hits = index.aliases("pci:v00001234d00005678sv00000000")
    assert [(hit.pattern, hit.module) for hit in hits] == [
        ("pci:v00001234d*sv*", "a"),
        ("pci:v00001234d00005678sv*", "b_c"),
    ]
    assert [hit.module for hit in index.aliases("bus-7x")] == ["a"]
    assert [hit.module for hit in index.aliases("char-major-10-200")] == ["b_c"]
    assert list(index.aliases("usb:v1")) == []
    assert list(index.aliases("broken[alias")) == []


@EVERY_FORM
def test_a_symbol_leads_to_its_owner(tree: Tree, form: Callable[[Tree], ModuleIndex]) -> None:
    index = form(tree)
    assert [hit.module for hit in index.aliases("symbol:other")] == ["b_c"]
    assert list(index.aliases("symbol:nosuch")) == []


@EVERY_FORM
def test_code_in_the_kernel_has_its_own_aliases(
    tree: Tree, form: Callable[[Tree], ModuleIndex]
) -> None:
    index = form(tree)
    assert [hit.module for hit in index.builtin_aliases("fs-x")] == ["built_in"]
    assert [hit.module for hit in index.builtin_aliases("of:NdeviceTtype")] == ["y"]
    assert list(index.aliases("fs-x")) == []


@EVERY_FORM
def test_the_statements_stand_as_in_their_files(
    tree: Tree, form: Callable[[Tree], ModuleIndex]
) -> None:
    index = form(tree)
    assert dict(index.builtins()) == {"built_in": "kernel/x/built-in.ko", "y": "kernel/y.ko"}
    assert list(index.softdeps()) == [("a", "pre: b-c"), ("a", "post: c")]
    assert list(index.weakdeps()) == [("a", "w x")]
    assert list(index.devnames()) == [("b_c", "foo", "c10:200")]


def test_the_source_of_a_hit_is_the_file_that_was_asked(tree: Tree) -> None:
    assert stored(tree).aliases("bus-1")[0] == AliasHit("bus_[0-9a-f]*", "a", "modules.alias.bin")
    assert computed(tree).aliases("bus-1")[0].source == "modules.alias"
    assert text_only(tree).aliases("bus-1")[0].source == "modules.alias"


def test_damage_to_a_binary_file_is_told_once_for_each_file(tree: Tree) -> None:
    damaged_binaries(tree)
    index = stored(tree)
    index.aliases("bus-1")
    index.aliases("bus-2")
    assert [problem.path for problem in index.problems] == [f"{tree.directory}/modules.alias.bin"]
    assert all(isinstance(problem, MalformedModule) for problem in index.problems)


def test_lines_that_are_none_are_told_with_their_number(tree: Tree) -> None:
    tree.add("modules.dep", "kernel/c.ko:\nno colon here\n: nothing\nkernel/a.ko: kernel/c.ko\n")
    tree.add("modules.softdep", "# head\nsoftdep a pre: x\nsofdep b y\n")
    tree.add("modules.devname", "one two\na b c1:2\n")
    index = stored(tree)
    assert list(index.paths()) == ["c", "a"]
    assert list(index.softdeps()) == [("a", "pre: x")]
    assert list(index.devnames()) == [("a", "b", "c1:2")]
    places = [problem.message.partition(": ")[0].rpartition("/")[2] for problem in index.problems]
    assert places == ["modules.dep:2", "modules.dep:3", "modules.softdep:3", "modules.devname:1"]


def test_the_first_line_of_a_name_counts(tree: Tree) -> None:
    tree.add("modules.dep", "x/a-b.ko: x/c.ko\ny/a_b.ko:\n")
    assert dict(stored(tree).paths()) == {"a_b": "x/a-b.ko"}
    assert list(stored(tree).closure("a_b")) == ["x/c.ko"]


def test_a_builtin_of_the_binary_file_alone_has_no_path(tree: Tree) -> None:
    (tree.directory / "modules.builtin").unlink()
    assert dict(stored(tree).builtins()) == {"built_in": "", "y": ""}


def test_whether_there_is_an_index_is_asked_before(tmp_path: Path) -> None:
    tree = Tree(tmp_path)
    assert not is_indexed(LocalHost(), str(tree.directory))
    tree.add("modules.dep.bin", b"")
    assert is_indexed(LocalHost(), str(tree.directory))
    assert dict(stored(tree).paths()) == {}


def test_a_ring_stops_only_those_that_lead_into_it(tmp_path: Path) -> None:
    tree = Tree(tmp_path)
    tree.add("k/a.ko", module(exports=["fa"], imports=["fb"]))
    tree.add("k/b.ko", module(exports=["fb"], imports=["fa", "fs"]))
    tree.add("k/user.ko", module(imports=["fa"]))
    tree.add("k/sound.ko", module(exports=["fs"], imports=["ft"]))
    tree.add("k/top.ko", module(exports=["ft"]))
    index = ComputedIndex(LocalHost(), str(tree.directory), config=DepmodConfig())
    for name in ("a", "b", "user"):
        with pytest.raises(DependencyCycle) as caught:
            index.closure(name)
        assert set(caught.value.members) == {"a", "b"}
    assert list(index.closure("sound")) == ["k/top.ko"]
    assert list(index.direct("b")) == ["a", "sound"]
    assert len(index.paths()) == 5


def test_an_unreadable_module_is_there_without_dependencies(tmp_path: Path) -> None:
    tree = Tree(tmp_path)
    tree.add("k/broken.ko", b"no module")
    index = ComputedIndex(LocalHost(), str(tree.directory), config=DepmodConfig())
    assert list(index.closure("broken")) == []
    assert [problem.path for problem in index.problems] == [f"{tree.directory}/k/broken.ko"]


def test_text_that_is_not_utf_8_passes_through(tmp_path: Path) -> None:
    tree = Tree(tmp_path)
    tree.add("k/a.ko", module(info=[b"softdep=pre: caf\xe9"]))
    tree.indexer().build()
    for index in (stored(tree), computed(tree)):
        assert list(index.softdeps()) == [("a", "pre: caf\udce9")]


@given(data=st.binary(max_size=300), name=st.sampled_from(FILES))
def test_any_bytes_in_any_file_end_in_answers_or_typed_errors(
    tmp_path_factory: pytest.TempPathFactory, data: bytes, name: str
) -> None:
    tree = build(tmp_path_factory.mktemp("tree"))
    (tree.directory / name).write_bytes(data)
    index = stored(tree)
    for question in ("bus-7", "symbol:fb", "char-major-10-200"):
        index.aliases(question)
        index.builtin_aliases(question)
    answers = (
        index.paths(),
        index.builtins(),
        index.softdeps(),
        index.weakdeps(),
        index.devnames(),
    )
    assert all(isinstance(len(answer), int) for answer in answers)
    for path in index.paths():
        index.closure(path)
    assert all(problem.path for problem in index.problems)
