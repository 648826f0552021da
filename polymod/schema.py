"""JSON Schema (draft 2020-12) of every record, read off the record types.

Run ``python -m polymod.schema DIR`` to write one file for each kind, and
``polymod-1.json`` for the object that ``--output json`` puts out; without DIR
that last one goes to standard output. Every schema stands alone: the parts of
a record are in its ``$defs``.
"""

from __future__ import annotations

import dataclasses
import json
import os
import sys
from collections.abc import Mapping
from enum import Enum
from types import NoneType, UnionType
from typing import Union, get_args, get_origin, get_type_hints

import polymod
from polymod.model.base import Gap, Record
from polymod.model.files import BuiltFor
from polymod.schema_texts import FIELDS, KINDS
from polymod.serialize import field_names

Schema = dict[str, object]

DRAFT = "https://json-schema.org/draft/2020-12/schema"

#: File name of the schema of the whole answer, without ``.json``.
ENVELOPE = "polymod-1"

_SIMPLE = {str: "string", int: "integer", bool: "boolean", float: "number"}


def kinds() -> dict[str, type[Record]]:
    """Every kind of record and its class, in alphabetical order."""
    public = (getattr(polymod, name) for name in dir(polymod))
    found = {
        one.kind: one
        for one in public
        if isinstance(one, type) and issubclass(one, Record) and one is not Record
    }
    return dict(sorted(found.items()))


def schema_of(kind: str) -> Schema:
    """The schema of one kind of record. Raises KeyError for a kind that is not there."""
    definitions: dict[str, Schema] = {}
    body = _Types(definitions).record(kinds()[kind])
    return {
        "$schema": DRAFT,
        "$id": f"urn:polymod:1:{kind}",
        "title": kind,
        **body,
        "$defs": dict(sorted(definitions.items())),
    }


def envelope() -> Schema:
    """The schema of what ``--output json`` puts out: items of any kind, and errors."""
    definitions: dict[str, Schema] = {}
    types = _Types(definitions)
    bodies = {kind: types.record(cls) for kind, cls in kinds().items()}
    items = [{"$ref": f"#/$defs/{kind}"} for kind in bodies if kind != "error"]
    return {
        "$schema": DRAFT,
        "$id": "urn:polymod:1",
        "title": "polymod/1",
        "description": "What polymod puts out with --output json.",
        "type": "object",
        "properties": {
            "schema": {"const": "polymod/1"},
            "items": {"type": "array", "items": {"anyOf": items}},
            "errors": {"type": "array", "items": {"$ref": "#/$defs/error"}},
        },
        "required": ["schema", "items", "errors"],
        "additionalProperties": False,
        "$defs": {**bodies, **dict(sorted(definitions.items()))},
    }


def documents() -> dict[str, str]:
    """Every schema as the text of its file, by file name."""
    made = {kind: schema_of(kind) for kind in kinds()}
    made[ENVELOPE] = envelope()
    return {
        f"{name}.json": json.dumps(schema, indent=2, ensure_ascii=False) + "\n"
        for name, schema in made.items()
    }


class _Types:
    """Turns annotations into schemas; dataclasses they mention go to `definitions`."""

    def __init__(self, definitions: dict[str, Schema]) -> None:
        self._definitions = definitions

    def record(self, cls: type[Record]) -> Schema:
        """The schema of a record, with its kind, its gaps, and each backend's own parts."""
        made: Schema = {"description": KINDS.get(cls.kind, "")}
        made.update(self._object(cls, FIELDS.get(cls.kind, {})))
        if BuiltFor in get_args(get_type_hints(cls).get("built_for")):
            made["allOf"] = self._own_parts()
        return made

    def _object(self, cls: type, texts: Mapping[str, str]) -> Schema:
        hints = get_type_hints(cls)
        names = field_names(cls)
        properties: dict[str, Schema] = {}
        for name in names:
            properties[name] = self._property(cls, name, hints, names)
            if name in texts:
                properties[name]["description"] = texts[name]
        return {
            "type": "object",
            "properties": properties,
            "required": list(names),
            "additionalProperties": False,
        }

    def _property(
        self, cls: type, name: str, hints: Mapping[str, object], names: tuple[str, ...]
    ) -> Schema:
        if name == "kind" and issubclass(cls, Record):
            return {"const": cls.kind}
        if name == "gaps" and issubclass(cls, Record):
            return {
                "type": "object",
                "propertyNames": {"enum": [one for one in names if one not in ("kind", "gaps")]},
                "additionalProperties": self.of(Gap),
            }
        return self.of(hints[name])

    def of(self, hint: object) -> Schema:
        """The schema of one annotation. Raises TypeError for one that no record may use."""
        if hint is object:
            return {}
        if isinstance(hint, type) and not get_args(hint):
            return self._class(hint)
        origin, arguments = get_origin(hint), get_args(hint)
        if origin in (Union, UnionType):
            return _union([self.of(one) for one in arguments])
        if origin is tuple:
            return {"type": "array", "items": self.of(arguments[0])}
        if isinstance(origin, type) and issubclass(origin, Mapping):
            inner = self.of(arguments[1])
            return {"type": "object", "additionalProperties": inner} if inner else _any_object()
        raise TypeError(f"no schema for {hint!r}")

    def _class(self, cls: type) -> Schema:
        if cls in _SIMPLE:
            return {"type": _SIMPLE[cls]}
        if cls is NoneType:
            return {"type": "null"}
        if issubclass(cls, Enum):
            return {"enum": [member.value for member in cls]}
        if cls is BuiltFor:
            return _any_object()
        if issubclass(cls, Record):
            return self.record(cls)
        if dataclasses.is_dataclass(cls):
            name = cls.__name__
            if name not in self._definitions:
                self._definitions[name] = {}  # its place, should it mention itself
                self._definitions[name] = self._object(cls, FIELDS.get(name, {}))
            return {"$ref": f"#/$defs/{name}"}
        raise TypeError(f"no schema for {cls!r}")

    def _own_parts(self) -> list[Schema]:
        """For each built-in backend, what `built_for` is where the record is its own."""
        return [
            {
                "if": {"properties": {"backend": {"const": backend}}},
                "then": {"properties": {"built_for": _union([self.of(part), {"type": "null"}])}},
            }
            for backend, part in _built_for().items()
        ]


def _built_for() -> dict[str, type[BuiltFor]]:
    """The class of `built_for` that each built-in backend fills, by the backend's name."""
    from polymod.plugins import Plugins

    plugins = Plugins(outside=False)
    by_package: dict[str, str] = {}
    for backend in plugins.backends():
        backend.file_format()  # imports what the backend's records are made of
        by_package[plugins.origin(backend.name)] = backend.name
    return {
        by_package[package]: cls
        for cls in BuiltFor.__subclasses__()
        if (package := cls.__module__.partition(".")[0]) in by_package
    }


def _any_object() -> Schema:
    return {"type": "object"}


def _union(parts: list[Schema]) -> Schema:
    """One schema for either of `parts`: a list of types or words where that is all there is."""
    if all(set(part) == {"type"} for part in parts):
        return {"type": [part["type"] for part in parts]}
    words = [part["enum"] for part in parts if set(part) == {"enum"}]
    rest = [part for part in parts if set(part) != {"enum"}]
    if len(words) == 1 and isinstance(words[0], list) and rest == [{"type": "null"}]:
        return {"enum": [*words[0], None]}
    return {"anyOf": parts}


def write(directory: str) -> None:
    """Write every schema into `directory`, which is made where it is missing."""
    os.makedirs(directory, exist_ok=True)
    for name, text in documents().items():
        with open(os.path.join(directory, name), "w", encoding="utf-8", newline="\n") as stream:
            stream.write(text)


if __name__ == "__main__":
    if len(sys.argv) > 1:
        write(sys.argv[1])
    else:
        sys.stdout.write(documents()[f"{ENVELOPE}.json"])
