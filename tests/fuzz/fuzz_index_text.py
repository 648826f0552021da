"""Fuzz the target `index_text` of targets.py with atheris.

Run it with ``python tests/fuzz/fuzz_index_text.py -max_total_time=3600 DIRECTORY``.
"""

from __future__ import annotations

import sys

from harness import entry_of, main

entry = entry_of("index_text")

if __name__ == "__main__":
    main("index_text", sys.argv[1:])
