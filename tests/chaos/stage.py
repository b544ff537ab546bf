"""Everything that runs: the cluster, the stand-in, web processes and workers, and who is killed, frozen and woken."""

import os
import random
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

from integrations.whatsapp.standin import Faults, Options, RetryPolicy, Standin
from sdr.local.embedded import Cluster
from tests.chaos import pace

DATABASE = "chaos"
WEBS, WORKERS = 2, 2
BACKLOG = 512
LOOK_SECONDS = 0.2
SHORTEST_FREEZE = 0.3  # seconds


@dataclass
class Stage:
    """The processes of one run. `hits`: what was done to them, by name."""

    cluster: Cluster
    standin: Standin
    seed: int
    rate: float  # probability that a failpoint is hit
    state: Path
    bug: str = ""
    hits: Counter[str] = field(default_factory=Counter)
    webs: list[subprocess.Popen[bytes]] = field(default_factory=list)
    nursery: subprocess.Popen[bytes] | None = None
    ended: threading.Event = field(default_factory=threading.Event)

    @property
    def journal(self) -> Path:
        return self.state / "journal.txt"

    def open(self) -> None:
        """Start web and workers; from now on whoever freezes is woken and whoever dies is replaced."""
        self.dice = random.Random(f"keeper {self.seed}")
        self.log = (self.state / "processes.log").open("wb")
        self.socket = socket.create_server(("127.0.0.1", 0), backlog=BACKLOG)
        self.port = self.socket.getsockname()[1]
        environment = os.environ | {
            "CHAOS_SEED": str(self.seed), "CHAOS_FAILPOINT_RATE": str(self.rate), "CHAOS_JOURNAL": str(self.journal),
            "CHAOS_WORKERS": str(WORKERS), "CHAOS_BUG": self.bug,
        }  # fmt: skip
        self.environment = environment
        self.webs = [self.start_web() for _ in range(WEBS)]
        command = [sys.executable, "-m", "tests.chaos.worker"]
        self.nursery = subprocess.Popen(command, env=environment, stdout=self.log, stderr=self.log)
        self.keeper = threading.Thread(target=self.keep, name="keeper", daemon=True)
        self.keeper.start()

    def start_web(self) -> subprocess.Popen[bytes]:
        number = self.socket.fileno()
        command = [sys.executable, "-m", "tests.chaos.web", str(number)]
        return subprocess.Popen(command, env=self.environment, pass_fds=[number], stdout=self.log, stderr=self.log)

    def workers(self) -> list[psutil.Process]:
        if self.nursery is None:
            return []
        found: list[psutil.Process] = []
        with suppress(psutil.NoSuchProcess):
            found = psutil.Process(self.nursery.pid).children()
        return found

    def keep(self) -> None:
        """Wake the frozen after a random time, also past their lease; replace dead web processes."""
        wakes: dict[int, float] = {}
        while not self.ended.wait(LOOK_SECONDS):
            for index, web in enumerate(self.webs):
                if web.poll() is not None:
                    self.webs[index] = self.start_web()
            now = time.monotonic()
            for pid in [web.pid for web in self.webs] + [worker.pid for worker in self.workers()]:
                with suppress(psutil.NoSuchProcess, ProcessLookupError):
                    if psutil.Process(pid).status() != psutil.STATUS_STOPPED:
                        wakes.pop(pid, None)
                        continue
                    longest = pace.LONGEST_FREEZE.total_seconds()
                    until = wakes.setdefault(pid, now + self.dice.uniform(SHORTEST_FREEZE, longest - 2 * LOOK_SECONDS))
                    if now >= until:
                        os.kill(pid, signal.SIGCONT)

    def strike(self, dice: random.Random) -> None:
        """Kill or freeze one of the processes, or make the other side slow for a while."""
        what = dice.choice(("kill worker", "kill worker", "freeze worker", "freeze worker", "kill web", "freeze web",
                            "slow sends"))  # fmt: skip
        self.hits[what] += 1
        if what == "slow sends":
            self.standin.faults.answer_delay_seconds = pace.CALL_SECONDS / 2
            self.ended.wait(3)
            self.standin.faults.answer_delay_seconds = 0
            return
        pids = [web.pid for web in self.webs] if what.endswith("web") else [worker.pid for worker in self.workers()]
        if pids:
            with suppress(ProcessLookupError):
                os.kill(dice.choice(pids), signal.SIGKILL if what.startswith("kill") else signal.SIGSTOP)

    def restart_database(self, *, crash: bool) -> None:
        """A fast shutdown, or an immediate one that has to recover; then a start."""
        self.hits["crash database" if crash else "restart database"] += 1
        pid = self.cluster.pid()
        if crash and pid is not None:
            os.kill(pid, signal.SIGQUIT)
            while self.cluster.pid() == pid:
                time.sleep(0.05)
        else:
            self.cluster.kill()
        self.cluster.start()

    def close(self) -> None:
        self.ended.set()
        if self.nursery is None:
            return
        self.keeper.join(10)
        for process in [*self.webs, self.nursery]:
            with suppress(ProcessLookupError):
                process.send_signal(signal.SIGCONT)
                process.send_signal(signal.SIGTERM)
        for process in [*self.webs, self.nursery]:
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self.socket.close()
        self.log.close()

    def read_journal(self) -> tuple[Counter[str], list[tuple[int, int, str]]]:
        """Failpoints hit, by place and signal; and who wrote which turn: (org, turn, token)."""
        points: Counter[str] = Counter()
        written: list[tuple[int, int, str]] = []
        lines = self.journal.read_text().splitlines() if self.journal.exists() else []
        for line in lines:
            word, *rest = line.split()
            if word == "applied":
                written.append((int(rest[0]), int(rest[1]), rest[2]))
            else:
                points[line] += 1
        return points, written


@contextmanager
def staged(seed: int, *, rate: float, bug: str = "", faults: Faults, **options: Any) -> Iterator[Stage]:
    """A fresh database on a cluster that keeps its promises (fsync on), and Django on it; all is stopped afterwards."""
    state = Path(__file__).resolve().parents[2] / ".state" / os.environ.get("CHAOS_STATE", "chaos")
    state.mkdir(mode=0o700, parents=True, exist_ok=True)
    for name in ("journal.txt", "processes.log"):
        (state / name).unlink(missing_ok=True)
    cluster = Cluster(state)
    cluster.start()
    try:
        prepare(cluster)
        policy = RetryPolicy(
            request_timeout_seconds=5.0, max_attempts=40, initial_delay_seconds=0.5, max_delay_seconds=2.0
        )
        standin_options = Options(
            seed=seed, create_seconds=0.1, auto_pair_seconds=0.1, delivered_seconds=0.4, read_seconds=None, **options
        )
        with Standin(standin_options, faults=faults, policy=policy) as standin:
            stage = Stage(cluster, standin, seed, rate, state, bug)
            try:
                yield stage
            finally:
                stage.close()
        drop()
    finally:
        cluster.stop()


def prepare(cluster: Cluster) -> None:
    os.environ |= {
        "ENVIRONMENT": "test", "DJANGO_SETTINGS_MODULE": "tests.chaos.settings", "TEST_DATABASE": DATABASE,
        "DATABASE_URL": cluster.dsn(DATABASE),
    }  # fmt: skip
    import django

    django.setup()
    from orgs import installation

    drop()
    installation.prepare_database()


def drop() -> None:
    from django.db import connection

    from orgs import installation

    connection.close()
    with installation.maintenance_connection() as server:
        server.execute(f'DROP DATABASE IF EXISTS "{DATABASE}" WITH (FORCE)')
