"""``polymod inspect``."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from polymod.cli import inputs
from polymod.cli.options import settings, tell, verb
from polymod.cli.render import writer
from polymod.cli.text import printable
from polymod.errors import ModuleNotFound, PolymodError, UsageError

if TYPE_CHECKING:
    from polymod.api import Machine
    from polymod.cli.render import Writer
    from polymod.model.files import ModuleFile


@verb(
    "inspect",
    """
polymod inspect e1000e.ko.xz
polymod inspect -F parameters e1000e.ko
polymod inspect --kernel 6.1.0-50-amd64 loop
find . -name '*.ko' -print0 | polymod inspect --null - --output ndjson
""",
)
@click.argument("names", metavar="PATH...", nargs=-1, required=True)
@click.option("-F", "--field", metavar="FIELD", help="Print this field only, a line a value.")
@click.option("--symbols", is_flag=True, help="Add imports and exports.")
@click.option("--hash", "hashes", metavar="LIST", help="Add digests: sha256,md5,...")
@click.option("-k", "--kernel", metavar="RELEASE", help="PATHs name modules of this kernel.")
@click.option("-0", "--null", is_flag=True, help="Standard input is separated by NUL.")
@click.pass_context
def inspect(
    ctx: click.Context,
    names: tuple[str, ...],
    field: str | None,
    symbols: bool,
    hashes: str | None,
    kernel: str | None,
    null: bool,
) -> int:
    """Show what module files say about themselves, any OS's file on any host.

    PATH is a module file, packed or not; - reads paths from standard input. A
    name without a slash that is no file is looked for among the modules of the
    kernel, those that are built into it included.
    """
    chosen = settings(ctx)
    digests = [name for name in (hashes or "").split(",") if name]
    out = writer(chosen, "INSPECT")
    with chosen.connect() as machine:
        one = _Inspection(machine, kernel, symbols=symbols, hashes=digests)
        for name in inputs.paths(names, null=null):
            try:
                module = one.read(name)
            except UsageError:
                raise
            except PolymodError as error:
                if field is None:
                    out.write_error(error, name)
                else:
                    out.codes.append(int(error.exit_code))
                    tell(error)
                continue
            _put(out, module, field, chosen.output)
    if field is None:
        out.finish()
    return out.exit_code()


class _Inspection:
    """Reads what is named: files, or modules of a kernel."""

    def __init__(
        self, machine: Machine, kernel: str | None, *, symbols: bool, hashes: list[str]
    ) -> None:
        self._machine = machine
        self._kernel = kernel
        self._symbols = symbols
        self._hashes = hashes
        self._reader = machine.reader(symbols=symbols, hashes=hashes)

    def read(self, name: str) -> ModuleFile:
        machine = self._machine
        if self._kernel is not None:
            return self._by_name(name)
        if "/" not in name and "\\" not in name and machine.host.stat(name) is None:
            try:
                return self._by_name(name)
            except PolymodError as error:
                raise ModuleNotFound(
                    f"{name}: no such file, and no module by that name: {error.message}",
                    path=name,
                    remedy="check the spelling, or name the kernel with --kernel RELEASE",
                ) from error
        return self._reader.read(machine.host, name)

    def _by_name(self, name: str) -> ModuleFile:
        found = self._machine.find(name, release=self._kernel, symbols=self._symbols)
        if self._hashes and found.path is not None:
            return self._reader.read(self._machine.host, found.path)
        return found


def _put(out: Writer, module: ModuleFile, field: str | None, form: str) -> None:
    if field is None:
        out.write(module)
        return
    from polymod.cli.fields import values_of
    from polymod.serialize import to_json

    out.good += 1
    for value in values_of(module, field):
        text = value if isinstance(value, str) and form == "table" else to_json(value)
        if sys.stdout.isatty():
            text = printable(text)  # a pipe gets every byte as it is
        sys.stdout.write(f"{text}\n")
