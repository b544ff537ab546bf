"""A place for embedded clusters that PostgreSQL's own user may enter (a home or pytest's directory is closed to it)."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from sdr.local.embedded import Cluster


@pytest.fixture(scope="session")
def base() -> Iterator[Path]:
    """One EMBEDDED_BASE for the run, so that the programs are copied once."""
    path = Path(tempfile.mkdtemp(prefix="sdr-base-", dir="/tmp"))
    path.chmod(0o755)
    yield path
    shutil.rmtree(path)


@pytest.fixture(autouse=True)
def embedded_base(base: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EMBEDDED_BASE", str(base))
    monkeypatch.delenv("DATABASE_URL", raising=False)


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    """A cluster nobody has started, with the quick settings of tests; stopped and deleted at the end."""
    yield from _ended(Cluster(tmp_path / "state", tests=True))


@pytest.fixture
def durable(tmp_path: Path) -> Iterator[Cluster]:
    """The same with the demo's settings: what it has committed must stay."""
    yield from _ended(Cluster(tmp_path / "state"))


def _ended(cluster: Cluster) -> Iterator[Cluster]:
    yield cluster
    cluster.stop()
    cluster.kill()
    cluster.remove()
