"""Fuzz the target `module` of targets.py with atheris.

Run it with ``python tests/fuzz/fuzz_module.py -max_total_time=3600 DIRECTORY``.
"""

from __future__ import annotations

import sys

from harness import entry_of, main

entry = entry_of("module")

if __name__ == "__main__":
    main("module", sys.argv[1:])
