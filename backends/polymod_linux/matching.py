"""Alias patterns: how kmod spells them and what they match.

Matching is POSIX fnmatch(3) without flags in the C locale, byte by byte: ``*``,
``?``, ``[a-c]``, ``[!x]`` and the backslash are special, ``/`` and a leading dot
are not. Collating elements (``[.x.]``, ``[=x=]``) are not known: a normal alias
cannot hold one. A pattern becomes a bit-parallel automaton (one bit for each of its
characters), so a match costs one step for each byte of the string, however
many stars a pattern has: nothing is ever tried twice.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

#: Bytes of an alias that kmod compares: what fits PATH_MAX with its NUL.
ALIAS_BYTES = 4095

_CLASSES = {
    "alnum": "0-9A-Za-z",
    "alpha": "A-Za-z",
    "blank": " \t",
    "cntrl": "\0-\x1f\x7f",
    "digit": "0-9",
    "graph": "!-~",
    "lower": "a-z",
    "print": " -~",
    "punct": "!-/:-@[-`{-~",
    "space": "\t-\r ",
    "upper": "A-Z",
    "xdigit": "0-9A-Fa-f",
}

#: Room for the name of a class and its end.
_CLASS_NAME = 16


def normalize_alias(text: str) -> str | None:
    """`text` with every ``-`` outside brackets turned into ``_``; None where brackets do not pair.

    See alias_normalize in kmod shared/util.c. Only the first 4095 bytes count, as there.
    """
    if len(text) > ALIAS_BYTES // 4:
        data = octets(text)[:ALIAS_BYTES]
        text = data.encode("latin-1").decode("utf-8", "surrogateescape")
    if "[" not in text and "]" not in text:
        return text.replace("-", "_")
    parts: list[str] = []
    rest = text
    while rest:
        outside, bracket, rest = rest.partition("[")
        inside, closing, rest = rest.partition("]") if bracket else ("", "", "")
        if "]" in outside or (bracket and not closing):
            return None
        parts += (outside.replace("-", "_"), bracket, inside, closing)
    return "".join(parts)


def octets(text: str) -> str:
    """`text` with one character for each byte of its UTF-8 form, as the C locale sees it."""
    if text.isascii():
        return text
    try:
        return text.encode("utf-8", "surrogateescape").decode("latin-1")
    except UnicodeEncodeError:  # surrogates that stand for no byte: only a caller can make them
        return text.encode("utf-8", "surrogatepass").decode("latin-1")


def matches(pattern: str, string: str) -> bool:
    """Whether fnmatch(3) of `pattern` and `string` with no flags says yes."""
    return compiled(pattern).matches(octets(string))


class Pattern:
    """A compiled pattern. `literal` is its text where it has no wildcard, else None."""

    __slots__ = ("_accept", "_bits", "_loops", "_other", "literal")

    def __init__(self, pattern: str) -> None:
        tokens = _tokens(pattern)
        self.literal = _literal(tokens)
        self._accept = self._loops = self._other = 0
        self._bits: dict[str, int] = {}
        if tokens is not None and self.literal is None:
            self._build(tokens)

    def _build(self, tokens: Sequence[_Token]) -> None:
        """Bit i stands for "i characters of the pattern are matched"."""
        singles = [token for token in tokens if token is not _STAR]
        if len(singles) > ALIAS_BYTES:
            return  # longer than any string
        position = 0
        for token in tokens:
            if token is _STAR:
                self._loops |= 1 << position
            else:
                position += 1
        self._accept = 1 << position
        for place, (characters, negated) in enumerate(singles):
            if negated:
                self._other |= 1 << place
            for character in characters:
                self._bits.setdefault(character, 0)
        for character in self._bits:
            self._bits[character] = self._other
        for place, (characters, _) in enumerate(singles):
            for character in characters:
                self._bits[character] ^= 1 << place

    def matches(self, string: str) -> bool:
        """Whether the whole of `string` (see `octets`) matches."""
        if self.literal is not None:
            return string == self.literal
        state, bits, other, loops = 1, self._bits, self._other, self._loops
        for character in string:
            state = (state & bits.get(character, other)) << 1 | state & loops
            if not state:
                return False
        return state & self._accept != 0


@lru_cache(maxsize=4096)
def compiled(pattern: str) -> Pattern:
    """The compiled form of `pattern`, made once."""
    return Pattern(octets(pattern))


class PatternSet:
    """Many patterns, asked all at once: by number, in their own order.

    Patterns are filed under the text before their first wildcard, so that a
    question meets only those that begin as its string does.
    """

    def __init__(self, patterns: Iterable[str]) -> None:
        self._patterns = [octets(pattern) for pattern in patterns]
        self._filed: dict[str, list[int]] = {}
        self._exact: dict[str, list[int]] = {}
        self._rest: dict[int, tuple[str, Pattern]] = {}
        for number, pattern in enumerate(self._patterns):
            head = literal_head(pattern)
            place = self._exact if len(head) == len(pattern) else self._filed
            place.setdefault(head, []).append(number)
        self._lengths = sorted({len(head) for head in self._filed})

    def all(self, string: str) -> list[int]:
        """The numbers (0 is the first pattern) of all patterns that match, ascending."""
        string = octets(string)
        found = list(self._exact.get(string, ()))
        for length in self._lengths:
            if length > len(string):
                break
            found += [
                number
                for number in self._filed.get(string[:length], ())
                if self._matches(number, length, string)
            ]
        found.sort()
        return found

    def first(self, string: str) -> int | None:
        """The number of the first pattern that matches, None for none."""
        found = self.all(string)
        return found[0] if found else None

    def _matches(self, number: int, length: int, string: str) -> bool:
        """Whether a pattern matches behind its head; most fail on a word they must contain."""
        known = self._rest.get(number)
        if known is None:
            tail = self._patterns[number][length:]
            known = self._rest[number] = (_needle(tail), Pattern(tail))
        needle, pattern = known
        return string.find(needle, length) >= 0 and pattern.matches(string[length:])


def literal_head(pattern: str) -> str:
    """The text of `pattern` before its first special character."""
    end = len(pattern)
    for special in "*?[\\":
        found = pattern.find(special, 0, end)
        if found >= 0:
            end = found
    return pattern[:end]


def _needle(tail: str) -> str:
    """The longest text that any string must contain to match `tail`, "" if it is not plain."""
    if "[" in tail or "\\" in tail:
        return ""
    return max(tail.replace("?", "*").split("*"), key=len)


#: The characters a place of the pattern takes, or with True the ones it does not take.
_Token = tuple[frozenset[str] | str, bool]
_STAR: _Token = ("", False)
_ANY: _Token = ("", True)


def _literal(tokens: Sequence[_Token] | None) -> str | None:
    if tokens is None:
        return None
    if all(isinstance(characters, str) and characters for characters, _ in tokens):
        return "".join(str(characters) for characters, _ in tokens)
    return None


def _tokens(pattern: str) -> list[_Token] | None:
    """The places of a pattern, None where nothing can match it (a backslash ends it)."""
    tokens: list[_Token] = []
    open_ended: set[int] = set()
    at, end = 0, len(pattern)
    while at < end:
        character = pattern[at]
        at += 1
        if character == "*":
            if not tokens or tokens[-1] is not _STAR:
                tokens.append(_STAR)
        elif character == "?":
            tokens.append(_ANY)
        elif character == "[":
            token, at = _bracket(pattern, at, open_ended)
            if token is None:
                return None
            tokens.append(token)
        elif character == "\\":
            if at == end:
                return None
            tokens.append((pattern[at], False))
            at += 1
        else:
            tokens.append((character, False))
    return tokens


def _bracket(pattern: str, at: int, open_ended: set[int]) -> tuple[_Token | None, int]:
    """The set that opens before `at`, and where it ends; without an end ``[`` is itself.

    `open_ended` collects the places from which no end is found, so that a
    pattern of many brackets is not searched for each of them.
    """
    start = at
    negated = pattern[at : at + 1] in ("!", "^")
    at += negated
    first, found, passed = at, set[str](), set[int]()
    while True:
        if pattern[at : at + 1] == "]" and at > first:  # one that comes first is a member
            return (frozenset(found), negated), at + 1
        if at in open_ended or at >= len(pattern):
            open_ended |= passed
            return ("[", False), start
        if at > first:
            passed.add(at)
        low, at = _member(pattern, at)
        if low is None:
            continue
        if len(low) > 1:
            found.update(low)
        elif pattern[at : at + 1] == "-" and pattern[at + 1 : at + 2] not in ("]", ""):
            high, at = _member(pattern, at + 1)
            if high is None or len(high) != 1:
                return None, at
            found.update(map(chr, range(ord(low), ord(high) + 1)))
        else:
            found.add(low)


def _member(pattern: str, at: int) -> tuple[str | None, int]:
    """One member of a set and where the next begins; a class comes as all its characters."""
    character = pattern[at : at + 1]
    if character == "\\":
        return pattern[at + 1 : at + 2] or None, at + 2
    if character == "[" and pattern[at + 1 : at + 2] == ":":
        name, colon, _ = pattern[at + 2 : at + 2 + _CLASS_NAME].partition(":]")
        if colon and name in _CLASSES:
            return _spread(_CLASSES[name]), at + 4 + len(name)
    return character or None, at + 1


def _spread(ranges: str) -> str:
    """``a-c`` written out; a range's ends are its first and third character."""
    found, at = "", 0
    while at < len(ranges):
        if ranges[at + 1 : at + 2] == "-" and at + 2 < len(ranges):
            found += "".join(map(chr, range(ord(ranges[at]), ord(ranges[at + 2]) + 1)))
            at += 3
        else:
            found += ranges[at]
            at += 1
    return found
