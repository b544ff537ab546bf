"""Real connections, at the same time."""

import threading
from collections import Counter
from collections.abc import Callable
from datetime import timedelta

from django.db import connection, transaction
from django.utils import timezone

from orgs.models import Claimed, Due, Want

LEASE = timedelta(seconds=15)


def at_once(*functions: Callable[[], object]) -> list[object]:
    """Run each on a thread with its own connection, all starting together; raises what they raise."""
    start = threading.Barrier(len(functions))
    answers: list[object] = [None] * len(functions)
    errors: list[BaseException] = []

    def run(place: int, function: Callable[[], object]) -> None:
        try:
            start.wait(10)
            answers[place] = function()
        except BaseException as error:
            errors.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=item) for item in enumerate(functions)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    if errors:
        raise errors[0]
    return answers


def test_no_row_is_claimed_twice_and_no_share_is_exceeded(committed: None) -> None:
    past = timezone.now() - timedelta(minutes=1)
    Due.objects.bulk_create([
        Due(org_id=number % 4, kind="turn", ref=str(number), due_at=past, wanted_since=past) for number in range(400)
    ])  # fmt: skip
    seen: Counter[int] = Counter()
    most: list[int] = []
    lock = threading.Lock()

    def worker() -> None:
        idle = 0
        while idle < 50:
            rows = Due.objects.claim([Want("turn", slots=7, share=5)], lease=LEASE)
            idle = 0 if rows else idle + 1
            with lock:
                seen.update(row.id for row in rows)
            leased = Due.objects.filter(lease_until__gte=timezone.now()).values_list("org_id", flat=True)
            with lock:
                most.append(max(Counter(leased).values(), default=0))
            Due.objects.finish(rows)

    at_once(*[worker] * 6)
    assert set(seen.values()) == {1}
    assert len(seen) == 400
    assert max(most) <= 5
    assert not Due.objects.exists()


def test_wanted_while_finishing_is_always_done_again(committed: None) -> None:
    for _ in range(60):
        Due.objects.want(1, "turn", 7)
        rows = Due.objects.claim([Want("turn", 1, 1)], lease=LEASE)

        def finish(rows: list[Claimed] = rows) -> set[int]:
            return Due.objects.finish(rows)

        def want() -> None:
            with transaction.atomic():
                Due.objects.want(1, "turn", 7)

        finished, _ = at_once(finish, want)
        assert finished == {rows[0].id}
        left = Due.objects.claim([Want("turn", 1, 1)], lease=LEASE)
        assert len(left) == 1, "news was swallowed by the finish"
        Due.objects.finish(left)
