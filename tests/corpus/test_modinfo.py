"""Every record of real modules equals what kmod, readelf and pyelftools say of the same file.

A sample of each kernel by default. ``POLYMOD_SAMPLE=all python -m pytest
tests/corpus`` compares them all; ``POLYMOD_SEED`` repeats a sample.
"""

from __future__ import annotations

import os

import kmod_oracle
import pytest
from compare_modinfo import DEEP, compare
from trees import Tree, cache_directory, sample, sample_size, say, seed, trees

pytestmark = pytest.mark.corpus

SEED = seed()
TREES = trees() if kmod_oracle.available() else []


def _missing() -> str | None:
    if not kmod_oracle.available():
        return "kmod (modinfo, modprobe) is not installed"
    if not TREES:
        return f"no corpus in {cache_directory()}: run python tests/corpus/fetch.py"
    return None


def test_there_is_a_corpus_to_compare_with(capsys: pytest.CaptureFixture[str]) -> None:
    with capsys.disabled():
        say(f"\n{len(TREES)} kernels, POLYMOD_SEED={SEED}")
    reason = _missing()
    if reason is None:
        return
    if os.environ.get("POLYMOD_REQUIRE_ALL") == "1":
        pytest.fail(reason)
    pytest.skip(reason)


@pytest.mark.parametrize("tree", TREES, ids=lambda tree: f"of {tree.release}")
def test_records_equal_what_the_reference_tools_say(tree: Tree) -> None:
    paths = sample(tree.modules(), sample_size(), SEED)
    report = compare(paths, deep=sample(paths, DEEP, SEED))
    assert report.differences == [], "\n".join(map(str, report.differences[:20]))
    for oracle in ("modinfo", "modprobe", "pyelftools"):
        assert report.compared[oracle] > 0, f"{oracle} was never asked"
    assert report.compared["modprobe"] == 3 * len(paths)
