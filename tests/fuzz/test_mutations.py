"""Ten thousand damaged modules, and damaged files of every other kind, within hard bounds.

Each gives a record or a typed error, uses a few seconds of processor time at
most and 256 MB of memory at most; the worker process dies otherwise, and the
case's number and seed make the same bytes again. POLYMOD_MUTATIONS changes how
many cases there are for modules (other parsers get a tenth), POLYMOD_SEED which.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from crafted import CRAFTED
from crafted_texts import ATTACKS
from mutate import Mutator, lies, sample, systematic
from samples import modules
from targets import TARGETS

HERE = Path(__file__).resolve().parent

COUNT = int(os.environ.get("POLYMOD_MUTATIONS", "10000"))
SEED = int(os.environ.get("POLYMOD_SEED") or random.SystemRandom().randrange(1 << 32))

#: Cases for one worker: what one leaves behind must not be charged to the next for long.
BATCH = 2500

_FORMATS_OF_MODULES = ("module", "index_facts", "elf_full")

_LIMITED = pytest.mark.skipif(
    sys.platform != "linux", reason="the limits on the worker are Linux's (RLIMIT_AS, /proc)"
)


def _work(*arguments: str) -> list[str]:
    """What went wrong in a worker: its findings, or the case at which it was killed."""
    done = subprocess.run(
        [sys.executable, str(HERE / "worker.py"), *arguments],
        capture_output=True,
        check=False,
        timeout=1200,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
    )
    lines = done.stdout.decode(errors="replace").splitlines()
    found = [line.replace("\x1f", "\n") for line in lines if line.startswith("finding ")]
    if done.returncode:
        last = next((line for line in reversed(lines) if line.isdigit()), "none")
        cause = signal.Signals(-done.returncode).name if done.returncode < 0 else "an error"
        found.append(
            f"worker.py {' '.join(arguments)} ended by {cause} at case {last}:\n"
            f"{done.stderr.decode(errors='replace')[-2000:]}"
        )
    return found


@_LIMITED
@pytest.mark.parametrize("target", TARGETS, ids=lambda name: f"in the parser {name}")
def test_no_damage_costs_more_than_a_typed_error(target: str) -> None:
    count = COUNT if target == "module" else COUNT // 10
    findings: list[str] = []
    for start in range(0, count, BATCH):
        findings += _work(target, str(SEED), str(start), str(min(BATCH, count - start)))
    assert findings == [], f"POLYMOD_SEED={SEED}\n" + "\n".join(findings[:5])


@_LIMITED
@pytest.mark.parametrize("target", ["module", "index_facts"], ids=lambda name: f"for {name}")
def test_no_cut_and_no_lie_in_any_header_costs_more(target: str) -> None:
    assert _work(target, "systematic") == []


@_LIMITED
@pytest.mark.parametrize("target", _FORMATS_OF_MODULES, ids=lambda name: f"for {name}")
@pytest.mark.parametrize("name", CRAFTED, ids=lambda name: f"of {name}")
def test_a_file_made_to_cost_much_does_not(name: str, target: str) -> None:
    assert _work(target, "crafted", name) == []


@_LIMITED
def test_what_hostile_files_say_is_not_kept() -> None:
    assert _work("module", "hoard") == []


@_LIMITED
@pytest.mark.parametrize(
    ("target", "name"),
    [(target, name) for target, attacks in ATTACKS.items() for name in attacks],
    ids=lambda text: text,
)
def test_a_text_made_to_cost_much_does_not(target: str, name: str) -> None:
    assert _work(target, "attack", name) == []


def test_a_case_number_always_makes_the_same_bytes() -> None:
    one, other = Mutator(modules(), 7), Mutator(modules(), 7)
    assert [one.case(n) for n in range(200)] == [other.case(n) for n in range(200)]
    assert one.case(3) != Mutator(modules(), 8).case(3)


def test_the_cases_differ_from_the_samples_and_from_each_other() -> None:
    mutator = Mutator(modules(), 7)
    cases = [mutator.case(n).data for n in range(300)]
    known = {one.data for one in modules()}
    assert len(set(cases)) > 250
    assert sum(data in known for data in cases) < 30


def test_lies_are_the_extremes_and_the_neighbours_of_the_truth() -> None:
    assert lies(7, 100, 1) == [0, 1, 255, 127, 100, 99, 101, 6, 8]
    assert 7 not in lies(7, 7, 2)
    assert max(lies(0, 1 << 40, 4)) == 0xFFFFFFFF


def test_systematic_damage_reaches_every_edge_and_every_header_field() -> None:
    name = "ppc/pm_core.ko"  # big-endian, 32 bits: the layout is not that of this machine
    one = next(module for module in modules() if module.name == name)
    assert one.layout is not None
    said = "\n".join(case.what for case in systematic(one))
    for field in ("e_shoff", "e_shnum", "e_shstrndx", "sh[1].offset", "sh[1].size", "sh[1].link"):
        assert f"{name}: {field} = 0x1\n" in said
    modinfo = next(region for region in one.layout.regions if region.name == ".modinfo")
    assert f"{name}: cut at {modinfo.offset + modinfo.size}\n" in said
    assert f"{name}: cut at {len(one.data) - 1}\n" in said


def test_an_elf_sample_is_mapped_as_readelf_would() -> None:
    home = Path(__file__).resolve().parent.parent / "data" / "modules" / "linux"
    data = (home / "x86_64" / "pm_core.ko").read_bytes()
    found = sample("core", data).layout
    assert found is not None
    names = [region.name for region in found.regions]
    assert names[0] == ""
    assert {".modinfo", ".symtab", ".strtab", ".shstrtab", "__ksymtab_gpl"} <= set(names)
    section = next(region for region in found.regions if region.name == ".modinfo")
    assert b"license=GPL\0" in data[section.offset : section.offset + section.size]
