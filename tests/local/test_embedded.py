"""The embedded PostgreSQL with real servers: sharing, crashes, races, and where it may and may not write."""

import os
import signal
import stat
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg
import pytest

from sdr.local import embedded
from sdr.local.embedded import Cluster, ClusterError
from tests.local.processes import eventually, kill, launch, marked


def write_row(cluster: Cluster) -> None:
    with psycopg.connect(cluster.dsn("postgres"), autocommit=True) as connection:
        connection.execute("create table if not exists kept (at timestamptz default now())")
        connection.execute("insert into kept default values")


def rows(cluster: Cluster) -> int:
    with psycopg.connect(cluster.dsn("postgres")) as connection:
        found = connection.execute("select count(*) from kept").fetchone()
    assert found is not None
    return int(found[0])


def run_another(cluster: Cluster) -> int:
    """Start one more user of the cluster in its own process; gives its process id once it is one."""
    kind = ["--tests"] if cluster.tests else []
    user = launch("-m", "sdr.local.embedded", "run", "--state", str(cluster.state), *kind, mark=cluster.state)
    assert user.stdout and user.stdout.readline().startswith("PostgreSQL ")
    user.stdout.close()
    _users.append(user)
    return user.pid


_users: list[object] = []


@pytest.fixture(autouse=True)
def no_process_left(tmp_path: Path) -> Iterator[None]:
    yield
    for user in _users:
        user.kill()  # type: ignore[attr-defined]
        user.wait()  # type: ignore[attr-defined]
    _users.clear()
    assert eventually(lambda: not marked(tmp_path / "state"))


def test_it_stops_the_server_when_the_last_user_leaves(cluster: Cluster) -> None:
    first = run_another(cluster)
    assert cluster.start() is False
    os.kill(first, signal.SIGTERM)
    assert eventually(lambda: first not in marked(cluster.state))
    write_row(cluster)
    cluster.stop()
    assert cluster.pid() is None
    assert eventually(lambda: not marked(cluster.state))


def test_it_stops_the_server_when_its_only_user_is_killed(durable: Cluster) -> None:
    user = run_another(durable)
    write_row(durable)
    began = time.monotonic()
    kill([user])
    assert eventually(lambda: not marked(durable.state))
    assert time.monotonic() - began < 3
    assert durable.start() is True
    assert rows(durable) == 1


def test_it_keeps_committed_rows_when_everything_is_killed_at_once(durable: Cluster) -> None:
    run_another(durable)
    write_row(durable)
    kill(list(marked(durable.state)))
    assert durable.start() is True
    assert rows(durable) == 1


def test_it_starts_again_at_once_after_the_server_was_killed(durable: Cluster) -> None:
    assert durable.start() is True
    write_row(durable)
    pid = durable.pid()
    assert pid
    os.kill(pid, signal.SIGKILL)
    assert eventually(lambda: durable.pid() is None)
    assert durable.start() is True
    assert rows(durable) == 1


def test_it_stops_the_server_when_the_guardian_is_killed(cluster: Cluster) -> None:
    run_another(cluster)
    guardians = [pid for pid, command in marked(cluster.state).items() if " guard " in command]
    assert len(guardians) == 1
    kill(guardians)
    assert eventually(lambda: cluster.pid() is None)
    assert "database system is shut down" in cluster.log.read_text()


def test_it_stops_cleanly_with_a_transaction_open(cluster: Cluster) -> None:
    cluster.start()
    connection = psycopg.connect(cluster.dsn("postgres"))
    connection.execute("create table unfinished (id int)")
    began = time.monotonic()
    cluster.stop()
    assert time.monotonic() - began < 3
    assert "database system is shut down" in cluster.log.read_text()
    connection.close()


def test_it_has_one_starter_when_many_start_at_once(cluster: Cluster) -> None:
    barrier = threading.Barrier(4)
    clusters = [Cluster(cluster.state, tests=True) for _ in range(4)]

    def start(one: Cluster) -> bool:
        barrier.wait()
        return one.start()

    with ThreadPoolExecutor(4) as pool:
        assert sorted(pool.map(start, clusters)) == [False, False, False, True]
    for one in clusters:
        assert cluster.pid() is not None
        one.stop()
    assert cluster.pid() is None


def test_it_redoes_a_half_made_cluster_and_ignores_a_stale_pid_file(cluster: Cluster) -> None:
    cluster.start()
    cluster.stop()
    cluster.data.rename(cluster.data.with_suffix(".new"))  # as after kill -9 in the middle of initdb
    assert cluster.start() is True
    cluster.stop()
    (cluster.data / "postmaster.pid").write_text(f"{os.getpid()}\n{cluster.data}\n")  # a number given to somebody else
    assert cluster.start() is True


def test_it_keeps_two_checkouts_and_the_tests_apart(tmp_path: Path) -> None:
    # The second one's path is too long for a socket.
    clusters = [
        Cluster(tmp_path / "state"),
        Cluster(tmp_path / ("x" * 120) / "state"),
        Cluster(tmp_path / "state", tests=True),
    ]
    try:
        assert [one.start() for one in clusters] == [True, True, True]
        assert len({one.pid() for one in clusters}) == 3
        for one in clusters:
            write_row(one)
            assert rows(one) == 1
            assert len(os.fsencode(one.sock)) < 100
    finally:
        for one in clusters:
            one.stop()
            one.remove()


def test_it_closes_its_directories_and_touches_none_above(cluster: Cluster, tmp_path: Path, base: Path) -> None:
    above = [base, *tmp_path.parents]
    before = [(path.stat().st_mode, path.stat().st_uid) for path in above]
    cluster.start()
    assert [(path.stat().st_mode, path.stat().st_uid) for path in above] == before
    for path in (cluster.data, cluster.sock):
        assert stat.S_IMODE(path.stat().st_mode) == 0o700
    assert stat.S_IMODE(cluster.dir.stat().st_mode) & 0o007 == 0
    pid = cluster.pid()
    assert Path(f"/proc/{pid}").stat().st_uid != 0


def test_it_refuses_a_socket_directory_that_others_may_enter(cluster: Cluster) -> None:
    cluster.start()
    cluster.stop()
    cluster.sock.chmod(0o777)
    with pytest.raises(ClusterError, match="not a private directory"):
        cluster.start()
    assert cluster.pid() is None
    cluster.sock.chmod(0o700)


def test_it_shows_the_log_when_the_server_cannot_start(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    cluster.start()
    cluster.stop()
    (cluster.data / "postgresql.conf").write_text("nonsense = 1\n")
    monkeypatch.setattr(embedded, "RETRY_SECONDS", 0.0)
    with pytest.raises(ClusterError, match='unrecognized configuration parameter "nonsense"'):
        cluster.start()
    assert cluster.pid() is None


def test_it_is_a_command(tmp_path: Path) -> None:
    def command(name: str) -> tuple[int, str]:
        process = launch("-m", "sdr.local.embedded", name, "--state", str(tmp_path / "state"), mark=tmp_path)
        return process.wait(10), process.communicate()[0]

    assert command("status") == (3, "not running\n")
    cluster = Cluster(tmp_path / "state")
    cluster.start()
    assert command("status") == (0, f"running, process {cluster.pid()}: {cluster.dsn('postgres')}\n")
    assert command("stop") == (0, "stopped\n")
    assert command("status") == (3, "not running\n")
    cluster.stop()
    cluster.remove()
    assert not cluster.data.exists()
