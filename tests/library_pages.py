"""Addresses that libraries bring (allauth, the support site, dj-stripe, health): who gets which answer there.

Read by tests/test_other_org.py, which opens each of them as everybody, for rows of both orgs, and searches what comes
back. A new version of a library with a new address fails there until it has an entry here.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tests.cast import PASSWORD

if TYPE_CHECKING:
    from tests.test_other_org import World

STAFF = {"sofia": "support", "lucas": "support lead"}  # who is on our staff, in which role
SIGN_IN = 302  # also: to the proof of a second step, or home for who is signed in already
NEW_PASSWORD = "battery-horse-correct-9"
UNKNOWN_UUID = "11111111-1111-4111-8111-111111111111"

Args = Callable[["World", str], dict[str, Any]]
Body = Callable[["World", str], dict[str, Any]]


def nothing(world: "World", name: str) -> dict[str, Any]:
    return {}


@dataclass(frozen=True)
class LibraryPage:
    """What an address answers to (GET, POST): to whoever is signed in, and to whoever is not.

    `args` fills the address for rows of an org: (world, slug). `body` is posted: (world, who posts). Where the address
    names a row of a person, `owner` has it and the others get 404.
    """

    signed_in: tuple[int, int]
    anonymous: tuple[int, int] = (SIGN_IN, SIGN_IN)
    args: Args = nothing
    body: Body = nothing
    owner: Callable[[str], str] | None = None

    def answer(self, name: str, slug: str, method: str) -> int:
        """The status the person of that name gets for a row of that org."""
        position = ("GET", "POST").index(method)
        if name == "anonymous":
            return self.anonymous[position]
        if self.owner is not None and name != self.owner(slug):
            return 404
        return self.signed_in[position]


@dataclass(frozen=True)
class StaffPage:
    """What a page of the support site answers to (GET, POST) by support and by leads; the others find nothing."""

    support: tuple[int, int]
    lead: tuple[int, int] | None = None  # as support
    args: Args = nothing
    body: Body = nothing
    query: str = ""
    others: int = 404

    def answer(self, name: str, slug: str, method: str) -> int:
        """The status the person of that name gets, whatever the org."""
        position = ("GET", "POST").index(method)
        if name == "anonymous":
            return SIGN_IN
        if name not in STAFF:
            return self.others
        answers = self.lead if name == "lucas" and self.lead else self.support
        return answers[position]


def email_of(name: str) -> str:
    return f"{'sara' if name == 'anonymous' else name}@example.com"


def sign_in_body(world: "World", name: str) -> dict[str, Any]:
    return {"login": email_of(name), "password": PASSWORD}


def sign_up_body(world: "World", name: str) -> dict[str, Any]:
    return {"name": "Nina", "email": "nina@example.com", "password1": NEW_PASSWORD}


def change_password_body(world: "World", name: str) -> dict[str, Any]:
    return {"oldpassword": PASSWORD, "password1": NEW_PASSWORD, "password2": NEW_PASSWORD}


def key_pk(world: "World", slug: str) -> dict[str, Any]:
    return {"pk": world.keys[key_owner(slug)].pk}


def key_owner(slug: str) -> str:
    return {"acme": "ana", "globex": "carla"}[slug]


def foreign_account(world: "World", name: str) -> dict[str, Any]:
    """The Google account of somebody of the other org."""
    return {"account": world.accounts["acme" if name == "carla" else "globex"].pk}


LIBRARY: dict[str, LibraryPage] = {
    # allauth: account
    "accounts/login/": LibraryPage((302, 302), (200, 302), body=sign_in_body),
    "accounts/logout/": LibraryPage((200, 302)),
    "accounts/inactive/": LibraryPage((200, 405), (200, 405)),
    "accounts/signup/": LibraryPage((302, 302), (200, 302), body=sign_up_body),
    "accounts/reauthenticate/": LibraryPage((200, 302), body=lambda world, name: {"password": PASSWORD}),
    "accounts/email/": LibraryPage(
        (200, 302), body=lambda world, name: {"email": f"{name}-2@example.com", "action_add": ""}
    ),
    "accounts/confirm-email/": LibraryPage((302, 302), body=lambda world, name: {"code": "123456"}),
    "accounts/password/change/": LibraryPage((200, 302), body=change_password_body),
    "accounts/password/set/": LibraryPage((302, 302), body=change_password_body),
    "accounts/password/reset/": LibraryPage((200, 302), (200, 302), body=lambda world, name: {"email": email_of(name)}),
    "accounts/login/code/confirm/": LibraryPage((302, 302), body=lambda world, name: {"code": "123456"}),
    "accounts/password/reset/confirm/": LibraryPage((302, 302), body=lambda world, name: {"code": "123456"}),
    "accounts/password/reset/complete/": LibraryPage((302, 302), body=change_password_body),
    "accounts/password/reset/done/": LibraryPage((200, 405), (200, 405)),
    # allauth: second steps
    "accounts/2fa/": LibraryPage((200, 405)),
    "accounts/2fa/authenticate/": LibraryPage((302, 302), body=lambda world, name: {"code": "123456"}),
    "accounts/2fa/reauthenticate/": LibraryPage((200, 200), body=lambda world, name: {"code": "123456"}),
    "accounts/2fa/totp/activate/": LibraryPage((302, 302), body=lambda world, name: {"code": "123456"}),
    "accounts/2fa/totp/deactivate/": LibraryPage((200, 302)),
    "accounts/2fa/recovery-codes/": LibraryPage((200, 405)),
    "accounts/2fa/recovery-codes/generate/": LibraryPage((200, 302)),
    "accounts/2fa/recovery-codes/download/": LibraryPage((200, 405)),
    "accounts/2fa/webauthn/": LibraryPage((200, 405)),
    "accounts/2fa/webauthn/add/": LibraryPage((200, 200), body=lambda world, name: {"name": "Key", "credential": "{}"}),
    "accounts/2fa/webauthn/reauthenticate/": LibraryPage((200, 302), body=lambda world, name: {"credential": "{}"}),
    "accounts/2fa/webauthn/keys/<int:pk>/remove/": LibraryPage((200, 302), args=key_pk, owner=key_owner),
    "accounts/2fa/webauthn/keys/<int:pk>/edit/": LibraryPage(
        (200, 302), args=key_pk, owner=key_owner, body=lambda world, name: {"name": "Renamed"}
    ),
    "accounts/2fa/webauthn/login/": LibraryPage((302, 302), body=lambda world, name: {"credential": "{}"}),
    # allauth: Google, which is not configured here (tests/orgs/test_google_signin.py has it)
    "accounts/google/login/": LibraryPage((404, 404), (404, 404)),
    "accounts/google/login/callback/": LibraryPage((404, 405), (404, 405)),
    "accounts/google/login/token/": LibraryPage((404, 404), (404, 404)),
    "accounts/google/proof/": LibraryPage((404, 405), (302, 405)),
    "accounts/3rdparty/": LibraryPage((200, 200), body=foreign_account),
    "accounts/3rdparty/login/cancelled/": LibraryPage((200, 405), (200, 405)),
    "accounts/3rdparty/login/error/": LibraryPage((401, 405), (401, 405)),
    "accounts/3rdparty/signup/": LibraryPage((302, 302), body=sign_up_body),
    "accounts/social/connections/": LibraryPage((301, 301), (301, 301)),
    "accounts/social/login/cancelled/": LibraryPage((301, 301), (301, 301)),
    "accounts/social/login/error/": LibraryPage((301, 301), (301, 301)),
    "accounts/social/signup/": LibraryPage((301, 301), (301, 301)),
    # allauth: where one is signed in
    "accounts/sessions/": LibraryPage((200, 302)),
    # dj-stripe
    "stripe/webhook/<uuid:uuid>/": LibraryPage((405, 400), (405, 400), args=lambda world, slug: {"uuid": UNKNOWN_UUID}),
}


# --- The support site -------------------------------------------------------------------------------------------------
@dataclass(frozen=True)
class StaffModel:
    """What the support site offers for a model: `row` of an org, and what a lead may write (None: nobody writes)."""

    row: Callable[["World", str], Any]
    add: Body | None = None
    change: Body | None = None
    extra: dict[str, StaffPage] = field(default_factory=dict)


STAFF_MODELS: dict[str, StaffModel] = {
    "org": StaffModel(
        lambda world, slug: world.orgs[slug].pk,
        extra={"<int:pk>/health/": StaffPage((200, 200), args=lambda world, slug: {"pk": world.orgs[slug].pk})},
    ),
    "person": StaffModel(lambda world, slug: world.people[key_owner(slug)].pk),
    "membership": StaffModel(lambda world, slug: world.membership(key_owner(slug)).pk),
    "invitation": StaffModel(lambda world, slug: world.invitations[slug].pk),
    "mail": StaffModel(lambda world, slug: world.mails[slug].pk),
    "auditentry": StaffModel(lambda world, slug: world.entries[slug].pk),
    "due": StaffModel(lambda world, slug: world.dues[slug].pk, extra={"overview/": StaffPage((200, 200))}),
    "later": StaffModel(lambda world, slug: world.laters[slug].pk),
    "heartbeat": StaffModel(lambda world, slug: f"web_40{slug}"),
    "flag": StaffModel(
        lambda world, slug: "FEATURE_5FANALYTICS",
        add=lambda world, name: {"name": "FEATURE_S3_MEDIA", "percentage": 10},
        change=lambda world, name: {"percentage": 20},
    ),
    "flagoverride": StaffModel(
        lambda world, slug: world.overrides[slug].pk,
        add=lambda world, name: {"name": "FEATURE_S3_MEDIA", "org": world.orgs["acme"].pk, "is_on": "on"},
        change=lambda world, name: {"is_on": "on"},
    ),
}


def staff_model_pages(model: str, about: StaffModel) -> dict[str, StaffPage]:
    """The addresses Django's admin has for a model: nobody may add, change or delete but leads what they write."""

    def args(world: "World", slug: str) -> dict[str, Any]:
        return {"object_id": about.row(world, slug)}

    writes = about.add is not None
    return {
        f"staff/orgs/{model}/": StaffPage((200, 200)),
        f"staff/orgs/{model}/add/": StaffPage((403, 403), (200, 302) if writes else None, body=about.add or nothing),
        f"staff/orgs/{model}/<path:object_id>/": StaffPage((302, 302), args=args),
        f"staff/orgs/{model}/<path:object_id>/history/": StaffPage((200, 200), args=args),
        f"staff/orgs/{model}/<path:object_id>/change/": StaffPage(
            (200, 403), (200, 302) if writes else None, args=args, body=about.change or nothing
        ),
        f"staff/orgs/{model}/<path:object_id>/delete/": StaffPage(
            (403, 403), (200, 302) if writes else None, args=args, body=lambda world, name: {"post": "yes"}
        ),
        **{f"staff/orgs/{model}/{route}": page for route, page in about.extra.items()},
    }


STAFF_PAGES: dict[str, StaffPage] = {
    "staff/": StaffPage((200, 200)),
    "staff/search/": StaffPage((200, 200), query="?s=shop"),
    "staff/login/": StaffPage((302, 302), others=302),
    "staff/logout/": StaffPage((302, 302)),
    "staff/password_change/": StaffPage((302, 302)),
    "staff/password_change/done/": StaffPage((302, 302)),
    "staff/autocomplete/": StaffPage(
        (200, 405), query="?app_label=orgs&model_name=flagoverride&field_name=org&term=shop"
    ),
    "staff/jsi18n/": StaffPage((200, 405)),
    "staff/r/<path:content_type_id>/<path:object_id>/": StaffPage(
        (404, 404), args=lambda world, slug: {"content_type_id": 1, "object_id": 1}
    ),
    "staff/^(?P<app_label>orgs)/$": StaffPage((200, 200), args=lambda world, slug: {"app_label": "orgs"}),
    "staff/(?P<url>.*)$": StaffPage((404, 404), args=lambda world, slug: {"url": "nothing/here/"}),
}
for _model, _about in STAFF_MODELS.items():
    STAFF_PAGES |= staff_model_pages(_model, _about)

# --- Beside Django's resolver -----------------------------------------------------------------------------------------
# Answered by sdr.health.HealthMiddleware: (path, bearer) -> (GET, POST)
OUTSIDE: dict[tuple[str, str], tuple[set[int], set[int]]] = {
    ("/health/live", ""): ({200}, {405}),
    ("/health/ready", ""): ({200}, {405}),
    ("/health/deep", ""): ({401}, {405}),
    ("/health/deep", "test-health-token"): ({503}, {405}),
    ("/metrics", ""): ({401}, {405}),
    ("/metrics", "test-metrics-token"): ({200}, {405}),
}
ASYNC = {  # entered past Django in sdr.asgi.ASYNC_ROUTES: (file, the test that shows that no org leaks there)
    "/health/live": ("sdr/test_asgi.py", "test_it_is_alive_while_all_threads_are_busy"),
    "/live/": ("conversations/test_streams.py", "test_members_hear_of_their_org_alone"),
    "/hooks/whatsapp/": (
        "integrations/whatsapp/test_door.py",
        "test_another_instances_body_is_quarantined_without_its_key",
    ),
}
