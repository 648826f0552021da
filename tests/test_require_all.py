"""The plugin behind POLYMOD_REQUIRE_ALL: where all must run, a skip is a failure."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent

SKIPPING = {
    "a test that skips itself": "def test_x(): pytest.skip('no tool')",
    "a mark": "@pytest.mark.skipif(True, reason='no tool')\ndef test_x(): ...",
    "a whole file": "pytest.skip('no tool', allow_module_level=True)",
    "a missing package": "pytest.importorskip('no_such_package', reason='no tool')",
}


def outcome(source: str, required: str, directory: Path) -> tuple[int, str]:
    (directory / "test_x.py").write_text(f"import pytest\n{source}\n", "utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "_require_all", "-q", "-rA", "test_x.py"],
        cwd=directory,
        env={**os.environ, "PYTHONPATH": str(ROOT / "tests"), "POLYMOD_REQUIRE_ALL": required},
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout


@pytest.mark.parametrize("source", SKIPPING.values(), ids=SKIPPING.keys())
def test_a_skip_fails_with_its_reason_where_all_must_run(source: str, tmp_path: Path) -> None:
    status, text = outcome(source, "1", tmp_path)
    assert status not in (0, 5)
    assert "no tool" in text


@pytest.mark.parametrize("required", ["", "0"], ids=["unset", "switched off"])
def test_a_skip_is_a_skip_elsewhere(required: str, tmp_path: Path) -> None:
    status, text = outcome(SKIPPING["a test that skips itself"], required, tmp_path)
    assert status == 0
    assert "1 skipped" in text


def test_an_expected_failure_stays_one(tmp_path: Path) -> None:
    source = "@pytest.mark.xfail\ndef test_x(): assert False"
    status, text = outcome(source, "1", tmp_path)
    assert status == 0
    assert "1 xfailed" in text
