"""Comparing the index files that are there with what they should hold.

Each difference is a finding with the file, the line (or the key of a binary
file), what stands there and what belongs there:

- ``index-missing``: a file, or an entry, is not there;
- ``index-stale``: an entry says something else than the modules do;
- ``index-foreign``: an entry is about a module file that is gone;
- ``index-damaged``: a file, or a line, breaks its format.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from polymod.errors import MalformedModule, ModuleNotFound, PolymodError
from polymod.model.answers import Finding, Severity
from polymod_linux.index_trie import Trie
from polymod_linux.names import from_path

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from polymod.hosts.base import Host
    from polymod_linux.depmod import ModuleTree
    from polymod_linux.index_text import Content

REMEDY = "build the index again (polymod index, or depmod)"

#: Of each text file's lines the first word, the fewest words, and which one is the module.
_LINES = {
    "modules.alias": ("alias", 2, -1),
    "modules.symbols": ("alias", 3, -1),
    "modules.softdep": ("softdep", 2, 1),
    "modules.weakdep": ("weakdep", 2, 1),
    "modules.devname": ("", 3, 0),
}


def compare(host: Host, tree: ModuleTree, contents: Iterable[Content]) -> Iterator[Finding]:
    """The findings, file by file in the order of `contents`; nothing is written."""
    names = {module.name for module in tree.modules}
    for content in contents:
        path = f"{tree.directory}/{content.name}"
        try:
            present = host.read(path)
        except ModuleNotFound:
            # kmod before 33 wrote no modules.weakdep: without entries nobody misses it.
            if content.entries or content.name != "modules.weakdep":
                yield _missing_file(path, content)
            continue
        except PolymodError as error:
            yield _damaged(path, content.name, str(error), {"path": path})
            continue
        if present == content.data:
            continue
        if content.name.endswith(".bin"):
            yield from _compare_binary(path, content, present, names)
        elif content.name == "modules.dep":
            yield from _compare_dependencies(path, content, present)
        else:
            yield from _compare_lines(path, content, present, names)


def _missing_file(path: str, content: Content) -> Finding:
    return _finding(
        "index-missing",
        Severity.ERROR,
        content.name,
        f"{path} is not there; it would have {content.entries} entries",
        {"path": path},
    )


def _compare_dependencies(path: str, content: Content, present: bytes) -> Iterator[Finding]:
    """modules.dep, line by line: what each module needs."""
    expected = {line.partition(":")[0]: line for line in _lines(content.data)}
    seen: set[str] = set()
    order: list[str] = []
    for number, line in enumerate(_lines(present), 1):
        file, colon, _ = line.partition(":")
        evidence = {"path": path, "line": number, "present": line}
        if not colon or not from_path(file):
            yield _damaged(path, file or path, f"{path}:{number}: no line of modules.dep", evidence)
        elif file not in expected:
            yield _foreign(
                file, f"{path}:{number}: {file} is gone, or another file counts", evidence
            )
        elif file in seen:
            yield _stale(file, f"{path}:{number}: {file} has a line already", evidence)
        else:
            seen.add(file)
            order.append(file)
            if line != expected[file]:
                message = f"{path}:{number}: the dependencies of {file} are others by now"
                yield _stale(file, message, {**evidence, "expected": expected[file]})
    for file, line in expected.items():
        if file not in seen:
            evidence = {"path": path, "expected": line}
            yield _missing(file, f"{path}: {file} has no line", evidence)
    yield from _order(path, content.name, order, [file for file in expected if file in seen])


def _compare_lines(
    path: str, content: Content, present: bytes, names: set[str]
) -> Iterator[Finding]:
    """A file of statements about modules, as a list of lines whose order counts."""
    wanted = _statements(content.data)
    left = _counted(wanted)
    kept: list[str] = []
    for number, line in enumerate(_lines(present), 1):
        if line.startswith("#") or not line:
            continue
        evidence = {"path": path, "line": number, "present": line}
        module = _module_of(content.name, line)
        if left.get(line):
            left[line] -= 1
            kept.append(line)
        elif module is None:
            message = f"{path}:{number}: no line of {content.name}"
            yield _damaged(path, content.name, message, evidence)
        elif module not in names:
            yield _foreign(module, f"{path}:{number}: the module {module} is gone", evidence)
        else:
            yield _stale(module, f"{path}:{number}: {module} does not say so", evidence)
    common: list[str] = []
    missing: list[str] = []
    for line in reversed(wanted):  # of equal lines the last ones are the missing ones
        (missing if left[line] else common).append(line)
        left[line] -= bool(left[line])
    for line in reversed(missing):
        subject = _module_of(content.name, line) or content.name
        message = f"{path}: without the line {line!r}"
        yield _missing(subject, message, {"path": path, "expected": line})
    yield from _order(path, content.name, kept, common[::-1])


def _module_of(name: str, line: str) -> str | None:
    """The module a line is about, None for what is no line of the file `name`."""
    keyword, least, place = _LINES[name]
    words = line.split()
    if len(words) < least or (keyword and words[0] != keyword):
        return None
    return words[place]


def _compare_binary(
    path: str, content: Content, present: bytes, names: set[str]
) -> Iterator[Finding]:
    """A binary index, key by key; the order of its nodes does not matter."""
    try:
        expected = _by_key(Trie(content.data, path)) if content.data else {}
        found = _by_key(Trie(present, path)) if present else {}
    except MalformedModule as error:
        evidence: dict[str, object] = {"path": path, "offset": error.offset}
        yield _damaged(path, content.name, str(error), evidence)
        return
    about_builtins = content.name.startswith("modules.builtin")
    for key, values in found.items():
        wanted = expected.get(key)
        if wanted is not None and _told(values) == _told(wanted):
            continue
        evidence = {"path": path, "key": key, "present": _told(values)}
        gone = [value for _, value in values if _subject(key, value) not in names]
        if wanted is not None:
            message = f"{path}: the key {key} leads elsewhere by now"
            yield _stale(key, message, {**evidence, "expected": _told(wanted)})
        elif gone and not about_builtins:
            subject = _subject(key, gone[0])
            yield _foreign(
                subject, f"{path}: the key {key} is about {subject}, which is gone", evidence
            )
        else:
            yield _stale(key, f"{path}: the key {key} does not belong there", evidence)
    for key, values in expected.items():
        if key not in found:
            evidence = {"path": path, "key": key, "expected": _told(values)}
            yield _missing(key, f"{path}: without the key {key}", evidence)
    # Of the numbers only the order counts: one module less moves those of all others.
    here, there = _ranking(found), _ranking(expected)
    common = set(here).intersection(there)
    yield from _order(
        path,
        content.name,
        [module for module in here if module in common],
        [module for module in there if module in common],
    )


def _ranking(entries: Mapping[str, list[tuple[int, str]]]) -> list[str]:
    """The modules by their best priority; those of equal priority by name."""
    best: dict[str, int] = {}
    for key, values in entries.items():
        for priority, value in values:
            module = _subject(key, value)
            best[module] = min(priority, best.get(module, priority))
    return sorted(best, key=lambda module: (best[module], module))


def _by_key(trie: Trie) -> dict[str, list[tuple[int, str]]]:
    found: dict[str, list[tuple[int, str]]] = {}
    for key, priority, value in trie.items():
        found.setdefault(_text(key), []).append((priority, _text(value)))
    return found


def _told(values: list[tuple[int, str]]) -> list[str]:
    return [value for _, value in values]


def _subject(key: str, value: str) -> str:
    """The module a value names: itself, or the one whose line of modules.dep it is."""
    return key if ":" in value else value


def _order(path: str, name: str, present: list[str], expected: list[str]) -> Iterator[Finding]:
    """One finding where the same entries stand in another order."""
    for here, there in zip(present, expected, strict=False):
        if here != there:
            evidence = {"path": path, "present": here, "expected": there}
            yield _stale(name, f"{path}: the entries stand in another order", evidence)
            return


def _counted(lines: Iterable[str]) -> dict[str, int]:
    found: dict[str, int] = {}
    for line in lines:
        found[line] = found.get(line, 0) + 1
    return found


def _statements(data: bytes) -> list[str]:
    return [line for line in _lines(data) if line and not line.startswith("#")]


def _lines(data: bytes) -> list[str]:
    lines = _text(data).split("\n")
    return lines if lines[-1] else lines[:-1]


def _text(data: bytes) -> str:
    return data.decode("utf-8", "surrogateescape")


def _missing(subject: str, message: str, evidence: Mapping[str, object]) -> Finding:
    return _finding("index-missing", Severity.ERROR, subject, message, evidence)


def _stale(subject: str, message: str, evidence: Mapping[str, object]) -> Finding:
    return _finding("index-stale", Severity.WARNING, subject, message, evidence)


def _foreign(subject: str, message: str, evidence: Mapping[str, object]) -> Finding:
    return _finding("index-foreign", Severity.WARNING, subject, message, evidence)


def _damaged(path: str, subject: str, message: str, evidence: Mapping[str, object]) -> Finding:
    if not message.startswith(path):
        message = f"{path}: {message}"
    return _finding("index-damaged", Severity.ERROR, subject, message, evidence)


def _finding(
    rule: str, severity: Severity, subject: str, message: str, evidence: Mapping[str, object]
) -> Finding:
    return Finding(
        rule=rule,
        severity=severity,
        subject=subject,
        message=message,
        remedy=REMEDY,
        evidence=evidence,
    )
