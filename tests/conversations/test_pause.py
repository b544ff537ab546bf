"""The red switch: after its commit nothing of the AI's is claimed, and nobody waits for ever."""

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connection, transaction
from django.test import Client

from conversations import pause, replies, sending
from conversations.models import Control, Conversation, Message, Number
from orgs.context import in_org
from orgs.models import AuditEntry, Org, Person
from tests import fakes
from tests.conversations.conftest import arrive, incoming, make_number, ours, send, the_conversation, turn

SignIn = Callable[[Person], Client]
LEADS = 40


def test_it_withdraws_what_is_queued_and_calls_a_person(number: Number, sign_in: SignIn, beto: Person) -> None:
    arrive(number, incoming())
    turn(the_conversation())
    client = sign_in(beto)
    assert client.get("/o/acme/inbox/pause/").status_code == 200
    assert Control.objects.count() == 0
    answer = client.post("/o/acme/inbox/pause/")
    assert (answer.status_code, answer.headers["Location"]) == (302, "/o/acme/inbox/")
    send(the_conversation())
    assert (fakes.phone.sent, [state for state, _ in ours()]) == ([], ["cancelled"])
    assert the_conversation().needs_reason == "ai_paused"
    control = Control.objects.get()
    assert (control.paused_at is not None, control.paused_by) == (True, beto.pk)
    assert AuditEntry.objects.get(action="ai.paused").data == {"withdrawn": 1}
    assert 'id="pause-end"' in client.get("/o/acme/inbox/").content.decode()


def test_a_persons_reply_still_leaves(number: Number, beto: Person) -> None:
    arrive(number, incoming())
    replies.reply(the_conversation(), beto, text="Oi")
    assert pause.pause_all(beto) == 0
    send(the_conversation())
    assert [text for _, text in fakes.phone.sent] == ["Oi"]


def test_resuming_lets_the_ai_answer_what_comes_next(number: Number, sign_in: SignIn, beto: Person) -> None:
    arrive(number, incoming())
    client = sign_in(beto)
    for _ in range(2):
        client.post("/o/acme/inbox/pause/")
    turn(the_conversation())
    assert ours() == []
    for _ in range(2):
        client.post("/o/acme/inbox/pause/end/")
    arrive(number, incoming("e agora?"))
    turn(the_conversation())
    send(the_conversation())
    assert len(fakes.phone.sent) == 1
    actions = list(AuditEntry.objects.filter(action__startswith="ai.").order_by("pk").values_list("action", flat=True))
    assert actions == ["ai.paused", "ai.resumed"]


@pytest.mark.parametrize("has_row", [False, True])
def test_no_send_is_claimed_after_it_and_none_locks_it_out(committed: None, has_row: bool) -> None:
    acme = Org.objects.get(slug="acme")
    with in_org(acme):
        number = make_number()
        if has_row:
            Control.objects.create()
        for lead in range(LEADS):
            arrive(number, incoming(jid=f"55119999{lead:05}@s.whatsapp.net"))
        for conversation in Conversation.objects.all():
            turn(conversation)
        pks = list(Conversation.objects.values_list("pk", flat=True))
    beto = Person.objects.get(email="beto@example.com")
    start, paused = threading.Barrier(5), threading.Event()

    def claim(part: list[int]) -> int:
        late = 0
        with in_org(acme):
            start.wait(10)
            for pk in part:
                was_paused = paused.is_set()
                claimed = sending.claim_next(pk) is not None
                late += was_paused and claimed
        connection.close()
        return late

    def switch() -> int:
        with in_org(acme):
            start.wait(10)
            withdrawn = pause.pause_all(beto)
            paused.set()
        connection.close()
        return withdrawn

    with ThreadPoolExecutor(5) as pool:
        claims = [pool.submit(claim, pks[part::4]) for part in range(4)]
        withdrawn = pool.submit(switch).result(60)
        assert sum(one.result(60) for one in claims) == 0
    with in_org(acme):
        states = list(Message.objects.filter(author="ai").values_list("state", flat=True))
        assert states.count("queued") == 0
        assert states.count("sending") + states.count("cancelled") == len(states) == LEADS
        assert withdrawn <= states.count("cancelled")


def test_a_claim_that_came_first_is_waited_for_and_waits_for_nothing(committed: None) -> None:
    acme = Org.objects.get(slug="acme")
    beto = Person.objects.get(email="beto@example.com")
    with in_org(acme):
        Control.objects.create()
        arrive(make_number(), incoming())
        turn(the_conversation())
        pk = the_conversation().pk

    def switch() -> int:
        with in_org(acme):
            withdrawn = pause.pause_all(beto)
        connection.close()
        return withdrawn

    with ThreadPoolExecutor(1) as pool, in_org(acme):
        with transaction.atomic():
            sending.lock_share(pk)
            switching = pool.submit(switch)
            wait_for_a_lock()
            assert not sending.is_paused()  # with the locks the other way round, one of the two is killed here
            Message.objects.filter(author="ai").update(state="sending")
        assert switching.result(30) == 0
        assert sending.is_paused()
        assert [state for state, _ in ours()] == ["sending"]


def wait_for_a_lock() -> None:
    """Until somebody waits for a row that we hold."""
    until = time.monotonic() + 10
    waiting = "SELECT 1 FROM pg_locks WHERE NOT granted AND pg_backend_pid() = ANY (pg_blocking_pids(pid))"
    with connection.cursor() as cursor:
        while time.monotonic() < until:
            cursor.execute(waiting)
            if cursor.fetchone():
                return
            time.sleep(0.01)
    raise AssertionError("nobody waits")
