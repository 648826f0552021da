"""modules.builtin.modinfo, sound and broken."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from polymod.model.base import Why
from polymod_linux.builtins import parse, record


def test_strings_are_gathered_by_module_in_their_order() -> None:
    data = b"a.license=GPL\0b-c.parm=x:one\0a.alias=p\0b-c.parm=y:two\0a.alias=q\0"
    assert parse(data) == {
        "a": {"license": ["GPL"], "alias": ["p", "q"]},
        "b_c": {"parm": ["x:one", "y:two"]},
    }


def test_a_value_may_have_dots_and_equals_signs() -> None:
    assert parse(b"a.alias=of:N*T*Cx.y=z\0") == {"a": {"alias": ["of:N*T*Cx.y=z"]}}


def test_strings_without_a_module_are_passed_over() -> None:
    assert parse(b"license=GPL 2.0\0\0nodot\0") == {}


def test_a_module_of_which_nothing_is_known_has_gaps_for_all() -> None:
    module = record("x", None)
    assert module.name == "x"
    assert module.gaps["description"].detail == "not in modules.builtin.modinfo"
    assert module.gaps["signatures"].why is Why.NOT_APPLICABLE


@given(st.binary(max_size=200))
def test_no_bytes_whatever_raise(data: bytes) -> None:
    for name, info in parse(data).items():
        record(name, info)
