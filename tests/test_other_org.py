"""Nobody sees another org: every address, as everybody, with the same primary keys in both orgs.

Both orgs are full of look-alike rows that differ by one unmistakable word. Every route of the resolver is opened by an
anonymous visitor, a person without orgs, each role of Acme, and Carla, who owns Globex and tries Acme's addresses. What
comes back (status line, headers, body, stream, file), the e-mails and the queued jobs are searched for the words of
orgs the visitor has no part in. Who is refused changes nothing: the contents of all tables are compared.

A new address needs an entry in PAGES below; without one `test_every_address_has_an_entry` fails.
"""

from collections.abc import Callable, Iterator, Set
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

import pytest
from django.db import connection, transaction
from django.http import HttpResponse
from django.http.response import HttpResponseBase, StreamingHttpResponse
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver
from django.utils.module_loading import import_string
from django_q.models import OrmQ

from conversations.models import Contact, Conversation, Message, Number
from orgs.context import in_org
from orgs.models import Invitation, Mail, Membership, Org, Person, RateBucket, Role
from orgs.models.people import hash_token, new_token
from orgs.tasks import REPEATS
from tests.cast import make_person
from tests.rehearsal.models import NOTES

WORDS = {"acme": "zebrafinch", "globex": "ocelotmoth"}
ROWS_PER_TABLE = 3
FIRST_FREE_PK = 1000  # a sequence does not roll back: both orgs' start here in each test
ROLES = {"ana": Role.OWNER, "davi": Role.ADMIN, "beto": Role.SDR, "vera": Role.VIEWER}
ORGS_OF = {"anonymous": set[str](), "sara": set[str](), "carla": {"globex"}} | {name: {"acme"} for name in ROLES}
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

    def words_of(self, slug: str) -> set[str]:
        """What only members of the org may read."""
        org = self.orgs[slug]
        emails = {member.person.email for member in org.memberships.select_related("person")}
        return {WORDS[slug], org.schema_name, f"guest-{slug}@", *emails}

    def forbidden_to(self, name: str) -> set[str]:
        slugs = set(WORDS) - ORGS_OF[name]
        return set[str]().union(*(self.words_of(slug) for slug in slugs))

    def membership(self, name: str) -> Membership:
        return Membership.objects.get(person=self.people[name])


@pytest.fixture
def world(db: None) -> World:
    orgs = {slug: Org.objects.get(slug=slug) for slug in WORDS}
    gil = make_person("gil")  # Carla's colleague, as Beto is Ana's
    Membership.objects.create(org=orgs["globex"], person=gil, role=Role.SDR)
    make_person("sara")  # a stranger to both
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
    people = {person.email.partition("@")[0]: person for person in Person.objects.all()}
    return World(orgs, people, tokens, invitations)


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
    with connection.cursor() as cursor:  # ids were given by hand: the next one must not meet them
        cursor.execute("SELECT setval(pg_get_serial_sequence('conversations_message', 'id'), 1000)")


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


def row_pk(world: World, slug: str) -> dict[str, Any]:
    return {"pk": 1}


def draft_pk(world: World, slug: str) -> dict[str, Any]:
    return {"pk": 1, "message": 2}


def failed_pk(world: World, slug: str) -> dict[str, Any]:
    return {"pk": 1, "message": 3}


def token(world: World, slug: str) -> dict[str, Any]:
    return {"token": world.tokens[slug]}


def offer_of(world: World) -> set[str]:
    """Whoever holds the link may read who invites them where, and their own address."""
    return {WORDS["acme"], "guest-acme@"}


def settings_body(world: World) -> dict[str, Any]:
    return {"name": "Other name", "slug": "acme", "language": "en", "time_zone": "America/Sao_Paulo"}


PAGES: dict[str, Page] = {
    # Rows of an org, played by the rehearsal app
    "o/<slug:slug>/rehearsal/": Page({200}, {200}, Role.VIEWER),
    "o/<slug:slug>/rehearsal/create/": Page({500}, {201}, Role.SDR, body=lambda world: {"title": "new"}),
    "o/<slug:slug>/rehearsal/export/": Page({200}, {200}, Role.VIEWER),
    "o/<slug:slug>/rehearsal/broken/": Page({500}, {500}, Role.VIEWER),
    "o/<slug:slug>/rehearsal/<int:pk>/": Page({200}, {200}, Role.VIEWER, args=row_pk),
    # Conversations
    "o/<slug:slug>/inbox/": Page({200}, {405}, Role.VIEWER),
    "o/<slug:slug>/inbox/pause/": Page({200}, {302}, Role.SDR),
    "o/<slug:slug>/inbox/pause/end/": Page({405}, {302}, Role.SDR),
    "o/<slug:slug>/inbox/<int:pk>/": Page({200}, {405}, Role.VIEWER, args=row_pk),
    "o/<slug:slug>/inbox/<int:pk>/replies/": Page(
        {405}, {302}, Role.SDR, args=row_pk, body=lambda world: {"text": "Bom dia"}
    ),
    "o/<slug:slug>/inbox/<int:pk>/takeover/": Page({405}, {302}, Role.SDR, args=row_pk),
    "o/<slug:slug>/inbox/<int:pk>/takeover/end/": Page({405}, {302}, Role.SDR, args=row_pk),
    "o/<slug:slug>/inbox/<int:pk>/messages/<int:message>/approval/": Page({405}, {302}, Role.SDR, args=draft_pk),
    "o/<slug:slug>/inbox/<int:pk>/messages/<int:message>/discard/": Page({405}, {302}, Role.SDR, args=draft_pk),
    "o/<slug:slug>/inbox/<int:pk>/messages/<int:message>/retry/": Page({405}, {302}, Role.SDR, args=failed_pk),
    # Orgs
    "o/<slug:slug>/": Page({200}, {200, 405}, Role.VIEWER),
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
    "account/deletion/": Page({200, 302}, {302, 422}, anonymous={SIGN_IN}),
    "api/v1/me/": Page({200}, {405}, anonymous={401}),
    "api/v1/orgs/": Page({200}, {405}, anonymous={401}),
    "invitations/mine/<int:pk>/": Page({404}, {404}, args=invitation_pk, anonymous={SIGN_IN}),
    "invitations/<str:token>/": Page({409}, {409}, args=token, anonymous={200}, knows=offer_of),
    "invitations/<str:token>/signup/": Page({405}, {302}, args=token, anonymous={405, 422}, knows=offer_of),
    # What libraries bring (see also PREFIXES)
    "i18n/setlang/": Page({302}, {302}),
}
# Addresses of libraries, below these prefixes: they know nothing of orgs, but they are opened and searched like ours.
PREFIXES = {
    "accounts/": {200, 301, 302, 400, 401, 403, 404, 405, 409, 422},
    "staff/": {302, 404},
    "stripe/": {400, 404, 405},
    "health/": {200, 404, 405, 503},
    "metrics": {401, 404, 405},
}
HINT = "Add it to PAGES in tests/test_other_org.py: who may open it, what it answers, and a plausible body."


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


def is_library(route: str) -> bool:
    return route not in PAGES and any(route.startswith(prefix) for prefix in PREFIXES)


def path_of(route: str, world: World, *, slug: str, rows_of: str) -> str:
    """The address of a route: below `slug`, naming rows of the org `rows_of`."""
    page = PAGES.get(route)
    values = {"slug": slug, **(page.args(world, rows_of) if page else {})}
    return "/" + "/".join(fill(part, values) for part in route.split("/"))


def fill(part: str, values: dict[str, Any]) -> str:
    return str(values[part.strip("<>").rpartition(":")[2]]) if part.startswith("<") else part


def library_paths(route: str, world: World) -> list[str]:
    """Addresses of a library's route, for rows of both orgs where it names rows."""
    if "<" not in route and "(" not in route:
        return [f"/{route}"]
    if route.startswith("staff/orgs/"):
        model = route.split("/")[2]
        pks: dict[str, Callable[[str], Any]] = {
            "org": lambda slug: world.orgs[slug].pk,
            "person": lambda slug: world.people["ana" if slug == "acme" else "carla"].pk,
            "membership": lambda slug: member_pk(world, slug)["pk"],
            "invitation": lambda slug: invitation_pk(world, slug)["pk"],
        }
        found = [pks[model](slug) if model in pks else 1 for slug in WORDS]
        return [f"/{route}".replace("<path:object_id>", str(pk)).replace("<int:pk>", str(pk)) for pk in found]
    filled = route.replace("<int:pk>", "1").replace("<path:content_type_id>", "1").replace("<path:object_id>", "1")
    filled = filled.replace("<uuid:uuid>", "11111111-1111-4111-8111-111111111111").replace("<key>", "1-a")
    filled = filled.replace("^(?P<app_label>orgs)/$", "orgs/").replace("(?P<url>.*)$", "nothing/here/")
    assert "<" not in filled, f"library_paths() cannot fill {route}"
    return [f"/{filled}"]


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


class Walker:
    """One visitor's browser. `objections` collects wrong answers and leaks."""

    def __init__(self, name: str, world: World, commits: Any) -> None:
        self.name, self.world, self.commits = name, world, commits
        self.client = Client(raise_request_exception=False)
        self.forbidden = world.forbidden_to(name)
        self.objections: list[str] = []
        if name != "anonymous":
            person = world.people[name]
            self.client.force_login(person, backend="allauth.account.auth_backends.AuthenticationBackend")

    def ask(
        self, method: str, path: str, body: dict[str, Any], expected: set[int], allowed: Set[str] = frozenset()
    ) -> None:
        """Send the request, run the jobs it queued, and search all that came of it."""
        RateBucket.objects.all().delete()  # a visitor who is told to wait sees nothing, which would prove nothing
        last_mail = max(Mail.objects.values_list("pk", flat=True), default=0)
        jobs = set(OrmQ.objects.values_list("pk", flat=True))
        with self.commits(execute=True), transaction.atomic():
            response = self.client.generic(method, path, **encoded(method, body))
            text = text_of(response)
            transaction.set_rollback(response.status_code >= 500)
        words = self.forbidden - allowed
        if response.status_code not in expected:
            self.objections.append(f"{self.name} {method} {path}: {response.status_code}, expected {sorted(expected)}")
        self.search(f"{method} {path}", text, words)
        for mail in Mail.objects.filter(pk__gt=last_mail):
            self.search(f"e-mail of {method} {path}", mail_text(mail), words)
        for job in OrmQ.objects.exclude(pk__in=jobs):
            task = job.task
            self.search(f"job of {method} {path}", str(task), words)
            import_string(task["func"])(*task["args"], **task["kwargs"])
            job.delete()

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
        if name in {"sara", "carla"} and page.stranger is not None:
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
    unlisted = [route for route in sorted(known) if route not in PAGES and not is_library(route)]
    assert unlisted == [], HINT
    assert sorted(set(PAGES) - known) == [], "these entries of PAGES have no address any more"


@pytest.mark.parametrize("name", ORGS_OF)
def test_nobody_reads_another_org(walker: Callable[[str], Walker], world: World, name: str) -> None:
    visitor = walker(name)
    for route, page in PAGES.items():
        for method in ("GET", "POST"):
            path = path_of(route, world, slug="acme", rows_of="acme")
            with undone():
                visitor.ask(method, path, page.body(world), expected_of(page, name, method), page.knows(world))
    assert not visitor.objections, "\n".join(visitor.objections)


@pytest.mark.parametrize("name", ORGS_OF)
def test_nobody_reads_another_org_at_addresses_of_libraries(
    walker: Callable[[str], Walker], world: World, name: str
) -> None:
    visitor = walker(name)
    walked = 0
    for route, _ in routes():
        if is_library(route):
            expected = next(answers for prefix, answers in PREFIXES.items() if route.startswith(prefix))
            for path in library_paths(route, world):
                for method in ("GET", "POST"):
                    with undone():
                        visitor.ask(method, path, {}, expected)
                        walked += 1
    assert not visitor.objections, "\n".join(visitor.objections)
    assert walked > 100


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


@pytest.mark.parametrize("name", ["anonymous", "sara", "carla"])
@pytest.mark.parametrize("slug", ["acme", "ACME"])
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
    assert not Mail.objects.exists()


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
