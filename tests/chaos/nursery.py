"""python -m tests.chaos.nursery web FD | worker: imports the product once and forks processes; a dead one is replaced.

A web process is the one that is deployed, on a listening socket that outlives it; a worker works shifts, one after the
other. Environment: CHAOS_CHILDREN (how many), CHAOS_SEED, CHAOS_ARMS, CHAOS_JOURNAL (files), CHAOS_PACE (a name of
`pace`), CHAOS_BUG (a name of `bugs`, or empty).
"""

import os
import random
import signal
import socket
import sys
import time
from collections.abc import Callable
from itertools import count
from pathlib import Path
from types import FrameType

import django
import uvicorn

from tests.chaos import pace
from tests.chaos.failpoints import IN_WEB, IN_WORKER, Failpoints, owner_of

PLACES = {"web": IN_WEB, "worker": IN_WORKER}
RESPAWN_SECONDS = 0.05
AGAIN_SECONDS = 0.3


def main() -> None:
    django.setup()
    from django.db import connections

    from tests.chaos import bugs

    role: Callable[[], None] = {"web": serve, "worker": work}[sys.argv[1]]
    if role is serve:
        import sdr.asgi  # noqa: F401  # once, and not in each child
    else:
        pace.set_waits(pace.PACES[os.environ["CHAOS_PACE"]])
        if bug := os.environ.get("CHAOS_BUG"):
            bugs.BUGS[bug].put_back()
        note_who_writes(Path(os.environ["CHAOS_JOURNAL"]))
    for place in PLACES[sys.argv[1]]:
        owner_of(place)  # fails here, once, and not in each child
    connections.close_all()
    keep(role, int(os.environ["CHAOS_CHILDREN"]))


def keep(role: Callable[[], None], wanted: int) -> None:
    """Have `wanted` children all the time, until told to stop or left alone."""
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
                random.seed(f"{os.environ['CHAOS_SEED']} {role.__name__} {birth}")
                live(role)
            children.add(pid)
        time.sleep(RESPAWN_SECONDS)
        while children and (pid := os.waitpid(-1, os.WNOHANG)[0]):
            children.discard(pid)
    for pid in children:
        os.kill(pid, signal.SIGCONT)
        os.kill(pid, signal.SIGTERM)
    for pid in children:
        os.waitpid(pid, 0)


def live(role: Callable[[], None]) -> None:
    """A child's life; never returns."""
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    failpoints = Failpoints(Path(os.environ["CHAOS_ARMS"]), Path(os.environ["CHAOS_JOURNAL"]))
    failpoints.install(PLACES[sys.argv[1]])
    try:
        role()
    finally:
        os._exit(0)


def serve() -> None:
    from sdr.asgi import application

    config = uvicorn.Config(application, log_level="warning", access_log=False, proxy_headers=False)
    uvicorn.Server(config).run(sockets=[socket.socket(fileno=int(sys.argv[2]))])


def work() -> None:
    from orgs import shifts

    stopping: list[int] = []

    def stop(_: int, __: FrameType | None) -> None:
        stopping.append(1)

    signal.signal(signal.SIGTERM, stop)
    parent = os.getppid()
    length = pace.PACES[os.environ["CHAOS_PACE"]].shift
    while not stopping and os.getppid() == parent:
        try:
            shifts.run_shift(length=length, stop=lambda: bool(stopping))
        except Exception as error:  # what a cluster of django-q2 does with a shift that fails: the next one is called
            print(f"a shift ended: {type(error).__name__}", file=sys.stderr, flush=True)
            time.sleep(AGAIN_SECONDS)


def note_who_writes(journal: Path) -> None:
    """Have each written turn leave a line: org, turn, and the token of the attempt that wrote it."""
    from conversations import intake, turns
    from conversations.ports import Decision

    apply = turns.apply
    file = os.open(journal, os.O_WRONLY | os.O_APPEND | os.O_CREAT)

    def noted(opened: turns.Opened, decision: Decision) -> bool:
        is_ours = apply(opened, decision)
        if is_ours:
            os.write(file, f"applied {intake.org_id()} {opened.turn_id} {opened.token}\n".encode())
        return is_ours

    turns.apply = noted


if __name__ == "__main__":
    main()
