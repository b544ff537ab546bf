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
from tests.chaos.failpoints import Arms
from tests.chaos.pace import Pace

DATABASE = "chaos"
CHILDREN = {"web": 2, "worker": 4}
BACKLOG = 512
LOOK_SECONDS = 0.1
SHORTEST_FREEZE = 0.3  # seconds
LONG_SHARE = 0.6  # of the freezes: past the lease
SLOW_SENDS_SECONDS = 3.0
BLOWS = ("kill worker", "kill worker", "freeze worker", "freeze worker", "stop worker", "kill web", "freeze web",
         "slow sends")  # fmt: skip
SIGNALS = {"kill": signal.SIGKILL, "freeze": signal.SIGSTOP, "stop": signal.SIGTERM}
RESTARTS = ("fast", "immediate", "kill -9")


@dataclass
class Stage:
    """The processes of one run. `hits`: what was done to them, by name; `freezes`: how long each freeze lasted, in s.

    The caller arms failpoints in `arms` and strikes; nobody else does harm.
    """

    cluster: Cluster
    standin: Standin
    seed: int
    pace: Pace
    state: Path
    bug: str = ""
    hits: Counter[str] = field(default_factory=Counter)
    freezes: list[float] = field(default_factory=list)
    nurseries: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)
    ended: threading.Event = field(default_factory=threading.Event)
    failure: str = ""  # why the run means nothing

    @property
    def journal(self) -> Path:
        return self.state / "journal.txt"

    @property
    def log_file(self) -> Path:
        """What web and workers said in this seed, with this mistake; kept until it is played again."""
        return self.state / f"processes-{self.seed}{self.bug and '-'}{self.bug}.log"

    def open(self) -> None:
        """Start web and workers; from now on whoever freezes is woken and whoever dies is replaced."""
        self.dice = random.Random(f"keeper {self.seed}")
        self.arms = Arms(self.state / "arms")
        self.log = self.log_file.open("wb")
        self.socket = socket.create_server(("127.0.0.1", 0), backlog=BACKLOG)
        self.port = self.socket.getsockname()[1]
        for role, children in CHILDREN.items():
            environment = os.environ | {
                "CHAOS_CHILDREN": str(children), "CHAOS_SEED": str(self.seed), "CHAOS_ARMS": str(self.state / "arms"),
                "CHAOS_JOURNAL": str(self.journal), "CHAOS_PACE": self.pace.name, "CHAOS_BUG": self.bug,
            }  # fmt: skip
            number = self.socket.fileno()
            self.nurseries[role] = subprocess.Popen(
                [sys.executable, "-m", "tests.chaos.nursery", role, str(number)], env=environment, pass_fds=[number],
                stdout=self.log, stderr=self.log,
            )  # fmt: skip
        self.keeper = threading.Thread(target=self.keep, name="keeper", daemon=True)
        self.keeper.start()

    def children(self, *roles: str) -> list[psutil.Process]:
        found: list[psutil.Process] = []
        for role in roles:
            with suppress(psutil.NoSuchProcess):
                found += psutil.Process(self.nurseries[role].pid).children()
        return found

    def keep(self) -> None:
        """Wake the frozen, most of them past their lease."""
        frozen: dict[int, tuple[float, float]] = {}  # process id → since, until
        while not self.ended.wait(LOOK_SECONDS):
            now = time.monotonic()
            for role, nursery in self.nurseries.items():
                if nursery.poll() is not None:
                    self.failure = f"the nursery of {role} ended; see {self.log_file}"
            for process in self.children(*CHILDREN):
                with suppress(psutil.NoSuchProcess, ProcessLookupError):
                    if process.status() != psutil.STATUS_STOPPED:
                        frozen.pop(process.pid, None)
                        continue
                    since, until = frozen.setdefault(process.pid, (now, now + self.how_long()))
                    if now >= until:
                        self.freezes.append(now - since)
                        os.kill(process.pid, signal.SIGCONT)

    def how_long(self) -> float:
        """Seconds somebody stays frozen: a moment, or long enough for another to have taken the work."""
        lease, longest = self.pace.lease.total_seconds(), self.pace.longest_freeze.total_seconds()
        if self.dice.random() < LONG_SHARE:
            return self.dice.uniform(lease, longest)
        return self.dice.uniform(SHORTEST_FREEZE, lease)

    def strike(self, dice: random.Random) -> None:
        """Kill, freeze or stop one of the processes, or make the other side slow for a while."""
        what = dice.choice(BLOWS)
        self.hits[what] += 1
        if what == "slow sends":
            self.standin.faults.answer_delay_seconds = self.pace.call.total_seconds() / 2
            self.ended.wait(SLOW_SENDS_SECONDS)
            self.standin.faults.answer_delay_seconds = 0
            return
        verb, role = what.split()
        if processes := self.children(role):
            with suppress(ProcessLookupError):
                os.kill(dice.choice(processes).pid, SIGNALS[verb])

    def restart_database(self, how: str) -> None:
        """End PostgreSQL in one of the ways of RESTARTS, then start it again; after two of them it has to recover."""
        self.hits[f"database {how}"] += 1
        pid = self.cluster.pid()
        if how == "fast" or pid is None:
            self.cluster.kill()
        else:
            os.kill(pid, signal.SIGQUIT if how == "immediate" else signal.SIGKILL)
            while self.cluster.pid() == pid:
                time.sleep(0.05)
        self.cluster.start()

    def close(self) -> None:
        self.ended.set()
        if not self.nurseries:
            return
        self.arms.disarm()
        self.keeper.join(10)
        for process in self.nurseries.values():
            process.send_signal(signal.SIGTERM)
        for process in self.nurseries.values():
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self.socket.close()
        self.log.close()

    def read_journal(self) -> tuple[Counter[str], list[tuple[int, int, str]]]:
        """Failpoints hit, as `signal point`; and who wrote which turn: (org, turn, token)."""
        points: Counter[str] = Counter()
        written: list[tuple[int, int, str]] = []
        lines = self.journal.read_text().splitlines() if self.journal.exists() else []
        for line in lines:
            word, _, rest = line.partition(" ")
            if word == "applied":
                org, turn, token = rest.split()
                written.append((int(org), int(turn), token))
            else:
                points[rest] += 1
        return points, written


@contextmanager
def staged(
    seed: int, *, pace: Pace, bug: str = "", is_informed: bool = False, faults: Faults, **options: Any
) -> Iterator[Stage]:
    """A fresh database on a cluster that keeps its promises (fsync on), and Django on it; all is stopped afterwards."""
    state = Path(__file__).resolve().parents[2] / ".state" / os.environ.get("CHAOS_STATE", "chaos")
    state.mkdir(mode=0o700, parents=True, exist_ok=True)
    (state / "journal.txt").unlink(missing_ok=True)
    cluster = Cluster(state)
    cluster.start()
    try:
        prepare(cluster, pace, is_informed=is_informed)
        policy = RetryPolicy(
            request_timeout_seconds=5.0, max_attempts=40, initial_delay_seconds=0.5, max_delay_seconds=2.0
        )
        standin_options = Options(
            seed=seed, create_seconds=0.1, auto_pair_seconds=0.1, delivered_seconds=0.4, read_seconds=None, **options
        )
        with Standin(standin_options, faults=faults, policy=policy) as standin:
            stage = Stage(cluster, standin, seed, pace, state, bug)
            try:
                yield stage
            finally:
                stage.close()
        drop()
    finally:
        cluster.stop()


def prepare(cluster: Cluster, pace: Pace, *, is_informed: bool) -> None:
    os.environ |= {
        "ENVIRONMENT": "test", "DJANGO_SETTINGS_MODULE": "tests.chaos.settings", "TEST_DATABASE": DATABASE,
        "DATABASE_URL": cluster.dsn(DATABASE), "CHAOS_PACE": pace.name,
        "CHAOS_INFORMED": "yes" if is_informed else "",
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
