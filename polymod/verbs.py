"""The verbs of the command line, as a table: nothing is imported to list them."""

from __future__ import annotations

from typing import NamedTuple


class Verb(NamedTuple):
    """One verb: its word, its help in one line, and ``module:command`` to import for it."""

    name: str
    help: str
    target: str


VERBS = (
    Verb("inspect", "What module files say about themselves.", "polymod.cli.cmd_inspect:inspect"),
    Verb("scan", "Every module file below directories.", "polymod.cli.cmd_scan:scan"),
    Verb("deps", "What a module needs, in load order.", "polymod.cli.cmd_deps:deps"),
    Verb("resolve", "Which module serves an alias.", "polymod.cli.cmd_resolve:resolve"),
    Verb("index", "Build or check the OS's module index.", "polymod.cli.cmd_index:index"),
    Verb(
        "backends", "Installed backends and what they can do.", "polymod.cli.cmd_backends:backends"
    ),
    Verb(
        "completion", "The completion script of a shell.", "polymod.cli.cmd_completion:completion"
    ),
)
