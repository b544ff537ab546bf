"""The installer: what it says when it cannot, and that it does nothing twice. No package is fetched here."""

import sys
from pathlib import Path

import pytest

from sdr.local import install


@pytest.fixture(autouse=True)
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty checkout with lock files."""
    monkeypatch.setattr(install, "CHECKOUT", tmp_path)
    monkeypatch.setattr(install, "VENV", tmp_path / ".venv")
    monkeypatch.setattr(install, "PYTHON", tmp_path / ".venv/bin/python")
    monkeypatch.setattr(install, "REQUIREMENTS", tmp_path / "requirements")
    (tmp_path / "requirements").mkdir()
    for name in ("base", "dev", "uv"):
        (tmp_path / "requirements" / f"{name}.txt").write_text(f"# {name}\n")
    return tmp_path


def uv_that(checkout: Path, script: str) -> Path:
    """Put a program in the place of uv; returns the file in which it notes how it was called."""
    calls = checkout / "calls"
    uv = checkout / ".venv/bin/uv"
    uv.write_text(f'#!/bin/sh\n[ "$1" = --version ] && exit 0\necho "$@" >> {calls}\n{script}\n')
    uv.chmod(0o755)
    return calls


def test_it_names_the_python_it_needs(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys, "version_info", (3, 9, 2))
    assert install.main(["base"]) == 1
    assert "Python 3.11 or newer is needed" in capsys.readouterr().err
    assert not install.VENV.exists()


def test_it_says_how_much_disk_it_needs(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(install, "DISK_BYTES", 10**18)
    assert install.main(["base"]) == 1
    assert "MB are free on the disk of" in capsys.readouterr().err
    assert not install.VENV.exists()


def test_it_installs_once_for_each_lock_file(checkout: Path) -> None:
    install._make_venv()
    calls = uv_that(checkout, "exit 0")
    assert [install.main(["base"]), install.main(["base"])] == [0, 0]
    assert [line.rpartition("/")[2] for line in calls.read_text().split("\n")] == ["base.txt", ""]
    assert "--require-hashes" in calls.read_text()
    (checkout / "requirements/base.txt").write_text("# newer\n")
    assert install.main(["base"]) == 0
    assert calls.read_text().count("base.txt") == 2


def test_it_never_takes_the_developers_packages_away(checkout: Path) -> None:
    install._make_venv()
    calls = uv_that(checkout, "exit 0")
    assert [install.main(["dev"]), install.main(["base"])] == [0, 0]
    (checkout / "requirements/dev.txt").write_text("# newer\n")
    assert install.main(["base"]) == 0
    assert [line.rpartition("/")[2] for line in calls.read_text().split()[-1:]] == ["dev.txt"]
    assert "base.txt" not in calls.read_text()


def test_it_says_what_to_do_without_a_network_and_tries_again(
    checkout: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    install._make_venv()
    calls = uv_that(checkout, "exit 2")
    assert install.main(["base"]) == 1
    assert "If the network is away, connect" in capsys.readouterr().err
    assert install.main(["base"]) == 1
    assert calls.read_text().count("base.txt") == 2


def test_it_replaces_a_half_made_environment(checkout: Path) -> None:
    (checkout / ".venv/bin").mkdir(parents=True)
    (checkout / ".venv/bin/python").write_text("not a program")
    assert not install._works()
    install._make_venv()
    assert install._works()
