"""``polymod resolve``."""

from __future__ import annotations

import click

from polymod.cli.options import settings, verb
from polymod.cli.render import writer
from polymod.errors import ModuleNotFound


@verb(
    "resolve",
    """
polymod resolve usb:v1D6Bp0002d0601dc09dsc00dp01ic09isc00ip00in00
polymod resolve --kernel 6.1.0-50-amd64 fs-ext4 net-pf-10
""",
)
@click.argument("aliases", metavar="ALIAS...", nargs=-1, required=True)
@click.option("-k", "--kernel", metavar="RELEASE", help="Ask this kernel's modules [the running].")
@click.pass_context
def resolve(ctx: click.Context, aliases: tuple[str, ...], kernel: str | None) -> int:
    """Show which modules serve each ALIAS, best first.

    ALIAS is a modalias, a hardware or PNP id, or any other alias of the OS;
    the configuration's aliases count, and blocked modules are marked.
    """
    out = writer(settings(ctx), "RESOLVE")
    with settings(ctx).connect() as machine:
        for alias in aliases:
            found = machine.resolve(alias, release=kernel)
            for one in found:
                out.write(one)
            if not found:
                out.write_error(
                    ModuleNotFound(
                        f"{alias}: no module serves this alias",
                        remedy="check the alias, or whether its driver is installed",
                    )
                )
        out.put_errors(machine.problems(release=kernel))
    out.finish()
    return out.exit_code()
