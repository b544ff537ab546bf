"""The demo's people and orgs: one coherent story, told relative to the moment of the first start.

Marina Duarte founded Aurora Solar, a company that sells solar panels in Campinas, six weeks ago. Rafael manages sales,
Júlia and Tiago sell, Helena reads the numbers; Bruno has not answered his invitation yet, and Paula's has expired. On
the side Marina runs a small consultancy, so that there is something to switch to.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from allauth.account.models import EmailAddress
from django.conf import settings
from django.db import connection, transaction
from django.utils import timezone

from orgs import staffing
from orgs.audit import Action
from orgs.models import AuditEntry, Invitation, Membership, Org, Person, Role
from orgs.models.people import INVITATION_LIFETIME, hash_token, new_token
from orgs.schemas import provision

DEMO_EMAIL = "marina@aurora.example"
DEMO_PASSWORD = "girassol-ao-meio-dia"  # noqa: S105  # of everybody in the demo, and printed by it
STAFF_EMAIL = "staff@qify.example"
SEED_LOCK = 0x5D4_0003  # two that seed at once: the second finds everything done
IP = "203.0.113.24"  # of the documentation network (RFC 5737)
BROWSER = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"


@dataclass(frozen=True)
class Member:
    """Somebody who was invited by `by` and accepted: when, in days before now."""

    email: str
    name: str
    role: Role
    invited: float
    joined: float
    by: str = DEMO_EMAIL


@dataclass(frozen=True)
class Open:
    """An invitation nobody has accepted yet."""

    email: str
    role: Role
    sent: float
    by: str = DEMO_EMAIL


RAFAEL = Member("rafael@aurora.example", "Rafael Nogueira", Role.ADMIN, invited=40.2, joined=39.9)
JULIA = Member("julia@aurora.example", "Júlia Prado", Role.SDR, invited=31.1, joined=30.8, by=RAFAEL.email)
TIAGO = Member("tiago@aurora.example", "Tiago Farias", Role.SDR, invited=14, joined=12.4, by=RAFAEL.email)
HELENA = Member("helena@aurora.example", "Helena Castro", Role.VIEWER, invited=9.5, joined=9.3)
OTAVIO = Member("otavio@duarte.example", "Otávio Lins", Role.SDR, invited=5.2, joined=5)
BRUNO = Open("bruno@aurora.example", Role.SDR, sent=2, by=RAFAEL.email)
PAULA = Open("paula@contabil.example", Role.VIEWER, sent=16)


@dataclass(frozen=True)
class Story:
    """An org and its people, in the order of events."""

    slug: str
    name: str
    founded: float
    members: tuple[Member, ...]
    invitations: tuple[Open, ...] = ()


AURORA = Story("aurora", "Aurora Solar", 42, (RAFAEL, JULIA, TIAGO, HELENA), (PAULA, BRUNO))
DUARTE = Story("duarte-consultoria", "Duarte Consultoria", 6, (OTAVIO,))


def seed(now: datetime | None = None) -> bool:
    """Tell the story in one transaction; when it has been told, only keep the waiting invitation from expiring.

    Out: True when it was told now. Safe to repeat, also at the same time.
    """
    now = now or timezone.now()
    with transaction.atomic():
        connection.cursor().execute("SELECT pg_advisory_xact_lock(%s)", [SEED_LOCK])
        if Person.objects.filter(email=DEMO_EMAIL).exists():
            keep_waiting(now)
            return False
        marina = make_person(DEMO_EMAIL, "Marina Duarte", at=now - days(42.1))
        aurora = tell(AURORA, marina, now)
        tell(DUARTE, marina, now)
        Person.objects.filter(pk=marina.pk).update(last_org=aurora)
        staff = make_person(STAFF_EMAIL, "Qify Support", at=now - days(60))
        staffing.grant(staff, staffing.StaffRole.LEAD)
    return True


def sign_in_lines() -> list[str]:
    """Who can sign in to the demo, and how, for a terminal."""
    rows = [(DEMO_EMAIL, "owner")] + [(member.email, member.role.value) for member in AURORA.members]
    return [
        f"Sign in as      {DEMO_EMAIL}",
        f"Password        {DEMO_PASSWORD}",
        "",
        "The same password for everybody:",
        *(f"  {email:<24}{role}" for email, role in rows),
        f"  {STAFF_EMAIL:<24}support staff, at /staff/",
        "",
        f"Write as a lead {settings.SITE_URL}/demo/phone/",
    ]


def tell(story: Story, owner: Person, now: datetime) -> Org:
    """Make the org, its members and invitations, and the audit entries that such a history leaves."""
    founded = now - days(story.founded)
    org = provision(Org(slug=story.slug, name=story.name, created_at=founded))
    Membership.objects.create(org=org, person=owner, role=Role.OWNER, created_at=founded)
    note(org, Action.ORG_CREATED, at=founded, who=owner, target=f"org:{org.pk}")
    details = {"name": org.name, "time_zone": org.time_zone}
    note(org, Action.ORG_CHANGED, at=founded + timedelta(minutes=12), who=owner, target=f"org:{org.pk}", data=details)
    people = {owner.email: owner}
    for member in story.members:
        people[member.email] = join(org, member, people, now)
    for invitation in story.invitations:
        invite(org, invitation, people, now)
    return org


def join(org: Org, member: Member, people: dict[str, Person], now: datetime) -> Person:
    joined = now - days(member.joined)
    invitation = invite(org, Open(member.email, member.role, sent=member.invited, by=member.by), people, now)
    person = make_person(member.email, member.name, at=joined, last_org=org)
    membership = Membership.objects.create(org=org, person=person, role=member.role, created_at=joined)
    Invitation.objects.filter(pk=invitation.pk).update(accepted_at=joined, accepted_by=person)
    data = {"role": member.role.value, "was_member": False}
    note(org, Action.INVITATION_ACCEPTED, at=joined, who=person, target=f"membership:{membership.pk}", data=data)
    return person


def invite(org: Org, given: Open, people: dict[str, Person], now: datetime) -> Invitation:
    """An invitation whose link nobody has: to use it, send it again."""
    sent = now - days(given.sent)
    invitation = Invitation.objects.create(
        org=org,
        email=given.email,
        role=given.role,
        language=org.language,
        token_hash=hash_token(new_token()),
        invited_by=people[given.by],
        created_at=sent,
        sent_at=sent,
        expires_at=sent + INVITATION_LIFETIME,
    )
    data = {"email": given.email, "role": given.role.value}
    target = f"invitation:{invitation.pk}"
    note(org, Action.PERSON_INVITED, at=sent, who=people[given.by], target=target, data=data)
    return invitation


def keep_waiting(now: datetime) -> None:
    """A demo that is started again next week still has an invitation that waits."""
    sent = now - days(BRUNO.sent)
    waiting = Invitation.objects.open().filter(org__slug=AURORA.slug, email=BRUNO.email, expires_at__lt=now + days(1))
    waiting.update(sent_at=sent, expires_at=sent + INVITATION_LIFETIME)


def make_person(email: str, name: str, *, at: datetime, last_org: Org | None = None) -> Person:
    person = Person.objects.create_user(email, DEMO_PASSWORD, name=name, created_at=at, last_org=last_org)
    EmailAddress.objects.create(user=person, email=email, verified=True, primary=True)
    return person


def note(
    org: Org, action: Action, *, at: datetime, who: Person, target: str, data: Mapping[str, object] | None = None
) -> None:
    """An audit entry of the past: orgs.audit.record knows only now."""
    AuditEntry.objects.create(
        at=at,
        org_id=org.pk,
        org_slug=org.slug,
        person_id=who.pk,
        actor=who.email,
        action=action.value,
        target=target,
        data=dict(data or {}),
        ip=IP,
        user_agent=BROWSER,
    )


def days(number: float) -> timedelta:
    return timedelta(days=number)
