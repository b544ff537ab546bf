"""python -m tests.chaos.worker: imports the product once and forks processes that work shifts; a dead one is replaced.

Environment: CHAOS_WORKERS, CHAOS_SEED, CHAOS_FAILPOINT_RATE, CHAOS_JOURNAL, CHAOS_BUG (a name from `bugs`, or empty).
"""

import os
import signal
import sys
import time
from itertools import count
from pathlib import Path
from types import FrameType

import django

from tests.chaos import pace
from tests.chaos.failpoints import Failpoints

RESPAWN_SECONDS = 0.05
AGAIN_SECONDS = 0.3


def main() -> None:
    django.setup()
    from django.db import connections

    from tests.chaos import bugs

    pace.quicken()
    if bug := os.environ.get("CHAOS_BUG"):
        bugs.BUGS[bug]()
    note_who_writes(Path(os.environ["CHAOS_JOURNAL"]))
    connections.close_all()
    wanted = int(os.environ["CHAOS_WORKERS"])
    births = count(1)
    children: set[int] = set()
    orchestra = os.getppid()
    ends: list[int] = []
    signal.signal(signal.SIGTERM, lambda *_: ends.append(1))
    while not ends and os.getppid() == orchestra:
        while len(children) < wanted:
            birth = next(births)
            pid = os.fork()
            if pid == 0:
                work(birth)
            children.add(pid)
        time.sleep(RESPAWN_SECONDS)
        while children and (pid := os.waitpid(-1, os.WNOHANG)[0]):
            children.discard(pid)
    for pid in children:
        os.kill(pid, signal.SIGCONT)
        os.kill(pid, signal.SIGTERM)
    for pid in children:
        os.waitpid(pid, 0)


def note_who_writes(journal: Path) -> None:
    """Have each written turn leave a line: org, turn, and the token of the attempt that wrote it."""
    from conversations import intake, turns
    from conversations.ports import Draft

    apply = turns.apply
    file = os.open(journal, os.O_WRONLY | os.O_APPEND | os.O_CREAT)

    def noted(opened: turns.Opened, draft: Draft) -> bool:
        is_ours = apply(opened, draft)
        if is_ours:
            os.write(file, f"applied {intake.org_id()} {opened.turn_id} {opened.token}\n".encode())
        return is_ours

    turns.apply = noted


def work(birth: int) -> None:
    """One worker's life; never returns."""
    from orgs import shifts

    stopping: list[int] = []

    def stop(_: int, __: FrameType | None) -> None:
        stopping.append(1)

    signal.signal(signal.SIGTERM, stop)
    parent = os.getppid()
    seed = int(os.environ["CHAOS_SEED"]) * 100_000 + birth
    rate = float(os.environ["CHAOS_FAILPOINT_RATE"])
    Failpoints(seed, rate, Path(os.environ["CHAOS_JOURNAL"])).place_in_worker()
    while not stopping and os.getppid() == parent:
        try:
            shifts.run_shift(length=pace.SHIFT, stop=lambda: bool(stopping))
        except Exception as error:  # what a cluster of django-q2 does with a shift that fails: the next one is called
            print(f"a shift ended: {type(error).__name__}", file=sys.stderr, flush=True)
            time.sleep(AGAIN_SECONDS)
    os._exit(0)


if __name__ == "__main__":
    main()
