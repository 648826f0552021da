"""A pytest plugin: with POLYMOD_REQUIRE_ALL=1 a test that skips itself fails.

`tests/run` loads it. Where everything can be installed, a skip hides a hole;
the reason for the skip becomes the message of the failure. Expected failures
(xfail) are none of its business.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Generator


def _required() -> bool:
    return os.environ.get("POLYMOD_REQUIRE_ALL", "") not in ("", "0")


def _refuse(report: pytest.TestReport | pytest.CollectReport) -> None:
    reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr
    report.outcome = "failed"
    report.longrepr = f"POLYMOD_REQUIRE_ALL is set, and this was {str(reason).lower()}"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if report.skipped and _required() and not hasattr(report, "wasxfail"):
        _refuse(report)
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    report = yield
    if report.outcome == "skipped" and _required():
        _refuse(report)
    return report
