"""Nobody sees another org: every address, as everybody, with the same primary keys in both orgs.

Both orgs are full of look-alike rows that differ by one unmistakable word. Every route of the resolver is opened by an
anonymous visitor, a person without orgs, each role of Acme, our support staff, and Carla, who owns Globex and tries
Acme's addresses. What comes back (status line, headers, body, stream, file), the e-mails and the queued jobs are
searched for the words of orgs the visitor has no part in. Who is refused changes nothing: the contents of all tables
are compared.

A new address needs an entry in PAGES below, or in tests/library_pages.py when a library brings it; without one
`test_every_address_has_an_entry` fails.
"""

import re
import time
from collections.abc import Callable, Iterator, Set
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from datetime import timedelta
from http.cookies import SimpleCookie
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlencode

import pytest
from allauth.mfa.models import Authenticator
from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes
from allauth.mfa.totp.internal.auth import TOTP, generate_totp_secret
from allauth.socialaccount.models import SocialAccount
from cryptography.hazmat.primitives.asymmetric import ec
from django.core import mail as outgoing
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.db import connection, transaction
from django.http import HttpResponse
from django.http.response import HttpResponseBase, StreamingHttpResponse
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver
from django.utils import timezone
from django.utils.module_loading import import_string
from django_q.models import OrmQ
from fido2.cose import ES256
from fido2.utils import websafe_encode
from fido2.webauthn import AttestationObject, AttestedCredentialData, AuthenticatorData

from conversations import intake
from conversations.agents import fingerprint
from conversations.models import (
    AgentVersion,
    CannedReply,
    Contact,
    Conversation,
    Document,
    EvalCase,
    MediaAsset,
    Mention,
    Message,
    Note,
    Number,
    Passage,
    Product,
    Turn,
)
from integrations.models import Quarantine
from orgs import staffing
from orgs.context import in_org
from orgs.models import (
    AuditEntry,
    ChannelAddress,
    Due,
    Flag,
    FlagOverride,
    Heartbeat,
    Invitation,
    Later,
    Mail,
    Membership,
    Notification,
    Org,
    Person,
    Role,
)
from orgs.models.people import hash_token, new_token
from orgs.tasks import REPEATS
from sdr.asgi import ASYNC_ROUTES
from tests.cast import make_person
from tests.library_pages import ASYNC, LIBRARY, OUTSIDE, STAFF, STAFF_PAGES, LibraryPage, StaffPage, key_owner
from tests.rehearsal.models import NOTES

GUARDRAILS = ("forbidden", "human_topics", "loop_limit")
WORDS = {"acme": "zebrafinch", "globex": "ocelotmoth"}
ROWS_PER_TABLE = 3
FIRST_FREE_PK = 1000  # a sequence does not roll back: both orgs' start here in each test
ROLES = {"ana": Role.OWNER, "davi": Role.ADMIN, "beto": Role.SDR, "vera": Role.VIEWER}
STRANGERS = {"anonymous": set[str](), "sara": set[str](), "lucas": set[str](), "carla": {"globex"}}
ORGS_OF = STRANGERS | {name: {"acme"} for name in ROLES}
VISITORS = [*ORGS_OF, "sofia"]
FLAG = "FEATURE_ANALYTICS"
PRIVATE_KEY = ec.generate_private_key(ec.SECP256R1())
SIGN_IN = 302  # to the sign-in page
ALWAYS_CHANGING = {  # who looks may leave a trace here; none of them holds what an org owns
    "django_session",
    "orgs_ratebucket",
    "orgs_auditentry",
    "orgs_cache",
    "usersessions_usersession",
    "django_q_ormq",
}


# --- The two orgs -----------------------------------------------------------------------------------------------------
@dataclass
class World:
    orgs: dict[str, Org]
    people: dict[str, Person]
    tokens: dict[str, str]
    invitations: dict[str, Invitation]
    keys: dict[str, Authenticator]  # everybody's passkey
    accounts: dict[str, SocialAccount]  # the owners' Google accounts
    mails: dict[str, Mail]
    entries: dict[str, AuditEntry]
    overrides: dict[str, FlagOverride]
    dues: dict[str, Due]
    laters: dict[str, Later]

    def words_of(self, slug: str) -> set[str]:
        """What only members of the org may read."""
        org = self.orgs[slug]
        emails = {member.person.email for member in org.memberships.select_related("person")}
        return {WORDS[slug], org.schema_name, f"guest-{slug}@", *emails}

    def forbidden_to(self, name: str) -> set[str]:
        slugs = set(WORDS) - ORGS_OF.get(name, set())
        return set[str]().union(*(self.words_of(slug) for slug in slugs))

    def kept_from_staff(self) -> set[str]:
        """What nobody reads but an org's members: leads and their words, links, keys, whom an invitation went to."""
        return set[str]().union(
            *(
                {f"lead {word}", f"said {word}", f"of {word}", f"{word}@s.whatsapp.net", f"guest-{slug}@"}
                | {f"letter to {word}", f"key of {word}", f"google of {word}", self.tokens[slug]}
                | {self.invitations[slug].token_hash}
                for slug, word in WORDS.items()
            )
        )

    def membership(self, name: str) -> Membership:
        return Membership.objects.get(person=self.people[name])


@pytest.fixture
def world(db: None, settings: Any, tmp_path: Path) -> World:
    settings.MEDIA_ROOT = str(tmp_path)
    orgs = {slug: Org.objects.get(slug=slug) for slug in WORDS}
    gil = make_person("gil")  # Carla's colleague, as Beto is Ana's
    Membership.objects.create(org=orgs["globex"], person=gil, role=Role.SDR)
    make_person("sara")  # a stranger to both
    for name, role in STAFF.items():
        staffing.grant(make_person(name), staffing.StaffRole(role))
    Flag.objects.create(name=FLAG, percentage=50)
    tokens, invitations = {}, {}
    for slug, org in orgs.items():
        org.name, org.name_folded = f"Shop {WORDS[slug]}", f"shop {WORDS[slug]}"
        org.save(update_fields=["name", "name_folded"])
        for member in org.memberships.select_related("person"):
            member.person.name = f"{member.person.name} {WORDS[slug]}"
            member.person.save(update_fields=["name"])
        tokens[slug] = new_token()
        invitations[slug] = Invitation.objects.create(
            org=org,
            email=f"guest-{slug}@example.com",
            role=Role.SDR,
            token_hash=hash_token(tokens[slug]),
            invited_by=org.memberships.owners().get().person,
        )
        with in_org(org):
            for model in NOTES:
                for pk in range(1, ROWS_PER_TABLE + 1):
                    text = f"{model.__name__} {pk} of {WORDS[slug]}"
                    model._default_manager.create(pk=pk, title=text, body=f"what {WORDS[slug]}'s lead said")
                with connection.cursor() as cursor:
                    cursor.execute(f"SELECT setval('{model._meta.db_table}_id_seq', {FIRST_FREE_PK})")
            make_conversation(WORDS[slug])
            make_knowledge(WORDS[slug])
            make_agent(WORDS[slug])
        sdr = org.memberships.get(role=Role.SDR)
        Notification.objects.create(membership=sdr, kind="handoff", cause="1/", conversation_id=1)
        ChannelAddress.objects.create(
            org=org, number_id=1, key=f"key-of-{WORDS[slug]}-number", auth="jwt", secret=f"secret of {WORDS[slug]}"
        )
    people = {person.email.partition("@")[0]: person for person in Person.objects.all()}
    keys, accounts, mails, entries, overrides, dues, laters = {}, {}, {}, {}, {}, {}, {}
    for name, person in people.items():
        TOTP.activate(person, generate_totp_secret())
        RecoveryCodes.activate(person)
        word = next((WORDS[slug] for slug in ORGS_OF.get(name, ())), "nobody")
        keys[name] = make_key(person, word)
    for slug, org in orgs.items():
        owner = people[key_owner(slug)]
        about = {"email": owner.email, "name": f"google of {WORDS[slug]}"}
        uid = f"google-{WORDS[slug]}"
        accounts[slug] = SocialAccount.objects.create(user=owner, provider="google", uid=uid, extra_data=about)
        letter = f"letter to {WORDS[slug]}"
        mails[slug] = Mail.objects.create(
            org=org, to=owner.email, subject=letter, text=letter, html=letter, kind="orgs/mail/welcome",
            state=Mail.State.FAILED, language="en",
        )  # fmt: skip
        entries[slug] = AuditEntry.objects.create(org_id=org.pk, org_slug=slug, actor=owner.email, action="org.changed")
        overrides[slug] = FlagOverride.objects.create(name=FLAG, org=org, is_on=False)
        queued = {"org_id": org.pk, "kind": "send", "ref": "1", "wanted_since": timezone.now()}
        at = timezone.now() + timedelta(hours=9)
        dues[slug] = Due.objects.create(**queued, due_at=at, dead_at=timezone.now(), last_error="gave_up")
        laters[slug] = Later.objects.create(**queued | {"kind": "tend"}, due_at=at)
        Heartbeat.objects.create(name=f"web@{slug}", kind="web", beat_at=timezone.now())
    return World(orgs, people, tokens, invitations, keys, accounts, mails, entries, overrides, dues, laters)


def make_key(owner: Person, word: str) -> Authenticator:
    """A passkey as allauth keeps it; nobody signs in by it here."""
    public = ES256.from_cryptography_key(PRIVATE_KEY.public_key())  # type: ignore[no-untyped-call]
    flags = AuthenticatorData.FLAG.AT | AuthenticatorData.FLAG.UP
    told = AuthenticatorData.create(bytes(32), flags, 0, AttestedCredentialData.create(bytes(16), b"id", public))
    credential = {
        "id": websafe_encode(b"id"),
        "rawId": websafe_encode(b"id"),
        "type": "public-key",
        "response": {
            "clientDataJSON": websafe_encode(b'{"type": "webauthn.create", "challenge": "", "origin": "http://x"}'),
            "attestationObject": websafe_encode(AttestationObject.create("none", told, {})),
        },
    }
    data = {"name": f"key of {word}", "credential": credential}
    return Authenticator.objects.create(user=owner, type=Authenticator.Type.WEBAUTHN, data=data)


def make_conversation(word: str) -> None:
    """One conversation with a lead's words, a draft of the AI and a reply that failed; the same ids in every org."""
    number = Number.objects.create(pk=1, name=f"Sales {word}")
    contact = Contact.objects.create(pk=1, name=f"Lead {word}")
    conversation = Conversation.objects.create(
        pk=1, contact=contact, number=number, reply_jid=f"{word}@s.whatsapp.net", preview=f"said {word}", seq=3
    )
    for seq, (author, state) in enumerate([("lead", "received"), ("ai", "draft"), ("person", "failed")], start=1):
        Message.objects.create(
            pk=seq, seq=seq, conversation=conversation, number=number, author=author, state=state, text=f"said {word}"
        )  # fmt: skip
    Turn.objects.create(pk=1, conversation=conversation, up_to_seq=1, epoch=0, state="applied", seen={"messages": [1]})
    Message.objects.filter(pk=2).update(turn_id=1, bubble=0)
    seller = Membership.objects.filter(org=intake.org_id(), role=Role.SDR).get().person_id
    aside = f'{{"event": "messages.upsert", "data": {{"said": "said {word}"}}}}'.encode()
    Quarantine.objects.create(pk=1, number_id=1, reason="failed", body=aside, size=len(aside), digest="0" * 64)
    EvalCase.objects.create(
        pk=1, conversation=conversation, turn_id=1, reason="answer", should_say=f"said {word}", person_id=seller,
        seen={"lead": [1], "said": [2], "before": None, "passages": []},
    )  # fmt: skip
    path = default_storage.save(f"{intake.org_id()}/whatsapp/2026-01-02/file.txt", ContentFile(f"said {word}".encode()))
    MediaAsset.objects.create(
        pk=1, message_id=1, state="stored", path=path, mime="text/plain", file_name=f"{word}.txt", size=len(word) + 5
    )
    MediaAsset.objects.create(pk=2, message_id=3, state="failed", file_name=f"{word}.txt")
    note = Note.objects.create(pk=1, conversation=conversation, person_id=seller, text=f"said {word} to @Vera", seq=3)
    Mention.objects.create(pk=1, note=note, conversation=conversation, person_id=seller)
    CannedReply.objects.create(pk=1, shortcut=f"price-{word}", text=f"said {word}")
    by_hand = ("contact", "conversation", "message", "number", "turn", "evalcase", "note", "mention", "cannedreply")
    with connection.cursor() as cursor:  # ids were given by hand: the next one must not meet them
        for table in (f"conversations_{name}" for name in by_hand):
            cursor.execute("SELECT setval(pg_get_serial_sequence(%s, 'id'), 1000)", [table])
        cursor.execute("SELECT setval(pg_get_serial_sequence('conversations_mediaasset', 'id'), 1000)")


def make_agent(word: str) -> None:
    """A version that holds, an older one, and a draft; the same ids in every org."""
    AgentVersion.objects.create(pk=1, version=1, state="retired", instructions=f"said {word}")
    AgentVersion.objects.create(pk=2, version=2, state="published", note=f"said {word}")
    draft = drafted(word)
    draft.save(force_insert=True)
    with connection.cursor() as cursor:
        cursor.execute("SELECT setval(pg_get_serial_sequence('conversations_agentversion', 'id'), 1000)")


def drafted(word: str) -> AgentVersion:
    return AgentVersion(pk=3, version=0, state="draft", business=f"of {word}", forbidden=[f"never {word}"])


def make_knowledge(word: str) -> None:
    """A page that was read, and a row of the catalogue; the same ids in every org."""
    url = f"https://{word}.example.com/prices"
    document = Document.objects.create(
        pk=1, sort="url", url=url, title=f"prices of {word}", text=f"said {word}", state="ready"
    )
    Passage.objects.create(
        pk=1, document=document, position=0, heading=f"of {word}", text=f"said {word}", terms=["=price"]
    )
    Product.objects.create(pk=1, name=f"plan of {word}", price=10, may_quote=True)
    with connection.cursor() as cursor:
        for table in ("conversations_document", "conversations_passage", "conversations_product"):
            cursor.execute("SELECT setval(pg_get_serial_sequence(%s, 'id'), 1000)", [table])


# --- The addresses ----------------------------------------------------------------------------------------------------
@dataclass(frozen=True)
class Page:
    """What an address answers, by method; `needs` is the role it asks for, None when it is not below an org.

    `args` and `body` are made from the world: (world, the org whose rows are named in the address).
    """

    get: set[int]
    post: set[int] = field(default_factory=lambda: {405})
    needs: Role | None = None
    is_api: bool = False
    args: Callable[[World, str], dict[str, Any]] = lambda world, slug: {}
    body: Callable[[World], dict[str, Any]] = lambda world: {}
    anonymous: set[int] | None = None  # where it differs
    stranger: set[int] | None = None
    knows: Callable[[World], set[str]] = lambda world: set()  # words its link rightly shows to whoever has it


def member_pk(world: World, slug: str) -> dict[str, Any]:
    return {"pk": world.membership("beto" if slug == "acme" else "gil").pk}


def invitation_pk(world: World, slug: str) -> dict[str, Any]:
    return {"pk": world.invitations[slug].pk}


def notification_pk(world: World, slug: str) -> dict[str, Any]:
    return {"pk": Notification.objects.get(membership=world.membership("beto" if slug == "acme" else "gil")).pk}


def row_pk(world: World, slug: str) -> dict[str, Any]:
    return {"pk": 1}


def turn_pk(world: World, slug: str) -> dict[str, Any]:
    return {"pk": 1, "turn": 1}


def draft_pk(world: World, slug: str) -> dict[str, Any]:
    return {"pk": 1, "message": 2}


def lead_pk(world: World, slug: str) -> dict[str, Any]:
    return {"pk": 1, "message": 1}


def failed_pk(world: World, slug: str) -> dict[str, Any]:
    return {"pk": 1, "message": 3}


def token(world: World, slug: str) -> dict[str, Any]:
    return {"token": world.tokens[slug]}


def offer_of(world: World) -> set[str]:
    """Whoever holds the link may read who invites them where, and their own address."""
    return {WORDS["acme"], "guest-acme@"}


def settings_body(world: World) -> dict[str, Any]:
    return {"name": "Other name", "slug": "acme", "language": "en", "time_zone": "America/Sao_Paulo"}


NEW_DOCUMENT = {"title": "New", "text": "Nine to six.", "language": "en", "is_active": "on"}
NEW_PRODUCT = {"name": "New", "price": "10", "currency": "BRL", "may_quote": "on", "is_active": "on"}
NEW_TALK = {
    "number": "1", "phone": "+55 11 99999-0009", "basis": "asked", "source": "A form", "text": "Bom dia",
}  # fmt: skip
NEW_NUMBER = {
    "name": "New", "mode": "off", "proof": "jwt", "server_url": "https://evolution.example.com", "server_key": "K",
}  # fmt: skip
PAGES: dict[str, Page] = {
    # Rows of an org, played by the rehearsal app
    "o/<slug:slug>/rehearsal/": Page({200}, {200}, Role.VIEWER),
    "o/<slug:slug>/rehearsal/create/": Page({500}, {201}, Role.SDR, body=lambda world: {"title": "new"}),
    "o/<slug:slug>/rehearsal/export/": Page({200}, {200}, Role.VIEWER),
    "o/<slug:slug>/rehearsal/broken/": Page({500}, {500}, Role.VIEWER),
    "o/<slug:slug>/rehearsal/<int:pk>/": Page({200}, {200}, Role.VIEWER, args=row_pk),
    # Conversations
    "o/<slug:slug>/inbox/": Page({200}, {405}, Role.VIEWER),
    "o/<slug:slug>/inbox/new/": Page({200}, {302}, Role.SDR, body=lambda world: NEW_TALK),
    "o/<slug:slug>/inbox/lookup/": Page({200}, {405}, Role.VIEWER),
    "o/<slug:slug>/inbox/bulk/": Page(
        {405}, {302}, Role.SDR, body=lambda world: {"verb": "close", "pk": "1", "back": "q=lead"}
    ),
    "o/<slug:slug>/inbox/views/": Page({405}, {302}, Role.VIEWER, body=lambda world: {"name": "x", "query": "show=ai"}),
    "o/<slug:slug>/inbox/views/<int:pk>/end/": Page({405}, {404}, Role.VIEWER, args=row_pk),
    "o/<slug:slug>/inbox/pause/": Page({200}, {302}, Role.SDR),
    "o/<slug:slug>/inbox/pause/end/": Page({405}, {302}, Role.SDR),
    "o/<slug:slug>/inbox/<int:pk>/": Page({200}, {405}, Role.VIEWER, args=row_pk),
    "o/<slug:slug>/inbox/<int:pk>/replies/": Page(
        {405}, {302}, Role.SDR, args=row_pk, body=lambda world: {"text": "Bom dia"}
    ),
    "o/<slug:slug>/inbox/<int:pk>/notes/": Page({405}, {302}, Role.SDR, args=row_pk, body=lambda world: {"text": "x"}),
    "o/<slug:slug>/inbox/<int:pk>/people/": Page({200}, {405}, Role.SDR, args=row_pk),
    "o/<slug:slug>/inbox/<int:pk>/canned/": Page({200}, {200}, Role.SDR, args=row_pk),
    "o/<slug:slug>/inbox/<int:pk>/suggestions/": Page({405}, {200}, Role.SDR, args=row_pk),
    "o/<slug:slug>/inbox/<int:pk>/closure/": Page(
        {405}, {302}, Role.SDR, args=row_pk, body=lambda world: {"reason": "spam"}
    ),
    "o/<slug:slug>/inbox/<int:pk>/closure/end/": Page({405}, {302}, Role.SDR, args=row_pk),
    "o/<slug:slug>/inbox/<int:pk>/snooze/": Page(
        {405}, {302}, Role.SDR, args=row_pk, body=lambda world: {"hours": "24"}
    ),
    "o/<slug:slug>/inbox/<int:pk>/answer/now/": Page({405}, {302}, Role.SDR, args=row_pk),
    "o/<slug:slug>/inbox/<int:pk>/answer/end/": Page({405}, {302}, Role.SDR, args=row_pk),
    "o/<slug:slug>/inbox/<int:pk>/ai/pause/": Page({405}, {302}, Role.SDR, args=row_pk),
    "o/<slug:slug>/inbox/<int:pk>/ignored/end/": Page({405}, {302}, Role.SDR, args=row_pk),
    "o/<slug:slug>/inbox/<int:pk>/merge/": Page({200}, {404}, Role.SDR, args=row_pk, body=lambda world: {"with": "1"}),
    "o/<slug:slug>/inbox/<int:pk>/menu/": Page({200}, {405}, Role.SDR, args=row_pk),
    "o/<slug:slug>/inbox/<int:pk>/assignee/": Page({405}, {302}, Role.SDR, args=row_pk),
    "o/<slug:slug>/inbox/<int:pk>/typing/": Page({405}, {204}, Role.SDR, args=row_pk),
    "o/<slug:slug>/inbox/<int:pk>/takeover/": Page({405}, {302}, Role.SDR, args=row_pk),
    "o/<slug:slug>/inbox/<int:pk>/takeover/end/": Page({405}, {302}, Role.SDR, args=row_pk),
    "o/<slug:slug>/inbox/<int:pk>/turns/<int:turn>/": Page({200}, {405}, Role.VIEWER, args=turn_pk),
    "o/<slug:slug>/inbox/<int:pk>/turns/<int:turn>/cases/<str:reason>/": Page(
        {405},
        {302},
        Role.SDR,
        args=lambda world, slug: {**turn_pk(world, slug), "reason": "answer"},
        body=lambda world: {"should_say": "Good morning"},
    ),
    "o/<slug:slug>/inbox/<int:pk>/turns/<int:turn>/forbidden/": Page(
        {405}, {302}, Role.ADMIN, args=turn_pk, body=lambda world: {"words": "discount"}
    ),
    "o/<slug:slug>/inbox/<int:pk>/turns/<int:turn>/answers/": Page(
        {405}, {302}, Role.ADMIN, args=turn_pk, body=lambda world: {"about": "price", "answer": "It costs R$ 10."}
    ),
    "o/<slug:slug>/inbox/cases/": Page({200}, {405}, Role.VIEWER),
    "o/<slug:slug>/inbox/cases/export/": Page({405}, {200}, Role.ADMIN),
    "o/<slug:slug>/inbox/cases/<int:pk>/end/": Page({405}, {302}, Role.SDR, args=row_pk),
    "o/<slug:slug>/inbox/<int:pk>/messages/<int:message>/transcript/retry/": Page({405}, {302}, Role.SDR, args=lead_pk),
    "o/<slug:slug>/inbox/<int:pk>/opt-out/": Page(
        {405}, {302}, Role.SDR, args=row_pk, body=lambda world: {"note": "on the phone"}
    ),
    "o/<slug:slug>/inbox/<int:pk>/opt-out/end/": Page(
        {405}, {302}, Role.SDR, args=row_pk, body=lambda world: {"note": "on the phone"}
    ),
    "o/<slug:slug>/inbox/<int:pk>/export/": Page({405}, {200}, Role.ADMIN, args=row_pk),
    "o/<slug:slug>/inbox/<int:pk>/erasure/": Page({200}, {302}, Role.ADMIN, args=row_pk),
    "o/<slug:slug>/inbox/<int:pk>/follow-ups/end/": Page({405}, {302}, Role.SDR, args=row_pk),
    "o/<slug:slug>/inbox/<int:pk>/facts/<str:key>/": Page(
        {405},
        {302},
        Role.SDR,
        args=lambda world, slug: {**row_pk(world, slug), "key": "name"},
        body=lambda world: {"value": "x"},
    ),
    "o/<slug:slug>/inbox/<int:pk>/signals/<str:key>/": Page(
        {405},
        {302},
        Role.SDR,
        args=lambda world, slug: {**row_pk(world, slug), "key": "budget"},
        body=lambda world: {"value": "yes"},
    ),
    "o/<slug:slug>/inbox/<int:pk>/answers/<int:row>/end/": Page(
        {405}, {404}, Role.SDR, args=lambda world, slug: {**row_pk(world, slug), "row": 1}
    ),
    "o/<slug:slug>/inbox/<int:pk>/messages/<int:message>/approval/": Page({405}, {302}, Role.SDR, args=draft_pk),
    "o/<slug:slug>/inbox/<int:pk>/messages/<int:message>/discard/": Page({405}, {302}, Role.SDR, args=draft_pk),
    "o/<slug:slug>/inbox/<int:pk>/messages/<int:message>/retry/": Page({405}, {302}, Role.SDR, args=failed_pk),
    "o/<slug:slug>/inbox/<int:pk>/messages/<int:message>/confirmation/": Page({405}, {302}, Role.SDR, args=failed_pk),
    "o/<slug:slug>/inbox/<int:pk>/messages/<int:message>/media/": Page({200}, {405}, Role.VIEWER, args=lead_pk),
    "o/<slug:slug>/inbox/<int:pk>/messages/<int:message>/media/retry/": Page({405}, {302}, Role.SDR, args=failed_pk),
    # Notifications
    "o/<slug:slug>/settings/assignment/": Page(
        {200}, {302}, Role.ADMIN, body=lambda world: {"rule-TOTAL_FORMS": "0", "rule-INITIAL_FORMS": "0"}
    ),
    "o/<slug:slug>/notifications/": Page({200}, {405}, Role.VIEWER),
    "o/<slug:slug>/notifications/bell/": Page({200}, {405}, Role.VIEWER),
    "o/<slug:slug>/notifications/reading/": Page({405}, {302}, Role.VIEWER),
    "o/<slug:slug>/notifications/settings/": Page(
        {200}, {302}, Role.VIEWER, body=lambda world: {"digest_at": "08:00", "mention-email": "on"}
    ),
    "o/<slug:slug>/notifications/browsers/": Page({405}, {422}, Role.VIEWER),
    "o/<slug:slug>/notifications/browsers/<int:pk>/end/": Page({405}, {302, 404}, Role.VIEWER, args=row_pk),  # likewise
    "o/<slug:slug>/notifications/<int:pk>/": Page({302, 404}, {405}, Role.VIEWER, args=notification_pk),  # one's own
    # Canned replies
    "o/<slug:slug>/canned-replies/": Page({200}, {405}, Role.VIEWER),
    "o/<slug:slug>/canned-replies/new/": Page(
        {200}, {302}, Role.ADMIN, body=lambda world: {"shortcut": "new", "text": "New"}
    ),
    "o/<slug:slug>/canned-replies/<int:pk>/": Page(
        {200}, {302}, Role.ADMIN, args=row_pk, body=lambda world: {"shortcut": "new", "text": "New"}
    ),
    "o/<slug:slug>/canned-replies/<int:pk>/removal/": Page({200}, {302}, Role.ADMIN, args=row_pk),
    # Knowledge
    # The agent: everybody reads, administrators change (tests/conversations/test_agent_pages.py)
    "o/<slug:slug>/agent/": Page({302}, {405}, Role.VIEWER),
    "o/<slug:slug>/agent/<slug:section>/": Page(
        {200},
        {302, 403},
        Role.VIEWER,
        args=lambda world, slug: {"section": "guardrails"},
        body=lambda world: {"seen": fingerprint(drafted(WORDS["acme"]), GUARDRAILS), "loop_limit": "9"},
    ),
    "o/<slug:slug>/agent/<slug:section>/sample/": Page(
        {405}, {200}, Role.ADMIN, args=lambda world, slug: {"section": "identity"}
    ),
    "o/<slug:slug>/agent/publication/": Page(
        {200}, {302, 403}, Role.VIEWER, body=lambda world: {"seen": fingerprint(drafted(WORDS["acme"]))}
    ),
    "o/<slug:slug>/agent/draft/end/": Page({200}, {302}, Role.ADMIN),
    "o/<slug:slug>/agent/versions/": Page({200}, {405}, Role.VIEWER),
    "o/<slug:slug>/agent/versions/<int:pk>/": Page({200}, {405}, Role.VIEWER, args=row_pk),
    "o/<slug:slug>/agent/versions/<int:pk>/rollback/": Page({200}, {302}, Role.ADMIN, args=row_pk),
    "o/<slug:slug>/agent/numbers/": Page({200}, {405}, Role.VIEWER),
    "o/<slug:slug>/agent/numbers/<int:pk>/own/": Page({405}, {302}, Role.ADMIN, args=row_pk),
    "o/<slug:slug>/agent/numbers/<int:pk>/shared/": Page({200}, {302}, Role.ADMIN, args=row_pk),
    "o/<slug:slug>/knowledge/": Page({200}, {405}, Role.VIEWER),
    "o/<slug:slug>/knowledge/new/<slug:sort>/": Page(
        {200}, {302}, Role.ADMIN, args=lambda world, slug: {"sort": "faq"}, body=lambda world: NEW_DOCUMENT
    ),
    "o/<slug:slug>/knowledge/<int:pk>/": Page({200}, {405}, Role.VIEWER, args=row_pk),
    "o/<slug:slug>/knowledge/<int:pk>/edit/": Page(
        {200}, {302}, Role.ADMIN, args=row_pk, body=lambda world: NEW_DOCUMENT
    ),
    "o/<slug:slug>/knowledge/<int:pk>/reading/": Page({405}, {302}, Role.ADMIN, args=row_pk),
    "o/<slug:slug>/knowledge/<int:pk>/removal/": Page({200}, {302}, Role.ADMIN, args=row_pk),
    "o/<slug:slug>/knowledge/products/new/": Page({200}, {302}, Role.ADMIN, body=lambda world: NEW_PRODUCT),
    "o/<slug:slug>/knowledge/products/<int:pk>/": Page(
        {200}, {302}, Role.ADMIN, args=row_pk, body=lambda world: NEW_PRODUCT
    ),
    "o/<slug:slug>/knowledge/products/<int:pk>/removal/": Page({200}, {302}, Role.ADMIN, args=row_pk),
    # Numbers
    "o/<slug:slug>/numbers/": Page({200}, {405}, Role.VIEWER),
    "o/<slug:slug>/numbers/new/": Page({302}, {302}, Role.ADMIN),  # no server of the installation here
    "o/<slug:slug>/numbers/new/server/": Page({200}, {302}, Role.ADMIN, body=lambda world: NEW_NUMBER),
    "o/<slug:slug>/numbers/new/address/": Page({200}, {302}, Role.ADMIN, body=lambda world: NEW_NUMBER),
    "o/<slug:slug>/numbers/quarantine/": Page({200}, {405}, Role.ADMIN),
    "o/<slug:slug>/numbers/quarantine/replay/": Page({405}, {302}, Role.ADMIN),
    "o/<slug:slug>/numbers/quarantine/<int:pk>/replay/": Page({405}, {302}, Role.ADMIN, args=row_pk),
    "o/<slug:slug>/numbers/quarantine/<int:pk>/dismissal/": Page({200}, {302}, Role.ADMIN, args=row_pk),
    "o/<slug:slug>/numbers/<int:pk>/": Page({200}, {405}, Role.VIEWER, args=row_pk),
    "o/<slug:slug>/numbers/<int:pk>/edit/": Page({200}, {302}, Role.ADMIN, args=row_pk, body=lambda world: NEW_NUMBER),
    "o/<slug:slug>/numbers/<int:pk>/mode/": Page(
        {405}, {302}, Role.ADMIN, args=row_pk, body=lambda world: {"mode": "drafts"}
    ),
    "o/<slug:slug>/numbers/<int:pk>/connection/": Page({405}, {302}, Role.ADMIN, args=row_pk),
    "o/<slug:slug>/numbers/<int:pk>/renewal/": Page({200}, {302}, Role.ADMIN, args=row_pk),
    "o/<slug:slug>/numbers/<int:pk>/restart/": Page({200}, {302}, Role.ADMIN, args=row_pk),
    "o/<slug:slug>/numbers/<int:pk>/logout/": Page({200}, {302}, Role.ADMIN, args=row_pk),
    "o/<slug:slug>/numbers/<int:pk>/removal/": Page({200}, {302}, Role.ADMIN, args=row_pk),
    "o/<slug:slug>/numbers/<int:pk>/webhook/": Page({405}, {302}, Role.ADMIN, args=row_pk),
    "o/<slug:slug>/numbers/<int:pk>/secret/": Page({405}, {200}, Role.ADMIN, args=row_pk),
    "o/<slug:slug>/numbers/<int:pk>/secret/rotation/": Page({405}, {302}, Role.ADMIN, args=row_pk),
    "o/<slug:slug>/numbers/<int:pk>/secret/rotation/end/": Page({405}, {302}, Role.ADMIN, args=row_pk),
    # Orgs
    "o/<slug:slug>/": Page({200}, {200, 405}, Role.VIEWER),
    "o/<slug:slug>/app.webmanifest": Page({200}, {405}, Role.VIEWER),
    "o/<slug:slug>/closed/": Page({302}, {302, 405}, Role.VIEWER),
    "o/<slug:slug>/leave/": Page({200}, {302}, Role.VIEWER),
    "o/<slug:slug>/people/": Page({200}, {405}, Role.VIEWER),
    "o/<slug:slug>/people/<int:pk>/role/": Page(
        {200}, {302}, Role.ADMIN, args=member_pk, body=lambda world: {"role": "viewer"}
    ),
    "o/<slug:slug>/people/<int:pk>/removal/": Page({200}, {302}, Role.ADMIN, args=member_pk),
    "o/<slug:slug>/people/invitations/": Page(
        {405}, {302}, Role.ADMIN, body=lambda world: {"email": "new@example.com", "role": "sdr", "language": "en"}
    ),
    "o/<slug:slug>/people/invitations/<int:pk>/sending/": Page({405}, {302}, Role.ADMIN, args=invitation_pk),
    "o/<slug:slug>/people/invitations/<int:pk>/revocation/": Page({200}, {302}, Role.ADMIN, args=invitation_pk),
    "o/<slug:slug>/settings/": Page({200}, {302}, Role.ADMIN, body=settings_body),
    "o/<slug:slug>/settings/security/": Page({405}, {302}, Role.OWNER, body=lambda world: {"requires_mfa": "on"}),
    "o/<slug:slug>/settings/sharing/": Page({405}, {302}, Role.ADMIN, body=lambda world: {"shares_text": ""}),
    "o/<slug:slug>/settings/ownership/": Page(
        {200}, {302}, Role.OWNER, body=lambda world: {"member": world.membership("davi").pk}
    ),
    "o/<slug:slug>/settings/deletion/": Page({200}, {302}, Role.OWNER, body=lambda world: {"slug": "acme"}),
    "o/<slug:slug>/settings/deletion/end/": Page({405}, {302}, Role.OWNER),
    "api/v1/orgs/<slug:slug>/": Page({200}, {405}, Role.VIEWER, is_api=True),
    "api/v1/orgs/<slug:slug>/people/": Page({200}, {405}, Role.VIEWER, is_api=True),
    # About oneself
    "": Page({200, 302}, {302, 405}),
    "orgs/new/": Page({200}, {422}, anonymous={SIGN_IN}),
    "account/": Page({200}, {422}, anonymous={SIGN_IN}),
    "account/deletion/": Page({200}, {302, 409}, anonymous={SIGN_IN}),
    "api/v1/me/": Page({200}, {405}, anonymous={401}),
    "api/v1/orgs/": Page({200}, {405}, anonymous={401}),
    "invitations/mine/<int:pk>/": Page({404}, {404}, args=invitation_pk, anonymous={SIGN_IN}),
    "invitations/<str:token>/": Page({409}, {409}, args=token, anonymous={200}, knows=offer_of),
    "invitations/<str:token>/signup/": Page({405}, {302}, args=token, anonymous={405, 422}, knows=offer_of),
    # What Django brings
    "i18n/setlang/": Page({302}, {302}),
    "schemas/<str:name>.json": Page({200}, args=lambda world, slug: {"name": "session.updated.v1"}),
}
HINT = "Add it to PAGES here, or to tests/library_pages.py: who may open it, what it answers, and a plausible body."


ANY_GROUP = re.compile(r"\(\?P(<\w+>)[^)]*\)")  # as in Django admin's own patterns


def routes(resolver: URLResolver | None = None, prefix: str = "") -> Iterator[tuple[str, URLPattern]]:
    """Every route of the resolver as it is written, with its pattern; the first of equal ones."""
    seen = set()
    for pattern in (resolver or get_resolver()).url_patterns:
        route = prefix + str(pattern.pattern)
        if isinstance(pattern, URLResolver):
            yield from routes(pattern, route)
        elif route not in seen:
            seen.add(route)
            yield route, pattern


def path_of(route: str, world: World, *, slug: str, rows_of: str) -> str:
    """The address of a route: below `slug`, naming rows of the org `rows_of`."""
    return address(route, {"slug": slug, **PAGES[route].args(world, rows_of)})


def library_path(route: str, page: LibraryPage | StaffPage, world: World, slug: str) -> str:
    """The address of a library's route, naming rows of that org."""
    return address(route, page.args(world, slug)) + (page.query if isinstance(page, StaffPage) else "")


def address(route: str, values: dict[str, Any]) -> str:
    """The route with its placeholders filled, `<int:pk>` as well as `(?P<url>.*)`."""
    filled = re.sub(r"<(?:\w+:)?(\w+)>", lambda found: str(values[found[1]]), re.sub(ANY_GROUP, r"\1", route))
    return "/" + filled.replace("^", "").replace("$", "")


# --- Looking ----------------------------------------------------------------------------------------------------------
def text_of(response: HttpResponseBase) -> str:
    """All that goes over the wire: status line, headers, cookies, body."""
    if isinstance(response, StreamingHttpResponse):
        body = b"".join(part if isinstance(part, bytes) else str(part).encode() for part in response)
    else:
        assert isinstance(response, HttpResponse)
        body = response.content
    head = "\n".join(f"{name}: {value}" for name, value in response.items())
    return f"{response.reason_phrase}\n{head}\n{response.cookies.output()}\n{body.decode('utf-8', 'replace')}"


def leaks(text: str, words: set[str]) -> list[str]:
    return sorted(word for word in words if word.lower() in text.lower())


def mail_text(mail: Mail) -> str:
    return f"{mail.to}\n{mail.subject}\n{mail.text}\n{mail.html}"


@contextmanager
def undone() -> Iterator[None]:
    """What the block changes is taken back."""
    with transaction.atomic():
        point = transaction.savepoint()
        try:
            yield
        finally:
            transaction.savepoint_rollback(point)


def contents() -> dict[str, str]:
    """A fingerprint of each table of public and of both orgs."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT schemaname, tablename FROM pg_tables"
            " WHERE schemaname = 'public' OR schemaname LIKE 'org\\_%' ORDER BY 1, 2"
        )
        tables = [(schema, table) for schema, table in cursor.fetchall() if table not in ALWAYS_CHANGING]
        union = " UNION ALL ".join(
            f"SELECT '{schema}.{table}', md5(coalesce(string_agg(t::text, '|' ORDER BY t::text), ''))"
            f' FROM "{schema}"."{table}" t'
            for schema, table in tables
        )
        cursor.execute(union)
        return dict(cursor.fetchall())


def changed(before: dict[str, str], after: dict[str, str]) -> list[str]:
    return sorted(table for table in after if before.get(table) != after[table])


class Newest(NamedTuple):
    """The highest id of each kind of effect."""

    mail: int
    job: int
    due: int


def newest() -> Newest:
    """What there is; rate limits are lifted meanwhile: who is told to wait sees nothing, which proves nothing."""
    with connection.cursor() as cursor:
        cursor.execute(
            "WITH lifted AS (DELETE FROM orgs_ratebucket) SELECT coalesce((SELECT max(id) FROM orgs_mail), 0),"
            " coalesce((SELECT max(id) FROM django_q_ormq), 0), coalesce((SELECT max(id) FROM orgs_due), 0)"
        )
        return Newest(*cursor.fetchone())


class Walker:
    """One visitor's browser. `objections` collects wrong answers and leaks."""

    def __init__(self, name: str, world: World, commits: Any) -> None:
        self.name, self.world, self.commits = name, world, commits
        self.client = Client(raise_request_exception=False)
        self.forbidden = world.forbidden_to(name)
        self.objections: list[str] = []
        if name != "anonymous":
            self.sign_in(world.people[name])

    def sign_in(self, person: Person) -> None:
        """As after a sign-in with both steps a moment ago: nothing asks for another proof."""
        self.client.force_login(person, backend="allauth.account.auth_backends.AuthenticationBackend")
        session = self.client.session
        now = time.time()
        session["account_authentication_methods"] = [
            {"method": "password", "at": now},
            {"method": "mfa", "type": "totp", "at": now},
        ]
        session["account_authentication_methods_user"] = str(person.pk)
        session.save()

    def ask(
        self, method: str, path: str, body: dict[str, Any], expected: set[int], allowed: Set[str] = frozenset()
    ) -> None:
        """Send the request, run the jobs it queued, and search all that came of it."""
        before = newest()
        sent = len(outgoing.outbox)
        cookies = SimpleCookie(self.client.cookies)
        with self.commits(execute=True), transaction.atomic():
            response = self.client.generic(method, path, **encoded(method, body))
            text = text_of(response)
            transaction.set_rollback(response.status_code >= 500)
        self.client.cookies = cookies  # who has just signed out opens the next address signed in
        words = self.forbidden - allowed
        if response.status_code not in expected:
            self.objections.append(f"{self.name} {method} {path}: {response.status_code}, expected {sorted(expected)}")
        self.search(f"{method} {path}", text, words)
        if newest() != before:
            self.search_effects(f"{method} {path}", before, words)
        for letter in outgoing.outbox[sent:]:
            self.search(f"letter of {method} {path}", f"{letter.recipients()}{letter.message().as_string()}", words)

    def search_effects(self, where: str, before: "Newest", words: set[str]) -> None:
        """Search e-mails, run and search jobs, and see whose late work is wanted: all that is newer than `before`."""
        for mail in Mail.objects.filter(pk__gt=before.mail):
            self.search(f"e-mail of {where}", mail_text(mail), words)
        for job in OrmQ.objects.filter(pk__gt=before.job):
            task = job.task
            self.search(f"job of {where}", str(task), words)
            import_string(task["func"])(*task["args"], **task["kwargs"])
            job.delete()
        own = {self.world.orgs[slug].pk for slug in ORGS_OF.get(self.name, set())}
        for due in Due.objects.filter(pk__gt=before.due).exclude(org_id__in=own):
            self.objections.append(f"{self.name} {where}: late work {due.kind} for an org not theirs")

    def search(self, where: str, text: str, words: set[str]) -> None:
        found = leaks(text, words)
        if found:
            self.objections.append(f"{self.name} {where}: shows {found}")


def encoded(method: str, body: dict[str, Any]) -> dict[str, Any]:
    if method == "GET":
        return {}
    return {"data": urlencode(body), "content_type": "application/x-www-form-urlencoded"}


def expected_of(page: Page, name: str, method: str) -> set[int]:
    """What the visitor should get at an address below Acme, or at one that belongs to no org."""
    answers = page.get if method == "GET" else page.post
    if page.needs is None:
        if name == "anonymous" and page.anonymous is not None:
            return page.anonymous
        if name in STRANGERS and page.stranger is not None:
            return page.stranger
        return answers
    if name == "anonymous":
        return {401} if page.is_api else {SIGN_IN}
    if name not in ROLES:
        return {404}
    return answers if may(name, page.needs) else {403}


def may(name: str, needs: Role) -> bool:
    order = [Role.VIEWER, Role.SDR, Role.ADMIN, Role.OWNER]
    return order.index(ROLES[name]) >= order.index(needs)


@pytest.fixture
def walker(world: World, django_capture_on_commit_callbacks: Any) -> Callable[[str], Walker]:
    return lambda name: Walker(name, world, django_capture_on_commit_callbacks)


# --- The proofs -------------------------------------------------------------------------------------------------------
def test_every_address_has_an_entry() -> None:
    known = {route for route, _ in routes()}
    listed = [*PAGES, *LIBRARY, *STAFF_PAGES]
    assert sorted(known - set(listed)) == [], HINT
    assert sorted(set(listed) - known) == [], "these entries have no address any more"
    assert len(listed) == len(set(listed))
    assert {prefix for prefix, _ in ASYNC_ROUTES} == set(ASYNC), HINT
    for file, test in ASYNC.values():
        assert f"def {test}(" in (Path(__file__).parent / file).read_text("utf-8")


@pytest.mark.parametrize("name", ORGS_OF)
def test_nobody_reads_another_org(walker: Callable[[str], Walker], world: World, name: str) -> None:
    visitor = walker(name)
    for route, page in PAGES.items():
        for method in ("GET", "POST"):
            path = path_of(route, world, slug="acme", rows_of="acme")
            with undone():
                visitor.ask(method, path, page.body(world), expected_of(page, name, method), page.knows(world))
    assert not visitor.objections, "\n".join(visitor.objections)


@pytest.mark.parametrize("name", VISITORS)
def test_nobody_reads_another_org_at_addresses_of_libraries(
    walker: Callable[[str], Walker], world: World, name: str
) -> None:
    visitor = walker(name)
    for route, page in LIBRARY.items():
        for slug in WORDS if page.owner else ("acme",):
            for method in ("GET", "POST"):
                expected = page.answer(name, slug, method)
                with undone():
                    path = library_path(route, page, world, slug)
                    visitor.ask(method, path, page.body(world, name), {expected})
    assert not visitor.objections, "\n".join(visitor.objections)


@pytest.mark.parametrize("name", VISITORS)
def test_the_support_site_is_for_staff_and_shows_nothing_of_leads(
    walker: Callable[[str], Walker], world: World, name: str
) -> None:
    visitor = walker(name)
    if name in STAFF:
        visitor.forbidden = world.kept_from_staff()
    before = contents()
    for route, page in STAFF_PAGES.items():
        for slug in WORDS if name in STAFF and "object_id" in page.args(world, "acme") else ("acme",):
            for method in ("GET", "POST"):
                expected = page.answer(name, slug, method)
                path = library_path(route, page, world, slug)
                with undone() if name in STAFF else nullcontext():
                    visitor.ask(method, path, page.body(world, name), {expected})
    assert not visitor.objections, "\n".join(visitor.objections)
    assert changed(before, contents()) == []


@pytest.mark.parametrize("name", VISITORS)
def test_nobody_reads_an_org_at_addresses_beside_the_resolver(
    walker: Callable[[str], Walker], world: World, name: str
) -> None:
    visitor = walker(name)
    visitor.forbidden = world.forbidden_to("anonymous")
    for (path, bearer), answers in OUTSIDE.items():
        visitor.client.defaults["HTTP_AUTHORIZATION"] = f"Bearer {bearer}"
        for method, expected in zip(("GET", "POST"), answers, strict=True):
            visitor.ask(method, path, {}, expected)
    assert not visitor.objections, "\n".join(visitor.objections)


@pytest.mark.parametrize("name", ROLES)
def test_rows_of_another_org_are_not_found_and_not_changed(
    walker: Callable[[str], Walker], world: World, name: str
) -> None:
    visitor = walker(name)
    before = contents()
    for route, page in PAGES.items():
        if page.needs is not None and page.args in {member_pk, invitation_pk}:
            for method in ("GET", "POST", "DELETE"):
                path = path_of(route, world, slug="acme", rows_of="globex")
                expected = {404, 405} if may(name, page.needs) else {403}
                visitor.ask(method, path, page.body(world), expected)
    foreign = {"member": world.membership("gil").pk}
    visitor.ask("POST", "/o/acme/settings/ownership/", foreign, {422} if name == "ana" else {403})
    assert not visitor.objections, "\n".join(visitor.objections)
    assert changed(before, contents()) == []


@pytest.mark.parametrize(("name", "slug"), [*((name, "acme") for name in STRANGERS), ("carla", "ACME")])
def test_strangers_change_nothing(walker: Callable[[str], Walker], world: World, name: str, slug: str) -> None:
    visitor = walker(name)
    before = contents()
    for route, page in PAGES.items():
        if page.needs is None:
            continue
        refused = {401, 404} if page.is_api else ({SIGN_IN} if name == "anonymous" else {404})
        for rows_of in {"acme", "globex"} if page.args(world, "acme") else {"acme"}:
            path = path_of(route, world, slug=slug, rows_of=rows_of)
            for method in ("GET", "POST", "PUT", "PATCH", "DELETE"):
                visitor.ask(method, path, page.body(world), refused)
    assert not visitor.objections, "\n".join(visitor.objections)
    assert changed(before, contents()) == []
    assert Mail.objects.count() == len(world.mails)


@pytest.mark.parametrize("name", ROLES)
def test_too_small_a_role_changes_nothing(walker: Callable[[str], Walker], world: World, name: str) -> None:
    visitor = walker(name)
    before = contents()
    refused = [(route, page) for route, page in PAGES.items() if page.needs and not may(name, page.needs)]
    for route, page in refused:
        for method in ("POST", "PUT", "PATCH", "DELETE"):
            visitor.ask(method, path_of(route, world, slug="acme", rows_of="acme"), page.body(world), {403})
    assert bool(refused) == (name != "ana")
    assert not visitor.objections, "\n".join(visitor.objections)
    assert changed(before, contents()) == []


def test_the_repeated_jobs_keep_the_orgs_apart(world: World) -> None:
    before = contents()
    for repeat in REPEATS:
        import_string(repeat.func)()
    assert [table for table in changed(before, contents()) if not table.endswith(".orgs_heartbeat")] == []
    for slug, org in world.orgs.items():
        (other,) = set(WORDS) - {slug}
        with in_org(org):
            found = {note.title for model in NOTES for note in model._default_manager.all()}
        assert len(found) == len(NOTES) * ROWS_PER_TABLE
        assert not [title for title in found if WORDS[other] in title]


# --- The proofs can fail ----------------------------------------------------------------------------------------------
def test_a_view_in_the_wrong_schema_would_be_caught(
    walker: Callable[[str], Walker], world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    real: Callable[[Org], None] = connection.set_tenant  # type: ignore[attr-defined]
    monkeypatch.setattr(
        connection, "set_tenant", lambda org: real(world.orgs["globex"] if org == world.orgs["acme"] else org)
    )
    visitor = walker("vera")
    for path in ("/o/acme/rehearsal/", "/o/acme/rehearsal/export/", "/o/acme/rehearsal/1/"):
        visitor.ask("GET", path, {}, {200})
    assert len(visitor.objections) == 3


def test_words_are_found_in_headers_streams_and_mails() -> None:
    words = {WORDS["globex"]}
    header = HttpResponse(headers={"Location": f"/x/{WORDS['globex']}/"})
    stream = StreamingHttpResponse(part for part in ("ocelot", "moth"))
    cookie = HttpResponse()
    cookie.set_cookie("last", WORDS["globex"])
    assert [leaks(text_of(response), words) for response in (header, stream, cookie)] == [[WORDS["globex"]]] * 3
    assert leaks(mail_text(Mail(to="x@example.com", subject="Hi", text="", html=f"<p>{WORDS['globex']}</p>")), words)
    assert leaks(text_of(HttpResponse(WORDS["acme"])), words) == []


def test_a_write_would_be_noticed(world: World) -> None:
    before = contents()
    with in_org(world.orgs["acme"]):
        NOTES[6]._default_manager.filter(pk=1).update(amount=1)
    assert changed(before, contents()) == [f"{world.orgs['acme'].schema_name}.rehearsal_note07"]
