"""Compare polymod's records of real modules with kmod, readelf and pyelftools, field by field.

::

    python tests/corpus/compare_modinfo.py                 # a sample of every tree of the corpus
    POLYMOD_SAMPLE=all python tests/corpus/compare_modinfo.py
    python tests/corpus/compare_modinfo.py /lib/modules/$(uname -r)

polymod is run as a program and its ndjson read back, so the whole way from the
file to the output is what is compared. Every module's ``.modinfo`` strings,
parameters and signature go against ``modinfo``, its CRCs and exports against
``modprobe``; `DEEP` modules of each tree also against readelf and pyelftools.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import elf_oracles
import kmod_oracle
from trees import Tree, sample, sample_size, say, seed, trees

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from elf_oracles import ElfFacts
    from kmod_oracle import Modinfo

    Item = Mapping[str, Any]

#: Modules of each tree that readelf and pyelftools look at too: they take milliseconds each.
DEEP = 60

_MACHINES = {
    "EM_X86_64": "x86_64",
    "EM_386": "i386",
    "EM_AARCH64": "aarch64",
    "EM_ARM": "arm",
    "EM_PPC64": "ppc64le",
    "EM_S390": "s390x",
}
_DIRECT = {"author": "authors", "alias": "aliases", "firmware": "firmware"}
_FIRST = {
    "name": "name",
    "version": "version",
    "description": "description",
    "license": "license",
    "srcversion": "source_version",
}


@dataclass(frozen=True, slots=True)
class Difference:
    """One field of one file where polymod and the `oracle` disagree."""

    path: str
    oracle: str
    field: str
    polymod: object
    theirs: object

    def __str__(self) -> str:
        ours, theirs = _shortened(self.polymod), _shortened(self.theirs)
        return f"{self.path}: {self.field}\n    polymod: {ours}\n    {self.oracle}: {theirs}"


@dataclass(slots=True)
class Report:
    """What was compared, and every difference."""

    compared: Counter[str] = field(default_factory=Counter)
    differences: list[Difference] = field(default_factory=list)

    def check(self, path: str, oracle: str, name: str, ours: object, theirs: object) -> None:
        """Count one comparison; keep it where the two differ."""
        self.compared[oracle] += 1
        if ours != theirs:
            self.differences.append(Difference(path, oracle, name, ours, theirs))

    def add(self, other: Report) -> None:
        """Take in what another report found."""
        self.compared += other.compared
        self.differences += other.differences


def _shortened(value: object) -> str:
    text = ascii(value)
    return text if len(text) <= 400 else f"{text[:400]}… ({len(text)} characters)"


def polymod_records(paths: Sequence[str], *options: str) -> Iterator[Item]:
    """What ``polymod scan --output ndjson`` prints for the paths, read back."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    command = [sys.executable, "-m", "polymod", "scan", "--null", "-", "--output", "ndjson"]
    # A file, not a pipe: we read the answers while there still are paths to hand over.
    with tempfile.TemporaryFile() as names:
        names.write(b"\0".join(map(os.fsencode, paths)))
        names.seek(0)
        with subprocess.Popen(
            [*command, *options], stdin=names, stdout=subprocess.PIPE, env=environment
        ) as process:
            for line in process.stdout or ():
                yield json.loads(line)


def compare(paths: Sequence[str], *, deep: Sequence[str] = ()) -> Report:
    """Compare polymod with kmod over all `paths`, with the ELF oracles over `deep`."""
    report = Report()
    facts = zip(
        polymod_records(paths, "--symbols"),
        kmod_oracle.modinfo(paths),
        kmod_oracle.modversions(paths),
        kmod_oracle.exports(paths),
        strict=True,
    )
    chosen = set(deep)
    for path, (ours, theirs, versions, exports) in zip(paths, facts, strict=True):
        if ours["kind"] != "module_file":
            report.check(path, "modinfo", "record", ours, theirs.pairs)
            continue
        _compare_modinfo(report, path, ours, theirs)
        _compare_symbols(report, path, ours, versions, exports)
        if path in chosen:
            _compare_elf(report, path, ours, "pyelftools", elf_oracles.pyelftools(path))
            if elf_oracles.has_readelf():
                _compare_elf(report, path, ours, "readelf", elf_oracles.readelf(path))
    return report


def _compare_modinfo(report: Report, path: str, ours: Item, theirs: Modinfo) -> None:
    def check(name: str, mine: object, reference: object) -> None:
        report.check(path, "modinfo", name, mine, reference)

    lists: dict[str, list[str]] = {}
    for key, value in theirs.pairs:
        lists.setdefault(key, []).append(value)
    declared = {key: values for key, values in ours["native"].items() if "parm" not in key}
    check("path", ours["path"], path)
    check("filename", ours["path"], theirs.path)
    check("size", ours["size"], Path(path).stat().st_size)
    check("native", declared, lists)
    check("order of keys", [*declared], [*lists])
    for key, name in _FIRST.items():
        check(name, ours[name], lists.get(key, [None])[0])
    for key, name in _DIRECT.items():
        check(name, ours[name], lists.get(key, []))
    check("dependencies", _named(ours, "module"), _words(lists.get("depends", ()), ","))
    check("weak dependencies", _named(ours, "weak"), _words(lists.get("weakdep", ()), " "))
    vermagic = lists.get("vermagic", [None])[0]
    check("vermagic", ours["built_for"] and ours["built_for"]["vermagic"], vermagic)
    check("parm", [_parm_line(one) for one in ours["parameters"]], theirs.parms)
    check("signature", [_signature(one) for one in ours["signatures"]], _signers(theirs))


def _named(ours: Item, kind: str) -> list[str]:
    return [one["name"] for one in ours["dependencies"] if one["kind"] == kind]


def _words(values: Sequence[str], separator: str) -> list[str]:
    return [word for value in values for word in value.split(separator) if word]


def _parm_line(parameter: Mapping[str, str | None]) -> str:
    """The parameter as modinfo writes it behind ``parm:``."""
    name, kind, text = parameter["name"], parameter["type"], parameter["description"]
    if text is None:
        return f"{name}:{kind}"
    return f"{name}:{text}" if kind is None else f"{name}:{text} ({kind})"


def _signature(signature: Mapping[str, str | None]) -> dict[str, str]:
    key = signature["key_id"] or ""
    return {
        "sig_id": "PKCS#7",
        "signer": signature["signer"] or "",
        "sig_key": ":".join(key[at : at + 2] for at in range(0, len(key), 2)).upper(),
        "sig_hashalgo": signature["hash_algorithm"] or "",
    }


def _signers(theirs: Modinfo) -> list[dict[str, str]]:
    shown = {k: v for k, v in theirs.signature.items() if k not in ("signature", "build-id")}
    return [shown] if shown else []


def _compare_symbols(
    report: Report,
    path: str,
    ours: Item,
    versions: Sequence[tuple[str, str]],
    exports: Sequence[tuple[str, str]],
) -> None:
    def crcs(symbols: Sequence[Mapping[str, str | None]]) -> dict[str, str | None]:
        return {str(one["name"]): one["crc"] for one in symbols}

    imported = {name: crc for name, crc in crcs(ours["imports"]).items() if crc is not None}
    report.check(path, "modprobe", "imports", imported, dict(versions))
    report.check(path, "modprobe", "exports", crcs(ours["exports"]), dict(exports))
    names = [one["name"] for one in ours["exports"]]
    report.check(path, "modprobe", "order of exports", names, [name for name, _ in exports])


def _compare_elf(report: Report, path: str, ours: Item, oracle: str, facts: ElfFacts) -> None:
    def check(name: str, mine: object, reference: object) -> None:
        report.check(path, oracle, name, mine, reference)

    names = [one["name"] for one in ours["imports"]]
    undefined = [name.removeprefix(".") for name in facts.undefined]
    check("build_id", ours["build_id"], facts.build_id)
    check("imports", names[: len(undefined)], undefined)
    check("exports", {one["name"] for one in ours["exports"]}, facts.exported)
    if facts.machine is not None:
        one = ours["architectures"][0]
        machine, bits, endian = facts.machine
        mine = one["machine"], one["bits"], one["endian"]
        check("architectures", mine, (_MACHINES.get(machine, machine), bits, endian))
        check("provides", [p["name"] for p in ours["provides"]], [facts.struct_name])
    if facts.modinfo is not None:
        check("native", ours["native"], _grouped(facts.modinfo))
    if facts.versions is not None:
        imported = {one["name"]: one["crc"] for one in ours["imports"] if one["crc"]}
        check("versions", imported, {name: f"0x{crc:08x}" for name, crc in facts.versions})


def _grouped(strings: Sequence[str]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for text in strings:
        key, _, value = text.partition("=")
        found.setdefault(key, []).append(value)
    return found


def main(arguments: Sequence[str]) -> int:
    """Compare the trees named, or the whole corpus; 1 where anything differs."""
    chosen = [Tree(package=name, directory=Path(name)) for name in arguments] or trees()
    number, total = seed(), Report()
    say(f"POLYMOD_SEED={number}")
    for tree in chosen:
        paths = sample(tree.modules(), sample_size(), number)
        report = compare(paths, deep=sample(paths, DEEP, number))
        say(f"{tree.package}: {len(paths)} modules, {len(report.differences)} differences")
        total.add(report)
    for difference in total.differences[:100]:
        say(str(difference))
    say(f"{dict(total.compared)} comparisons, {len(total.differences)} differences")
    return 1 if total.differences or not total.compared else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
