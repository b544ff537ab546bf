"""The group insert: durable before anybody is answered, whatever a row, a rival or the server does."""

import asyncio
import threading
import time
from collections.abc import Awaitable, Callable
from typing import Any

import psycopg
import pytest
from django.db import connection

from orgs import ingest
from orgs.ingest import Arrival, Ingest, QueueFull, Unavailable, Unstorable
from orgs.models import Due, Received

LOCK = "LOCK TABLE public.orgs_received IN ACCESS EXCLUSIVE MODE"
KILL = (
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
    " WHERE application_name = 'qify-sdr ingest' AND pid <> pg_backend_pid()"
)
AT_COMMIT = """
CREATE FUNCTION public.at_commit() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {} RETURN NULL; END $$;
CREATE CONSTRAINT TRIGGER at_commit AFTER INSERT ON public.orgs_received
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION public.at_commit();
"""


def arrival(key: str, body: str = "{}", **changes: Any) -> Arrival:
    values: dict[str, Any] = {"org_id": 1, "address_id": 2, "number_id": 3, "dedupe_key": key, "body": body, **changes}
    return Arrival(**values)


def with_ingest(work: Callable[[Ingest], Awaitable[Any]], **options: Any) -> Any:
    """Run `work` on a loop of its own with an Ingest that is closed at the end."""

    async def run() -> Any:
        one = Ingest(**options)
        try:
            return await work(one)
        finally:
            await one.close()

    return asyncio.run(run())


async def put_all(one: Ingest, *arrivals: Arrival) -> list[BaseException | None]:
    return await asyncio.gather(*(one.put(each) for each in arrivals), return_exceptions=True)


def stored() -> list[str]:
    return sorted(Received.objects.values_list("dedupe_key", flat=True))


def other_session() -> psycopg.Connection[Any]:
    return psycopg.connect(**ingest.parameters())


def test_it_stores_the_row_and_its_work_together(shared: None) -> None:
    with_ingest(lambda one: one.put(arrival("a", '{"x": 1}', context={"request_id": "r1"})))
    received = Received.objects.get()
    assert (received.org_id, received.address_id, received.number_id, received.body) == (1, 2, 3, '{"x": 1}')
    due = Due.objects.get()
    assert (due.org_id, due.kind, due.ref, due.context) == (1, "intake", str(received.pk), {"request_id": "r1"})


def test_it_commits_many_at_once(shared: None) -> None:
    batches: list[int] = []

    class Counting(Ingest):
        async def _insert(self, arrivals: Any) -> None:
            batches.append(len(arrivals))
            await super()._insert(arrivals)

    async def run() -> list[BaseException | None]:
        one = Counting()
        answers = await put_all(one, *(arrival(f"{number:04}") for number in range(1000)))
        await one.close()
        return answers

    assert asyncio.run(run()) == [None] * 1000
    assert len(stored()) == Due.objects.count() == 1000
    assert sum(batches) == 1000
    assert max(batches) == ingest.BATCH
    assert len(batches) <= 7


def test_it_stores_a_delivery_once(shared: None) -> None:
    async def work(one: Ingest) -> list[BaseException | None]:
        together = await put_all(one, arrival("a"), arrival("a"), arrival("a", address_id=9))
        return together + await put_all(one, arrival("a"))

    assert with_ingest(work) == [None] * 4
    assert list(Received.objects.order_by("address_id").values_list("address_id", "dedupe_key")) == [(2, "a"), (9, "a")]
    assert Due.objects.count() == 2


@pytest.mark.parametrize(
    "poison",
    [{"body": "\x00"}, {"body": "\ud800"}, {"key": "k" * 201}, {"org_id": 2**70}],
    ids=["nul", "half", "long", "number"],
)
def test_it_refuses_only_the_row_that_cannot_be_stored(shared: None, poison: dict[str, Any]) -> None:
    bad = arrival(**{"key": "bad", **poison})

    async def work(one: Ingest) -> list[BaseException | None]:
        return await put_all(one, *(arrival(f"{number:02}") for number in range(20)), bad, arrival("z"))

    answers = with_ingest(work)
    assert [type(answer) for answer in answers] == [type(None)] * 20 + [Unstorable, type(None)]
    assert stored() == sorted([*(f"{number:02}" for number in range(20)), "z"])


def test_it_survives_a_deadlock(shared: None, monkeypatch: pytest.MonkeyPatch) -> None:
    real = ingest.parameters()
    monkeypatch.setattr(
        ingest, "parameters", lambda: {**real, "options": real["options"] + " -c deadlock_timeout=100ms"}
    )
    insert = ingest.INSERT
    tries: list[int] = []

    class Counting(Ingest):
        async def _execute(self, database: Any, rows: Any) -> None:
            tries.append(1)
            await super()._execute(database, rows)

    with psycopg.connect(**{**real, "options": "-c deadlock_timeout=10s"}) as rival:
        rival.execute(insert, ingest.columns([arrival("b")]))

        def cross() -> None:
            watching = other_session()
            while not watching.execute("SELECT count(*) FROM pg_locks WHERE NOT granted").fetchone()[0]:  # type: ignore[index]
                time.sleep(0.005)
            watching.close()
            rival.execute(insert, ingest.columns([arrival("a")]))
            rival.commit()

        async def run() -> list[BaseException | None]:
            one = Counting()
            thread = threading.Thread(target=cross)
            thread.start()
            answers = await put_all(one, arrival("b"), arrival("a"))
            thread.join(10)
            await one.close()
            return answers

        assert asyncio.run(run()) == [None, None]
    assert len(tries) == 2, "there was no deadlock"
    assert stored() == ["a", "b"]
    assert Due.objects.count() == 2


def test_a_full_queue_refuses_at_once_and_keeps_what_it_has(shared: None) -> None:
    with other_session() as blocking:
        blocking.execute(LOCK)

        async def work(one: Ingest) -> tuple[Any, float]:
            first = asyncio.ensure_future(one.put(arrival("0")))
            await asyncio.sleep(0.05)  # now it is in the statement that waits for the lock
            waiting = [asyncio.ensure_future(one.put(arrival(str(number)))) for number in range(1, 6)]
            await asyncio.sleep(0)
            started = time.monotonic()
            with pytest.raises(QueueFull):
                await one.put(arrival("too much"))
            took = time.monotonic() - started
            blocking.rollback()
            return await asyncio.gather(first, *waiting), took

        answers, took = with_ingest(work, longest_queue=5)
    assert answers == [None] * 6
    assert took < 0.1
    assert stored() == ["0", "1", "2", "3", "4", "5"]


def test_too_many_bytes_are_a_full_queue_as_well(shared: None) -> None:
    async def work(one: Ingest) -> None:
        with pytest.raises(QueueFull):
            await one.put(arrival("large", "x" * 1001))
        await one.put(arrival("small", "x" * 1000))

    with_ingest(work, most_bytes=1000)
    assert stored() == ["small"]


@pytest.mark.parametrize("obeys", [True, False], ids=["obeys its timeouts", "hangs"])
def test_a_server_that_hangs_is_given_up_in_time_and_used_again_later(
    shared: None, monkeypatch: pytest.MonkeyPatch, obeys: bool
) -> None:
    real = ingest.parameters()
    if not obeys:
        monkeypatch.setattr(
            ingest, "parameters", lambda: {**real, "options": "-c statement_timeout=0 -c lock_timeout=0"}
        )

    async def work(one: Ingest, blocking: Any) -> float:
        await one.put(arrival("before"))
        blocking.execute(LOCK)
        started = time.monotonic()
        with pytest.raises(Unavailable):
            await one.put(arrival("during"))
        took = time.monotonic() - started
        blocking.rollback()
        await one.put(arrival("after"))
        return took

    with other_session() as blocking:
        took = with_ingest(lambda one: work(one, blocking))
    assert took < 1.7
    assert {"before", "after"} <= set(stored())


def test_a_server_that_is_away_is_noticed_in_time(shared: None, monkeypatch: pytest.MonkeyPatch) -> None:
    real = ingest.parameters()
    monkeypatch.setattr(ingest, "parameters", lambda: {**real, "host": "127.0.0.1", "port": "9"})

    async def work(one: Ingest) -> float:
        started = time.monotonic()
        with pytest.raises(Unavailable):
            await one.put(arrival("during"))
        took = time.monotonic() - started
        monkeypatch.setattr(ingest, "parameters", lambda: real)
        await one.put(arrival("after"))
        return took

    assert with_ingest(work) < 1.7
    assert stored() == ["after"]


def test_a_connection_that_died_unnoticed_costs_nobody_an_answer(shared: None) -> None:
    async def work(one: Ingest) -> None:
        await one.put(arrival("before"))
        with other_session() as other:
            other.execute(KILL)
        await one.put(arrival("after"))

    with_ingest(work)
    assert stored() == ["after", "before"]


def test_nobody_is_answered_before_the_commit(committed: None) -> None:
    connection.cursor().execute(AT_COMMIT.format("PERFORM pg_sleep(0.002);"))
    early: list[str] = []

    async def work(one: Ingest) -> None:
        with other_session() as other:
            other.autocommit = True

            async def put(number: int) -> None:
                await asyncio.sleep(number * 0.001)
                await one.put(arrival(f"{number}"))
                found = other.execute("SELECT 1 FROM orgs_received WHERE dedupe_key = %s", [f"{number}"]).fetchone()
                if found is None:
                    early.append(f"{number}")

            await asyncio.gather(*(put(number) for number in range(100)))

    with_ingest(work)
    assert early == []
    assert len(stored()) == 100


def test_a_commit_that_fails_is_no_acknowledgement(committed: None) -> None:
    connection.cursor().execute(AT_COMMIT.format("RAISE EXCEPTION 'the disk is full';"))

    async def work(one: Ingest) -> None:
        with pytest.raises(Unavailable):
            await one.put(arrival("a"))

    with_ingest(work)
    assert stored() == []
    assert not Due.objects.exists()


def test_closing_stores_what_waits_and_takes_nothing_more(shared: None) -> None:
    async def run() -> tuple[list[Any], BaseException | None]:
        one = Ingest()
        waiting = [asyncio.ensure_future(one.put(arrival(f"{number:03}"))) for number in range(300)]
        await asyncio.sleep(0)
        await one.close()
        answers = await asyncio.gather(*waiting, return_exceptions=True)
        late = await asyncio.gather(one.put(arrival("late")), return_exceptions=True)
        return answers, late[0]

    answers, late = asyncio.run(run())
    assert answers == [None] * 300
    assert isinstance(late, Unavailable)
    assert len(stored()) == 300


def test_it_wakes_the_shifts_after_the_commit(shared: None) -> None:
    from orgs import bell

    heard, ended = threading.Event(), threading.Event()
    ready = threading.Event()

    def hear() -> None:
        (heard if ready.is_set() else ready).set()

    thread = threading.Thread(target=bell.listen, args=(hear, ended))
    thread.start()
    try:
        assert ready.wait(5)
        with_ingest(lambda one: one.put(arrival("a")))
        assert heard.wait(5)
    finally:
        ended.set()
        thread.join(5)
