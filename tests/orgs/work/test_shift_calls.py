"""Calls to vendors leave the database threads alone and are always written down; a death is noted before burial."""

import asyncio
import threading
import time
from concurrent.futures import Future
from typing import Any

import pytest
from django.db import OperationalError, connection, connections

from orgs import shifts
from orgs.models import Due, Org
from sdr.lib import jobs
from tests.orgs.work.test_shift import SECOND, Run, nothing_due, run

__all__ = ["run"]

HANGING = 64


def acme_id() -> int:
    return int(Org.objects.get(slug="acme").pk)


def result_of(outcome: Future[str]) -> str:
    return outcome.result()


def test_vendors_who_hang_stop_nobody_elses_work(run: Run) -> None:
    """Sixty-four calls hang, with four database threads; the work of another org goes on as if nothing were."""
    acme, globex = acme_id(), Org.objects.get(slug="globex").pk
    hung, may_end = threading.Barrier(HANGING + 1), threading.Event()
    connected: list[bool] = []

    def hang() -> str:
        connected.append(connections["default"].connection is not None)
        hung.wait(10)
        may_end.wait(20)
        return "sent"

    @run.kinds.kind("call", slots=HANGING, share=HANGING)
    async def call(work: jobs.Work) -> None:
        assert await work.call(hang, then=result_of) == "sent"

    @run.kinds.kind("note", slots=4, share=4)
    def note(work: jobs.Work) -> None:
        assert connection.tenant.slug == "globex"  # type: ignore[attr-defined]

    for number in range(HANGING):
        Due.objects.want(acme, "call", number)
    shift = run.shift(length=30 * SECOND)
    working = threading.Thread(target=shift.run)
    working.start()
    try:
        hung.wait(10)
        for number in range(100):
            Due.objects.want(globex, "note", number)
        shift.ring()
        for _ in range(250):
            if not Due.objects.filter(kind="note").exists():
                break
            time.sleep(0.02)
        assert not Due.objects.filter(kind="note").exists()
        assert Due.objects.filter(kind="call").count() == HANGING
    finally:
        may_end.set()
        run.stop.set()
        working.join(20)
    assert nothing_due()
    assert connected == [False] * HANGING


def test_what_came_of_a_call_is_written_although_the_row_was_given_back(run: Run) -> None:
    """A graceful stop does not wait for a slow vendor; his answer, when it comes, is not forgotten."""
    Due.objects.want(acme_id(), "call", 1)
    begun, may_end, written = threading.Event(), threading.Event(), threading.Event()
    where: list[str] = []

    def slow() -> str:
        begun.set()
        may_end.wait(20)
        return "sent"

    def write(outcome: Future[str]) -> None:
        where.append(f"{outcome.result()} {connection.tenant.slug}")  # type: ignore[attr-defined]
        written.set()

    @run.kinds.kind("call", slots=1, share=1)
    async def call(work: jobs.Work) -> None:
        await work.call(slow, then=write)

    shift = run.shift(length=60 * SECOND)
    working = threading.Thread(target=shift.run)
    working.start()
    assert begun.wait(10)
    run.stop.set()
    working.join(10)
    assert not working.is_alive()
    assert Due.objects.get().lease_until is None
    assert not written.is_set()
    may_end.set()
    assert written.wait(10)
    assert where == ["sent acme"]


def test_steps_are_taken_inside_the_org_and_call_outside(run: Run) -> None:
    """What a vendor returns or raises comes back to the step that asked; a last one without a call ends it."""
    Due.objects.want(acme_id(), "steps", 1)
    told: list[str] = []

    def where() -> str:
        return "connected" if connections["default"].connection is not None else "alone"

    def refuse() -> str:
        raise ValueError("no")

    def steps() -> jobs.Steps[None]:
        told.append(f"begun in {connection.tenant.slug}")  # type: ignore[attr-defined]
        told.append((yield where))
        try:
            yield refuse
        except ValueError as error:
            told.append(str(error))
        told.append(f"ended in {connection.tenant.slug}")  # type: ignore[attr-defined]

    @run.kinds.kind("steps", slots=1, share=1)
    async def follow(work: jobs.Work) -> None:
        await jobs.follow(steps(), work)

    run.until(nothing_due, within=20)
    assert told == ["begun in acme", "alone", "no", "ended in acme"]


def test_what_a_call_raises_reaches_the_kind(run: Run) -> None:
    Due.objects.want(acme_id(), "call", 1)
    caught: list[str] = []

    def refuse() -> str:
        raise ValueError("no")

    @run.kinds.kind("call", slots=1, share=1)
    async def call(work: jobs.Work) -> None:
        try:
            await work.call(refuse, then=result_of)
        except ValueError as error:
            caught.append(str(error))

    run.until(nothing_due)
    assert caught == ["no"]


def test_a_death_is_noted_inside_the_org_before_the_burial(run: Run) -> None:
    Due.objects.want(acme_id(), "fail", 7)
    noted: list[tuple[str, str, str, bool]] = []

    def note(work: jobs.Work, reason: str) -> None:
        noted.append((connection.tenant.slug, work.ref, reason, Due.objects.dead().exists()))  # type: ignore[attr-defined]

    @run.kinds.kind("fail", slots=1, share=1, policy=jobs.Policy(attempts=2, first_pause=SECOND / 100), on_dead=note)
    def fail(work: jobs.Work) -> None:
        raise RuntimeError

    run.until(lambda: Due.objects.dead().exists())
    assert noted == [("acme", "7", "RuntimeError", False)]


@pytest.fixture
def short_lease(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jobs, "LEASE", SECOND / 2)
    monkeypatch.setattr(jobs, "RENEW_EVERY", SECOND / 10)


def test_a_death_that_could_not_be_noted_is_noted_when_the_lease_has_ended(run: Run, short_lease: None) -> None:
    Due.objects.want(acme_id(), "fail", 1)
    tries: list[int] = []

    def note(work: jobs.Work, reason: str) -> None:
        tries.append(work.attempt)
        if len(tries) == 1:
            raise OperationalError("the database is away")

    @run.kinds.kind("fail", slots=1, share=1, policy=jobs.Policy(attempts=1), on_dead=note)
    def fail(work: jobs.Work) -> None:
        raise RuntimeError

    run.until(lambda: Due.objects.dead().exists())
    assert tries == [1, 1]  # the lease that was lost is no try


@pytest.mark.parametrize("verb", ["retry", "bury", "release"])
def test_a_database_that_is_away_costs_a_row_its_lease_and_no_more(
    run: Run, short_lease: None, monkeypatch: pytest.MonkeyPatch, verb: str
) -> None:
    """The end of a run cannot be written: the shift lives on, and the row is done within one lease (15 s)."""
    Due.objects.want(acme_id(), "fail", 1)
    real = getattr(shifts.DueQueue, verb)
    away: list[int] = []

    def fails_once(self: shifts.DueQueue, *args: Any, **kwargs: Any) -> Any:
        away.append(1)
        if len(away) == 1:
            raise OperationalError("the database is away")
        return real(self, *args, **kwargs)

    monkeypatch.setattr(shifts.DueQueue, verb, fails_once)
    ran: list[int] = []

    @run.kinds.kind("fail", slots=1, share=1, policy=jobs.Policy(attempts=1 if verb == "bury" else 5))
    async def fail(work: jobs.Work) -> None:
        ran.append(work.attempt)
        if len(ran) == 1:
            raise asyncio.CancelledError if verb == "release" else RuntimeError

    run.until(lambda: len(away) > 0 and (nothing_due() or Due.objects.dead().exists()))
    assert ran == [1, 1]  # the lease that was lost is no try


def test_the_real_lease_is_what_a_crash_costs_at_most() -> None:
    assert jobs.LEASE <= 15 * SECOND
    assert jobs.RENEW_EVERY * 2 < jobs.LEASE
