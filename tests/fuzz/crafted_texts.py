"""Texts, patterns and messages made to cost much, by target: what is not linear shows here."""

from __future__ import annotations

#: Bytes of most of them: quadratic work over so many would take minutes.
SIZE = 512 << 10


def _filled(head: bytes, part: bytes) -> bytes:
    return head + part * (SIZE // len(part))


def _numbered(pattern: bytes, count: int) -> bytes:
    return b"".join(pattern % number for number in range(count))


ATTACKS: dict[str, dict[str, bytes]] = {
    "modprobe_d": {
        "a line continued all the way": _filled(b"options a ", b"x\\\n"),
        "nothing but continuations": _filled(b"", b"\\\n"),
        "a soft dependency on everything": _filled(b"softdep a pre: ", b"b "),
        "lines that are all wrong": _filled(b"", b"x\n"),
    },
    "configuration": {
        "aliases that nearly match": b"alias *n*e*t*-*p*f*-*4*4*x b\n" * 8_000,
        "thousands of options for one module": _filled(b"", b"options pm_net a=b\n"),
        "thousands of soft dependencies": _filled(b"", b"softdep pm_net pre: b\n"),
    },
    "cmdline": {
        "quotes": _filled(b"", b'"'),
        "parameters of modules": _filled(b"", b"a.b=c "),
        "one endless block list": _filled(b"modprobe.blacklist=", b"a,"),
    },
    "depmod_d": {
        "expressions that backtrack": b"override a (a+)+$ b\n" * 1000,
        "stars of stars": b"override a (.*)*(.*)*(.*)*x b\n" * 1000,
        "choices without end": b"override a " + b"a?" * 500 + b"a" * 500 + b" b\n",
        "deep brackets": b"override a " + b"(" * 5000 + b")" * 5000 + b" b\n",
        "repeats of repeats": b"override a ((6.*){1,100}){1,100}x b\n" * 50,
        "references back": b"override a \\(6.*\\)\\1\\1* b\n" * 2000,
    },
    "alias_pattern": {
        "many stars": b"*a" * 2000 + b"b\n" + b"a" * 4000,
        "many brackets": b"[!a-z]" * 1000 + b"\n" + b"A" * 1000,
        "a pattern longer than any alias": b"*[a-z]?" * 40_000 + b"\n" + b"a" * 40_000,
    },
    "index_text": {
        "patterns that nearly match": _numbered(b"alias pci:*%d*0*0*0*0*x m\n", 10_000),
        "patterns inside each other": b"".join(b"alias " + b"a" * n + b" m\n" for n in range(900)),
        "one endless line": _filled(b"a.ko: ", b"b.ko "),
    },
    "modinfo": {"modules without end": _numbered(b"m%d.a=b\0", 20_000), "NULs": bytes(SIZE)},
    "transcript": {
        "deep nesting": b"[" * 200_000,
        "a number of half a million digits": b'{"schema":' + b"1" * SIZE + b"}",
    },
    "der": {
        "deep nesting": _filled(b"", b"\x30\x84\x00\x07\xff\xf0"),
        "lengths that DER does not allow": _filled(b"", b"\x30\x80"),
    },
}
