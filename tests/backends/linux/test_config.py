"""Which configuration files count, in which order, and what they add up to."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from polymod.hosts.offline import OfflineHost
from polymod.model.base import Origin
from polymod_linux.config import DIRECTORIES, Config, read_config
from polymod_linux.modprobe_d import parse

if TYPE_CHECKING:
    from pathlib import Path

SOFT = {"modules.softdep": ("/tree/modules.softdep", b"# head\nsoftdep a pre: from-tree\n")}


def root(path: Path, files: dict[str, str]) -> OfflineHost:
    for name, text in files.items():
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_text(text)
    return OfflineHost(str(path))


def config(text: str) -> Config:
    return Config(parse(text.encode(), "/etc/modprobe.d/x.conf")[0])


def test_a_file_hides_its_namesakes_in_lower_directories(tmp_path: Path) -> None:
    files = {
        f"{directory[1:]}/same.conf": f"blacklist from_{number}\n"
        for number, directory in enumerate(DIRECTORIES)
    }
    found = read_config(root(tmp_path, files), {})
    assert found.blacklisted("from_0") is not None
    assert not any(found.blacklisted(f"from_{number}") for number in (1, 2, 3, 4))
    assert found.files == ("/etc/modprobe.d/same.conf",)


def test_files_are_read_in_byte_order_of_their_names_whatever_their_directory(
    tmp_path: Path,
) -> None:
    files = {
        "etc/modprobe.d/b.conf": "options m 2",
        "usr/lib/modprobe.d/a.conf": "options m 1",
        "run/modprobe.d/Z.conf": "options m 0",
        "lib/modprobe.d/é.conf": "options m 4",
        "usr/local/lib/modprobe.d/c.conf": "options m 3",
    }
    assert read_config(root(tmp_path, files), {}).options("m") == "0 1 2 3 4"


def test_only_names_ending_in_conf_count(tmp_path: Path) -> None:
    names = ("a.conf", "b.txt", ".conf", ".hidden.conf", "c.conf~", "d.alias")
    files = {f"etc/modprobe.d/{name}": f"options m {name}" for name in names}
    assert read_config(root(tmp_path, files), {}).options("m") == "a.conf"


@pytest.mark.parametrize(
    ("name", "wins"),
    [("a.conf", "from-conf"), ("modulet.conf", "from-tree"), ("z.conf", "from-tree")],
)
def test_the_kernels_own_softdeps_take_their_place_by_name(
    tmp_path: Path, name: str, wins: str
) -> None:
    host = root(tmp_path, {f"etc/modprobe.d/{name}": "softdep a pre: from-conf"})
    softdep = read_config(host, SOFT).softdep("a")
    assert softdep is not None
    assert softdep.pre == (wins,)


def test_a_softdep_of_the_kernel_names_its_line(tmp_path: Path) -> None:
    softdep = read_config(root(tmp_path, {}), SOFT).softdep("a")
    assert softdep is not None
    assert softdep.origin == Origin("/tree/modules.softdep", 2)


def test_a_link_to_dev_null_hides_a_file_even_in_an_image_without_dev(tmp_path: Path) -> None:
    host = root(tmp_path, {"usr/lib/modprobe.d/x.conf": "blacklist m", "etc/modprobe.d/y.conf": ""})
    (tmp_path / "etc/modprobe.d/x.conf").symlink_to("/dev/null")
    found = read_config(host, {})
    assert found.blacklisted("m") is None
    assert found.problems == ()


def test_what_cannot_be_read_is_a_problem_and_the_rest_counts(tmp_path: Path) -> None:
    host = root(tmp_path, {"etc/modprobe.d/good.conf": "blacklist m\nnonsense\n"})
    (tmp_path / "etc/modprobe.d/dir.conf").mkdir()
    (tmp_path / "etc/modprobe.d/loop.conf").symlink_to("loop.conf")
    found = read_config(host, {})
    assert found.blacklisted("m") is not None
    places = [str(problem.origin) for problem in found.problems]
    assert "/etc/modprobe.d/dir.conf" in places
    assert "/etc/modprobe.d/loop.conf" in places
    assert "/etc/modprobe.d/good.conf:2" in places


def test_single_files_can_stand_for_all_directories(tmp_path: Path) -> None:
    host = root(tmp_path, {"etc/modprobe.d/a.conf": "options m 1", "my/file": "options m 2"})
    assert read_config(host, {}, ["/my/file"]).options("m") == "2"


def test_the_command_line_comes_last(tmp_path: Path) -> None:
    files = {
        "etc/modprobe.d/zz.conf": "options m 1",
        "proc/cmdline": "m.x=2 modprobe.blacklist=n module_blacklist=o\n",
    }
    found = read_config(root(tmp_path, files), {})
    assert found.options("m") == "1 x=2"
    assert found.blacklisted("n") is not None
    assert found.refused == {"o"}


def test_all_options_add_up_also_those_of_the_alias_used() -> None:
    found = config("options real a=1\noptions nick b=2\noptions real c=3\n")
    assert found.options("real") == "a=1 c=3"
    assert found.options("real", "nick") == "a=1 b=2 c=3"


def test_the_first_install_line_that_matches_counts_and_may_be_a_pattern() -> None:
    found = config("install snd-* one\ninstall snd_pcsp two\nremove snd_pcsp three\n")
    install, remove = found.install("snd_pcsp"), found.remove("snd_pcsp")
    assert install is not None
    assert install.command == "one"
    assert remove is not None
    assert remove.command == "three"
    assert found.install("usbcore") is None


def test_a_command_is_looked_up_by_its_exact_name_install_first() -> None:
    found = config("remove a r\ninstall a i\nremove b r\ninstall c* i\n")
    commands = {name: found.command_called(name) for name in ("a", "b", "cc")}
    assert commands["a"] is not None
    assert not commands["a"].removes
    assert commands["b"] is not None
    assert commands["b"].removes
    assert commands["cc"] is None


def test_only_the_first_softdep_and_weakdep_that_match_count() -> None:
    found = config("softdep a* pre: x\nsoftdep ab pre: y\nweakdep ab v w\nweakdep ab z\n")
    softdep, weakdep = found.softdep("ab"), found.weakdep("ab")
    assert softdep is not None
    assert softdep.pre == ("x",)
    assert weakdep is not None
    assert weakdep.weak == ("v", "w")
