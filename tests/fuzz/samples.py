"""What fuzzing starts from: the sample modules, and small sound files of every other format.

Where a corpus was fetched (see tests/corpus), a few of its smaller modules join in.
"""

from __future__ import annotations

import json
import os
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from mutate import MAGIC, packers, sample
from mutate_bytes import Sample

if TYPE_CHECKING:
    from collections.abc import Callable

DATA = Path(__file__).resolve().parent.parent / "data"

#: Real modules of each kernel of the corpus, and their largest size in bytes.
REAL, REAL_BYTES = 4, 60_000

_TEXTS = {
    "modules.dep": b"kernel/a.ko: kernel/b.ko.xz kernel/c.ko\nkernel/b.ko.xz:\nkernel/c.ko:\n",
    "modules.alias": b"# Aliases\nalias pci:v00001AF4d*sv*sd*bc*sc*i* a\nalias fs-ext4 ext4\n",
    "modules.symbols": b"# Aliases\nalias symbol:a a\nalias symbol:b b\n",
    "modules.softdep": b"# Soft\nsoftdep a pre: b post: c d\n",
    "modules.devname": b"# Device\nloop loop-control c10:237\nfuse fuse c10:229\n",
    "modules.builtin": b"kernel/fs/ext4/ext4.ko\nkernel/a-b.ko\n",
    "builtin.modinfo": (
        b"ext4.license=GPL\0ext4.alias=fs-ext4\0ext4.parm=a:b\0ext4.parmtype=a:int\0"
    ),
    "modprobe.d": (
        b"# settings\nalias net-pf-* pm_net\noptions pm_net debug=1 \\\n queues=4\nblacklist a-b\n"
        b"install a /bin/false $CMDLINE_OPTS\nremove a true\nsoftdep a pre: b c post: d\n"
        b"weakdep a b c\noptions b text=\"a b\" 'c d'\n"
    ),
    "depmod.d": (
        b"search updates extra built-in\noverride a * extra\noverride b ^6\\.1.*$ updates\n"
        b"external * /opt/modules\nexclude build source\nmake_map_files no\n"
    ),
    "cmdline": (
        b'BOOT_IMAGE=/vmlinuz root=/dev/sda1 pm_net.debug=1 modprobe.blacklist=a,b "x.y=a b" '
        b'x.z="c d" module_blacklist=c modules_load=d -- init\n'
    ),
}
_PATTERNS = (
    b"pci:v00001AF4d*sv*sd*bc*sc*i*\npci:v00001AF4d00001000sv1sd2bc3sc4i5",
    b"cpu:type:x86,ven*fam*mod*:feature:*00[0-9A-F]?*\ncpu:type:x86,ven0fam6mod1:feature:,0012",
    b"[!a-c]?\\*[]]\nd*]",
)


@cache
def modules() -> list[Sample]:
    """Every sample module and near miss, then the real ones there are."""
    home = DATA / "modules" / "linux"
    files = sorted(path for path in home.rglob("*") if ".ko" in path.name or path.suffix == ".o")
    found = [sample(str(path.relative_to(home)), path.read_bytes()) for path in files]
    return found + _real()


def _real() -> list[Sample]:
    base = os.environ.get("XDG_CACHE_HOME") or os.path.join(Path.home(), ".cache")
    cache_ = Path(os.environ.get("POLYMOD_CORPORA") or Path(base) / "polymod-corpora")
    found = []
    for tree in sorted(cache_.glob("tree-*/lib/modules/*/kernel/crypto")):
        small = [path for path in sorted(tree.glob("*.ko*")) if path.stat().st_size < REAL_BYTES]
        found += [
            sample(f"{tree.parts[-3]}/{path.name}", path.read_bytes()) for path in small[:REAL]
        ]
    return found


def _signed() -> list[Sample]:
    return [one for one in modules() if one.data.endswith(MAGIC)]


def _messages() -> list[Sample]:
    """The signatures alone, without file and trailer."""
    found = []
    for one in _signed():
        end = len(one.data) - len(MAGIC) - 12
        size = int.from_bytes(one.data[end + 8 : end + 12], "big")
        found.append(Sample(one.name, one.data[max(end - size, 0) : end]))
    return found


def _packed() -> list[Sample]:
    core = next(one for one in modules() if one.name == "x86_64/pm_core.ko")
    kept = [one for one in modules() if one.layout is None]
    return [*kept, *(Sample(f"core, {name}", pack(core.data)) for name, pack in packers())]


def _strings() -> list[Sample]:
    found = []
    for one in modules():
        for region in one.layout.regions if one.layout else ():
            if region.name == ".modinfo":
                end = region.offset + region.size
                found.append(Sample(one.name, one.data[region.offset : end]))
    return [*found, Sample("builtin.modinfo", _TEXTS["builtin.modinfo"])]


def _tries() -> list[Sample]:
    from polymod_linux.index_trie import Layout
    from polymod_linux.index_trie_writer import write_trie

    keys = b"fs-ext4 fs-ext3 fs-* pci:v00001AF4d*sv* pci:v00001AF4d[0-9]? a ab abc".split()
    entries = [(key, n % 3, b"module_%d" % n) for n, key in enumerate(keys * 2)]
    return [Sample(layout.value, write_trie(entries, layout)) for layout in Layout]


def _transcripts() -> list[Sample]:
    whole = {
        "schema": "polymod-transcript/1",
        "host": "local:",
        "platform": ["Linux", "6.1.0-pm", "x86_64"],
        "stats": {"/lib/modules": ["directory", 4096, 1, [1, 2]], "/none": None},
        "lists": {"/lib/modules": [["6.1.0-pm", "/lib/modules/6.1.0-pm", "directory"]]},
        "files": {"/m.ko": {"size": 4, "end": 4, "parts": [[0, "abcd"]], "failures": []}},
        "reads": {"/proc/modules": {"base64": "YQA="}},
        "runs": [
            {"argv": ["true"], "stdin": "", "answer": {"error": {"code": "x", "message": "y"}}}
        ],
    }
    return [Sample("transcript", json.dumps(whole).encode())]


_POOLS: dict[str, Callable[[], list[Sample]]] = {
    "modules": modules,
    "packed": _packed,
    "signed": _signed,
    "messages": _messages,
    "strings": _strings,
    "tries": _tries,
    "texts": lambda: [Sample(name, text) for name, text in _TEXTS.items()],
    "patterns": lambda: [Sample(f"pattern {n}", text) for n, text in enumerate(_PATTERNS)],
    "transcripts": _transcripts,
}


def pool(name: str) -> list[Sample]:
    """The samples for targets of one kind."""
    return _POOLS[name]()
