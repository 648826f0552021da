"""The index files of real kernels equal depmod's byte for byte, and modprobe reads ours alike."""

from __future__ import annotations

import os
import random
import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest
from trees import Tree, cache_directory, seed, trees

from polymod.hosts.base import Edit
from polymod.hosts.local import LocalHost
from polymod_linux.depmod_d import DepmodConfig
from polymod_linux.index_trie import Layout
from polymod_linux.indexer import FILES, LinuxIndexer
from polymod_linux.stored import StoredIndex

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.corpus

KMOD = shutil.which("depmod") is not None and shutil.which("modprobe") is not None
TREES = trees() if KMOD else []
SEED = seed()
QUESTIONS = 60


def test_there_is_a_corpus_to_index() -> None:
    if TREES:
        return
    reason = f"no corpus in {cache_directory()}" if KMOD else "kmod is not installed"
    if os.environ.get("POLYMOD_REQUIRE_ALL") == "1":
        pytest.fail(reason)
    pytest.skip(reason)


def copied(tree: Tree, root: Path) -> Path:
    """A module directory below `root` that leads to the modules of `tree` but can be written."""
    directory = root / "lib" / "modules" / tree.release
    directory.mkdir(parents=True)
    for entry in tree.directory.iterdir():
        if entry.name in FILES or entry.name in ("build", "source"):
            continue
        if entry.is_dir():
            (directory / entry.name).symlink_to(entry)
        else:
            shutil.copy(entry, directory)
    return directory


def answer(root: Path, release: str, *arguments: str) -> list[str]:
    """The lines modprobe prints about the modules below `root`, the root taken out."""
    argv = ["modprobe", "-C", str(root / "none.d"), "-S", release, "-d", str(root), *arguments]
    done = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=60)
    return done.stdout.replace(str(root), "").splitlines()


def concrete(pattern: str, choice: random.Random) -> str:
    """A string that the alias `pattern` may match."""
    text = pattern
    while "[" in text:
        before, _, rest = text.partition("[")
        inside, _, after = rest.partition("]")
        text = before + inside[:1] + after
    for _ in range(text.count("*")):
        text = text.replace("*", choice.choice(["", "0", "00001234", "a-b"]), 1)
    return text.replace("?", "x")


@pytest.mark.parametrize("tree", TREES, ids=lambda tree: f"of {tree.release}")
def test_index_files_equal_depmods_and_answer_alike(tree: Tree, tmp_path: Path) -> None:
    theirs, ours = tmp_path / "theirs", tmp_path / "ours"
    reference, directory = copied(tree, theirs), copied(tree, ours)
    for root in (theirs, ours):
        (root / "none.d").mkdir()
    argv = ["depmod", "-b", str(theirs), "-C", str(theirs / "none.d"), tree.release]
    subprocess.run(argv, check=True, capture_output=True, timeout=600)
    host = LocalHost()
    indexer = LinuxIndexer(host, directory=str(directory), config=DepmodConfig())
    indexer.build()
    assert indexer.problems == []
    compared = [name for name in FILES if (reference / name).exists()]
    assert set(FILES) - set(compared) <= {"modules.weakdep"}
    wrong = [
        name
        for name in compared
        if (reference / name).read_bytes() != (directory / name).read_bytes()
    ]
    assert wrong == []
    assert list(indexer.check()) == []
    compare_answers(theirs, ours, directory, tree.release)


def compare_answers(theirs: Path, ours: Path, directory: Path, release: str) -> None:
    """Ask modprobe about its own files and about ours in the other layout, and ask ours."""
    host = LocalHost()
    options = {"directory": str(directory), "config": DepmodConfig(), "layout": Layout.PRE_ORDER}
    _, contents = LinuxIndexer(host, **options).contents()  # type: ignore[arg-type]  # by name
    host.write([Edit(f"{directory}/{content.name}", content.data) for content in contents])
    index = StoredIndex(host, str(directory))
    choice = random.Random(SEED)
    for name in choice.sample(list(index.paths()), QUESTIONS):
        expected = answer(theirs, release, "--show-depends", "--ignore-install", name)
        assert answer(ours, release, "--show-depends", "--ignore-install", name) == expected
        loaded = {line.split()[1].removeprefix(f"/lib/modules/{release}/") for line in expected}
        assert {*index.closure(name), index.paths()[name]} <= loaded
    patterns = [
        line.split()[1]
        for line in (directory / "modules.alias").read_text("utf-8", "surrogateescape").splitlines()
        if line.startswith("alias")
    ]
    for pattern in choice.sample(patterns, QUESTIONS):
        question = concrete(pattern, choice)
        expected = answer(theirs, release, "-R", question)
        assert answer(ours, release, "-R", question) == expected
        if question.replace("-", "_") in index.paths():
            continue  # also a module's name, which modprobe asks first
        found = [hit.module for hit in index.aliases(question)]
        assert found == expected or (not found and len(expected) < 2), f"POLYMOD_SEED={SEED}"
