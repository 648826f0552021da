"""Fuzz the target `alias_pattern` of targets.py with atheris.

Run it with ``python tests/fuzz/fuzz_alias_pattern.py -max_total_time=3600 DIRECTORY``.
"""

from __future__ import annotations

import sys

from harness import entry_of, main

entry = entry_of("alias_pattern")

if __name__ == "__main__":
    main("alias_pattern", sys.argv[1:])
