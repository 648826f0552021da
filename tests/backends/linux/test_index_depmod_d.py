"""depmod.d: where it is looked for, its lines, and lines that are none."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from polymod.hosts.local import LocalHost
from polymod.hosts.offline import OfflineHost
from polymod_linux.depmod_d import DepmodConfig, read_config

if TYPE_CHECKING:
    from pathlib import Path

RELEASE = "6.1.0-test"


def config_of(tmp_path: Path, text: str | bytes, release: str = RELEASE) -> DepmodConfig:
    data = text if isinstance(text, bytes) else text.encode()
    (tmp_path / "a.conf").write_bytes(data)
    return read_config(LocalHost(), release, [str(tmp_path)])


def test_without_any_file_updates_is_searched_first(tmp_path: Path) -> None:
    config = read_config(LocalHost(), RELEASE, [str(tmp_path / "none")])
    assert config == DepmodConfig(searches=("updates",))


def test_search_lines_add_up_and_replace_the_default(tmp_path: Path) -> None:
    config = config_of(tmp_path, "search extra\tbuilt-in\nsearch external weak-updates\n")
    assert config.searches == ("extra", "built-in", "external", "weak-updates")


def test_overrides_and_externals_hold_for_matching_releases_only(tmp_path: Path) -> None:
    text = (
        "override foo * kernel/x\n"
        "override bar 5.10.* extra\n"
        "override baz ^6[.]1[.]0-test$ weak\n"
        "external * /opt/modules\n"
        "external 7\\\\..* /opt/other\n"
    )
    config = config_of(tmp_path, text)
    assert config.overrides == ("kernel/x/foo", "weak/baz")
    assert config.externals == ("/opt/modules",)
    assert config.problems == ()


def test_names_to_exclude_add_up(tmp_path: Path) -> None:
    assert config_of(tmp_path, "exclude a b\nexclude c\n").excludes == {"a", "b", "c"}


def test_comments_blank_lines_and_old_commands_say_nothing(tmp_path: Path) -> None:
    text = "# search x\n\n   \t\nmake_map_files no\ninclude /etc/other\n"
    assert config_of(tmp_path, text).problems == ()
    assert config_of(tmp_path, text).searches == ("updates",)


def test_a_backslash_joins_lines_and_is_dropped_elsewhere(tmp_path: Path) -> None:
    config = config_of(tmp_path, "search one \\\n two\nexclude a\\b c\\\\d\n")
    assert config.searches == ("one", "two")
    assert config.excludes == {"ab", "c\\d"}


@pytest.mark.parametrize(
    "line",
    ["serach updates", "override foo *", "external *", "override"],
    ids=["an unknown word", "an override without directory", "half an external", "a bare word"],
)
def test_a_bad_line_is_told_with_its_place_and_skipped(tmp_path: Path, line: str) -> None:
    config = config_of(tmp_path, f"search a\n{line}\nsearch b\n")
    assert config.searches == ("a", "b")
    assert [problem.message.partition(": ")[0] for problem in config.problems] == [
        f"{tmp_path}/a.conf:2"
    ]


@pytest.mark.parametrize(
    "pattern",
    ["(a+)+b", "a**", "[a", "(?=x)", "a*a*a*a*a*a*a*a*x", "\\\\1", "x" * 300, "[[:nope:]]"],
    ids=[
        "nested repetitions",
        "doubled repetitions",
        "an open bracket",
        "a look-ahead",
        "many repetitions",
        "a back reference",
        "a very long one",
        "an unknown class",
    ],
)
def test_an_expression_that_could_take_long_is_a_problem_and_matches_nothing(
    tmp_path: Path, pattern: str
) -> None:
    config = config_of(tmp_path, f"override foo {pattern} dir\n", "a" * 60)
    assert config.overrides == ()
    assert len(config.problems) == 1


@pytest.mark.parametrize(
    ("pattern", "found"),
    [
        (".*-test", True),
        ("^6\\\\.1", True),
        ("6[[:punct:]]?", None),
        ("[[:digit:]]+[.]1", True),
        ("[^0-9.]est", True),
        ("[]t]est", True),
        ("^(5|6)[.]", True),
        ("6.1.0-prod|7", False),
        ("^1", False),
    ],
)
def test_expressions_mean_what_posix_says(tmp_path: Path, pattern: str, found: bool | None) -> None:
    config = config_of(tmp_path, f"override foo {pattern} dir\n")
    assert bool(config.overrides) is bool(found)
    assert bool(config.problems) is (found is None)


def test_a_file_hides_those_of_its_name_in_lower_directories(tmp_path: Path) -> None:
    high, low = tmp_path / "etc", tmp_path / "lib"
    high.mkdir()
    low.mkdir()
    (high / "b.conf").write_text("search high\n")
    (low / "b.conf").write_text("search hidden\n")
    (low / "a.conf").write_text("search first\n")
    (low / "c.conf").write_text("search last\n")
    config = read_config(LocalHost(), RELEASE, [str(high), str(low)])
    assert config.searches == ("first", "high", "last")
    assert config.files == (f"{low}/a.conf", f"{high}/b.conf", f"{low}/c.conf")


def test_only_files_that_end_in_conf_are_read(tmp_path: Path) -> None:
    for name in ("x.cfg", ".hidden.conf", ".conf", "x.conf~"):
        (tmp_path / name).write_text("search wrong\n")
    (tmp_path / "dir.conf").mkdir()
    config = read_config(LocalHost(), RELEASE, [str(tmp_path)])
    assert config.searches == ("updates",)
    assert [problem.path for problem in config.problems] == [f"{tmp_path}/dir.conf"]


def test_a_directory_may_be_a_file_as_for_depmods_option(tmp_path: Path) -> None:
    (tmp_path / "any.name").write_text("search it\n")
    config = read_config(LocalHost(), RELEASE, [str(tmp_path / "any.name")])
    assert config.searches == ("it",)


def test_an_image_has_its_own_configuration(tmp_path: Path) -> None:
    (tmp_path / "etc" / "depmod.d").mkdir(parents=True)
    (tmp_path / "etc" / "depmod.d" / "x.conf").write_text("search of-the-image\n")
    assert read_config(OfflineHost(str(tmp_path)), RELEASE).searches == ("of-the-image",)


@given(data=st.binary(max_size=200), start=st.sampled_from([b"override f ", b"external ", b""]))
def test_any_bytes_are_read_without_an_exception(
    tmp_path_factory: pytest.TempPathFactory, data: bytes, start: bytes
) -> None:
    config = config_of(tmp_path_factory.mktemp("d"), start + data)
    assert all(problem.path for problem in config.problems)
