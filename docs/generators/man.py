"""Man pages in man(7), one for the program and one for each verb."""

from __future__ import annotations

import re
import textwrap
from typing import TYPE_CHECKING

from generators.commands import EXIT_TEXTS, verbs, whole_program
from generators.source import ROOT
from polymod.version import __version__

if TYPE_CHECKING:
    from collections.abc import Iterator

    from generators.commands import Command


def _date() -> str:
    """The day of this version in the changelog, nothing while it is not released."""
    text = (ROOT / "docs" / "changelog.md").read_text("utf-8")
    found = re.search(rf"^## {re.escape(__version__)} - (\d{{4}}-\d\d-\d\d)$", text, re.MULTILINE)
    return found[1] if found else ""


def pages() -> dict[str, str]:
    """Every man page by its file name."""
    program = whole_program()
    commands = verbs()
    made = {f"{program.page}.1": _page(program, commands)}
    made.update({f"{one.page}.1": _page(one, commands) for one in commands})
    return made


def _page(command: Command, others: tuple[Command, ...]) -> str:
    is_program = command.name == "polymod"
    lines = [
        '.\\" Made by docs/generate.py out of the command itself; do not edit.',
        f'.TH {command.page.upper()} 1 "{_date()}" "polymod {__version__}" "polymod"',
        ".SH NAME",
        f"{_escape(command.page)} \\- {_escape(_lower(command.summary))}",
        ".SH SYNOPSIS",
        *_synopsis(command),
        ".SH DESCRIPTION",
        *_paragraphs(command.paragraphs),
    ]
    if is_program:
        lines += [".SH VERBS"]
        for one in others:
            lines += [".TP", f".BR {_escape(one.page)} (1)", _escape(one.summary)]
    lines += [".SH OPTIONS"]
    if is_program:
        lines += ["These go before or after the verb."]
    for option in command.options:
        lines += [".TP", _option(option.spellings, option.value), _line(option.help)]
    lines += [".SH EXIT STATUS", *_exit_status()]
    lines += [".SH EXAMPLES", ".nf", *(_line(example) for example in command.examples), ".fi"]
    lines += [".SH SEE ALSO", *_see_also(command, others)]
    return "\n".join(lines) + "\n"


def _synopsis(command: Command) -> Iterator[str]:
    words = command.usage.split(" ")
    fixed = 1 if command.name == "polymod" else 2
    yield f".B {_escape(' '.join(words[:fixed]))}"
    yield f".RI {_quoted(' '.join(words[fixed:]))}"


def _paragraphs(paragraphs: tuple[str, ...]) -> Iterator[str]:
    for at, paragraph in enumerate(paragraphs):
        if at:
            yield ".PP"
        yield from map(_line, textwrap.wrap(paragraph, 76, break_on_hyphens=False))


def _option(spellings: tuple[str, ...], value: str | None) -> str:
    names = ", ".join(f"\\fB{_escape(one)}\\fR" for one in spellings)
    return names if value is None else f"{names} \\fI{_escape(value)}\\fR"


def _exit_status() -> Iterator[str]:
    for code, text in EXIT_TEXTS.items():
        yield from (".TP", f".B {int(code)}", _line(text))


def _see_also(command: Command, others: tuple[Command, ...]) -> Iterator[str]:
    if command.name != "polymod":
        yield ".BR polymod (1)"
        return
    pages = [one.page for one in others]
    for page in pages:
        yield f".BR {_escape(page)} (1)" + ("," if page != pages[-1] else "")


def _lower(summary: str) -> str:
    return (summary[0].lower() + summary[1:]).rstrip(".")


def _line(text: str) -> str:
    escaped = _escape(text)
    return f"\\&{escaped}" if escaped.startswith((".", "'")) else escaped


def _quoted(text: str) -> str:
    return '"' + _escape(text).replace('"', '""') + '"'


def _escape(text: str) -> str:
    """Roff's own characters made plain; an ASCII hyphen stays one, so that it can be copied."""
    return text.replace("\\", "\\e").replace("-", "\\-").replace("~", "\\(ti").replace("`", "\\(ga")
