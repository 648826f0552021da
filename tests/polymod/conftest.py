"""Hosts over small trees."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from polymod.hosts.local import LocalHost
from polymod.hosts.offline import OfflineHost

if TYPE_CHECKING:
    from pathlib import Path

    from polymod.hosts.base import Host


@pytest.fixture(params=["local", "root"])
def host(request: pytest.FixtureRequest, tmp_path: Path) -> Host:
    """Both hosts over one directory, which is the working directory of the local one."""
    if request.param == "root":
        return OfflineHost(str(tmp_path))
    request.getfixturevalue("monkeypatch").chdir(tmp_path)
    return LocalHost()


@pytest.fixture
def image(tmp_path: Path) -> tuple[OfflineHost, Path]:
    """A root, beside it what must never be read from inside."""
    root = tmp_path / "image"
    (root / "etc").mkdir(parents=True)
    (root / "lib" / "modules").mkdir(parents=True)
    (root / "etc" / "inside").write_bytes(b"inside")
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc" / "inside").write_bytes(b"OUTSIDE")
    (tmp_path / "outside").write_bytes(b"OUTSIDE")
    return OfflineHost(str(root)), root
