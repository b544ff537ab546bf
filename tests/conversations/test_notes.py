"""Private notes: for the team alone. They call members, and are neither sent, nor read by a brain, nor a takeover."""

from collections.abc import Callable
from uuid import uuid4

import pytest
from django.test import Client

from conversations import intake, notes, replies, settings_of, transcript
from conversations.models import Contact, Conversation, Mention, Note, Number
from orgs.models import Membership, Org, Person, Role
from tests import fakes
from tests.cast import make_person
from tests.conversations.conftest import arrive, incoming, ours, send, the_conversation, turn

SignIn = Callable[[Person], Client]


@pytest.fixture
def talk(number: Number) -> Conversation:
    arrive(number, incoming("Quanto custa?"))
    return the_conversation()


def address(end: str = "") -> str:
    return f"/o/acme/inbox/{the_conversation().pk}/{end}"


def test_a_note_is_kept_and_nothing_else_happens(
    talk: Conversation, sign_in: SignIn, beto: Person, ana: Person, in_acme: Org
) -> None:
    key = str(uuid4())
    for _ in range(2):  # pressed twice
        answer = sign_in(beto).post(address("notes/"), {"text": " @Ana, o preço é 97? ", "key": key})
        assert (answer.status_code, answer.headers["Location"]) == (302, address())
    [note] = Note.objects.all()
    assert (note.text, note.person_id, note.seq) == ("@Ana, o preço é 97?", beto.pk, 1)
    [mention] = Mention.objects.all()
    assert (mention.person_id, mention.conversation_id, mention.seen_at) == (ana.pk, talk.pk, None)
    after = the_conversation()
    assert (after.owner, after.epoch, after.seq, after.hold_until) == ("ai", talk.epoch, 1, None)
    turn(talk)
    send(talk)
    assert [text for _, text in fakes.phone.sent] == ["ok"]
    assert [text for _, text in ours()] == ["ok"]
    context = transcript.context(the_conversation(), talk.contact, settings_of.number(talk.number))
    assert [line.text for line in context.lines] == ["Quanto custa?", "ok"]


def test_it_stands_in_the_thread_where_it_was_written(talk: Conversation, sign_in: SignIn, vera: Person) -> None:
    notes.write(talk, vera, text="Pede <b>desconto</b>. @Beto @ninguém")
    arrive(talk.number, incoming("E o prazo?"))
    html = sign_in(vera).get(address()).content.decode()
    main = html.split('class="thread__messages"')[1]
    assert main.index("Quanto custa?") < main.index("Pede &lt;b&gt;desconto") < main.index("E o prazo?")
    assert '<b class="private__call">@Beto</b>' in main
    assert "@ninguém</b>" not in main


def test_the_refresh_tells_of_a_new_note(talk: Conversation, sign_in: SignIn, beto: Person, ana: Person) -> None:
    replies.take_over(talk, beto)  # what the AI is about to do changes with the clock
    client = sign_in(beto)
    html = client.get(address()).content.decode()
    refresh = html.split('class="thread__messages"')[1].split('hx-get="')[1].split('"')[0].replace("&amp;", "&")
    assert client.get(refresh, headers={"HX-Request": "true"}).status_code == 204
    notes.write(talk, ana, text="Novo")
    fresh = client.get(refresh, headers={"HX-Request": "true"})
    assert (fresh.status_code, "Novo" in fresh.content.decode()) == (200, True)


def test_an_empty_note_comes_back_in_place(talk: Conversation, sign_in: SignIn, beto: Person) -> None:
    for headers in ({}, {"HX-Request": "true"}):
        answer = sign_in(beto).post(address("notes/"), {"text": " "}, headers=headers)
        assert answer.status_code == 422
        html = answer.content.decode()
        assert 'id="note_text_error"' in html
        assert 'id="composer-reply"' in html.split("hidden")[0] or 'reply" hidden' in html
    assert not Note.objects.exists()


def test_viewers_read_notes_and_write_none(talk: Conversation, sign_in: SignIn, vera: Person, ana: Person) -> None:
    notes.write(talk, ana, text="Só para nós")
    client = sign_in(vera)
    assert "Só para nós" in client.get(address()).content.decode()
    assert client.post(address("notes/"), {"text": "x"}).status_code == 403
    assert Note.objects.count() == 1


# --- Who is called ----------------------------------------------------------------------------------------------------
def people() -> list[Person]:
    names = ("Ana Souza", "José Lima", "José Prado", "Zé", "Ana Souza Neto")
    return [Person(pk=pk, name=name, email=f"{pk}@example.com") for pk, name in enumerate(names, start=1)]


@pytest.mark.parametrize(
    ("text", "called"),
    [
        ("@Ana Souza veja", [1]),
        ("@ana souza neto e @JOSE PRADO", [5, 3]),
        ("(@Zé) @zé, @Ze!", [4]),
        ("@José, qual dos dois?", []),  # a first name that two have calls nobody
        ("ana@souza.com @Zélia @", []),
        ("@Ana Souzarte", []),
    ],
)
def test_names_are_found_whole_without_accents_and_case(text: str, called: list[int]) -> None:
    assert [one.pk for one in notes.called_in(text, people())] == called


def test_only_members_of_the_org_who_may_see_it_are_called(
    talk: Conversation, in_acme: Org, beto: Person, carla: Person
) -> None:
    rui = make_person("rui")
    Membership.objects.create(org=in_acme, person=rui, role=Role.SDR)
    rui.is_active = False
    rui.save(update_fields=["is_active"])
    notes.write(talk, beto, text="@Carla @Rui @Beto")
    assert not Mention.objects.exists()
    in_acme.sdrs_see_only_theirs = True
    in_acme.save(update_fields=["sdrs_see_only_theirs"])
    assert beto not in notes.readers(talk)
    Conversation.objects.update(assignee_id=beto.pk)
    assert beto in notes.readers(the_conversation())


def test_who_is_called_finds_it_until_they_have_looked(
    talk: Conversation, sign_in: SignIn, ana: Person, beto: Person
) -> None:
    tab = 'id="inbox-tab-mentions"'
    client = sign_in(ana)
    assert tab not in client.get("/o/acme/inbox/").content.decode()
    notes.write(talk, beto, text="@Ana pode ver?")
    Conversation.objects.update(lifecycle="closed")
    html = client.get("/o/acme/inbox/?show=mentions").content.decode()
    assert tab in html
    assert f'id="conversation-{talk.pk}-row"' in html
    assert tab not in sign_in(beto).get("/o/acme/inbox/").content.decode()
    assert sign_in(beto).get(address()).status_code == 200  # somebody else's look settles nothing
    assert tab in client.get("/o/acme/inbox/").content.decode()
    client.get(address())
    assert Mention.objects.get().seen_at is not None
    assert tab not in client.get("/o/acme/inbox/").content.decode()


def test_the_choices_are_the_others(talk: Conversation, sign_in: SignIn, beto: Person, ana: Person) -> None:
    html = sign_in(beto).get(address("people/")).content.decode()
    assert f'data-text="@{ana.name} "' in html
    assert beto.email not in html


def test_notes_move_when_two_contacts_turn_out_to_be_one(talk: Conversation, beto: Person, ana: Person) -> None:
    arrive(talk.number, incoming("oi", jid="5511999990002@s.whatsapp.net"))
    other = Conversation.objects.exclude(pk=talk.pk).get()
    notes.write(other, beto, text="@Ana é a mesma pessoa")
    intake.merge(*Contact.objects.order_by("pk"))
    [note] = Note.objects.all()
    assert (note.conversation_id, Mention.objects.get().conversation_id) == (talk.pk, talk.pk)
