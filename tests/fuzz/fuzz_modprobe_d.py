"""Fuzz the target `modprobe_d` of targets.py with atheris.

Run it with ``python tests/fuzz/fuzz_modprobe_d.py -max_total_time=3600 DIRECTORY``.
"""

from __future__ import annotations

import sys

from harness import entry_of, main

entry = entry_of("modprobe_d")

if __name__ == "__main__":
    main("modprobe_d", sys.argv[1:])
