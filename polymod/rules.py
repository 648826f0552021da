"""Rules: what ``audit`` and ``check`` look for, as plugins add them."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from polymod.model.answers import Finding, Severity
    from polymod.model.base import Record


class Rule(NamedTuple):
    """One rule: its kebab-case name, how bad a hit is, and what it says of a record.

    `check` gets a module file or a loaded module and yields its findings.
    """

    name: str
    severity: Severity
    description: str
    check: Callable[[Record], Iterable[Finding]]
