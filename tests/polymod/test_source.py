"""Byte sources: what is read, what is refused, and what hostile packing costs."""

from __future__ import annotations

import gzip
import lzma
import os
from typing import TYPE_CHECKING

import pytest

from polymod import limits
from polymod.errors import MalformedModule, PolymodError
from polymod.model.files import Compression
from polymod.source import HEAD, TAIL, ByteSource, BytesSource, FileSource, packing, unpacked

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.conftest import RunBounded

    Pack = Callable[[bytes], bytes]

CONTENT = bytes(range(256)) * 400 + b"the end"


def _zstd(data: bytes) -> bytes:
    from polymod.source import _zstd as codec

    make, _ = codec()
    module = __import__(make.__module__, fromlist=["compress"])
    packed: bytes = module.compress(data)
    return packed


PACKS = [
    pytest.param(gzip.compress, Compression.GZIP, id="gzip"),
    pytest.param(lzma.compress, Compression.XZ, id="xz"),
    pytest.param(_zstd, Compression.ZSTD, id="zstd"),
]


def _read_all(source: ByteSource) -> bytes:
    return source.read(0, source.size)


# -- packed streams ---------------------------------------------------------


@pytest.mark.parametrize(("pack", "kind"), PACKS)
def test_a_packed_stream_reads_as_its_content(pack: Pack, kind: Compression) -> None:
    raw = BytesSource(pack(CONTENT), "/m.ko")
    source = unpacked(raw)
    assert source.compression is kind
    assert source.stored_size == raw.size
    assert source.read(300, 5) == CONTENT[300:305]
    assert source.size == len(CONTENT)
    assert _read_all(source) == CONTENT
    assert source.read(len(CONTENT) - 3, 3) == b"end"


@pytest.mark.parametrize(("pack", "kind"), PACKS)
def test_streams_behind_each_other_are_one(pack: Pack, kind: Compression) -> None:
    packed = pack(b"one ") + pack(b"") + pack(b"two ") + pack(CONTENT)
    assert _read_all(unpacked(BytesSource(packed))) == b"one two " + CONTENT


@pytest.mark.parametrize("garbage", [b"\0", b"x" * 5, b"x" * 100, b"\x1f\x8b"[:1]])
@pytest.mark.parametrize(("pack", "kind"), PACKS)
def test_garbage_behind_the_last_stream_is_ignored(
    pack: Pack, kind: Compression, garbage: bytes
) -> None:
    assert _read_all(unpacked(BytesSource(pack(CONTENT) + garbage))) == CONTENT


@pytest.mark.parametrize(("pack", "kind"), PACKS)
def test_a_stream_cut_anywhere_is_malformed(pack: Pack, kind: Compression) -> None:
    packed = pack(CONTENT)
    for size in (6, 7, 10, len(packed) // 2, len(packed) - 9, len(packed) - 1):
        with pytest.raises(MalformedModule, match="damaged"):
            _read_all(unpacked(BytesSource(packed[:size])))


@pytest.mark.parametrize(("pack", "kind"), PACKS)
def test_a_damaged_stream_is_malformed(pack: Pack, kind: Compression) -> None:
    packed = bytearray(pack(CONTENT))
    middle = len(packed) // 2
    packed[middle:] = b"\xff" * (len(packed) - middle)
    with pytest.raises(MalformedModule, match="damaged"):
        _read_all(unpacked(BytesSource(bytes(packed))))


@pytest.mark.parametrize(("pack", "kind"), PACKS)
def test_noise_behind_a_magic_is_malformed(pack: Pack, kind: Compression) -> None:
    head = pack(b"")[:6]
    with pytest.raises(PolymodError):
        _read_all(unpacked(BytesSource(head + b"\xff" * 1000)))


@pytest.mark.parametrize(("pack", "kind"), PACKS)
def test_a_bomb_is_refused_at_the_window(
    pack: Pack, kind: Compression, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "READ_WINDOW", 1 << 16)
    source = unpacked(BytesSource(pack(bytes(1 << 20)), "/bomb.ko"))
    with pytest.raises(MalformedModule, match="unpacks to more than 65536 bytes") as caught:
        _ = source.size
    assert caught.value.remedy


@pytest.mark.parametrize(("pack", "kind"), PACKS)
def test_exactly_the_window_is_allowed(
    pack: Pack, kind: Compression, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "READ_WINDOW", 1 << 16)
    source = unpacked(BytesSource(pack(bytes(1 << 16))))
    assert _read_all(source) == bytes(1 << 16)


@pytest.mark.parametrize(("pack", "kind"), PACKS)
def test_only_as_much_is_unpacked_as_is_asked_for(pack: Pack, kind: Compression) -> None:
    class Counting(BytesSource):
        asked = 0

        def _fetch(self, offset: int, size: int) -> bytes:
            data = super()._fetch(offset, size)
            self.asked = max(self.asked, offset + len(data))
            return data

    raw = Counting(pack(os.urandom(3 << 20)))
    assert len(unpacked(raw).read(0, 64)) == 64
    assert raw.asked < 1 << 20


def test_many_tiny_streams_cost_neither_stack_nor_time(run_bounded: RunBounded) -> None:
    source = """
import gzip, sys
from polymod.errors import MalformedModule
from polymod.source import BytesSource, unpacked
data = gzip.compress(b"x") + gzip.compress(b"") * int(sys.argv[1]) + gzip.compress(b"end")
try:
    print(unpacked(BytesSource(data)).size)
except MalformedModule as error:
    print("malformed")
"""
    assert run_bounded(source, "4000") == "4\n"
    assert run_bounded(source, "1000000") == "malformed\n"


def test_packed_bytes_that_unpack_to_nothing_end_at_the_window(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(limits, "READ_WINDOW", 1 << 16)
    empty_block = b"\0\0\0\xff\xff"  # RFC 1951, 3.2.4: stored, of no length
    packed = bytes.fromhex("1f8b08000000000000ff") + empty_block * (1 << 16)
    source = unpacked(BytesSource(packed, "/m.ko.gz"))
    with pytest.raises(MalformedModule, match="more than 65536 packed bytes"):
        source.read(0, 1)


def test_an_xz_header_cannot_ask_for_gigabytes(run_bounded: RunBounded) -> None:
    # The dictionary size of LZMA2 is one byte of the block header; 40 stands for 4 GiB - 1.
    # (The .xz file format, 5.3.1; the header's CRC32 is made right.)
    source = """
import lzma, struct, zlib
from polymod.errors import MalformedModule
from polymod.source import BytesSource, unpacked
packed = bytearray(lzma.compress(bytes(1000)))
size = (packed[12] + 1) * 4
block = packed[12:12 + size]
at = block.index(bytes([0x21, 0x01])) + 2
block[at] = 40
block[-4:] = struct.pack("<I", zlib.crc32(bytes(block[:-4])))
packed[12:12 + size] = block
try:
    unpacked(BytesSource(bytes(packed))).read(0, 10)
except MalformedModule as error:
    print("malformed")
"""
    assert run_bounded(source, memory=600 << 20) == "malformed\n"


@pytest.mark.parametrize(
    ("head", "expected"),
    [
        pytest.param(b"\x1f\x8b\x08", Compression.GZIP, id="gzip"),
        pytest.param(b"\xfd7zXZ\x00", Compression.XZ, id="xz"),
        pytest.param(b"\x28\xb5\x2f\xfd", Compression.ZSTD, id="zstd"),
        pytest.param(b"\xfd7zXZ", None, id="xz magic cut short"),
        pytest.param(b"\x28\xb5\x2f", None, id="zstd magic cut short"),
        pytest.param(b"\x7fELF\x02\x01", None, id="ELF"),
        pytest.param(b"BZh91A", None, id="bzip2 is no module's packing"),
        pytest.param(b"", None, id="nothing"),
    ],
)
def test_packing_is_known_by_magic(head: bytes, expected: Compression | None) -> None:
    assert packing(head) is expected


# -- bounds -----------------------------------------------------------------


@pytest.mark.parametrize(
    ("offset", "size"),
    [
        pytest.param(0, 11, id="one byte too many"),
        pytest.param(10, 1, id="just behind the end"),
        pytest.param(1 << 62, 1, id="far behind the end"),
        pytest.param((1 << 64) - 1, 8, id="more than an offset can be"),
        pytest.param(-1, 1, id="before the start"),
        pytest.param(0, -1, id="a negative size"),
        pytest.param(0, limits.READ_WINDOW + 1, id="more than the window"),
    ],
)
@pytest.mark.parametrize("kind", ["bytes", "file", "gzip"])
def test_what_is_not_all_there_is_malformed(
    kind: str, offset: int, size: int, tmp_path: Path
) -> None:
    source = _source(kind, b"0123456789", tmp_path)
    with pytest.raises(MalformedModule) as caught:
        source.read(offset, size, "the field")
    assert caught.value.field == "the field"
    assert caught.value.path == source.path
    source.close()


@pytest.mark.parametrize("kind", ["bytes", "file", "gzip"])
@pytest.mark.parametrize("size", [0, 1, HEAD - 1, HEAD, HEAD + 1, TAIL, TAIL + HEAD + 1, 100_000])
def test_every_range_of_a_file_reads_the_same(kind: str, size: int, tmp_path: Path) -> None:
    content = (b"0123456789abcdef" * (size // 16 + 1))[:size]
    source = _source(kind, content, tmp_path)
    edges = {0, 1, HEAD - 1, HEAD, size - TAIL - 1, size - TAIL, size - TAIL + 1, size // 2, size}
    edges = {edge for edge in edges if 0 <= edge <= size}
    assert source.head(64) == content[:64]
    for start in edges:
        for end in edges:
            if start <= end:
                assert source.read(start, end - start) == content[start:end]
    source.close()


def _source(kind: str, content: bytes, tmp_path: Path) -> ByteSource:
    if kind == "bytes":
        return BytesSource(content, "/m.ko")
    if kind == "gzip":
        return unpacked(BytesSource(gzip.compress(content), "/m.ko"))
    path = tmp_path / "m.ko"
    path.write_bytes(content)
    return FileSource(os.open(path, os.O_RDONLY), str(path), len(content))


def test_a_file_cut_short_while_it_is_read_is_malformed(tmp_path: Path) -> None:
    path = tmp_path / "m.ko"
    path.write_bytes(bytes(50_000))
    with FileSource(os.open(path, os.O_RDONLY), str(path), 50_000) as source:
        path.write_bytes(bytes(100))
        with pytest.raises(MalformedModule):
            source.read(20_000, 100)
        with pytest.raises(MalformedModule):
            source.read(49_000, 100)


def test_a_file_closes_once(tmp_path: Path) -> None:
    path = tmp_path / "m.ko"
    path.write_bytes(b"x")
    descriptor = os.open(path, os.O_RDONLY)
    source = FileSource(descriptor, str(path), 1)
    source.close()
    again = os.open(path, os.O_RDONLY)  # takes the same number
    source.close()
    assert again == descriptor
    os.close(again)


def test_a_view_is_made_once_and_a_failure_is_not_kept() -> None:
    made: list[int] = []

    def make(source: ByteSource) -> int:
        made.append(1)
        if len(made) == 1:
            raise MalformedModule("not yet", path=source.path)
        return source.size

    source = BytesSource(b"abc")
    with pytest.raises(MalformedModule):
        source.view(make)
    assert (source.view(make), source.view(make)) == (3, 3)
    assert len(made) == 2
