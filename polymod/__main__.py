"""``python -m polymod``."""

from polymod.cli import main

main()
