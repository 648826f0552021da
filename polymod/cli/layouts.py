"""What the records look like in tables and CSV."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from polymod.cli.text import Layout, cell
from polymod.serialize import to_dict

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from polymod.model.answers import BackendInfo
    from polymod.model.base import Record
    from polymod.model.files import ModuleFile, Signature

    Line = Callable[[str, object], None]


def _module_row(record: Record) -> tuple[object, ...]:
    module = cast("ModuleFile", record)
    signers = None
    if module.signatures is not None:
        signers = [one.signer or one.key_id for one in module.signatures] or "-"
    release = to_dict(module.built_for).get("release") if module.built_for else None
    machines = [one.machine for one in module.architectures]
    return module.name, module.version, machines, release, signers, module.path


SCAN = Layout(
    ("name", "version", "machine", "release", "signer", "path"),
    _module_row,
    (24, 10, 8, 18, 20),
)


def _module_block(record: Record) -> str:
    """Like modinfo's page: a line a value, in the order of the contract."""
    module = cast("ModuleFile", record)
    lines: list[str] = []

    def line(key: str, value: object) -> None:
        if value is not None and value != "":
            # Indented, or a value of several lines could pretend to be other fields.
            lines.append(f"{key + ':':<16}{cell(value)}".replace("\n", "\n" + " " * 16))

    for key, value in _declarations(module):
        line(key, value)
    _signature_lines(module.signatures, line)
    _symbol_lines(module, line)
    for name, digest in (module.hashes or {}).items():
        line(name, digest)
    for field, gap in module.gaps.items():
        if gap.why.value in ("unparsable", "unreadable", "denied"):
            line("unknown", f"{field}: {gap.detail}")
    return "\n".join(lines) + "\n\n"


def _declarations(module: ModuleFile) -> Iterator[tuple[str, object]]:
    yield "path", module.path or "(builtin)"
    for key in ("backend", "format", "compression", "size", "name", "version", "license"):
        yield key, getattr(module, key)
    for value in _texts(module, "description"):
        yield "description", value
    yield from (("author", author) for author in module.authors)
    for one in module.architectures:
        yield "architecture", f"{one.machine} ({one.bits}-bit, {one.endian} endian)"
    if module.built_for is not None:
        yield from to_dict(module.built_for).items()
    for key in ("build_id", "source_version", "uuid"):
        yield key, getattr(module, key)
    for needed in module.dependencies:
        yield "dependency", f"{needed.name} ({needed.kind})"
    yield from (("alias", alias) for alias in module.aliases)
    yield from (("firmware", firmware) for firmware in module.firmware)
    for one_parameter in module.parameters:
        kind = f" ({one_parameter.type})" if one_parameter.type else ""
        yield "parameter", f"{one_parameter.name}:{one_parameter.description or ''}{kind}"


def _texts(module: ModuleFile, key: str) -> list[object]:
    values = module.native.get(key)
    return list(values) if isinstance(values, list | tuple) else [getattr(module, key)]


def _signature_lines(signatures: tuple[Signature, ...] | None, line: Line) -> None:
    if signatures == ():
        line("signature", "none")
    for one in signatures or ():
        line("signature", f"{one.format}, {one.hash_algorithm or 'unknown hash'}, {one.status}")
        line("signer", one.signer)
        line("key_id", one.key_id)
        line("signed_at", one.signed_at)


def _symbol_lines(module: ModuleFile, line: Line) -> None:
    for key, symbols in (("import", module.imports), ("export", module.exports)):
        for symbol in symbols or ():
            extra = [symbol.crc, symbol.namespace and f"namespace {symbol.namespace}"]
            line(key, " ".join([symbol.name, *(word for word in extra if word)]))


INSPECT = Layout(
    ("name", "version", "machine", "release", "signer", "path"), _module_row, block=_module_block
)


def _plain_row(keys: Sequence[str], widths: Sequence[int]) -> Layout:
    def row(record: Record) -> tuple[object, ...]:
        values = to_dict(record)
        return tuple(values[key] for key in keys)

    return Layout(keys, row, widths)


DEPS = _plain_row(("name", "relation", "presence", "options", "path"), (24, 9, 8, 12))
DEPENDANTS = _plain_row(("name", "needs", "relation", "distance"), (24, 24, 9))
EDGES = _plain_row(("source", "target", "relation"), (24, 24))
RESOLVE = _plain_row(("alias", "name", "source", "blocked", "path"), (32, 20, 16, 7))
FINDINGS = _plain_row(("severity", "rule", "subject", "message"), (8, 16, 32))
INDEX = _plain_row(("entries", "size", "changed", "path"), (7, 9, 7))


def _backend_row(record: Record) -> tuple[object, ...]:
    info = cast("BackendInfo", record)
    able = [name for name, can in info.capabilities.items() if can is True]
    return info.name, info.title, info.plugin, info.claim or "-", able


BACKENDS = Layout(
    ("name", "title", "plugin", "host", "capabilities"), _backend_row, (10, 34, 16, 28)
)
