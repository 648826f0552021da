"""Fuzz the target `packed` of targets.py with atheris.

Run it with ``python tests/fuzz/fuzz_packed.py -max_total_time=3600 DIRECTORY``.
"""

from __future__ import annotations

import sys

from harness import entry_of, main

entry = entry_of("packed")

if __name__ == "__main__":
    main("packed", sys.argv[1:])
