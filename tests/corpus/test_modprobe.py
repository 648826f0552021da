"""Every module and hundreds of aliases of real kernels: the answers are modprobe's.

modprobe reads its configuration and the command line from this machine, so both
sides get the same directory of configuration, and the inventory a host that
shows this machine's command line.
"""

from __future__ import annotations

import os
import random
import shutil
import subprocess
from typing import TYPE_CHECKING, NamedTuple

import pytest
from trees import Tree, cache_directory, sample, sample_size, seed, trees

from polymod.errors import ModuleNotFound
from polymod.hosts.local import LocalHost
from polymod.model.answers import Presence
from polymod_linux.inventory import LinuxInventory

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from polymod.hosts.base import Platform
    from polymod.model.answers import DependencyStep

pytestmark = pytest.mark.corpus

KMOD = shutil.which("depmod") is not None and shutil.which("modprobe") is not None
TREES = trees() if KMOD else []
SEED = seed()


def test_there_is_a_corpus_to_ask_about() -> None:
    if TREES:
        return
    reason = f"no corpus in {cache_directory()}" if KMOD else "kmod is not installed"
    if os.environ.get("POLYMOD_REQUIRE_ALL") == "1":
        pytest.fail(reason)
    pytest.skip(reason)


class _Host(LocalHost):
    """A root whose links may lead out of it, on this machine's command line."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def real(self, path: str) -> str:
        if path == "/proc/cmdline" or path.startswith(str(self._root)):
            return path
        return f"{self._root}{path}"

    def platform(self) -> Platform | None:
        return None


class Kernel(NamedTuple):
    """A copied kernel with an index by depmod; its configuration is in ROOT/config."""

    root: Path
    release: str

    @property
    def config(self) -> Path:
        return self.root / "config"

    def opened(self) -> LinuxInventory:
        return LinuxInventory(_Host(self.root), config_paths=(str(self.config),))

    def modprobe(self, *arguments: str) -> list[str]:
        done = subprocess.run(
            ["modprobe", "-d", self.root, "-S", self.release, "-C", self.config, *arguments],
            capture_output=True,
            check=False,
            timeout=60,
        )
        return done.stdout.decode("utf-8", "surrogateescape").split("\n")[:-1]


@pytest.fixture(scope="module", params=TREES, ids=lambda tree: tree.package)
def kernel(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Kernel:
    tree: Tree = request.param
    root = tmp_path_factory.mktemp("root")
    directory = root / "lib/modules" / tree.release
    directory.mkdir(parents=True)
    (root / "config").mkdir()
    for name in ("modules.order", "modules.builtin", "modules.builtin.modinfo"):
        shutil.copy(tree.directory / name, directory)
    for entry in tree.directory.iterdir():
        if entry.is_dir() and entry.name not in ("build", "source"):
            (directory / entry.name).symlink_to(entry)
    subprocess.run(["depmod", "-b", str(root), tree.release], check=True, timeout=600)
    return Kernel(root, tree.release)


def as_modprobe_prints(kernel: Kernel, inventory: LinuxInventory, name: str) -> list[str]:
    """The lines of ``--show-depends``; none for a name that is unknown."""
    try:
        steps = inventory.dependencies(name)
    except ModuleNotFound:
        return []
    return [line for step in steps for line in lines(kernel, step)]


def lines(kernel: Kernel, step: DependencyStep) -> Iterator[str]:
    options = f"{step.options} " if step.options else ""
    if step.command is not None:
        yield f"install {step.command} {options}"
    elif step.path is not None:
        yield f"insmod {kernel.root}{step.path} {options}"
    elif step.presence is Presence.BUILTIN:
        yield f"builtin {step.name}"


def differences(kernel: Kernel, names: Sequence[str]) -> dict[str, tuple[list[str], list[str]]]:
    inventory = kernel.opened()
    found = {}
    for name in names:
        ours = as_modprobe_prints(kernel, inventory, name)
        theirs = kernel.modprobe("--show-depends", name)
        if ours != theirs:
            found[name] = (ours, theirs)
    return found


def chosen(names: list[str]) -> list[str]:
    return sample(names, sample_size(), SEED)


def test_every_module_loads_what_modprobe_would_load(kernel: Kernel) -> None:
    inventory = kernel.opened()
    names = chosen([*inventory.names(), *inventory.index.builtins()])
    assert differences(kernel, names) == {}, f"POLYMOD_SEED={SEED}"


@pytest.mark.parametrize("turn", range(4))
def test_entangled_configurations_are_followed_as_modprobe_does(kernel: Kernel, turn: int) -> None:
    """Soft dependencies (nested, in rings), commands, options, blacklists, aliases of aliases."""
    names = _write_config(kernel, random.Random(SEED + turn))
    try:
        assert differences(kernel, names) == {}, f"POLYMOD_SEED={SEED}"
        inventory = kernel.opened()
        resolved = {name: [one.name for one in inventory.resolve(name)] for name in names}
        assert resolved == {name: kernel.modprobe("-R", name) for name in names}
    finally:
        for path in kernel.config.iterdir():
            path.unlink()


def test_aliases_lead_where_modprobe_says(kernel: Kernel) -> None:
    chance = random.Random(SEED)
    patterns = _aliases(kernel, "modules.alias")
    by_bus: dict[str, list[str]] = {}
    for pattern in patterns:
        by_bus.setdefault(pattern.partition(":")[0].partition("-")[0], []).append(pattern)
    asked = [chance.choice(group) for group in by_bus.values()] + chosen(patterns)
    filled = [_filled(pattern, chance) for pattern in asked]
    texts = [*filled, *asked, *_ODD, *chosen(_aliases(kernel, "modules.symbols"))]
    inventory = kernel.opened()
    ours = {text: [one.name for one in inventory.resolve(text)] for text in texts}
    assert ours == {text: kernel.modprobe("-R", text) for text in texts}, f"POLYMOD_SEED={SEED}"
    assert all(ours[text] for text in filled)


_ODD = (
    *("usb:*", "*", "?", "[", "]", "a[b]c", "", "symbol:", "symbol:nothing_has_this", "fs-*"),
    *("pci:v00008086d*", "no_such_module", "usb-storage", "usb_storage", "crypto-crc32c"),
    *("net-pf-10", "char-major-10-200", "x" * 5000, "é", "a.b"),
)


def _aliases(kernel: Kernel, name: str) -> list[str]:
    text = (kernel.root / "lib/modules" / kernel.release / name).read_text()
    return [line.split()[1] for line in text.splitlines() if line.startswith("alias ")]


def _filled(pattern: str, chance: random.Random) -> str:
    """A text that `pattern` (or one much like it) matches."""
    text, rest = "", pattern
    while rest:
        character, rest = rest[0], rest[1:]
        if character == "*":
            text += chance.choice(("", "0", "00001AF4", "x"))
        elif character == "?":
            text += chance.choice("0aF")
        elif character == "[":
            inside, _, rest = rest.partition("]")
            text += chance.choice(inside.replace("-", "") or "0")
        else:
            text += character
    return text


def _write_config(kernel: Kernel, chance: random.Random) -> list[str]:
    """Files of random lines about a few modules; the answer is what to ask for."""
    inventory = kernel.opened()
    every, built_in = list(inventory.names()), list(inventory.index.builtins())
    few = chance.sample(every, 40)
    aliases = _aliases(kernel, "modules.alias")

    def some() -> str:
        made = (
            *(chance.choice(few) for _ in range(6)),
            *(chance.choice(every), chance.choice(built_in)),
            *(_filled(chance.choice(aliases), chance), f"al{chance.randrange(12)}"),
            *(f"inst{chance.randrange(4)}", "nonexistent", "crc32c"),
        )
        return chance.choice(made)

    def pattern() -> str:
        name = chance.choice(few)
        return chance.choice((name,) * 6 + (f"{name[:3]}*", f"?{name[1:]}", f"{name[:-1]}[!q]"))

    def several(most: int) -> str:
        return " ".join(some() for _ in range(chance.randrange(most)))

    def line() -> str:
        number = chance.randrange(99)
        return chance.choice(
            (
                f"softdep {pattern()} pre: {several(4)} post: {several(3)}",
                f"softdep {pattern()} {chance.choice(('', ' '))}pre: {several(4)}",
                f"softdep {chance.choice(few)} post: {chance.choice(few)} {chance.choice(few)}",
                f"install {pattern()} /bin/echo $CMDLINE_OPTS {number}\t",
                f"install inst{chance.randrange(4)} /bin/echo \\\n {number}",
                f"remove {pattern()} /bin/true",
                f'options {pattern()}  a={number}\tb="x y"',
                f"options al{chance.randrange(12)} c={number}",
                f"alias al{chance.randrange(12)} {some()}",
                f"alias {chance.choice(('al*', 'al?', 'x-*', pattern()))} {some()}",
                f"blacklist {some()}",
                chance.choice(("# note", "garbage", "options x", "softdep a [b pre: c", " # late")),
            )
        )

    for name in ("00first.conf", "m.conf", "modulesx.conf", "zz.conf"):
        text = "\n".join(line() for _ in range(chance.randrange(5, 40)))
        (kernel.config / name).write_text(f"{text}\n")
    asked = {*few, *(f"al{n}" for n in range(12)), *(f"inst{n}" for n in range(4))}
    return sorted(asked | {some() for _ in range(60)})
