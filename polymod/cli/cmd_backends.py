"""``polymod backends``."""

from __future__ import annotations

import click

from polymod.cli.options import settings, verb
from polymod.cli.render import writer


@verb("backends", "polymod backends --output json")
@click.pass_context
def backends(ctx: click.Context) -> int:
    """Show the installed backends, and what each can do on the host asked for.

    What a backend cannot do comes with the reason.
    """
    from polymod.inventory import describe_backends
    from polymod.plugins import shared

    out = writer(settings(ctx), "BACKENDS")
    plugins = shared()
    with settings(ctx).connect() as machine:
        for info in describe_backends(machine.host, plugins):
            out.write(info)
    for failure in plugins.failures:
        out.write_error(failure)
    plugins.failures.clear()  # told here, as part of the answer
    out.finish()
    return out.exit_code()
