"""Fuzz the target `cmdline` of targets.py with atheris.

Run it with ``python tests/fuzz/fuzz_cmdline.py -max_total_time=3600 DIRECTORY``.
"""

from __future__ import annotations

import sys

from harness import entry_of, main

entry = entry_of("cmdline")

if __name__ == "__main__":
    main("cmdline", sys.argv[1:])
