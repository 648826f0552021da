"""``polymod index``."""

from __future__ import annotations

import click

from polymod.cli.options import settings, verb
from polymod.cli.render import Writer, writer
from polymod.errors import ExitCode, UsageError


@verb(
    "index",
    """
polymod index
polymod index 6.1.0-50-amd64 --root /mnt/image
polymod index --check --output ndjson
""",
)
@click.argument("release", metavar="[RELEASE]", required=False)
@click.option("--outdir", metavar="DIR", help="Write below this DIR of this machine.")
@click.option("--check", is_flag=True, help="Write nothing; show what is stale, missing, foreign.")
@click.pass_context
def index(ctx: click.Context, release: str | None, outdir: str | None, check: bool) -> int:
    """Build the OS's module index for a kernel, or check the one that is there.

    Without RELEASE: the running kernel, or the only one below --root. The
    files are replaced all together; until then the old ones stay whole.
    """
    chosen = settings(ctx)
    if check and outdir:
        raise UsageError("--check writes nothing, so it takes no --outdir")
    out = writer(chosen, "FINDINGS" if check else "INDEX")
    with chosen.connect() as machine:
        indexer = machine.indexer(release)
        if check:
            for finding in indexer.check():
                out.write(finding)
        else:
            from polymod.api import write_index

            for file in write_index(indexer, outdir):
                out.write(file)
        out.put_errors(list(indexer.problems))
    out.finish()
    return _exit_code(out, check)


def _exit_code(out: Writer, check: bool) -> int:
    if check and out.good:
        return int(ExitCode.NO)
    return out.exit_code()
