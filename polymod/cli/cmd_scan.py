"""``polymod scan``."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from polymod.cli import inputs
from polymod.cli.options import settings, verb
from polymod.cli.render import writer

if TYPE_CHECKING:
    from polymod.cli.options import Settings
    from polymod.cli.render import Writer
    from polymod.scanning import Part


@verb(
    "scan",
    """
polymod scan /lib/modules
polymod scan --root /mnt/image /lib/modules --output ndjson --hash sha256
find / -name '*.ko*' | polymod scan - --output csv
""",
)
@click.argument("names", metavar="PATH...", nargs=-1, required=True)
@click.option("-j", "--jobs", type=click.IntRange(1, 256), help="Processes [one a processor].")
@click.option("--symbols", is_flag=True, help="Add imports and exports.")
@click.option("--hash", "hashes", metavar="LIST", help="Add digests: sha256,md5,...")
@click.option("-0", "--null", is_flag=True, help="Standard input is separated by NUL.")
@click.pass_context
def scan(
    ctx: click.Context,
    names: tuple[str, ...],
    jobs: int | None,
    symbols: bool,
    hashes: str | None,
    null: bool,
) -> int:
    """Show every module file at or below each PATH, in the order of names.

    Files are recognised by their contents. What is no module is counted and
    passed over; what claims to be one and is broken is an error, and the scan
    goes on. Links to directories are not followed. - reads paths from standard
    input.
    """
    from polymod.scanning import scan_parts

    chosen = settings(ctx)
    digests = [name for name in (hashes or "").split(",") if name]
    out = writer(chosen, "SCAN")
    progress = _Progress(chosen)
    with chosen.connect() as machine:
        reader = machine.reader(symbols=symbols, hashes=digests)
        paths = inputs.paths(names, null=null)
        parts = scan_parts(machine.host, reader, paths, jobs=jobs, render=out.render)
        try:
            for part in parts:
                out.put_mixed(part.entries)
                out.good += part.modules
                progress.add(out, part)
        finally:
            progress.clear()
    out.finish()
    _summary(chosen, out, progress)
    return out.exit_code()


def _summary(chosen: Settings, out: Writer, progress: _Progress) -> None:
    text = f"{out.good} module files, {len(out.codes)} errors, {progress.skipped} other files"
    if out.good == 0 or out.codes or chosen.output == "table":
        sys.stdout.flush()
        chosen.note(text)
    else:
        chosen.note(text, level=1)


class _Progress:
    """A line that counts, on standard error, only where that is a terminal."""

    def __init__(self, chosen: Settings) -> None:
        self._shown = sys.stderr.isatty() and not sys.stdout.isatty() and not chosen.quiet
        self._next = 0.0
        self.skipped = 0

    def add(self, out: Writer, part: Part[str]) -> None:
        """Count one part in, and redraw ten times a second at most."""
        self.skipped += part.skipped
        if not self._shown:
            return
        import time

        now = time.monotonic()
        if now >= self._next:
            self._next = now + 0.1
            sys.stderr.write(
                f"\r{out.good} module files, {len(out.codes)} errors,"
                f" {self.skipped} other files\x1b[K"
            )
            sys.stderr.flush()

    def clear(self) -> None:
        """Take the line away again."""
        if self._shown:
            sys.stderr.write("\r\x1b[K")
