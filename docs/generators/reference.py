"""The reference pages of the API, the records, the errors and the hooks."""

from __future__ import annotations

import re
import tomllib
from typing import TYPE_CHECKING

import polymod
from generators.commands import EXIT_TEXTS
from generators.source import ROOT, public_names
from polymod import errors, schema

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from generators.source import Name

MADE = "This page is made by `docs/generate.py`"

#: Kinds of record and hooks that are laid out, but that no verb uses yet.
UNUSED_KINDS = ("plan", "step")
UNUSED_HOOKS = ("polymod_rules", "polymod_review_plan", "polymod_step_done")
NOT_YET = "No verb of this version {} yet; it may still change."

API_HEAD = f"""\
# Python API

{MADE} out of the docstrings.

Every name here is imported from `polymod` itself:

```python
import polymod

module = polymod.inspect("e1000e.ko.xz")
```

All names are typed; nothing here is asynchronous. Errors are listed in [errors](errors.md), the
fields of records in [records](records.md), the hooks in [hooks](hooks.md).

"""

RECORDS_HEAD = f"""\
# Records

{MADE} out of the record types.

These are the objects of `--output ndjson` and `--output json`, and
the classes of the Python API. Keys stand in this order and are always present. For the rules that
hold for all of them (nulls and gaps, text, numbers) see [machine output](../contract.md); each kind
has a JSON Schema in `docs/schema/`.

The last column says what fills the field on Linux, the one system that polymod reads today.

"""

ERRORS_HEAD = f"""\
# Errors

{MADE} out of `polymod.errors`.

All errors are `polymod.PolymodError`; each has a `code` that does
not change, a `message`, a `remedy` (or None), and `path`, `host` and `offset` where these mean
something. In machine output they are records of [kind `error`](records.md#error).

| error | code | exit code |
|---|---|---|
"""

HOOKS_HEAD = f"""\
# Hooks

{MADE} out of `polymod.hookspecs`.

A plugin is a module or object that implements some of these with `polymod.hookimpl` and is named in
the entry-point group `polymod`; see [writing a backend](../writing-a-backend.md).

"""


def api() -> str:
    """The page of every public name."""
    lines = [API_HEAD]
    for title, module, names in _homes():
        lines += [f"## {title}", ""]
        found = public_names(f"polymod.{module}")
        for name in names:
            lines += _entry(found[name])
    return _text(lines)


_TITLES = {
    "api": "Reading modules",
    "backend": "Parts of a backend",
    "errors": "Errors",
    "hookspecs": "Hooks",
    "model.answers": "Answers",
    "model.base": "Every record",
    "model.changes": "Changes",
    "model.failures": "Errors as records",
    "model.files": "Module files",
    "rules": "Rules",
    "serialize": "Records as data",
    "verbs": "Verbs",
    "version": "Version",
}


def _homes() -> Iterator[tuple[str, str, list[str]]]:
    homes: dict[str, str | tuple[str, ...]] = vars(polymod)["_HOMES"]
    for module, names in homes.items():
        yield _TITLES.get(module, module), module, str(names).split()


def _entry(name: Name) -> Iterator[str]:
    yield from (f"### `{name.name}`", "")
    if name.what == "value":
        return
    bases = f"({', '.join(name.bases)})" if name.bases and name.signature == name.name else ""
    word = "class " if name.what == "class" else ""
    yield from ("```python", f"{word}{name.signature}{bases}", *name.values, "```", "")
    yield from (_prose(name.text), "")
    for member in name.members:
        yield from (f"**`{member.signature}`**", "", _prose(member.text), "")


def records() -> str:
    """The page of every kind of record, field by field."""
    linux = linux_sources()
    lines = [RECORDS_HEAD]
    parts: dict[str, object] = {}
    for kind in schema.kinds():
        body = schema.schema_of(kind)
        parts |= _mapping(body["$defs"])
        lines += [f"## {kind}", "", str(body["description"]), ""]
        lines += [NOT_YET.format("puts it out"), ""] if kind in UNUSED_KINDS else []
        lines += _fields(body, _mapping(linux.get(kind, {})))
    lines += ["# Parts of records", ""]
    for name in sorted(parts):
        lines += [f"## {name}", "", *_fields(_mapping(parts[name]), _mapping(linux.get(name, {})))]
    return _text(lines)


def linux_sources() -> dict[str, object]:
    """What fills each field on Linux, by kind (or part) and field."""
    with open(ROOT / "docs" / "sources.toml", "rb") as stream:
        return _mapping(tomllib.load(stream)["linux"])


def _fields(body: Mapping[str, object], linux: Mapping[str, object]) -> Iterator[str]:
    rest = bool(linux)
    yield "| field | type | meaning |" + (" Linux |" if rest else "")
    yield "|---|---|---|" + ("---|" if rest else "")
    for name, field in _mapping(body["properties"]).items():
        about = _mapping(field)
        row = f"| `{name}` | {_type(about)} | {about.get('description', '')} |"
        yield row + (f" {linux.get(name, '')} |" if rest else "")
    yield ""


def _type(about: Mapping[str, object]) -> str:
    """The words for one schema, as a cell of a table."""
    if "const" in about:
        return f'`"{about["const"]}"`'
    if "enum" in about and isinstance(about["enum"], list):
        return ", ".join("null" if one is None else f"`{one}`" for one in about["enum"])
    if "$ref" in about:
        name = str(about["$ref"]).rpartition("/")[2]
        return f"[{name}](#{name.lower()})"
    if "anyOf" in about and isinstance(about["anyOf"], list):
        return " or ".join(_type(_mapping(one)) for one in about["anyOf"])
    kind = about.get("type")
    if isinstance(kind, list):
        return " or ".join(map(str, kind))
    if kind == "array":
        items = _mapping(about["items"])
        if "properties" in items:
            return f"list of {_record_link(items)}"
        return f"list of {_type(items)}"
    if kind == "object" and "additionalProperties" in about:
        return f"object of {_type(_mapping(about['additionalProperties']))}"
    return str(kind or "anything")


def _record_link(items: Mapping[str, object]) -> str:
    kind = str(_mapping(_mapping(items["properties"])["kind"])["const"])
    return f"[{kind}](#{kind})"


def error_page() -> str:
    """The page of every error and every exit code."""
    rows = [cls for cls in vars(errors).values() if is_error(cls)]
    lines = [ERRORS_HEAD.rstrip()]
    for cls in rows:
        number = int(cls.exit_code)
        lines.append(f"| [`{cls.__name__}`](#{cls.__name__.lower()}) | `{cls.code}` | {number} |")
    lines += ["", "## Exit codes", "", "| code | name | meaning |", "|---|---|---|"]
    lines += [f"| {int(code)} | `{code.name}` | {text} |" for code, text in EXIT_TEXTS.items()]
    lines += [""]
    found = public_names("polymod.errors")
    for cls in rows:
        name = found[cls.__name__]
        lines += [f"## {cls.__name__}", "", _prose(name.text), ""]
        lines += ["```python", name.signature, "```", ""] if "(" in name.signature else []
    return _text(lines)


def is_error(value: object) -> bool:
    """Whether a name of `polymod.errors` is one of its errors."""
    return isinstance(value, type) and issubclass(value, errors.PolymodError)


def hooks() -> str:
    """The page of every hook."""
    lines = [HOOKS_HEAD]
    for name, found in public_names("polymod.hookspecs").items():
        if not name.startswith("polymod_"):
            continue
        lines += [
            f"## `{name}({', '.join(found.arguments)})`",
            "",
            "```python",
            found.signature,
            "```",
            "",
        ]
        lines += [_prose(found.text), ""]
        lines += [NOT_YET.format("asks it"), ""] if name in UNUSED_HOOKS else []
    return _text(lines)


def _prose(text: str) -> str:
    """A docstring as Markdown: literals in one pair of backquotes, indented blocks fenced."""
    text = text.replace("``", "`")
    blocks = []
    for block in text.split("\n\n"):
        if block.startswith("    "):
            blocks.append("\n".join(["```text", *(line[4:] for line in block.split("\n")), "```"]))
        else:
            blocks.append(block)
    return "\n\n".join(blocks)


def _mapping(value: object) -> dict[str, object]:
    if not isinstance(value, dict):
        raise TypeError(f"not an object: {value!r}")
    return value


def _text(lines: list[str]) -> str:
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).rstrip() + "\n"
