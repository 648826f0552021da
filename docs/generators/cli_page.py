"""The reference page of the command line."""

from __future__ import annotations

from typing import TYPE_CHECKING

from generators.commands import EXIT_TEXTS, global_options, verbs, whole_program

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from generators.commands import Command, Option

HEAD = """\
# Command line

This page is made out of the commands themselves. The same text is in `polymod VERB --help` and in
the man pages.

"""


def page() -> str:
    """The whole of ``reference/cli.md``."""
    program = whole_program()
    lines = [HEAD, *program.paragraphs, "", "```text", program.usage, "```", ""]
    lines += ["| verb | does |", "|---|---|"]
    lines += [f"| [`{one.name}`](#{one.name}) | {one.summary} |" for one in verbs()]
    lines += ["", "## Global options", "", "These go before or after the verb.", ""]
    lines += _table(program.options)
    lines += ["", "## Exit codes", "", "| code | meaning |", "|---|---|"]
    lines += [f"| {int(code)} | {text} |" for code, text in EXIT_TEXTS.items()]
    shared = set(global_options())
    for command in verbs():
        lines += ["", *_verb(command, shared)]
    return "\n".join(lines).replace("\n\n\n", "\n\n").rstrip() + "\n"


def _verb(command: Command, shared: set[Option]) -> Iterator[str]:
    yield from (f"## {command.name}", "", "```text", command.usage, "```", "")
    for paragraph in command.paragraphs:
        yield from (paragraph, "")
    own = [option for option in command.options if option not in shared]
    if own:
        yield from (*_table(own), "")
    yield "Examples:" if len(command.examples) > 1 else "Example:"
    yield from ("", "```sh", *command.examples, "```")


def _table(options: Iterable[Option]) -> list[str]:
    rows = ["| option | does |", "|---|---|"]
    for option in options:
        text = option.text.replace("|", "\\|")
        rows.append(f"| `{text}` | {option.help} |")
    return rows
