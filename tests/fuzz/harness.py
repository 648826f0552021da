"""What makes a fuzz target of a function of bytes: the loop is atheris's (libFuzzer's).

The parsers are instrumented as they are imported, so this is imported before
any of polymod.
"""

from __future__ import annotations

import sys
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

ROOT = Path(__file__).resolve().parent.parent.parent

#: A case takes milliseconds; what takes this long is a finding.
_TIMEOUT_S = 10


def _make_importable() -> None:
    for directory in (ROOT, ROOT / "backends"):  # where polymod is not installed
        sys.path.append(str(directory))


def _run(name: str, data: bytes) -> None:
    from targets import TARGETS

    TARGETS[name].run(data)


def entry_of(name: str) -> Callable[[bytes], None]:
    """The entry function of a target, which is imported with the first call."""
    _make_importable()
    return lambda data: _run(name, data)


def main(name: str, arguments: Sequence[str]) -> None:
    """Fuzz a target until its time is over or it breaks; the arguments are libFuzzer's.

    The first directory among them gets the samples as seeds if it is empty.
    """
    try:
        atheris = import_module("atheris")  # has no types, and no wheel for many Pythons
    except ImportError:
        sys.exit("atheris is not installed: pip install 'polymod[fuzz]'")
    _make_importable()
    with atheris.instrument_imports(include=["polymod", "polymod_linux", "elftools"]):
        import targets  # noqa: F401  # imported here to be instrumented

        _import_lazy_parts(name)
    _plant_seeds(name, arguments)
    given = [*arguments]
    if not any(one.startswith("-timeout=") for one in given):
        given.append(f"-timeout={_TIMEOUT_S}")
    atheris.Setup([sys.argv[0], *given], lambda data: _run(name, bytes(data)))
    atheris.Fuzz()


def _import_lazy_parts(name: str) -> None:
    from samples import pool
    from targets import TARGETS

    for one in pool(TARGETS[name].samples):
        TARGETS[name].run(one.data)


def _plant_seeds(name: str, arguments: Sequence[str]) -> None:
    from samples import pool
    from targets import TARGETS

    directory = next((Path(one) for one in arguments if not one.startswith("-")), None)
    if directory is None:
        return
    directory.mkdir(parents=True, exist_ok=True)
    if not any(directory.iterdir()):
        for number, one in enumerate(pool(TARGETS[name].samples)):
            (directory / f"sample-{number}").write_bytes(one.data)
