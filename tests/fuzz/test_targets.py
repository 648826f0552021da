"""Every fuzz target runs over its samples, without a fuzzer, and notices a broken promise."""

from __future__ import annotations

import gc
import gzip
import runpy
import weakref
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import targets
from samples import pool
from targets import TARGETS

from polymod.backend import Depth
from polymod.plugins import shared
from polymod.reading import Reader

if TYPE_CHECKING:
    from polymod.source import ByteSource

HERE = Path(__file__).resolve().parent
SCRIPTS = sorted(HERE.glob("fuzz_*.py"))


@pytest.mark.parametrize("name", TARGETS, ids=lambda name: f"the target {name}")
def test_samples_pass_through(name: str) -> None:
    target = TARGETS[name]
    samples = pool(target.samples)
    assert samples, "nothing to start from"
    for one in samples:
        target.run(one.data)


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: f"in {path.name}")
def test_each_script_has_an_entry_that_takes_bytes(script: Path) -> None:
    entry = runpy.run_path(str(script), run_name="fuzz")["entry"]
    for data in (b"", b"\0", b"\x7fELF", b"a" * 100):
        entry(data)


def test_every_target_has_its_script() -> None:
    assert {path.stem.removeprefix("fuzz_") for path in SCRIPTS} == set(TARGETS)


def test_an_exception_that_is_no_typed_error_gets_through(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_: bytes) -> object:
        raise ValueError("not ours")

    monkeypatch.setattr("polymod_linux.modinfo.parse", broken)
    with pytest.raises(ValueError, match="not ours"):
        targets.modinfo(b"a=b")


@pytest.mark.parametrize("packed", [False, True], ids=["plain", "packed"])
def test_a_file_that_was_read_is_let_go_without_a_garbage_collection(packed: bool) -> None:
    # A scan collects garbage rarely; unpacked modules of 20 MB would pile up until then.
    data = next(one.data for one in pool("modules") if one.name == "x86_64/pm_core.ko")
    opened: list[weakref.ref[object]] = []

    class Watched(targets.MemoryHost):
        def open(self, path: str) -> ByteSource:
            source = super().open(path)
            opened.append(weakref.ref(source))
            return source

    host = Watched({"/m.ko": gzip.compress(data) if packed else data})
    gc.disable()
    try:
        assert Reader(shared(), depth=Depth.FULL).read(host, "/m.ko").name == "pm_core"
        assert [one() for one in opened] == [None]
    finally:
        gc.enable()
