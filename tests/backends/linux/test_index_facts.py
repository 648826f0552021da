"""What indexing takes from one module file: kmod's idea of imports, exports and aliases."""

from __future__ import annotations

import gzip
import lzma

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from polymod.source import BytesSource
from polymod_linux.index_facts import ModuleFacts, read_facts, strings
from tests.backends.linux.index_trees import Symbol, module

SHAPES = pytest.mark.parametrize(
    ("bits", "order"),
    [(64, "<"), (64, ">"), (32, "<"), (32, ">")],
    ids=["64-bit little", "64-bit big", "32-bit little", "32-bit big"],
)


def facts_of(data: bytes) -> ModuleFacts:
    return read_facts(BytesSource(data, "k/x.ko"))


def imports_of(data: bytes) -> list[bytes]:
    return strings(facts_of(data).imports)


def exports_of(data: bytes) -> list[bytes]:
    return sorted(strings(facts_of(data).exports))


@SHAPES
def test_imports_keep_table_order_and_versions_come_last(bits: int, order: str) -> None:
    data = module(
        imports=["zeta", "alpha", "mid"],
        versions=["module_layout", "mid", "zeta", "only_here"],
        bits=bits,
        order=order,
    )
    assert imports_of(data) == [b"zeta", b"alpha", b"mid", b"module_layout", b"only_here"]


@SHAPES
def test_exports_are_the_symbols_with_a_crc(bits: int, order: str) -> None:
    data = module(exports=["one", "two"], imports=["printk"], bits=bits, order=order)
    assert exports_of(data) == [b"one", b"two"]
    assert imports_of(data) == [b"printk"]


def test_without_crcs_every_string_of_the_export_table_counts() -> None:
    # Namespaces stand among them; kmod cannot tell them apart either.
    data = module(exports=["one", "two"], namespaces=["SPACE"], crcs=False)
    assert exports_of(data) == [b"SPACE", b"one", b"two"]


def test_a_crc_may_be_an_absolute_symbol_without_any_table() -> None:
    data = module(symbols=[Symbol("__crc_old", 0xFFF1, 1, 0x1234)])
    assert exports_of(data) == [b"old"]


def test_a_name_that_only_contains_crc_is_no_export() -> None:
    assert exports_of(module(symbols=[Symbol("my__crc_thing", 1)])) == []


def test_a_name_that_shares_the_tail_of_another_is_one() -> None:
    data = module(symbols=[Symbol("my__crc_thing", 1), Symbol("__crc_other", 1)])
    # Let the second symbol point into the name of the first, as linkers do.
    names = data.index(b"\0my__crc_thing\0") + 1
    second = data.rindex(b"\x0f\0\0\0\x10", 0, names)
    shared = data[:second] + b"\x03" + data[second + 1 :]
    assert exports_of(shared) == [b"thing"]


def test_weak_and_local_undefined_symbols_are_imports_too() -> None:
    data = module(symbols=[Symbol("weak", 0, 2), Symbol("local", 0, 0), Symbol("defined", 1)])
    assert imports_of(data) == [b"local", b"weak"]


def test_a_section_number_with_a_zero_byte_is_not_undefined() -> None:
    assert imports_of(module(symbols=[Symbol("far", 0x100), Symbol("near", 0xFF)])) == []


def test_sparc_register_symbols_are_no_imports() -> None:
    symbols = [Symbol("g2", 0, 1, 0, 13), Symbol("printk")]
    assert imports_of(module(symbols=symbols, machine=43)) == [b"printk"]
    assert imports_of(module(symbols=symbols, machine=62)) == [b"g2", b"printk"]


def test_the_declared_values_keep_their_order_and_their_bytes() -> None:
    info: list[str | bytes] = [
        "alias=pci:v*",
        b"softdep=pre: \xff",
        "name=x",
        "alias=",
        "alias",
        "weakdep=a b",
        "aliases=no",
    ]
    facts = facts_of(module(info=info))
    assert strings(facts.aliases) == [b"pci:v*", b"", b""]
    assert strings(facts.softdeps) == [b"pre: \xff"]
    assert strings(facts.weakdeps) == [b"a b"]
    assert facts.error is None


@pytest.mark.parametrize("pack", [gzip.compress, lzma.compress], ids=["gzip", "xz"])
def test_a_packed_file_is_read_whatever_it_is_called(pack: object) -> None:
    assert callable(pack)
    assert imports_of(pack(module(imports=["printk"]))) == [b"printk"]


def test_a_stripped_file_still_declares_and_says_what_is_missing() -> None:
    facts = facts_of(module(info=["alias=a"], imports=["printk"], symtab=False))
    assert strings(facts.aliases) == [b"a"]
    assert facts.imports == b""
    assert facts.error is not None
    assert facts.error.path == "k/x.ko"


@pytest.mark.parametrize(
    "data",
    [b"", b"text, not a module\n" * 9, module(imports=["a"])[:150], b"\xfd7zXZ\0damaged"],
    ids=["an empty file", "a text", "half a file", "a damaged xz file"],
)
def test_a_file_that_is_no_module_has_its_error_and_nothing_else(data: bytes) -> None:
    facts = facts_of(data)
    assert facts[:5] == (b"",) * 5
    assert facts.error is not None
    assert facts.error.path == "k/x.ko"


def test_a_versions_table_of_odd_size_is_passed_over() -> None:
    data = module(imports=["printk"], versions=["printk", "extra"])
    at = data.index(b"__versions")
    assert at > 0
    sizes = [data.rindex((128).to_bytes(8, "little"))]
    odd = data[: sizes[0]] + (100).to_bytes(8, "little") + data[sizes[0] + 8 :]
    assert imports_of(odd) == [b"printk"]


@settings(max_examples=300)
@given(
    changes=st.lists(st.tuples(st.integers(min_value=0), st.integers(0, 255)), max_size=8),
    cut=st.integers(min_value=0, max_value=500),
)
def test_any_damage_ends_in_facts_or_a_typed_error(
    changes: list[tuple[int, int]], cut: int
) -> None:
    whole = module(
        imports=["a", "b"], exports=["c"], info=["alias=x", "softdep=pre: y"], versions=["a", "b"]
    )
    data = bytearray(whole)
    for place, value in changes:
        data[place % len(data)] = value
    facts = facts_of(bytes(data[: len(data) - cut]))
    assert facts.error is None or facts.error.path == "k/x.ko"
