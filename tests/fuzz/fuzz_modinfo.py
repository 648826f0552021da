"""Fuzz the target `modinfo` of targets.py with atheris.

Run it with ``python tests/fuzz/fuzz_modinfo.py -max_total_time=3600 DIRECTORY``.
"""

from __future__ import annotations

import sys

from harness import entry_of, main

entry = entry_of("modinfo")

if __name__ == "__main__":
    main("modinfo", sys.argv[1:])
