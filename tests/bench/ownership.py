"""1,000 takeovers, each against a send, met at every query of both transactions.

python -m tests.bench.ownership      TAKEOVERS=1000 by default

Two messages of the AI are queued. One thread claims the first for sending, another takes the conversation over; each
stops before a query of its own, a different one each time, until the other stands before its own or has been waiting
for a lock. Whoever claims late has read the clock after the takeover, which read it under the conversation's lock.
"""

import os
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from tests.bench.harness import bench_database, heading

COMMAND = "python -m tests.bench.ownership"
TAKEOVERS = int(os.environ.get("TAKEOVERS", "1000"))
SEND_QUERIES, TAKEOVER_QUERIES = 11, 9
MEET_SECONDS = 0.02  # then the other one must be waiting for our lock
PERSON = 1


class Stop:
    """Halts a transaction before its nth query, until the other one halts too."""

    def __init__(self, nth: int, meeting: threading.Barrier) -> None:
        self.left = nth
        self.meeting = meeting

    def __call__(self, execute: Any, sql: str, parameters: Any, many: bool, context: Any) -> Any:
        if self.left == 0:
            with suppress(threading.BrokenBarrierError):
                self.meeting.wait(MEET_SECONDS)
        self.left -= 1
        return execute(sql, parameters, many, context)


def main() -> int:
    with bench_database("bench_ownership"):
        from orgs.models import Org
        from orgs.schemas import provision

        org = provision(Org(slug="bench", name="Bench", name_folded="bench"))
        started = time.monotonic()
        outcomes = take_over_often(org)
        heading(f"{TAKEOVERS} takeovers, each against a send", COMMAND)
        print(
            f"claimed before the takeover: {outcomes['claimed']}, refused after it: {outcomes['refused']}, in"
            f" {time.monotonic() - started:.0f} s\nclaimed after the takeover's commit: {outcomes['late']} (must be 0);"
            f" most on the wire at once: {outcomes['on the wire']} (must be ≤ 1), left queued:"
            f" {outcomes['left']} (must be 0), claimed afterwards: {outcomes['afterwards']} (must be 0)",
            flush=True,
        )
    assert outcomes["late"] == outcomes["left"] == outcomes["afterwards"] == 0
    assert outcomes["on the wire"] <= 1
    assert outcomes["claimed"], "no send was ever first"
    assert outcomes["refused"], "no takeover was ever first"
    return 0


def take_over_often(org: Any) -> Counter[str]:
    from django.db import transaction

    from conversations import intake, sending
    from conversations.models import Contact, Conversation, Message, Number
    from orgs.context import in_org

    outcomes: Counter[str] = Counter()
    with in_org(org):
        number = Number.objects.create(name="Bench", mode=Number.Mode.ALL, state="open", mode_since="2026-01-01T00:00Z")
    for place in range(TAKEOVERS):
        with in_org(org):
            contact = Contact.objects.create(phone=f"55119{place:08}")
            conversation = Conversation.objects.create(
                contact=contact, number=number, reply_jid=f"{contact.phone}@s.whatsapp.net", seq=2
            )
            for seq in (1, 2):
                Message.objects.create(
                    conversation=conversation, number=number, author="ai", state="queued", seq=seq, text="oi"
                )
        claims: list[object] = []

        def take(pk: int = conversation.pk) -> None:
            with transaction.atomic():
                intake.take_over(intake.locked(pk), person_id=PERSON, source="inbox")

        def send(pk: int = conversation.pk, claims: list[object] = claims) -> None:
            claims.append(sending.claim_next(pk))

        meeting = threading.Barrier(2)
        against_each_other(
            org,
            (send, Stop(place % SEND_QUERIES, meeting)),
            (take, Stop(place // SEND_QUERIES % TAKEOVER_QUERIES, meeting)),
        )
        with in_org(org):
            states = Counter(conversation.messages.values_list("state", flat=True))
            first = conversation.messages.get(seq=1)
            outcomes["claimed" if claims[0] else "refused"] += 1
            taken_at = conversation.takeovers.get().started_at
            outcomes["late"] += first.claimed_at is not None and first.claimed_at > taken_at
            outcomes["on the wire"] = max(outcomes["on the wire"], states["sending"])
            outcomes["left"] += states["queued"]
            outcomes["afterwards"] += sending.claim_next(conversation.pk) is not None
    return outcomes


def against_each_other(org: Any, *sides: tuple[Callable[[], None], Stop]) -> None:
    """Run both on threads with connections of their own; raises what they raise."""
    from django.db import connection

    from orgs.context import in_org

    errors: list[BaseException] = []

    def run(function: Callable[[], None], stop: Stop) -> None:
        try:
            with in_org(org), connection.execute_wrapper(stop):
                function()
        except BaseException as error:
            errors.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=side) for side in sides]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
        assert not thread.is_alive(), "they wait for each other"
    if errors:
        raise errors[0]


if __name__ == "__main__":
    sys.exit(main())
