"""Makes the generated documents, or tells which of them are stale.

::

    python docs/generate.py            # write them
    python docs/generate.py --check    # change nothing; 1 where one is stale
    python docs/generate.py --consoles # put real output into the console blocks of the prose

These are the JSON Schemas, the man pages, the completion scripts and the
reference pages. They are made out of the code and never edited by hand.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from generators import cli_page, completion, console, man, reference
from polymod import schema

DOCS = Path(__file__).resolve().parent


def documents() -> dict[str, str]:
    """Every generated document, by its path below docs/."""
    made = {
        "reference/cli.md": cli_page.page(),
        "reference/api.md": reference.api(),
        "reference/records.md": reference.records(),
        "reference/errors.md": reference.error_page(),
        "reference/hooks.md": reference.hooks(),
    }
    made |= {f"schema/{name}": text for name, text in schema.documents().items()}
    made |= {f"man/{name}": text for name, text in man.pages().items()}
    made |= {f"completion/{name}": text for name, text in completion.scripts().items()}
    return made


def stale(wanted: dict[str, str]) -> list[str]:
    """The documents that are not there, not current, or not made any more."""
    found = []
    for name, text in wanted.items():
        path = DOCS / name
        present = path.read_text("utf-8") if path.exists() else None
        # Another version of click writes other completion scripts, which are as good.
        by_other_click = (
            name.startswith("completion/")
            and present is not None
            and not present.endswith(completion.mark() + "\n")
        )
        if present != text and not by_other_click:
            found.append(name)
    return found + [name for name in _generated() if name not in wanted]


def _generated() -> list[str]:
    """What lies in the folders that hold nothing but generated documents."""
    return [
        str(path.relative_to(DOCS))
        for folder in ("schema", "man", "completion", "reference")
        for path in sorted((DOCS / folder).iterdir())
    ]


def write(wanted: dict[str, str]) -> None:
    """Write every document, and remove those that are not made any more."""
    for name, text in wanted.items():
        path = DOCS / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8", newline="\n")
    for name in _generated():
        if name not in wanted:
            (DOCS / name).unlink()


def refresh_consoles() -> None:
    """Run the console blocks of every page and put in what they really say."""
    for page in console.pages():
        text = page.read_text("utf-8")
        with tempfile.TemporaryDirectory() as directory:
            new = console.refreshed(text, Path(directory))
        if new != text:
            page.write_text(new, "utf-8", newline="\n")


def main() -> int:
    """Do what the arguments say; the exit code."""
    if sys.argv[1:] == ["--consoles"]:
        refresh_consoles()
        return 0
    wanted = documents()
    if sys.argv[1:] != ["--check"]:
        write(wanted)
        return 0
    found = stale(wanted)
    for name in found:
        sys.stderr.write(f"stale: docs/{name}; run python docs/generate.py\n")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
