"""Byte sources: bounds-checked random access over a file, bytes, or a packed stream.

Readers take a `ByteSource` and never an open file, so they work the same on
this machine, inside an offline root, over a wire and on a recording. What a
source cannot give whole is a `MalformedModule` with the offset; a short answer
does not exist.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, TypeVar

from polymod import limits
from polymod.errors import MalformedModule, UnsupportedOperation

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Protocol, Self

    from polymod.model.files import Compression

    class Decompressor(Protocol):
        """The common shape of lzma's, zlib's and zstd's decompressor objects."""

        @property
        def eof(self) -> bool: ...
        @property
        def unused_data(self) -> bytes: ...
        @property
        def needs_input(self) -> bool: ...
        def decompress(self, data: bytes, max_length: int, /) -> bytes: ...


T = TypeVar("T")

#: Bytes fetched with the first read: enough for any header and to tell formats apart.
HEAD = 4096

#: Bytes fetched with the first read near the end of a file.
TAIL = 8192


class ByteSource:
    """Random access to `size` bytes known as `path`; subclasses fetch them.

    `compression` says how they are packed on disk (None: not at all) and
    `stored_size` how many bytes that takes there.
    """

    compression: Compression | None = None

    def __init__(self, path: str, size: int) -> None:
        self.path = path
        self._size = size
        self._head: bytes | None = None
        self._views: dict[object, object] = {}

    @property
    def size(self) -> int:
        """Length in bytes of what can be read."""
        return self._size

    @property
    def stored_size(self) -> int:
        """Length in bytes on disk, before unpacking."""
        return self._size

    def _fetch(self, offset: int, size: int) -> bytes:
        """Up to `size` bytes at `offset`; short only where the source ends."""
        raise UnsupportedOperation("source", "read", f"{type(self).__name__} cannot fetch")

    def head(self, size: int) -> bytes:
        """The first `size` bytes (at most 4096), or fewer if the source is shorter."""
        if self._head is None:
            self._head = self._fetch(0, HEAD)
        return self._head[:size]

    def read(self, offset: int, size: int, field: str | None = None) -> bytes:
        """Exactly `size` bytes at `offset`.

        Raises MalformedModule, naming `field`, where they are not all there or
        are more than the read window.
        """
        if offset < 0 or size < 0 or size > limits.READ_WINDOW:
            raise MalformedModule(
                f"asks for {size} bytes, more than the limit of {limits.READ_WINDOW}",
                path=self.path,
                offset=max(offset, 0),
                field=field,
            )
        head = self._head
        if head is not None and offset + size <= len(head):
            return head[offset : offset + size]
        data = self._fetch(offset, size)
        if len(data) != size:
            raise MalformedModule(
                f"ends at {self.size} bytes, {offset + size} are needed",
                path=self.path,
                offset=offset,
                field=field,
            )
        return data

    def view(self, make: Callable[[ByteSource], T]) -> T:
        """What `make` reads out of this source, made once and shared by all who ask.

        Several backends look at the same ELF headers; a failure is not kept.
        """
        found = self._views.get(make)
        if found is None:
            found = self._views[make] = make(self)
        return found  # type: ignore[return-value]  # keyed by the maker of exactly T

    def close(self) -> None:
        """Give back what the source holds, open or in memory; calling it again does nothing."""
        # Views refer to their source: this ring would keep an unpacked file until a collection.
        self._views.clear()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class BytesSource(ByteSource):
    """A source over bytes in memory."""

    def __init__(self, data: bytes, path: str = "<bytes>") -> None:
        super().__init__(path, len(data))
        self._data = data

    def _fetch(self, offset: int, size: int) -> bytes:
        return self._data[offset : offset + size]


class FileSource(ByteSource):
    """A source over an open file descriptor, which it owns and closes.

    Reads go by position (``pread``), never through a mapping: a file that
    another process cuts short must cost an error, not a SIGBUS.
    """

    def __init__(self, descriptor: int, path: str, size: int) -> None:
        super().__init__(path, size)
        self._descriptor = descriptor
        # Section headers, names and signatures crowd at the end: one read serves them.
        self._tail = b""
        self._tail_offset = max(size - TAIL, 0)

    def _fetch(self, offset: int, size: int) -> bytes:
        start = offset - self._tail_offset
        if start < 0:
            return self._fetch_raw(offset, size)
        if not self._tail:
            self._tail = self._fetch_raw(self._tail_offset, TAIL)
        return self._tail[start : start + size]

    def _fetch_raw(self, offset: int, size: int) -> bytes:
        if not self._size:  # a file of /proc may be one whose reading takes something away
            return b""
        try:
            data = _pread(self._descriptor, size, offset)
            while 0 < len(data) < size and offset + len(data) < self._size:
                more = _pread(self._descriptor, size - len(data), offset + len(data))
                if not more:
                    break
                data += more
        except (OSError, OverflowError) as error:
            raise MalformedModule(
                f"cannot be read: {error}", path=self.path, offset=offset, remedy="check the disk"
            ) from error
        return data

    def close(self) -> None:
        super().close()
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1


if hasattr(os, "pread"):
    _pread = os.pread
else:  # Windows has no pread; a source is not shared between threads

    def _pread(descriptor: int, size: int, offset: int, /) -> bytes:
        os.lseek(descriptor, offset, os.SEEK_SET)
        return os.read(descriptor, size)


class PackedSource(ByteSource):
    """The unpacked bytes of a gzip, xz or zstd stream, unpacked only as far as asked.

    Streams of the same kind that follow each other count as one, as the tools
    treat them; anything else behind the last stream is ignored.
    """

    def __init__(self, raw: ByteSource, compression: Compression) -> None:
        super().__init__(raw.path, 0)
        self.compression = compression
        self._raw = raw
        self._raw_offset = 0
        self._data = bytearray()
        self._make, self._foreign = _codec(compression)
        self._decompressor = self._make()
        self._done = False
        self._rest = b""
        self._streams = 1

    @property
    def size(self) -> int:
        self._unpack(limits.READ_WINDOW + 1)
        return len(self._data)

    @property
    def stored_size(self) -> int:
        return self._raw.size

    def close(self) -> None:
        super().close()
        self._raw.close()

    def _fetch(self, offset: int, size: int) -> bytes:
        self._unpack(min(offset + size, limits.READ_WINDOW + 1))
        return bytes(memoryview(self._data)[offset : offset + size])

    def _unpack(self, upto: int) -> None:
        while len(self._data) < upto and not self._done:
            at = self._raw_offset
            chunk = self._raw_chunk(_CHUNK if self._data else HEAD)
            try:
                if self._decompressor.needs_input and not chunk:
                    raise EOFError("it ends in the middle")
                self._feed(chunk)
            except self._foreign as error:
                raise MalformedModule(
                    f"damaged {self.compression} data: {error}", path=self.path, offset=at
                ) from error

    def _raw_chunk(self, size: int) -> bytes:
        if self._rest or not self._decompressor.needs_input:
            chunk, self._rest = self._rest, b""
            return chunk
        if self._raw_offset > limits.READ_WINDOW:  # empty blocks, frames to skip, and more of them
            raise MalformedModule(
                f"takes more than {limits.READ_WINDOW} packed bytes",
                path=self.path,
                offset=self._raw_offset,
                remedy="no module packs so badly: fetch or build the file again",
            )
        chunk = self._raw._fetch(self._raw_offset, size)
        self._raw_offset += len(chunk)
        return chunk

    def _feed(self, chunk: bytes) -> None:
        """Unpack at most one step's worth, so that a bomb is noticed at the limit."""
        room = limits.READ_WINDOW + 1 - len(self._data)
        self._data += self._decompressor.decompress(chunk, min(room, _STEP))
        if len(self._data) > limits.READ_WINDOW:
            raise MalformedModule(
                f"unpacks to more than {limits.READ_WINDOW} bytes",
                path=self.path,
                offset=self._raw_offset,
                remedy="a decompression bomb, or full of debug information: strip it first",
            )
        if self._decompressor.eof:
            rest = self._decompressor.unused_data
            if len(rest) < _MAGIC_BYTES:
                more = self._raw._fetch(self._raw_offset, _MAGIC_BYTES)
                self._raw_offset += len(more)
                rest += more
            self._done = packing(rest) is not self.compression
            if not self._done:
                self._next_stream(rest)

    def _next_stream(self, rest: bytes) -> None:
        """Go on with the stream that begins with `rest`, if there were not too many."""
        self._streams += 1
        if self._streams > limits.STREAMS:
            raise MalformedModule(
                f"more than {limits.STREAMS} packed streams behind each other",
                path=self.path,
                offset=self._raw_offset,
            )
        self._decompressor, self._rest = self._make(), rest


_MAGIC_BYTES = 6
_CHUNK = 1 << 18
_STEP = 1 << 22


class _Gunzip:
    """zlib's gzip decoder in the shape that lzma's and zstd's have."""

    def __init__(self) -> None:
        import zlib

        self._object = zlib.decompressobj(wbits=31)

    @property
    def eof(self) -> bool:
        return self._object.eof

    @property
    def unused_data(self) -> bytes:
        return self._object.unused_data

    @property
    def needs_input(self) -> bool:
        return not self._object.unconsumed_tail and not self._object.eof

    def decompress(self, data: bytes, max_length: int) -> bytes:
        return self._object.decompress(self._object.unconsumed_tail + data, max_length)


def _codec(
    compression: Compression,
) -> tuple[Callable[[], Decompressor], tuple[type[Exception], ...]]:
    """The maker of a decompressor, and the exceptions by which it reports damage."""
    from polymod.model.files import Compression

    if compression is Compression.GZIP:
        import zlib

        return _Gunzip, (zlib.error, EOFError)
    if compression is Compression.XZ:
        import lzma

        def unxz() -> Decompressor:
            return lzma.LZMADecompressor(lzma.FORMAT_XZ, limits.XZ_MEMORY)

        return unxz, (lzma.LZMAError, EOFError)
    return _zstd()


def _zstd() -> tuple[Callable[[], Decompressor], tuple[type[Exception], ...]]:
    import sys

    try:
        if sys.version_info >= (3, 14):
            from compression import zstd
        else:
            from backports import zstd
    except ImportError as error:
        raise UnsupportedOperation(
            "source",
            "read a zstd file",
            f"no zstd decoder: {error}",
            remedy="install the package backports.zstd",
        ) from error
    return zstd.ZstdDecompressor, (zstd.ZstdError, EOFError)


def packing(head: bytes) -> Compression | None:
    """The compression that the first six bytes announce, None for none.

    Magic numbers: RFC 1952 section 2.3.1, the .xz file format section 2.1.1.1,
    RFC 8878 section 3.1.1. File names are never asked.
    """
    first = head[:2]
    if first not in (b"\x1f\x8b", b"\xfd7", b"\x28\xb5"):
        return None
    from polymod.model.files import Compression

    if first == b"\x1f\x8b":
        return Compression.GZIP
    if head[:6] == b"\xfd7zXZ\x00":
        return Compression.XZ
    return Compression.ZSTD if head[:4] == b"\x28\xb5\x2f\xfd" else None


def unpacked(raw: ByteSource) -> ByteSource:
    """The source itself, or the unpacked one over it where its magic says it is packed."""
    compression = packing(raw.head(_MAGIC_BYTES))
    return raw if compression is None else PackedSource(raw, compression)
