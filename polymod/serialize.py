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
        #: The JSON object with a place for each value. Keys are identifiers.
        self.template: str = "{" + ", ".join(f'"{name}": %s' for name in self.names) + "}"

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
    from json import encoder

    text: Callable[[str], str] = encoder.encode_basestring_ascii
    make = getattr(encoder, "c_make_encoder", None)
    if make is None:  # no C accelerator in this Python
        return encoder.JSONEncoder(default=to_dict, check_circular=False).encode, text
    # JSONEncoder makes this object anew for every call, which costs more than
    # encoding a short list: records have many of those.
    chunks = make(None, to_dict, text, None, ": ", ", ", False, False, True)
    return lambda value: "".join(chunks(value, 0)), text


# Architectures, signatures, gaps: the modules of one kernel share these objects,
# so their text is made once. Keyed by identity, which holds as long as the
# object is kept here with its text.
_shared: dict[int, tuple[object, str]] = {id(()): ((), "[]")}
_SHARED_MOST = 4096
_SHARED_TEXT = 4096  # longer ones are no module's that others resemble
_WORTH_SHARING = frozenset({"architectures", "built_for", "signatures", "gaps", "dependencies"})


def to_json(item: object) -> str:
    """One line of JSON for a record, a part, or plain data holding such."""
    encode, text = _encoders()
    cls = type(item)
    shape = _shapes.get(cls)
    if shape is None and isinstance(item, Record):
        shape = _shape(cls)
    if shape is None or not shape.is_record:
        return encode(item)
    shared = _shared
    texts = [
        "null"
        if value is None
        else text(value)
        if type(value) is str
        else shared[id(value)][1]
        if id(value) in shared
        else _shared_json(value, encode)
        if name in _WORTH_SHARING
        else encode(value)
        for name, value in zip(shape.names, shape.values(item), strict=True)
    ]
    return shape.template % tuple(texts)


def _shared_json(value: object, encode: Callable[[object], str]) -> str:
    text = encode(value)
    if len(_shared) < _SHARED_MOST and len(text) <= _SHARED_TEXT:
        _shared[id(value)] = value, text
    return text


def to_plain(item: object) -> object:
    """The record as dicts, lists, strings, numbers, booleans and None only."""
    import json

    plain: object = json.loads(to_json(item))
    return plain
