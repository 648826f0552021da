"""Run numbered cases of one target under hard limits; the parent of `test_mutations`.

::

    python tests/fuzz/worker.py TARGET SEED START COUNT
    python tests/fuzz/worker.py TARGET systematic   (or: hoard)
    python tests/fuzz/worker.py TARGET crafted NAME   (or: attack NAME)

Each case may take `CPU_S` seconds of processor time, whatever the clock says:
an interval timer over user and system time kills the process that exceeds it.
The address space may grow by `MEMORY` bytes. Before each case its number goes
to standard output, and after a finding a line that tells it, so that what kills
the process is known by the last number.
"""

from __future__ import annotations

import gc
import os
import resource
import signal
import sys
import traceback
from pathlib import Path
from typing import TYPE_CHECKING

ROOT = Path(__file__).resolve().parent.parent.parent
for _directory in (ROOT, ROOT / "backends"):  # where polymod is not installed
    sys.path.append(str(_directory))

from crafted import CRAFTED, hoard  # noqa: E402  # the path comes first
from crafted_texts import ATTACKS  # noqa: E402
from mutate import Mutator, systematic  # noqa: E402
from mutate_bytes import ByteMutator, Case  # noqa: E402
from samples import pool  # noqa: E402
from targets import TARGETS  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

#: Seconds of processor time for one case. The promise is one second on a quiet
#: machine; a loaded one, with cold caches, is given some more.
CPU_S = 4.0

#: Bytes by which the address space may grow over what it is before the first case.
MEMORY = 256 << 20

#: The samples whose every field is lied about: both word sizes, both byte orders, a signature.
SYSTEMATIC = (
    "x86_64/pm_sig_sha256.ko",
    "ppc/pm_core.ko",
    "i386/pm_core.ko",
    "s390x/pm_exp_relcrc.ko",
    "x86_64/pm_imp_ext.ko",
)


def cases(target: str, seed: int, start: int, count: int) -> Iterator[tuple[int, Case]]:
    """`count` numbered cases that chance and the seed make."""
    kind = TARGETS[target].samples
    make = Mutator if kind == "modules" else ByteMutator
    mutator = make(pool(kind), seed)
    return ((index, mutator.case(index)) for index in range(start, start + count))


def systematic_cases() -> Iterator[tuple[int, Case]]:
    """Every cut and every header lie of the samples in `SYSTEMATIC`."""
    by_name = {one.name: one for one in pool("modules")}
    return enumerate(case for name in SYSTEMATIC for case in systematic(by_name[name]))


def limit_memory() -> None:
    """Let the address space grow by `MEMORY` and no more."""
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    most = pages * resource.getpagesize() + MEMORY
    resource.setrlimit(resource.RLIMIT_AS, (most, most))


def run(entry: Callable[[bytes], None], numbered: Iterator[tuple[int, Case]]) -> None:
    """Run the cases one by one, telling which is next and what went wrong."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    for index, case in numbered:
        os.write(1, b"%d\n" % index)
        signal.setitimer(signal.ITIMER_PROF, CPU_S)
        try:
            entry(case.data)
        except Exception:  # noqa: BLE001  # any exception at all is what is looked for
            told = f"{case.what}\n{traceback.format_exc(limit=-6)}".encode(errors="replace")
            os.write(1, b"finding " + told.replace(b"\n", b"\x1f") + b"\n")
        finally:
            signal.setitimer(signal.ITIMER_PROF, 0)


def main(arguments: Sequence[str]) -> int:
    """Run the cases asked for."""
    target, *rest = arguments
    entry = TARGETS[target].run
    for one in pool(TARGETS[target].samples)[:3]:  # import what there is to import
        entry(one.data)
    if rest[0] == "crafted":
        numbered = iter([(0, Case(rest[1], CRAFTED[rest[1]]()))])
    elif rest[0] == "hoard":
        numbered = ((number, Case("hoard", data)) for number, data in enumerate(hoard()))
    elif rest[0] == "attack":
        numbered = iter([(0, Case(rest[1], ATTACKS[target][rest[1]]))])
    elif rest[0] == "systematic":
        numbered = systematic_cases()
    else:
        seed, start, count = map(int, rest)
        numbered = cases(target, seed, start, count)
    limit_memory()
    run(entry, numbered)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
