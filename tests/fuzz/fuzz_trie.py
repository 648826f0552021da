"""Fuzz the target `trie` of targets.py with atheris.

Run it with ``python tests/fuzz/fuzz_trie.py -max_total_time=3600 DIRECTORY``.
"""

from __future__ import annotations

import sys

from harness import entry_of, main

entry = entry_of("trie")

if __name__ == "__main__":
    main("trie", sys.argv[1:])
