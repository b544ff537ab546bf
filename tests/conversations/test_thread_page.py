"""The thread: who said what, how far it has come, and a refresh that never touches what is being typed."""

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from conversations import replies
from conversations.models import Contact, Conversation, MediaAsset, Message, Number
from conversations.ports import Ack, Edit, Media, MessageKind, Revoke
from orgs.models import Person
from tests.conversations.conftest import arrive, incoming, the_conversation

SignIn = Callable[[Person], Client]


@pytest.fixture
def english(vera: Person) -> Person:
    vera.language = "en"
    vera.save(update_fields=["language"])
    return vera


def address() -> str:
    return f"/o/acme/inbox/{the_conversation().pk}/"


def page(client: Client, query: str = "") -> str:
    """The thread and the panel; the list stands before them."""
    html = client.get(address() + query).content.decode().split('id="desk-thread"')[1]
    return html.split("</main>")[0]


def ours(**fields: Any) -> Message:
    conversation = the_conversation()
    seq = conversation.next_seq()
    conversation.save(update_fields=["seq"])
    given = {"author": "ai", "state": "sent", "text": "Olá!", "sent_at": timezone.now()} | fields
    return Message.objects.create(conversation=conversation, number_id=conversation.number_id, seq=seq, **given)


def bubble_of(html: str, message: Message) -> str:
    found = re.search(rf'<article[^>]*id="message-{message.pk}".*?</article>', html, re.DOTALL)
    assert found is not None
    return found[0]


@pytest.mark.parametrize(
    ("fields", "word", "ticks"),
    [
        ({"state": "queued"}, "Queued", 0),
        ({"state": "sending"}, "Sending", 0),
        ({"ack": Ack.PENDING.rank}, "Sent", 1),
        ({"ack": Ack.DELIVERED.rank}, "Delivered", 2),
        ({"ack": Ack.READ.rank}, "Read", 2),
        ({"ack": Ack.PLAYED.rank}, "Played", 2),
        ({"state": "failed", "failure": "not_sent_twice"}, "Two tries did not reach WhatsApp.", 0),
        ({"state": "failed", "failure": "<i>number gone</i>"}, "&lt;i&gt;number gone", 0),
        ({"state": "unknown"}, "Not sure whether it was sent", 0),
        ({"state": "cancelled", "failure": "taken_over"}, "A person took over before it left.", 0),
        ({"state": "draft"}, "Waiting for approval", 0),
    ],
)
def test_each_state_is_told_in_words(
    number: Number, sign_in: SignIn, english: Person, fields: dict[str, Any], word: str, ticks: int
) -> None:
    arrive(number, incoming())
    message = ours(**fields)
    bubble = bubble_of(page(sign_in(english)), message)
    assert word in bubble
    assert bubble.count("#icon-check") == ticks


def test_speakers_are_named_and_stand_on_their_sides(
    number: Number, sign_in: SignIn, english: Person, beto: Person
) -> None:
    arrive(number, incoming("Oi"))
    lead = Message.objects.get()
    by_ai, by_beto, by_phone = ours(), ours(author="person", person_id=beto.pk), ours(author="person")
    html = page(sign_in(english))
    for message, name in [(lead, "Lead"), (by_ai, "AI"), (by_beto, beto.name), (by_phone, "Company&#x27;s phone")]:
        bubble = bubble_of(html, message)
        assert f'bubble__from">{name}<' in bubble
        assert ("bubble--own" in bubble) == (message.author != "lead")


def test_what_a_lead_writes_is_escaped_and_no_link(number: Number, sign_in: SignIn, english: Person) -> None:
    arrive(number, incoming("<script>alert(1)</script> https://evil.example/"))
    html = page(sign_in(english))
    assert "&lt;script&gt;alert(1)&lt;/script&gt; https://evil.example/" in html
    assert 'href="https://evil.example' not in html


def test_edited_and_deleted_messages_say_so(number: Number, sign_in: SignIn, english: Person) -> None:
    arrive(number, incoming("antes", pid="A"))
    arrive(number, incoming("segredo", pid="B"))
    arrive(number, Edit(target_id="A", text="depois", edited_at=None))
    arrive(number, Revoke(target_id="B"))
    html = page(sign_in(english))
    edited, deleted = (bubble_of(html, Message.objects.get(provider_id=pid)) for pid in "AB")
    assert ("depois" in edited, "edited" in edited) == (True, True)
    assert ("This message was deleted." in deleted, "segredo" in deleted) == (True, False)


def test_media_is_named_by_kind(number: Number, sign_in: SignIn, english: Person) -> None:
    arrive(number, incoming("", pid="V", kind=MessageKind.AUDIO, media=Media(mime="audio/ogg", is_voice_note=True)))
    arrive(number, incoming("", pid="D", kind=MessageKind.DOCUMENT, media=Media(file_name="<b>.pdf")))
    MediaAsset.objects.filter(message__provider_id="D").update(state=MediaAsset.State.FAILED)
    html = page(sign_in(english))
    voice, document = (bubble_of(html, Message.objects.get(provider_id=pid)) for pid in "VD")
    assert ("Voice note" in voice, "The file is on its way." in voice) == (True, True)
    assert ("Document" in document, "&lt;b&gt;.pdf" in document) == (True, True)
    assert "The file could not be fetched." in document


def test_days_are_those_of_the_org(number: Number, sign_in: SignIn, english: Person) -> None:
    arrive(number, incoming("a", sent_at=datetime(2026, 3, 2, 2, 30, tzinfo=UTC)))  # still the 1st in São Paulo
    arrive(number, incoming("b", sent_at=datetime(2026, 3, 2, 2, 45, tzinfo=UTC)))
    arrive(number, incoming("c", sent_at=datetime(2026, 3, 2, 3, 30, tzinfo=UTC)))
    days = re.findall(r'thread__day"><time datetime="([^"]+)"', page(sign_in(english)))
    assert days == ["2026-03-01", "2026-03-02"]


def test_earlier_messages_are_a_page_away(number: Number, sign_in: SignIn, english: Person) -> None:
    for place in range(65):
        arrive(number, incoming(f"texto-{place:02}", sent_at=timezone.now() + timedelta(seconds=place)))
    client = sign_in(english)
    html = page(client)
    assert re.findall(r"texto-\d\d", html) == [f"texto-{place:02}" for place in range(25, 65)]
    earlier = re.search(r'id="messages-earlier" href="[^"]*(\?before=\d+)"', html)
    assert earlier is not None
    assert re.findall(r"texto-\d\d", page(client, earlier[1])) == [f"texto-{place:02}" for place in range(25)]


def test_the_refresh_leaves_the_composer_alone(number: Number, sign_in: SignIn, beto: Person) -> None:
    arrive(number, incoming())
    replies.take_over(the_conversation(), beto)  # what the AI is about to do changes with the clock
    client = sign_in(beto)
    html = page(client)
    assert html.count("<textarea") == 2  # reply and note
    asked = re.search(r'hx-get="([^"]+)"', html.split('class="thread__messages"')[1])
    assert asked is not None
    seen = asked[1].replace("&amp;", "&")
    quiet = client.get(seen, headers={"HX-Request": "true"})
    assert (quiet.status_code, quiet.content) == (204, b"")
    arrive(number, incoming("nova"))
    fresh = client.get(seen, headers={"HX-Request": "true"})
    text = fresh.content.decode()
    assert (fresh.status_code, "nova" in text, "<textarea" in text, 'id="composer"' in text) == (
        200,
        True,
        False,
        False,
    )
    assert text.count("hx-swap-oob") == 3  # header, strip and note; the messages are the main swap


def test_viewers_get_no_composer_and_no_buttons(number: Number, sign_in: SignIn, english: Person) -> None:
    arrive(number, incoming())
    ours(state="draft")
    main = page(sign_in(english))
    assert "<form" not in main
    assert "<textarea" not in main


def test_an_opt_out_is_shown(number: Number, sign_in: SignIn, english: Person) -> None:
    arrive(number, incoming("Oi"))
    Contact.objects.update(opted_out_at=timezone.now())
    assert "asked to be left alone" in page(sign_in(english))


@pytest.mark.parametrize("path", ["999999/", "999999/replies/", "1/messages/1/retry/"])
def test_what_is_not_there_is_not_found(number: Number, sign_in: SignIn, beto: Person, path: str) -> None:
    assert Conversation.objects.count() == 0
    client = sign_in(beto)
    answer = client.get(f"/o/acme/inbox/{path}") if path == "999999/" else client.post(f"/o/acme/inbox/{path}")
    assert answer.status_code == 404


def test_an_answer_shows_what_it_answers(number: Number, sign_in: SignIn, english: Person) -> None:
    arrive(number, incoming("Casa <b>ou</b> empresa? " + "x" * 200, pid="Q"))
    arrive(number, incoming("Casa", pid="A", quoted_id="Q"))
    arrive(number, incoming("Isso", pid="B", quoted_id="nowhere"))
    html = page(sign_in(english))
    answer, lost = (bubble_of(html, Message.objects.get(provider_id=pid)) for pid in "AB")
    assert re.search(r'bubble__quoted">Casa &lt;b&gt;ou&lt;/b&gt; empresa\? x+…<', answer)
    assert "In answer to a message that is not here." in lost
    arrive(number, Revoke(target_id="Q"))
    assert 'bubble__quoted">This message was deleted.<' in page(sign_in(english))


@pytest.mark.parametrize(
    ("extra", "link"),
    [
        ({"latitude": "-23.5614", "longitude": "-46.6559"}, "?mlat=-23.561400&amp;mlon=-46.655900#map=16/"),
        ({"latitude": "91", "longitude": "0"}, ""),
        ({"latitude": "nan", "longitude": "0"}, ""),
        ({"latitude": '"><script>', "longitude": "0"}, ""),
        ({}, ""),
    ],
)
def test_a_place_is_a_link_to_a_map(
    number: Number, sign_in: SignIn, english: Person, extra: dict[str, str], link: str
) -> None:
    arrive(number, incoming("Sede", kind=MessageKind.LOCATION, extra=extra))
    html = page(sign_in(english))
    assert ("Show on a map" in html, link in html) == (bool(link), True)


@pytest.mark.parametrize(
    ("kind", "mime", "seconds", "shown"),
    [
        ("audio", "audio/ogg", 32, '<span class="bubble__length">0:32</span>'),
        ("audio", "audio/ogg", 3725, '<span class="bubble__length">1:02:05</span>'),
        ("audio", "audio/ogg", 0, 'preload="metadata"'),
        ("video", "video/mp4", None, "<video "),
        ("image", "image/jpeg", None, 'alt="Picture from Lead"'),
        ("sticker", "image/webp", None, "bubble__image--sticker"),
        ("document", "application/pdf", None, '<span class="bubble__document-name">ab.pdf</span>'),
        ("image", "image/svg+xml", None, "bubble__document"),  # nothing a browser could run is shown in place
    ],
)  # fmt: skip
def test_a_stored_file_is_shown_in_place(
    number: Number, sign_in: SignIn, english: Person, kind: str, mime: str, seconds: int | None, shown: str
) -> None:
    arrive(number, incoming("", kind=MessageKind(kind), media=Media(mime=mime, file_name="a<b>.pdf")))
    MediaAsset.objects.update(state="stored", path="1/x", mime=mime, size=10, seconds=seconds, width=20, height=10)
    message = Message.objects.get()
    bubble = bubble_of(page(sign_in(english)), message)
    assert shown in bubble
    assert f"{address()}messages/{message.pk}/media/" in bubble


def test_an_uncertain_message_asks_a_person_to_decide(
    number: Number, sign_in: SignIn, english: Person, beto: Person
) -> None:
    arrive(number, incoming())
    fresh = ours(state="unknown", claimed_at=timezone.now())
    old = ours(state="unknown", claimed_at=timezone.now() - timedelta(hours=1))
    beto.language = "en"
    beto.save(update_fields=["language"])
    html = page(sign_in(beto))
    buttons = [re.findall(r'<button[^>]*id="message-\d+-(\w+)"', bubble_of(html, message)) for message in (fresh, old)]
    assert buttons == [[], ["confirm", "retry", "discard"]]
    assert "Nothing else leaves here before you decide." in bubble_of(html, old)
    assert "message-" not in "".join(re.findall(r"<button[^>]*>", page(sign_in(english))))  # a viewer decides nothing
