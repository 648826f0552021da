"""Records of a change: the plan, its steps, and what came of each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import ClassVar

from polymod.model.base import Record


class StepOutcome(StrEnum):
    """What became of a step."""

    DONE = "done"
    UNCHANGED = "unchanged"
    FAILED = "failed"
    UNDONE = "undone"


@dataclass(frozen=True, slots=True, kw_only=True)
class Step(Record):
    """One atomic change (kind ``step``) and the arguments of its inverse.

    `action` and `inverse` are words of the backend; `arguments` and
    `inverse_arguments` are plain data, so that a plan can be carried.
    `inverse` is None where the step cannot be taken back.
    """

    kind: ClassVar[str] = "step"

    id: int
    action: str
    subject: str
    summary: str
    arguments: Mapping[str, object]
    inverse: str | None
    inverse_arguments: Mapping[str, object] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan(Record):
    """A change before it is made (kind ``plan``); `host` is the URL it is for."""

    kind: ClassVar[str] = "plan"

    backend: str
    host: str
    request: str
    steps: tuple[Step, ...]


@dataclass(frozen=True, slots=True)
class StepResult:
    """What executing a step gave: the outcome and a sentence for people."""

    outcome: StepOutcome
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeRequest:
    """What the user wants changed: a verb of the CLI, the modules, and the options."""

    verb: str
    names: tuple[str, ...]
    options: Mapping[str, str]
