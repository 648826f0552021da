"""A bounded reader of DER (ITU-T X.690): just enough for signatures and certificates.

Definite lengths only, no copying: elements are slices of one buffer, named by
their offsets in it, so that damage can be told with its place.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from polymod.errors import MalformedModule

if TYPE_CHECKING:
    from collections.abc import Iterator

INTEGER, OCTET_STRING, OID, UTC_TIME, GENERALIZED_TIME = 0x02, 0x04, 0x06, 0x17, 0x18
SEQUENCE, SET = 0x30, 0x31
BMP_STRING, UNIVERSAL_STRING = 0x1E, 0x1C


def context(number: int, *, constructed: bool = True) -> int:
    """The tag byte of the context-specific tag `number` (0 to 30)."""
    return (0xA0 if constructed else 0x80) | number


class Element(NamedTuple):
    """One element: its tag byte, and where its contents start and end in the buffer."""

    tag: int
    start: int
    end: int


class Der:
    """Elements of one DER buffer; errors name `path` and `base` + the offset in it."""

    __slots__ = ("base", "data", "path")

    def __init__(self, data: bytes, path: str | None, base: int = 0) -> None:
        self.data = data
        self.path = path
        self.base = base

    def element(self, at: int, end: int) -> Element:
        """The element at offset `at`, which must not reach beyond `end`.

        Raises MalformedModule.
        """
        data = self.data
        if at + 2 > end:
            raise self.damaged("ends where an element should begin", at)
        tag, length = data[at], data[at + 1]
        start = at + 2
        if length & 0x80:
            size = length & 0x7F
            if not 0 < size <= 4 or start + size > end:
                raise self.damaged("has a length that DER does not allow", at)
            length = int.from_bytes(data[start : start + size], "big")
            start += size
        if tag & 0x1F == 0x1F or start + length > end:
            raise self.damaged("has an element that reaches beyond its frame", at)
        return Element(tag, start, start + length)

    def children(self, parent: Element) -> Iterator[Element]:
        """The elements inside a constructed one."""
        at = parent.start
        while at < parent.end:
            child = self.element(at, parent.end)
            yield child
            at = child.end

    def expect(self, element: Element | None, tag: int, what: str, at: int) -> Element:
        """The same element, sure to be there and to have `tag`."""
        if element is None or element.tag != tag:
            raise self.damaged(f"has no {what}", element.start if element else at)
        return element

    def bytes(self, element: Element) -> bytes:
        """The contents of an element."""
        return self.data[element.start : element.end]

    def oid(self, element: Element) -> str:
        """The dotted form of an OBJECT IDENTIFIER."""
        arcs: list[int] = []
        value = 0
        for byte in self.bytes(element)[:128]:
            value = value << 7 | byte & 0x7F
            if not byte & 0x80:
                arcs.append(value)
                value = 0
        if not arcs:
            return ""
        first = min(arcs[0] // 40, 2)
        return ".".join(map(str, (first, arcs[0] - 40 * first, *arcs[1:])))

    def text(self, element: Element) -> str:
        """A character string, undecodable bytes kept by surrogateescape (PEP 383)."""
        data = self.bytes(element)
        if element.tag == BMP_STRING:
            return data.decode("utf-16-be", "replace")
        if element.tag == UNIVERSAL_STRING:
            return data.decode("utf-32-be", "replace")
        return data.decode("utf-8", "surrogateescape")

    def damaged(self, message: str, at: int) -> MalformedModule:
        """The error for damage at offset `at` of the buffer."""
        return MalformedModule(
            f"the signature {message}", path=self.path, offset=self.base + at, field="signature"
        )
