"""The queue itself: rows a second, how soon one starts, what kills do, what a busy org does to another.

python -m tests.bench.work
"""

import os
import signal
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable
from contextlib import suppress
from itertools import pairwise
from pathlib import Path

import psutil

from tests.bench.harness import bench_database, cpu_seconds, family, heading, percentile, shift_workers, spread
from tests.bench.kinds import RUNS

COMMAND = "python -m tests.bench.work"
ROUNDS, ROWS = 5, 4000
LATENCY_SECONDS = 15.0
KILLED_ROWS, KILLS, KILL_EVERY = 10_000, 8, 2.0
BUSY_ROWS, OTHER_ROWS = 10_000, 10
DONE_WITHIN = 120.0  # seconds
LEAST_RATE, MOST_P95, MOST_DELAY = 500.0, 0.150, 1.0


def main() -> int:
    runs = Path(tempfile.mkdtemp(prefix="bench-work-")) / "runs"
    os.environ |= {RUNS: str(runs), "PROMETHEUS_MULTIPROC_DIR": tempfile.mkdtemp(prefix="bench-metrics-")}
    with bench_database("bench_work", settings="tests.bench.settings"):
        from orgs.models import Org
        from orgs.schemas import provision

        orgs = [provision(Org(slug=f"bench{n}", name="Bench", name_folded="bench")).pk for n in range(10)]
        heading("Trivial rows on two workers", COMMAND)
        with shift_workers(2) as workers:
            rates, cpu = zip(*(burst(orgs, workers) for _ in range(ROUNDS + 1)), strict=True)
            print(
                f"{ROWS} rows a round over {len(orgs)} orgs: {spread(rates[1:], 'rows/s', 0)} (must be ≥"
                f" {LEAST_RATE:.0f}); {spread(cpu[1:], 'CPU-ms a row in the workers')}"
            )
            rate = sorted(rates[1:])[ROUNDS // 2]
            half = min(rate, 2 * LEAST_RATE) / 2
            waits = latency(orgs, runs, per_second=half)
            middle, late, latest = (percentile(waits, share) * 1000 for share in (0.5, 0.95, 0.99))
            print(
                f"at {half:.0f}/s, commit to start: p50 {middle:.0f} ms, p95 {late:.0f} ms (must be <"
                f" {MOST_P95 * 1000:.0f}), p99 {latest:.0f} ms of {len(waits)}"
            )
            delay = beside_a_busy_org(orgs, runs)
            print(
                f"beside an org with {BUSY_ROWS} rows, another's {OTHER_ROWS} started after at most"
                f" {delay * 1000:.0f} ms (must be < {MOST_DELAY * 1000:.0f})",
                flush=True,
            )
        with shift_workers(2) as workers:
            killed, seconds = through_kills(orgs, workers)
        never, overlaps, again = judged(runs, KILLED_ROWS)
        print(
            f"{KILLED_ROWS} rows through {killed} kill -9 in {seconds:.0f} s: {never} never done, {overlaps} done"
            f" twice at once, {again} done again after a kill",
            flush=True,
        )
    assert (never, overlaps) == (0, 0)
    assert rate >= LEAST_RATE
    assert percentile(waits, 0.95) < MOST_P95
    assert delay < MOST_DELAY
    return 0


def fill(orgs: list[int], kind: str, count: int, *, prefix: str = "") -> None:
    """Rows that are due, written past the bell: nobody is woken."""
    from django.utils import timezone

    from orgs.models import Due

    now = timezone.now()
    Due.objects.bulk_create(
        [
            Due(org_id=orgs[n % len(orgs)], kind=kind, ref=f"{prefix}{n}", due_at=now, wanted_since=now)
            for n in range(count)
        ],
        batch_size=2000,
    )


def wait_until(true: Callable[[], bool], *, within: float = DONE_WITHIN) -> None:
    deadline = time.monotonic() + within
    while not true():
        assert time.monotonic() < deadline, "it took too long"
        time.sleep(0.02)


def nothing_due() -> bool:
    from orgs.models import Due

    return not Due.objects.exists()


def burst(orgs: list[int], workers: psutil.Process) -> tuple[float, float]:
    """Rows a second, and CPU-ms a row of the workers, from the commit of all rows to the last one's end."""
    before = cpu_seconds(family(workers))
    fill(orgs, "bench-trivial", ROWS)
    started = time.monotonic()
    wait_until(nothing_due)
    rate = ROWS / (time.monotonic() - started)
    return rate, (cpu_seconds(family(workers)) - before) / ROWS * 1000


def latency(orgs: list[int], runs: Path, *, per_second: float) -> list[float]:
    """Seconds from commit to start, one row after the other at a steady rate, with the bell."""
    from orgs import bell
    from orgs.models import Due

    begun = time.monotonic()
    count = int(per_second * LATENCY_SECONDS)
    committed: dict[str, float] = {}
    for number in range(count):
        time.sleep(max(0.0, begun + number / per_second - time.monotonic()))
        ref = f"soon{number}"
        Due.objects.want(orgs[number % len(orgs)], "bench-trivial", ref)
        committed[ref] = time.monotonic()
        bell.ring()
    wait_until(nothing_due)
    starts = {ref: lines[0][1] for ref, lines in read(runs).items()}
    return [max(0.0, starts[ref] - at) for ref, at in committed.items()]


def beside_a_busy_org(orgs: list[int], runs: Path) -> float:
    """Seconds until the last of another org's few rows has started, wanted while one org has very many."""
    from orgs import bell
    from orgs.models import Due

    fill(orgs[:1], "bench-trivial", BUSY_ROWS, prefix="busy")
    time.sleep(0.3)  # they are being worked on
    wanted = time.monotonic()
    for number in range(OTHER_ROWS):
        Due.objects.want(orgs[1], "bench-trivial", f"other{number}")
    bell.ring()
    wait_until(nothing_due)
    return max(lines[0][1] - wanted for ref, lines in read(runs).items() if ref.startswith("other"))


def through_kills(orgs: list[int], workers: psutil.Process) -> tuple[int, float]:
    """Work through many rows while one worker after the other is killed. Out: kills, seconds."""
    fill(orgs, "bench-brief", KILLED_ROWS, prefix="kill")
    started = time.monotonic()
    killed = 0
    while killed < KILLS:
        time.sleep(KILL_EVERY)
        children = workers.children()[0].children()
        busiest = max(children, key=lambda child: sum(child.cpu_times()[:2]))
        with suppress(psutil.NoSuchProcess):
            busiest.send_signal(signal.SIGKILL)
            killed += 1
    wait_until(nothing_due)
    return killed, time.monotonic() - started


def judged(runs: Path, rows: int) -> tuple[int, int, int]:
    """How many rows were never done, done twice at the same time, done again."""
    found = {ref: lines for ref, lines in read(runs).items() if ref.startswith("kill")}
    overlaps = sum(
        later[1] < former[2] for lines in found.values() for former, later in pairwise(sorted_by_start(lines))
    )
    return rows - len(found), overlaps, sum(len(lines) > 1 for lines in found.values())


def sorted_by_start(lines: list[tuple[int, float, float]]) -> list[tuple[int, float, float]]:
    return sorted(lines, key=lambda line: line[1])


def read(runs: Path) -> dict[str, list[tuple[int, float, float]]]:
    """(process, start, end) of each run, by row."""
    found: dict[str, list[tuple[int, float, float]]] = defaultdict(list)
    for line in runs.read_text().splitlines():
        ref, pid, start, end = line.split()
        found[ref].append((int(pid), float(start), float(end)))
    return found


if __name__ == "__main__":
    sys.exit(main())
