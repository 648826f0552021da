"""Answers as table, json, ndjson or csv.

A writer renders one item to text, which may happen in a worker process, and
puts text out in order. Tables escape control characters, since the text of a
hostile module must not reach a terminal; machine forms are lossless.
"""

from __future__ import annotations

import sys
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

from polymod.cli.text import cell, printable
from polymod.errors import ExitCode
from polymod.serialize import to_json

if TYPE_CHECKING:
    from collections.abc import Sequence

    from polymod.cli.options import Settings
    from polymod.cli.text import Layout, Row
    from polymod.errors import PolymodError
    from polymod.model.base import Record
    from polymod.model.failures import ModuleError


class Writer(ABC):
    """Puts records out in one form; counts what came, for the exit code."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.good = 0
        self.finished = False
        self.codes: list[int] = []

    @abstractmethod
    def render(self, item: Record) -> str:
        """The text of one record; no state changes."""

    @abstractmethod
    def put(self, texts: Sequence[str]) -> None:
        """Write rendered records, in order."""

    def finish(self) -> None:
        """Write what belongs behind the last record."""
        self.finished = True
        self._end()

    def _end(self) -> None:  # noqa: B027  # only some forms have one
        """Write the end of this form."""

    def write(self, item: Record) -> None:
        """Render and put one record."""
        self.good += 1
        self.put([self.render(item)])

    def write_error(self, error: PolymodError, path: str | None = None) -> None:
        """Put an error that belongs to one of several inputs."""
        from polymod.model.failures import as_record

        self.put_errors([as_record(error, path)])

    def put_errors(self, errors: Sequence[ModuleError]) -> None:
        """Put error records where this form has them, and count them."""
        for error in errors:
            self.codes.append(error.exit_code)
            self._put_error(error)

    def put_mixed(self, entries: Sequence[str | ModuleError]) -> None:
        """Put rendered text and error records in the order they come."""
        texts: list[str] = []
        for entry in entries:
            if isinstance(entry, str):
                texts.append(entry)
            else:
                self.put(texts)
                texts = []
                self.put_errors([entry])
        self.put(texts)

    def _put_error(self, error: ModuleError) -> None:
        sys.stdout.flush()
        sys.stderr.write(f"polymod: {printable(error.message)}\n")
        if error.remedy and self.settings.verbose:
            sys.stderr.write(f"  remedy: {printable(error.remedy)}\n")

    def exit_code(self) -> int:
        """0, the code all inputs failed with, or "some of several failed"."""
        if not self.codes:
            return int(ExitCode.OK)
        if self.good == 0 and len(set(self.codes)) == 1:
            return self.codes[0]
        return int(ExitCode.PARTIAL)


class NdjsonWriter(Writer):
    """One JSON object a line, errors among them."""

    def render(self, item: Record) -> str:
        return to_json(item) + "\n"

    def put(self, texts: Sequence[str]) -> None:
        sys.stdout.write("".join(texts))

    def _put_error(self, error: ModuleError) -> None:
        self.put([self.render(error)])


class JsonWriter(Writer):
    """One object with the items and, apart from them, the errors."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings)
        self._errors: list[str] = []
        self._before = envelope_start()

    def render(self, item: Record) -> str:
        return to_json(item)

    def put(self, texts: Sequence[str]) -> None:
        for text in texts:
            sys.stdout.write(self._before + text)
            self._before = ",\n"

    def _put_error(self, error: ModuleError) -> None:
        self._errors.append(to_json(error))

    def _end(self) -> None:
        start = self._before if self._before.startswith("{") else ""
        sys.stdout.write(f"{start}{envelope_end(self._errors)}\n")


class CsvWriter(Writer):
    """A header and one line a record, lists joined by blanks."""

    def __init__(self, settings: Settings, layout: Layout) -> None:
        super().__init__(settings)
        self._layout = layout
        self._header = ",".join(layout.columns) + "\r\n"

    def render(self, item: Record) -> str:
        import csv
        import io

        line = io.StringIO()
        csv.writer(line).writerow([cell(value) for value in self._layout.row(item)])
        return line.getvalue()

    def put(self, texts: Sequence[str]) -> None:
        sys.stdout.write(self._header + "".join(texts))
        self._header = ""

    def _end(self) -> None:
        self.put(())


class TableWriter(Writer):
    """Columns for people; one block a record where the layout says so."""

    def __init__(self, settings: Settings, layout: Layout) -> None:
        super().__init__(settings)
        self._layout = layout
        self._header = "" if layout.block else self._line([c.upper() for c in layout.columns])

    def _line(self, row: Row) -> str:
        cells = [printable(cell(value)).replace("\n", "\\n") for value in row]
        widths = self._layout.widths
        padded = [text.ljust(width) for text, width in zip(cells, widths, strict=False)]
        return "  ".join([*padded, *cells[len(padded) :]]).rstrip() + "\n"

    def render(self, item: Record) -> str:
        if self._layout.block:
            return printable(self._layout.block(item))
        return self._line(self._layout.row(item))

    def put(self, texts: Sequence[str]) -> None:
        if texts:
            sys.stdout.write(self._header + "".join(texts))
            self._header = ""


def envelope_start() -> str:
    """What stands before the items of ``--output json``."""
    return '{"schema": "polymod/1", "items": ['


def envelope_end(errors: Sequence[str]) -> str:
    """What stands behind them; `errors` are records as JSON."""
    return f'], "errors": [{", ".join(errors)}]}}'


_made: list[Writer] = []


def start_over() -> None:
    """Forget the writers of an earlier run in this process, and make output exact.

    Bytes outside UTF-8 came in by surrogateescape and go out the same way.
    """
    _made.clear()
    reconfigure = getattr(sys.stdout, "reconfigure", None)
    if reconfigure is not None:
        reconfigure(encoding="utf-8", errors="surrogateescape", newline="")


def unfinished() -> Writer | None:
    """The writer of this run that has not written its end, None if there is none."""
    return next((one for one in _made if not one.finished), None)


def writer(settings: Settings, layout: str) -> Writer:
    """The writer for the form asked for; `layout` names one in `polymod.cli.layouts`."""
    made = _writer(settings, layout)
    _made.append(made)
    return made


def _writer(settings: Settings, layout: str) -> Writer:
    match settings.output:
        case "ndjson":
            return NdjsonWriter(settings)
        case "json":
            return JsonWriter(settings)
        case form:
            from polymod.cli import layouts

            chosen: Layout = getattr(layouts, layout)
            return CsvWriter(settings, chosen) if form == "csv" else TableWriter(settings, chosen)
