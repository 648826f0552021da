"""Fuzz the target `elf_full` of targets.py with atheris.

Run it with ``python tests/fuzz/fuzz_elf_full.py -max_total_time=3600 DIRECTORY``.
"""

from __future__ import annotations

import sys

from harness import entry_of, main

entry = entry_of("elf_full")

if __name__ == "__main__":
    main("elf_full", sys.argv[1:])
