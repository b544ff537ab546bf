"""Rate limits count exactly, also under concurrency, and say when to come back."""

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from allauth.mfa.totp.internal.auth import TOTP, generate_totp_secret
from django.core.cache import cache
from django.db import OperationalError, connection
from django.db.models import F
from django.test import Client, RequestFactory
from django.test.utils import CaptureQueriesContext
from django.urls import URLResolver, get_resolver, reverse
from django.utils import translation
from rest_framework.response import Response
from rest_framework.test import APIRequestFactory, force_authenticate
from rest_framework.views import APIView

from orgs import ratelimit
from orgs.models import Mail, Org, Person, RateBucket
from orgs.ratelimit import ApiThrottle, Rule, check
from tests.cast import PASSWORD

HOURLY = Rule("test-hourly", 60, timedelta(hours=1), burst=5)
FAST = Rule("test-fast", 20, timedelta(seconds=1), burst=2)


@pytest.fixture
def still(monkeypatch: pytest.MonkeyPatch) -> None:
    """The limits' clock stands still: a slow machine drains no bucket while a test fills it."""
    monkeypatch.setattr(
        ratelimit, "ATTEMPT", ratelimit.ATTEMPT.replace("clock_timestamp()", "timestamptz '2100-01-01 00:00+00'")
    )


def test_it_allows_the_burst_and_then_says_when(db: None) -> None:
    assert [check(HOURLY, "ana").allowed for _ in range(5)] == [True] * 5
    verdict = check(HOURLY, "ana")
    assert not verdict.allowed
    assert 55 <= verdict.retry_after <= 60


def test_it_counts_each_subject_and_rule_alone(db: None) -> None:
    for _ in range(5):
        check(HOURLY, "ana")
    assert not check(HOURLY, "ana").allowed
    assert check(HOURLY, "beto").allowed
    assert check(FAST, "ana").allowed


def test_it_lets_time_refill_the_bucket(db: None) -> None:
    assert [check(HOURLY, "ana").allowed for _ in range(6)] == [True] * 5 + [False]
    RateBucket.objects.update(drained_at=F("drained_at") - timedelta(minutes=1))  # as if one interval had passed
    assert [check(HOURLY, "ana").allowed for _ in range(2)] == [True, False]


def test_it_does_not_lengthen_the_wait_of_those_who_keep_trying(db: None) -> None:
    for _ in range(5):
        check(HOURLY, "ana")
    before = RateBucket.objects.get().drained_at
    for _ in range(20):
        check(HOURLY, "ana")
    assert RateBucket.objects.get().drained_at == before


def test_it_uses_one_statement_and_stores_no_personal_data(db: None) -> None:
    with CaptureQueriesContext(connection) as queries:
        check(HOURLY, "ana@example.com")
    assert len([query for query in queries if "orgs_ratebucket" in query["sql"]]) == 1
    assert "ana" not in RateBucket.objects.get().key


def test_it_allows_exactly_the_burst_under_concurrency(committed: None) -> None:
    rule = Rule("test-race", 10, timedelta(hours=1), burst=17)
    barrier = threading.Barrier(50)

    def attempt(_: int) -> bool:
        try:
            connection.ensure_connection()
            barrier.wait(30)
            return check(rule, "everybody").allowed
        finally:
            connection.close()

    with ThreadPoolExecutor(50) as pool:
        verdicts = list(pool.map(attempt, range(50)))
    assert verdicts.count(True) == 17


def test_it_prunes_what_has_drained(db: None) -> None:
    check(HOURLY, "ana")
    check(FAST, "ana")
    time.sleep(0.06)
    assert ratelimit.prune() == 1
    assert RateBucket.objects.get().key.startswith("test-hourly:")


def test_it_refuses_secrets_and_allows_the_rest_while_it_cannot_count(monkeypatch: pytest.MonkeyPatch) -> None:
    def away() -> None:
        raise OperationalError("refused")

    guarded = Rule("test-guarded", 1, timedelta(hours=1), burst=1, guards_secret=True)
    with monkeypatch.context() as patch:
        patch.setattr(connection, "cursor", away)
        assert check(HOURLY, "ana").allowed
        verdict = check(guarded, "ana")
    assert (verdict.allowed, verdict.retry_after) == (False, ratelimit.UNREACHABLE_RETRY_SECONDS)


@pytest.mark.parametrize(
    ("address", "counted"),
    [
        ("203.0.113.7", "203.0.113.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2:ffff::1", "2001:db8:1:2::/64"),
        ("::ffff:203.0.113.7", "203.0.113.7"),
        ("", "unknown"),
    ],
)
def test_it_counts_addresses_by_customer(address: str, counted: str) -> None:
    assert ratelimit.ip(RequestFactory().get("/", REMOTE_ADDR=address)) == counted


def test_every_limited_view_exists_and_every_rule_has_its_own_name() -> None:
    assert set(ratelimit.RATE_LIMITS) <= known_names(get_resolver())
    rules = [rule for rule in vars(ratelimit).values() if isinstance(rule, Rule)]
    assert len({rule.name for rule in rules}) == len(rules)
    assert all(len(ratelimit.key_of(rule, "x")) <= 120 for rule in rules)


def known_names(resolver: URLResolver, prefix: str = "") -> set[str]:
    """Every view name below the resolver, with its namespaces."""
    names: set[str] = set()
    for pattern in resolver.url_patterns:
        if isinstance(pattern, URLResolver):
            names |= known_names(pattern, prefix + (f"{pattern.namespace}:" if pattern.namespace else ""))
        elif pattern.name:
            names.add(prefix + pattern.name)
    return names


# --- The real addresses


def attempts(client: Client, name: str, data: dict[str, str], times: int, **extra: Any) -> list[int]:
    return [client.post(reverse(name), data, **extra).status_code for _ in range(times)]


def test_it_slows_down_guessing_of_one_password(ana: Person) -> None:
    wrong = {"login": "ana@example.com", "password": "wrong-guess"}
    codes = attempts(Client(), "account_login", wrong, 9)
    assert codes == [200] * 8 + [429]
    client = Client()
    response = client.post(reverse("account_login"), {"login": " ANA@example.com ", "password": PASSWORD})
    assert response.status_code == 429, "the right password too, else guessing would go on"
    assert 1 <= int(response.headers["Retry-After"]) <= 60
    assert "_auth_user_id" not in client.session
    elsewhere = client.post(
        reverse("account_login"), {"login": "ana@example.com", "password": PASSWORD}, REMOTE_ADDR="203.0.113.9"
    )
    assert elsewhere.status_code == 302, "a stranger's guessing does not lock Ana out"


def test_it_slows_down_guessing_of_one_password_from_many_addresses(
    ana: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    wrong = {"login": "ana@example.com", "password": "wrong-guess"}
    codes = [attempts(Client(), "account_login", wrong, 1, REMOTE_ADDR=f"203.0.113.{i}")[0] for i in range(42)]
    assert codes == [200] * 40 + [429] * 2


def test_it_slows_down_guessing_of_many_passwords_from_one_address(db: None) -> None:
    codes = [
        attempts(Client(), "account_login", {"login": f"p{i}@example.com", "password": "x"}, 1)[0] for i in range(41)
    ]
    assert codes == [200] * 40 + [429]


def test_it_does_not_limit_looking(db: None) -> None:
    client = Client()
    assert {client.get(reverse("account_login")).status_code for _ in range(60)} == {200}
    assert not RateBucket.objects.exists()


def test_it_does_not_count_forged_posts(db: None) -> None:
    client = Client(enforce_csrf_checks=True)
    assert attempts(client, "account_login", {"login": "ana@example.com", "password": "x"}, 3) == [403] * 3
    assert not RateBucket.objects.exists()


@pytest.mark.parametrize(
    ("name", "data", "burst"),
    [
        ("account_signup", {}, 10),
        ("account_reset_password", {"email": "ana@example.com"}, 3),
        ("account_reset_password", {}, 10),
        ("mfa_login_webauthn", {}, 40),
        ("account_email_verification_sent", {}, 20),
        ("google_login_by_token", {}, 40),
    ],
)
def test_it_limits_strangers(ana: Person, name: str, data: dict[str, str], burst: int) -> None:
    cache.clear()
    codes = attempts(Client(), name, data, burst + 1)
    assert 429 not in codes[:burst]
    assert codes[burst] == 429


@pytest.mark.parametrize(
    ("name", "burst"),
    [("account_reauthenticate", 8), ("account_change_password", 8), ("account_email", 10), ("mfa_reauthenticate", 8)],
)
def test_it_limits_those_who_are_signed_in(
    ana: Person, sign_in: Callable[[Person], Client], name: str, burst: int
) -> None:
    codes = attempts(sign_in(ana), name, {"password": "wrong", "oldpassword": "wrong"}, burst + 1)
    assert 429 not in codes[:burst]
    assert codes[burst] == 429


def test_it_limits_second_steps_by_person_whatever_the_address(ana: Person) -> None:
    TOTP.activate(ana, generate_totp_secret())
    codes = []
    for i in range(9):
        client = Client(REMOTE_ADDR=f"203.0.113.{i}")
        client.post(reverse("account_login"), {"login": "ana@example.com", "password": PASSWORD})
        codes.append(client.post(reverse("mfa_authenticate"), {"code": "000000"}).status_code)
    assert codes == [200] * 8 + [429]


@pytest.mark.parametrize("language", ["en", "pt-br", "es"])
def test_the_page_says_when_to_try_again(db: None, language: str) -> None:
    with translation.override(language):
        response = ratelimit.too_many(RequestFactory().post("/accounts/login/"), 180)
        words = ratelimit.wait_text(180)
    body = response.content.decode()
    assert response.status_code == 429
    assert (response.headers["Retry-After"], response.headers["Cache-Control"]) == ("180", "no-store")
    assert f'lang="{language}"' in body
    assert "3" in words
    assert words in body


def test_short_waits_are_told_in_seconds_and_long_ones_in_minutes_rounded_up() -> None:
    with translation.override("en"):
        ends = [ratelimit.wait_text(seconds).split(" in ")[-1] for seconds in (1, 119, 120, 121)]
    assert ends == ["1 second.", "119 seconds.", "2 minutes.", "3 minutes."]


def test_an_htmx_form_keeps_what_was_typed(db: None) -> None:
    request = RequestFactory().post("/accounts/login/", headers={"HX-Request": "true"})
    response = ratelimit.too_many(request, 30)
    assert response.status_code == 429
    assert (response.headers["HX-Retarget"], response.headers["HX-Reswap"]) == ("#flashes-urgent", "innerHTML")
    body = response.content.decode()
    assert "30" in body
    assert "<html" not in body


def test_a_script_gets_json(db: None) -> None:
    request = RequestFactory().post("/accounts/2fa/webauthn/login/", headers={"Accept": "application/json"})
    response = ratelimit.too_many(request, 30)
    assert response.headers["Content-Type"] == "application/json"
    assert b'"throttled"' in response.content


class Ping(APIView):
    throttle_classes = [ApiThrottle]
    permission_classes: list[Any] = []

    def get(self, request: Any) -> Response:
        return Response({})


def test_the_api_is_limited_per_person_and_says_retry_after(still: None, ana: Person, beto: Person) -> None:
    view = Ping.as_view()

    def ask(person: Person | None) -> Any:
        request = APIRequestFactory().get("/api/v1/ping/")
        if person:
            force_authenticate(request, person)
        return view(request)

    codes = [ask(ana).status_code for _ in range(120)]
    assert codes == [200] * 120
    refused = ask(ana)
    assert refused.status_code == 429
    assert int(refused.headers["Retry-After"]) == 1
    assert ask(beto).status_code == 200
    assert [ask(None).status_code for _ in range(31)].count(200) == 30


def test_it_limits_invitations_by_person_and_by_org(
    acme: Org, ana: Person, davi: Person, sign_in: Callable[[Person], Client]
) -> None:
    path = reverse("orgs:invitations", args=["acme"])

    def invite(client: Client, count: int) -> list[int]:
        return [client.post(path, {"email": "no address"}).status_code for _ in range(count)]

    codes = invite(sign_in(ana), 31)
    assert 429 not in codes[:30]
    assert codes[30] == 429
    codes = invite(sign_in(davi), 21)
    assert 429 not in codes[:20], "Davi has a limit of his own"
    assert codes[20] == 429, "and both have the org's"


def test_it_limits_the_founding_of_orgs(ana: Person, sign_in: Callable[[Person], Client]) -> None:
    client = sign_in(ana)
    before = Org.objects.count()
    codes = attempts(client, "account:new_org", {}, 6)
    assert 429 not in codes[:5]
    assert codes[5] == 429
    assert Org.objects.count() == before


def test_it_limits_guessing_of_invitations(db: None) -> None:
    path = reverse("orgs:invitation", args=["guess"])
    codes = [Client().post(path).status_code for _ in range(21)]
    assert 429 not in codes[:20]
    assert codes[20] == 429


def test_the_products_api_answers_429_with_when_to_come_back(
    ana: Person, sign_in: Callable[[Person], Client], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ratelimit, "API_PERSON", Rule("test-api", 60, timedelta(hours=1), burst=2))
    client = sign_in(ana)
    responses = [client.get("/api/v1/me/") for _ in range(3)]
    assert [response.status_code for response in responses] == [200, 200, 429]
    assert 1 <= int(responses[2].headers["Retry-After"]) <= 60
    assert responses[2].json()["error"]["code"] == "throttled"


def test_every_rule_of_the_table_is_held_by_some_view_or_the_api() -> None:
    used = {rule for limits in ratelimit.RATE_LIMITS.values() for rule, _ in limits}
    used |= {ratelimit.API_PERSON, ratelimit.API_IP}
    assert {rule for rule in vars(ratelimit).values() if isinstance(rule, Rule)} == used


def test_it_counts_resets_by_the_address_that_gets_the_mail(ana: Person) -> None:
    """A form field that the page does not have must not hide whom the mails go to."""
    forms = [{"login": f"somebody-{number}@example.com", "email": ana.email} for number in range(4)]
    assert [Client().post("/accounts/password/reset/", form).status_code for form in forms] == [302, 302, 302, 429]
    assert Mail.objects.filter(to=ana.email).count() == 3


def test_it_counts_sign_ins_by_the_address_that_is_tried(ana: Person) -> None:
    forms = [
        {"login": ana.email, "email": f"somebody-{number}@example.com", "password": "wrong"} for number in range(9)
    ]
    assert [Client().post("/accounts/login/", form).status_code for form in forms][-1] == 429
