"""Fuzz the target `index_facts` of targets.py with atheris.

Run it with ``python tests/fuzz/fuzz_index_facts.py -max_total_time=3600 DIRECTORY``.
"""

from __future__ import annotations

import sys

from harness import entry_of, main

entry = entry_of("index_facts")

if __name__ == "__main__":
    main("index_facts", sys.argv[1:])
