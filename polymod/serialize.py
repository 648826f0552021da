r"""Records as plain data and as JSON text.

Keys come in field order with ``kind`` first and ``gaps`` last. JSON is pure
ASCII: other characters, and the surrogates that stand for bytes outside UTF-8
(PEP 383), are ``\u`` escapes, so that no locale can break a pipe.
"""

from __future__ import annotations

import dataclasses
from functools import cache
from operator import attrgetter
from typing import TYPE_CHECKING

from polymod.model.base import Record

if TYPE_CHECKING:
    from collections.abc import Callable

    Plain = dict[str, object]


class _Shape:
    """How one record class is taken apart: its keys, and a fast way to its values."""

    def __init__(self, cls: type) -> None:
        names = [f.name for f in dataclasses.fields(cls)]
        start: tuple[str, ...] = ()
        self.first: tuple[object, ...] = ()
        if issubclass(cls, Record):
            names.remove("gaps")
            names.append("gaps")
            start, self.first = ("kind",), (cls.kind,)
        self.names = (*start, *names)
        self.is_record = bool(start)
        self._get = attrgetter(*names) if names else None
        self._single = len(names) == 1
        #: ``{"kind": `` and so on: what stands before each value in JSON. Keys are identifiers.
        self.keys = tuple(f'{", " if at else "{"}"{name}": ' for at, name in enumerate(self.names))

    def values(self, item: object) -> tuple[object, ...]:
        """The values in the order of `names`."""
        if self._get is None:
            return self.first
        found = self._get(item)
        return (*self.first, found) if self._single else self.first + found


_shapes: dict[type, _Shape] = {}


def _shape(cls: type) -> _Shape:
    if not dataclasses.is_dataclass(cls):
        raise TypeError(f"{cls.__name__} is not a record")
    made = _shapes[cls] = _Shape(cls)
    return made


def field_names(cls: type) -> tuple[str, ...]:
    """The keys of a record class in output order, ``kind`` included where it has one."""
    return (_shapes.get(cls) or _shape(cls)).names


def to_dict(item: object) -> Plain:
    """The keys of one record or part; its parts stay objects (see `to_plain`).

    Raises TypeError for anything that is no dataclass.
    """
    cls = type(item)
    shape = _shapes.get(cls) or _shape(cls)
    return dict(zip(shape.names, shape.values(item), strict=True))


@cache
def _encoders() -> tuple[Callable[[object], str], Callable[[str], str]]:
    """JSON for anything, and for plain strings; tables never come here."""
    import json

    encoder = json.JSONEncoder(default=to_dict, check_circular=False)
    return encoder.encode, json.encoder.encode_basestring_ascii


# Architectures, signatures, gaps: the modules of one kernel share these objects,
# so their text is made once. Keyed by identity, which holds as long as the
# object is kept here with its text.
_shared: dict[int, tuple[object, str]] = {}
_SHARED_MOST = 4096
_WORTH_SHARING = frozenset({"architectures", "built_for", "signatures", "gaps"})


def to_json(item: object) -> str:
    """One line of JSON for a record, a part, or plain data holding such."""
    encode, text = _encoders()
    cls = type(item)
    shape = _shapes.get(cls)
    if shape is None and isinstance(item, Record):
        shape = _shape(cls)
    if shape is None or not shape.is_record:
        return encode(item)
    parts: list[str] = []
    for name, key, value in zip(shape.names, shape.keys, shape.values(item), strict=True):
        parts.append(key)
        if value is None:
            parts.append("null")
        elif type(value) is str:
            parts.append(text(value))
        elif value == ():
            parts.append("[]")
        elif name in _WORTH_SHARING:
            parts.append(_shared_json(value, encode))
        else:
            parts.append(encode(value))
    parts.append("}")
    return "".join(parts)


def _shared_json(value: object, encode: Callable[[object], str]) -> str:
    found = _shared.get(id(value))
    if found is not None:
        return found[1]
    text = encode(value)
    if len(_shared) < _SHARED_MOST:
        _shared[id(value)] = value, text
    return text


def to_plain(item: object) -> object:
    """The record as dicts, lists, strings, numbers, booleans and None only."""
    import json

    plain: object = json.loads(to_json(item))
    return plain
