"""The bounds that keep hostile input cheap, all in one place.

Sizes are bytes. They are generous against everything that Debian's, Fedora's
and FreeBSD's kernels ship; whoever needs more can raise one for the process.
"""

from __future__ import annotations

from typing import Final

#: One read, and the whole of a decompressed stream, never exceeds this.
READ_WINDOW: int = 64 << 20

#: Packed streams behind each other in one file.
STREAMS: Final = 4096

#: Memory for unpacking xz; ``xz -9`` takes 65 MiB, zstd refuses more than 128 by itself.
XZ_MEMORY: Final = 128 << 20

#: Entries in an ELF section header table (the format allows 2**32).
ELF_SECTIONS: Final = 65536

#: The names of all sections of one ELF file; a module has some 600 bytes.
SECTION_NAMES: Final = 4 << 20

#: Symbols read from one file; Linux's largest module has some 45,000.
SYMBOLS: Final = 1 << 18

#: Imports or exports of one module; Debian's kernels have up to 1,300.
LINKED_SYMBOLS: Final = 1 << 16

#: Relocations of an export table, read by pyelftools, which takes its time.
RELOCATIONS: Final = 1 << 13

#: One string of a string table; the kernel's names end at 512.
STRING: Final = 4096

#: A signature with its certificates; real ones have some thousand bytes.
SIGNATURE: Final = 1 << 20

#: A module's own information section; the largest in Debian's kernels has 76 kB.
MODINFO_BYTES: Final = 512 << 10

#: The table of imported symbols' CRCs; the largest in Debian's kernels has 79 kB.
VERSIONS_BYTES: Final = 4 << 20

#: A text configuration or index file; Debian's modules.alias is 1.5 MB.
TEXT_FILE: Final = 64 << 20

#: Symbolic links followed while one path is resolved (Linux: MAXSYMLINKS).
SYMLINKS: Final = 40

#: Directories nested below a scanned path.
WALK_DEPTH: Final = 128

#: The same in a scan, which keeps no directory open; Linux's longest path has 2,048.
SCAN_DEPTH: Final = 4096

#: Directories looked through for the modules of one kernel, links to others included.
MODULE_DIRECTORIES: Final = 1 << 16

#: Nested structures in signatures, dependency recursion and the like.
NESTING: Final = 64

#: One path; Linux's PATH_MAX is 4,096.
PATH: Final = 1 << 16

#: A transcript of a host: what is kept of its files, and the file it is kept in.
TRANSCRIPT: int = 512 << 20
