"""The agent's screens: everybody reads, admins change a draft, look at what changes, publish, go back (FIELD 4.5)."""

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from conversations import agents
from conversations.agent_forms import FORMS
from conversations.models import AgentVersion, Number
from orgs.models import AuditEntry, Org, Person

SignIn = Callable[[Person], Client]
BASE = "/o/acme/agent/"
State = AgentVersion.State


@pytest.fixture
def sign_in(sign_in: SignIn) -> SignIn:
    """A browser of somebody who reads English."""

    def make(person: Person) -> Client:
        Person.objects.filter(pk=person.pk).update(language="en")
        return sign_in(person)

    return make


def page_of(section: str, *, number: Number | None = None, **changed: Any) -> dict[str, Any]:
    """What the browser posts from a page as it stands, with other values; None leaves a field out."""
    version = agents.shown(number.pk if number else None)
    form = FORMS[section](version=version)
    data: dict[str, Any] = {"seen": agents.fingerprint(version, form.writes)}
    for name, field in form.fields.items():
        bound = form[name]
        value = field.prepare_value(bound.initial)
        if isinstance(value, bool):
            data |= {name: "on"} if value else {}
        elif value is not None:
            data[name] = value if isinstance(value, list) else str(value)
    data |= changed
    return {name: value for name, value in data.items() if value is not None}


def stored(*names: str) -> dict[str, Any]:
    draft = AgentVersion.objects.get(state=State.DRAFT)
    return {name: getattr(draft, name) for name in names}


def test_every_page_opens_for_who_only_looks(in_acme: Org, vera: Person, sign_in: SignIn) -> None:
    client = sign_in(vera)
    assert client.get(BASE).headers["Location"] == f"{BASE}identity/"
    for section in FORMS:
        shown = client.get(f"{BASE}{section}/").content.decode()
        assert "Administrators change it." in shown
        assert "Save the draft" not in shown
    for page in ("publication/", "versions/", "numbers/"):
        assert client.get(f"{BASE}{page}").status_code == 200
    assert client.get(f"{BASE}no-such-page/").status_code == 404
    assert not AgentVersion.objects.exists()


@pytest.mark.parametrize("who", ["beto", "vera"])
def test_who_may_not_change_is_refused_and_nothing_is_written(
    in_acme: Org, who: str, request: pytest.FixtureRequest, sign_in: SignIn
) -> None:
    AgentVersion.objects.create(state=State.PUBLISHED, version=1)
    old = AgentVersion.objects.create(state=State.RETIRED, version=2)
    AgentVersion.objects.create(state=State.DRAFT, version=0, threshold=50)
    number = Number.objects.create(name="Vendas")
    before = list(AgentVersion.objects.order_by("pk").values())
    client = sign_in(request.getfixturevalue(who))
    posts = [*(f"{section}/" for section in FORMS), "identity/sample/", "publication/", "draft/end/",
             f"versions/{old.pk}/rollback/", f"numbers/{number.pk}/own/", f"numbers/{number.pk}/shared/"]  # fmt: skip
    assert {client.post(f"{BASE}{path}").status_code for path in posts} == {403}
    assert list(AgentVersion.objects.order_by("pk").values()) == before
    assert not AuditEntry.objects.filter(action__startswith="agent.").exists()


@pytest.mark.parametrize("section", FORMS)
def test_a_page_saved_as_it_stands_changes_nothing(in_acme: Org, ana: Person, sign_in: SignIn, section: str) -> None:
    answer = sign_in(ana).post(f"{BASE}{section}/", page_of(section))
    assert answer.status_code == 302
    assert not AgentVersion.objects.exists()
    assert not AuditEntry.objects.filter(action__startswith="agent.").exists()


SAVED: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
    ("identity", {"name": "Lia", "language": "es", "personality": "friendly", "discloses": None,
                  "disclosure": "Soy Lia.",
                  "answers_in_lead_language": None, "instructions": "Tutea."},
     {"name": "Lia", "language": "es", "personality": "friendly", "discloses": False, "disclosure": "Soy Lia.",
      "answers_in_lead_language": False, "instructions": "Tutea."}),
    ("business", {"business": "Bolos em Recife.", "objection0_about": "caro", "objection0_answer": "Entendo."},
     {"business": "Bolos em Recife.", "objections": [{"about": "caro", "answer": "Entendo."}]}),
    ("qualification", {"goal_problem": "A dor", "questions_problem": "O que dói?\n\n O  que atrasa?\nO que dói?",
                       "needed_problem": "1", "most_problem": "3", "points_problem": "30", "signal_budget": "10",
                       "threshold": "60", "rule0_fact": "team_size", "rule0_test": "below", "rule0_value": "3",
                       "rule0_points": "20", "rule1_fact": "segment", "rule1_test": "is", "rule1_value": "padaria",
                       "facts": ["name", "team_size", "segment"]},
     {"goals": {"problem": "A dor"}, "questions": {"problem": ["O que dói?", "O que atrasa?"]},
      "answers_needed": {"problem": 1}, "answers_at_most": {"problem": 3}, "stage_points": {"problem": 30},
      "signal_points": {"budget": 10}, "threshold": 60,
      "disqualifiers": [{"fact": "team_size", "test": "below", "value": "3", "points": 20},
                        {"fact": "segment", "test": "is", "value": "padaria"}],
      "facts_left_out": ["person_type", "company", "role", "email", "phone", "current_tool", "budget", "timeline",
                         "decision_maker", "preferred_times"]}),
    ("guardrails", {"forbidden": "grátis\nConcorrente", "human_topics": "reembolso", "loop_limit": "5"},
     {"forbidden": ["grátis", "Concorrente"], "human_topics": ["reembolso"], "loop_limit": 5}),
    ("timing", {"batching_seconds": "20", "cooldown_seconds": "5", "turn_timeout_seconds": "60",
                "context_messages": "30", "backlog_minutes": "90", "bubbles_at_most": "1",
                "typing_per_character": "0.06", "typing_longest": "9"},
     {"batching_seconds": 20, "cooldown_seconds": 5, "turn_timeout_seconds": 60, "context_messages": 30,
      "backlog_minutes": 90, "bubbles_at_most": 1, "typing_per_character": 0.06, "typing_longest": 9}),
    ("hours", {"time_zone": "America/Manaus", "day0_to": "12:00", "day0_from2": "13:30", "day0_to2": "18:00",
               "day1_from": "", "day1_to": "", "day5_from": "22:00", "day5_to": "02:00", "outside_hours": "say_when",
               "away_text": "Voltamos {when}.", "yearly_holidays": ["christmas", "good_friday"],
               "holidays": "2026-12-24"},
     {"time_zone": "America/Manaus",
      "hours": [["09:00", "12:00", "13:30", "18:00"], [], *[["09:00", "18:00"]] * 3, ["22:00", "02:00"], []],
      "outside_hours": "say_when", "away_text": "Voltamos {when}.", "yearly_holidays": ["christmas", "good_friday"],
      "holidays": ["2026-12-24"]}),
    ("follow-ups", {"rung0_amount": "30", "rung0_text": "Oi {name}!", "rung1_sort": "", "asks_satisfaction": None,
                    "close_after_days": ""},
     {"follow_ups": [{"after_minutes": 30, "text": "Oi {name}!"}, {"after_days": 3, "at": "10:00"}],
      "asks_satisfaction": False, "close_after_days": None}),
    ("handoff", {"handoff_text": "Já vem alguém.", "handoff_away_text": "Alguém volta {when}.",
                 "hand_back_hours": "48"},
     {"handoff_text": "Já vem alguém.", "handoff_away_text": "Alguém volta {when}.", "hand_back_hours": 48}),
    ("model", {"brain": "playbook", "model": "some-model-1.5", "thinking_level": "high", "monthly_budget_usd": "12.50"},
     {"brain": "playbook", "model": "some-model-1.5", "thinking_level": "high", "monthly_budget_usd": 12.5}),
]  # fmt: skip


@pytest.mark.parametrize(("section", "typed", "kept"), SAVED, ids=[section for section, _, _ in SAVED])
def test_it_keeps_every_setting_in_the_draft_alone_and_shows_it_again(
    in_acme: Org, ana: Person, sign_in: SignIn, section: str, typed: dict[str, Any], kept: dict[str, Any]
) -> None:
    client = sign_in(ana)
    answer = client.post(f"{BASE}{section}/", page_of(section, **typed))
    assert answer.status_code == 302
    assert stored(*kept) == kept
    assert stored("edited_by") == {"edited_by": ana.pk}
    assert not AgentVersion.objects.filter(state=State.PUBLISHED).exists()
    entry = AuditEntry.objects.get(action="agent.changed")
    assert (entry.person_id, entry.data["fields"]) == (ana.pk, sorted(set(kept) - unchanged(kept)))
    # Saved once more as it is shown, nothing changes: the page shows what was kept.
    assert client.post(f"{BASE}{section}/", page_of(section)).status_code == 302
    assert AuditEntry.objects.filter(action="agent.changed").count() == 1


def unchanged(kept: dict[str, Any]) -> set[str]:
    usual = AgentVersion()
    return {name for name, value in kept.items() if getattr(usual, name) == value}


def test_the_pages_write_every_setting_there_is_each_once() -> None:
    written = [name for form in FORMS.values() for name in form.writes]
    assert sorted(written) == sorted(agents.settings())


WRONG = [
    ("identity", {"disclosure": "x" * 301}, "disclosure"),
    ("identity", {"personality": "rude"}, "personality"),
    ("identity", {"name": "a\x00b"}, "name"),
    ("business", {"objection0_about": "caro"}, "objection0_answer"),
    ("qualification", {"threshold": "100"}, "threshold"),
    ("qualification", {"threshold": "99", "points_problem": "0"}, "threshold"),
    ("qualification", {"questions_problem": "Conte mais."}, "questions_problem"),
    ("qualification", {"questions_problem": "O quê? E por quê?"}, "questions_problem"),
    ("qualification", {"needed_problem": "3", "most_problem": "2"}, "most_problem"),
    ("qualification", {"rule0_fact": "team_size", "rule0_test": "below", "rule0_value": "few"}, "rule0_value"),
    ("qualification", {"rule0_fact": "team_size", "rule0_test": "is", "facts": ["name"], "rule0_value": "3"},
     "rule0_fact"),
    ("guardrails", {"forbidden": "x" * 81}, "forbidden"),
    ("guardrails", {"loop_limit": "2"}, "loop_limit"),
    ("timing", {"batching_seconds": "121"}, "batching_seconds"),
    ("timing", {"batching_seconds": "nan"}, "batching_seconds"),
    ("timing", {"cooldown_seconds": "0"}, "cooldown_seconds"),
    ("timing", {"turn_timeout_seconds": "9"}, "turn_timeout_seconds"),
    ("timing", {"context_messages": "51"}, "context_messages"),
    ("timing", {"bubbles_at_most": "0"}, "bubbles_at_most"),
    ("timing", {"typing_per_character": "7"}, "typing_per_character"),
    ("hours", {"time_zone": "Mars/Olympus"}, "time_zone"),
    ("hours", {"day0_to": ""}, "day0_to"),
    ("hours", {"day0_from2": "17:00", "day0_to2": "19:00"}, "day0_from2"),
    ("hours", {"day6_from2": "17:00", "day6_to2": "19:00"}, "day6_from"),
    ("hours", {"holidays": "24/12/2026"}, "holidays"),
    ("hours", {"away_text": "Voltamos {quando}."}, "away_text"),
    ("follow-ups", {"rung1_at": ""}, "rung1_at"),
    ("follow-ups", {"rung2_amount": "11"}, "rung2_amount"),
    ("follow-ups", {"rung0_amount": "1500"}, "rung1_amount"),
    ("follow-ups", {"rung0_text": "Oi {nome}"}, "rung0_text"),
    ("handoff", {"hand_back_hours": "73"}, "hand_back_hours"),
    ("handoff", {"handoff_text": "Até {when}"}, "handoff_text"),
    ("model", {"model": "A model"}, "model"),
    ("model", {"brain": "nobody"}, "brain"),
    ("model", {"monthly_budget_usd": "-1"}, "monthly_budget_usd"),
]  # fmt: skip


@pytest.mark.parametrize(("section", "typed", "field"), WRONG)
def test_what_cannot_be_is_said_beside_its_field(
    in_acme: Org, ana: Person, sign_in: SignIn, section: str, typed: dict[str, Any], field: str
) -> None:
    answer = sign_in(ana).post(f"{BASE}{section}/", page_of(section, **typed))
    assert answer.status_code == 422
    assert f'id="id_{field}_error"' in answer.content.decode()
    assert list(answer.context["form"].errors) == [field]
    assert not AgentVersion.objects.exists()


def test_two_who_save_one_page_lose_nothing_and_different_pages_do_not_meet(
    in_acme: Org, ana: Person, davi: Person, sign_in: SignIn
) -> None:
    anas, davis, other = (page_of("guardrails", forbidden="grátis"), page_of("guardrails", forbidden="barato"),
                          page_of("handoff", hand_back_hours="24"))  # fmt: skip
    first, second = sign_in(ana), sign_in(davi)
    assert first.post(f"{BASE}guardrails/", anas).status_code == 302
    refused = second.post(f"{BASE}guardrails/", davis)
    told = refused.content.decode()
    assert refused.status_code == 409
    assert "Ana has changed this page meanwhile" in told
    assert "barato</textarea>" in told
    assert stored("forbidden") == {"forbidden": ["grátis"]}
    assert second.post(f"{BASE}handoff/", other).status_code == 302
    again = davis | {"seen": refused.context["seen"]}
    assert second.post(f"{BASE}guardrails/", again).status_code == 302
    assert stored("forbidden", "hand_back_hours") == {"forbidden": ["barato"], "hand_back_hours": 24}


def test_it_shows_what_changes_publishes_that_and_goes_back(in_acme: Org, ana: Person, sign_in: SignIn) -> None:
    first = AgentVersion.objects.create(state=State.PUBLISHED, version=1, business="Vendemos pão.")
    client = sign_in(ana)
    client.post(f"{BASE}business/", page_of("business", business="Vendemos bolos."))
    shown = client.get(f"{BASE}publication/")
    words = shown.content.decode()
    assert "1 change not published" in words
    assert "Vendemos pão." in words
    assert "Vendemos bolos." in words
    answer = client.post(f"{BASE}publication/", {"seen": shown.context["seen"], "note": "Agora bolos"})
    assert answer.headers["Location"] == f"{BASE}versions/"
    holds = agents.in_force(None)
    assert (holds.version, holds.business, holds.note, holds.published_by) == (
        2,
        "Vendemos bolos.",
        "Agora bolos",
        ana.pk,
    )
    listed = client.get(f"{BASE}versions/").content.decode()
    assert "Agora bolos" in listed
    assert "Vendemos pão." in client.get(f"{BASE}versions/{first.pk}/").content.decode()
    assert client.get(f"{BASE}versions/{first.pk}/rollback/").status_code == 200
    client.post(f"{BASE}versions/{first.pk}/rollback/")
    holds = agents.in_force(None)
    assert (holds.version, holds.business, holds.note) == (3, "Vendemos pão.", "Back to version 1")
    client.post(f"{BASE}versions/{holds.pk}/rollback/")
    assert agents.in_force(None) == holds
    actions = AuditEntry.objects.filter(action__startswith="agent.").order_by("pk").values_list("action", flat=True)
    assert list(actions) == ["agent.changed", "agent.published", "agent.rolled_back"]


def test_what_was_looked_at_is_published_or_nothing(in_acme: Org, ana: Person, davi: Person, sign_in: SignIn) -> None:
    client = sign_in(ana)
    client.post(f"{BASE}handoff/", page_of("handoff", hand_back_hours="24"))
    seen = client.get(f"{BASE}publication/").context["seen"]
    agents.change(None, {"hand_back_hours": 48}, person=davi)
    refused = client.post(f"{BASE}publication/", {"seen": seen, "note": "kept"})
    assert refused.status_code == 409
    assert 'value="kept"' in refused.content.decode()
    assert client.post(f"{BASE}publication/", {}).status_code == 409
    assert not AgentVersion.objects.exclude(state=State.DRAFT).exists()
    assert client.post(f"{BASE}publication/", {"seen": refused.context["seen"]}).status_code == 302
    assert agents.in_force(None).hand_back_hours == 48
    assert client.post(f"{BASE}publication/", {"seen": refused.context["seen"]}).status_code == 302
    assert AgentVersion.objects.count() == 1


CLASHES: list[tuple[dict[str, Any], str]] = [
    ({"hours": [[]] * 7, "outside_hours": "silent"}, "There are no business hours"),
    ({"hours": [["00:00", "00:00"]] * 7, "outside_hours": "only_outside"}, "You are always open"),
    ({"forbidden": ["padaria"], "business": "Somos uma padaria."}, "stands in your own words"),
    (
        {"forbidden": ["grátis"], "follow_ups": [{"after_minutes": 9, "text": "É gratis!"}]},
        "stands in your own words",
    ),
    ({"stage_points": {"problem": 0, "situation": 0}, "threshold": 90}, "Nobody could qualify"),
    ({"disqualifiers": [{"fact": "segment", "test": "is", "value": "x"}], "facts_left_out": ["segment"]}, "left out"),
]


@pytest.mark.parametrize(("values", "told"), CLASHES)
def test_settings_that_do_not_go_together_are_named_and_not_published(
    in_acme: Org, ana: Person, sign_in: SignIn, values: dict[str, Any], told: str
) -> None:
    agents.change(None, values, person=ana)
    client = sign_in(ana)
    shown = client.get(f"{BASE}publication/")
    assert told in shown.content.decode()
    assert client.post(f"{BASE}publication/", {"seen": shown.context["seen"]}).status_code == 422
    assert not AgentVersion.objects.filter(state=State.PUBLISHED).exists()


ADVICE: list[tuple[dict[str, Any], str, str]] = [
    ({"batching_seconds": 60}, "timing", "about 71 seconds"),
    ({"discloses": False}, "identity", "not told that an assistant answers"),
    ({"outside_hours": "say_when", "away_text": "Fechado."}, "hours", "no {when}"),
]


@pytest.mark.parametrize(("values", "section", "told"), ADVICE)
def test_advice_is_given_on_its_page_and_does_not_keep_from_publishing(
    in_acme: Org, ana: Person, sign_in: SignIn, values: dict[str, Any], section: str, told: str
) -> None:
    agents.change(None, values, person=ana)
    client = sign_in(ana)
    assert told in client.get(f"{BASE}{section}/").content.decode()
    shown = client.get(f"{BASE}publication/")
    assert told in shown.content.decode()
    assert client.post(f"{BASE}publication/", {"seen": shown.context["seen"]}).status_code == 302


def test_the_sample_follows_what_is_typed_and_keeps_nothing(in_acme: Org, ana: Person, sign_in: SignIn) -> None:
    client = sign_in(ana)
    url = f"{BASE}identity/sample/"
    one = client.post(url, page_of("identity", disclosure="Aqui é a Lia, a assistente virtual.")).content.decode()
    assert "Aqui é a Lia, a assistente virtual." in one
    lively = client.post(url, page_of("identity", personality="energetic")).content.decode()
    assert lively != client.post(url, page_of("identity", personality="professional")).content.decode()
    assert "does not go yet" in client.post(url, page_of("identity", personality="rude")).content.decode()
    asked = page_of("qualification", questions_situation="Quantos bolos por dia?")
    assert "Quantos bolos por dia?" in client.post(f"{BASE}qualification/sample/", asked).content.decode()
    slow = client.post(f"{BASE}timing/sample/", page_of("timing", batching_seconds="60")).content.decode()
    assert "more than a minute" in slow
    assert client.post(f"{BASE}guardrails/sample/", {}).status_code == 404
    assert not AgentVersion.objects.exists()


def test_a_number_gets_its_own_agent_and_gives_it_back(in_acme: Org, ana: Person, sign_in: SignIn) -> None:
    AgentVersion.objects.create(state=State.PUBLISHED, version=1, business="Bolos")
    number, other = Number.objects.create(name="Atacado"), Number.objects.create(name="Varejo")
    client = sign_in(ana)
    assert client.get(f"{BASE}identity/?number={number.pk}").status_code == 404
    own = client.post(f"{BASE}numbers/{number.pk}/own/").headers["Location"]
    assert own == f"{BASE}identity/?number={number.pk}"
    assert agents.in_force(number.pk).business == "Bolos"
    page = page_of("business", number=number, business="Caixas de bolos")
    assert client.post(f"{BASE}business/?number={number.pk}", page).headers["Location"].endswith(f"?number={number.pk}")
    shown = client.get(f"{BASE}publication/?number={number.pk}")
    client.post(f"{BASE}publication/?number={number.pk}", {"seen": shown.context["seen"]})
    assert agents.in_force(number.pk).business == "Caixas de bolos"
    assert agents.in_force(other.pk).business == agents.in_force(None).business == "Bolos"
    client.post(f"{BASE}numbers/{number.pk}/shared/")
    assert agents.in_force(number.pk).business == "Bolos"
    client.post(f"{BASE}numbers/{number.pk}/shared/")
    actions = AuditEntry.objects.filter(action__in=["agent.separated", "agent.shared"]).order_by("pk")
    assert list(actions.values_list("action", flat=True)) == ["agent.separated", "agent.shared"]


@pytest.mark.parametrize("named", ["9", "x", "-1", "9" * 30, "٣"])
def test_an_agent_that_is_none_is_not_found(in_acme: Org, ana: Person, sign_in: SignIn, named: str) -> None:
    client = sign_in(ana)
    assert client.get(f"{BASE}identity/?number={named}").status_code == 404
    assert client.post(f"{BASE}guardrails/?number={named}", page_of("guardrails")).status_code == 404
    assert not AgentVersion.objects.exists()


def test_a_draft_is_thrown_away_after_asking(in_acme: Org, ana: Person, sign_in: SignIn) -> None:
    agents.change(None, {"hand_back_hours": 24}, person=ana)
    client = sign_in(ana)
    assert "cannot be undone" in client.get(f"{BASE}draft/end/").content.decode()
    assert AgentVersion.objects.exists()
    client.post(f"{BASE}draft/end/")
    client.post(f"{BASE}draft/end/")
    assert not AgentVersion.objects.exists()
    assert AuditEntry.objects.filter(action="agent.draft_discarded").count() == 1


@pytest.mark.parametrize(("language", "word"), [("pt-br", "Identidade"), ("en", "Identity"), ("es", "Identidad")])
def test_it_speaks_three_languages(in_acme: Org, ana: Person, sign_in: SignIn, language: str, word: str) -> None:
    client = sign_in(ana)
    Person.objects.filter(pk=ana.pk).update(language=language)
    assert f">{word}</h2>" in client.get(f"{BASE}identity/").content.decode()
