"""A shift does what is due, in its org, and survives what its kinds do to it."""

import asyncio
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest
from django.db import connection
from django.utils import timezone

from orgs import shifts
from orgs.models import Due, Later, Org
from sdr.lib import jobs, logs, metrics
from sdr.lib.errors import PortError
from tests.rehearsal.models import Note01

SECOND = timedelta(seconds=1)


class Run:
    """A shift over kinds of our own, on a thread, until it has nothing more to do."""

    def __init__(self) -> None:
        self.kinds = jobs.Registry()
        self.stop = threading.Event()

    def shift(self, *, length: timedelta = 5 * SECOND, threads: int = 4) -> jobs.Shift:
        return jobs.Shift(
            shifts.DueQueue(),
            length=length,
            kinds=self.kinds.kinds,
            stop=self.stop.is_set,
            threads=threads,
            grace=SECOND / 2,
        )

    def until(self, settled: Callable[[], bool], *, within: float = 10.0) -> jobs.Shift:
        shift = self.shift(length=timedelta(seconds=within))
        thread = threading.Thread(target=shift.run)
        thread.start()
        deadline = time.monotonic() + within
        while not settled() and time.monotonic() < deadline:
            time.sleep(0.02)
        self.stop.set()
        thread.join(15)
        assert not thread.is_alive()
        assert settled()
        return shift


@pytest.fixture
def run(committed: None) -> Iterator[Run]:
    one = Run()
    yield one
    one.stop.set()


def nothing_due() -> bool:
    return not Due.objects.filter(dead_at=None).exists()


def test_a_plain_kind_works_inside_its_org(run: Run) -> None:
    for slug in ("acme", "globex"):
        Due.objects.want(Org.objects.get(slug=slug).pk, "note", slug)

    @run.kinds.kind("note", slots=2, share=2)
    def note(work: jobs.Work) -> None:
        Note01.objects.create(title=work.ref)

    run.until(nothing_due)
    from orgs.context import in_org

    for org in Org.objects.all():
        with in_org(org):
            assert list(Note01.objects.values_list("title", flat=True)) == [org.slug]
    assert connection.schema_name == "public"  # type: ignore[attr-defined]


def test_a_coroutine_holds_no_org_while_it_waits(run: Run) -> None:
    orgs = list(Org.objects.all())
    for number in range(40):
        Due.objects.want(orgs[number % 2].pk, "think", f"{orgs[number % 2].slug}-{number}")

    def write(title: str) -> str:
        Note01.objects.create(title=title)
        return str(connection.schema_name)  # type: ignore[attr-defined]

    seen: list[tuple[int, str, str]] = []

    @run.kinds.kind("think", slots=40, share=40)
    async def think(work: jobs.Work) -> None:
        first = await work.run(write, work.ref)
        await asyncio.sleep(0.02)
        second = await work.run(write, work.ref)
        seen.append((work.org_id, first, second))

    run.until(nothing_due)
    names = {org.pk: org.schema_name for org in orgs}
    assert len(seen) == 40
    assert all(first == second == names[org_id] for org_id, first, second in seen)


def test_a_failing_kind_is_tried_again_and_then_buried(run: Run) -> None:
    Due.objects.want(Org.objects.get(slug="acme").pk, "fail", 1)
    tries: list[int] = []

    @run.kinds.kind("fail", slots=1, share=1, policy=jobs.Policy(attempts=3, first_pause=SECOND / 100))
    def fail(work: jobs.Work) -> None:
        tries.append(work.attempt)
        raise RuntimeError("a lead's words must not be kept")

    run.until(lambda: Due.objects.dead().exists())
    assert tries == [1, 2, 3]
    assert Due.objects.get().last_error == "RuntimeError"


def test_a_permanent_error_is_buried_at_once_with_its_reason(run: Run) -> None:
    Due.objects.want(Org.objects.get(slug="acme").pk, "fail", 1)

    @run.kinds.kind("fail", slots=1, share=1)
    def fail(work: jobs.Work) -> None:
        raise PortError("The number is not on WhatsApp.", permanent=True)

    run.until(lambda: Due.objects.dead().exists())
    assert (Due.objects.get().attempts, Due.objects.get().last_error) == (1, "The number is not on WhatsApp.")


def test_a_vendors_retry_after_is_obeyed(run: Run) -> None:
    Due.objects.want(Org.objects.get(slug="acme").pk, "fail", 1)

    @run.kinds.kind("fail", slots=1, share=1)
    def fail(work: jobs.Work) -> None:
        raise PortError("Busy.", retry_after=timedelta(minutes=5))

    run.until(lambda: Due.objects.filter(token=None, attempts=1).exists())
    assert Due.objects.get().due_at > timezone.now() + timedelta(minutes=4)


def test_a_row_of_an_org_that_is_gone_goes_too(run: Run) -> None:
    Due.objects.want(10**9, "note", 1)
    run.kinds.kind("note", slots=1, share=1)(lambda work: None)
    run.until(nothing_due)


def test_a_coroutine_that_takes_too_long_is_cancelled_and_retried(run: Run) -> None:
    Due.objects.want(Org.objects.get(slug="acme").pk, "slow", 1)
    starts: list[float] = []

    @run.kinds.kind("slow", slots=1, share=1, policy=jobs.Policy(limit=SECOND / 10, first_pause=SECOND / 100))
    async def slow(work: jobs.Work) -> None:
        starts.append(time.monotonic())
        await asyncio.sleep(10 if work.attempt == 1 else 0)

    run.until(nothing_due)
    assert len(starts) == 2


def test_a_row_whose_runs_never_end_is_buried(run: Run) -> None:
    Due.objects.want(Org.objects.get(slug="acme").pk, "kill", 1)
    Due.objects.update(attempts=4, losses=4)
    ran: list[int] = []
    run.kinds.kind("kill", slots=1, share=1, policy=jobs.Policy(losses=3))(lambda work: ran.append(work.attempt))
    run.until(lambda: Due.objects.dead().exists())
    assert "did not come to an end in 4 tries" in Due.objects.get().last_error
    assert ran == []


def test_workers_that_die_cost_a_row_none_of_its_tries(run: Run) -> None:
    """It happened to be there each time: it runs, and fails as often as any other before it is buried."""
    Due.objects.want(Org.objects.get(slug="acme").pk, "innocent", 1)
    Due.objects.update(attempts=20, losses=20)
    ran: list[int] = []

    @run.kinds.kind("innocent", slots=1, share=1, policy=jobs.Policy(attempts=2, first_pause=SECOND / 100))
    def innocent(work: jobs.Work) -> None:
        ran.append(work.attempt)
        raise RuntimeError

    run.until(lambda: Due.objects.dead().exists())
    assert ran == [1, 2]
    assert Due.objects.get().last_error == "RuntimeError"


def test_stopping_gives_back_what_is_not_done(run: Run) -> None:
    acme = Org.objects.get(slug="acme").pk
    for number in range(3):
        Due.objects.want(acme, "slow", number)
    started = threading.Event()

    @run.kinds.kind("slow", slots=3, share=3)
    async def slow(work: jobs.Work) -> None:
        started.set()
        await asyncio.sleep(60)

    shift = run.shift(length=60 * SECOND)
    thread = threading.Thread(target=shift.run)
    began = time.monotonic()
    thread.start()
    assert started.wait(10)
    run.stop.set()
    thread.join(10)
    assert not thread.is_alive()
    assert time.monotonic() - began < 8
    assert Due.objects.filter(token=None, lease_until=None, attempts=0).count() == 3


def test_two_shifts_never_do_one_row_twice_at_once(run: Run) -> None:
    orgs = [org.pk for org in Org.objects.all()]
    past = timezone.now()
    Due.objects.bulk_create([
        Due(org_id=orgs[n % 2], kind="count", ref=str(n), due_at=past, wanted_since=past) for n in range(600)
    ])  # fmt: skip
    done: Counter[str] = Counter()
    now: Counter[str] = Counter()
    overlaps: list[str] = []
    lock = threading.Lock()

    @run.kinds.kind("count", slots=50, share=100)
    async def count(work: jobs.Work) -> None:
        with lock:
            now[work.ref] += 1
            if now[work.ref] > 1:
                overlaps.append(work.ref)
        await asyncio.sleep(0.001)
        with lock:
            now[work.ref] -= 1
            done[work.ref] += 1

    pair = [run.shift(length=30 * SECOND) for _ in range(2)]
    threads = [threading.Thread(target=shift.run) for shift in pair]
    for thread in threads:
        thread.start()
    deadline = time.monotonic() + 25
    while not nothing_due() and time.monotonic() < deadline:
        time.sleep(0.05)
    run.stop.set()
    for thread in threads:
        thread.join(10)
    assert nothing_due()
    assert overlaps == []
    assert set(done.values()) == {1}
    assert len(done) == 600
    assert sum(shift.worked for shift in pair) == 600


def test_a_lost_lease_cancels_the_run(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jobs, "RENEW_EVERY", SECOND / 10)
    Due.objects.want(Org.objects.get(slug="acme").pk, "slow", 1)
    cancelled = threading.Event()

    @run.kinds.kind("slow", slots=1, share=1)
    async def slow(work: jobs.Work) -> None:
        await work.run(Due.objects.update, token=None, lease_until=timezone.now() + timedelta(minutes=1))
        try:
            await asyncio.sleep(30)
        except asyncio.CancelledError:
            cancelled.set()
            raise

    run.until(cancelled.is_set)
    assert Due.objects.get().token is None


def test_the_cause_travels_through_rows_into_the_logs_of_what_follows(
    run: Run,
) -> None:
    """As from a webhook's row to the turn, the send and their lines."""
    acme = Org.objects.get(slug="acme").pk
    Due.objects.want(acme, "first", 1, context={"request_id": "from-the-door"})
    bound: dict[str, dict[str, object]] = {}

    def note(name: str) -> None:
        bound[name] = dict(logs.bound())

    @run.kinds.kind("first", slots=1, share=1)
    def first(work: jobs.Work) -> None:
        note("first")
        Due.objects.want(work.org_id, "second", 2)

    @run.kinds.kind("second", slots=1, share=1)
    async def second(work: jobs.Work) -> None:
        await work.run(note, "second")
        await work.call(lambda: note("call"), then=lambda _: note("then"))
        await work.run(Due.objects.want, work.org_id, "third", 3, at=timezone.now() + timedelta(days=1))

    run.until(lambda: Later.objects.exists() and nothing_due())
    expected = {"request_id": "from-the-door", "org_id": acme}
    assert bound["first"] == expected | {"kind": "first", "ref": "1"}
    for name in ("second", "call", "then"):
        assert bound[name] == expected | {"kind": "second", "ref": "2"}
    assert Later.objects.get().context == {"request_id": "from-the-door"}


def test_kinds_are_counted_and_timed(run: Run) -> None:
    def count(name: str, **labels: str) -> float:
        return float(metrics.COUNTERS[name].labels(**labels)._value.get())

    @run.kinds.kind("measured", slots=1, share=1, policy=jobs.Policy(attempts=1))
    def measured(work: jobs.Work) -> None:
        if work.ref == "bad":
            raise RuntimeError

    for ref in ("good", "bad"):
        Due.objects.want(Org.objects.get(slug="acme").pk, "measured", ref)
    run.until(nothing_due)
    assert count("job_claims", kind="measured") == 2
    assert count("job_runs", kind="measured", outcome="done") == 1
    assert count("job_runs", kind="measured", outcome="dead") == 1
    seconds, waits = (
        metrics.HISTOGRAMS[name].labels(kind="measured") for name in ("job_duration_seconds", "job_wait_seconds")
    )
    assert sum(bucket.get() for bucket in seconds._buckets) == sum(bucket.get() for bucket in waits._buckets) == 2
