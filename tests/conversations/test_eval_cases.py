"""A wrong turn is reported from its trace, listed, exported, and examined by `manage.py evaluate`."""

import json
from collections.abc import Callable
from functools import partial
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import call_command
from django.test import Client

from conversations import agents, erasure, eval_cases, intake, policy, turns
from conversations.eval_cases import Reason
from conversations.models import AgentVersion, Contact, Conversation, EvalCase, Fact, Message, Number, Turn
from conversations.ports import Decision, FactFound
from orgs.context import in_org
from orgs.models import AuditEntry, Org, Person
from tests.conversations.conftest import arrive, incoming, make_number, the_conversation
from tests.conversations.test_ownership_race import together

SignIn = Callable[[Person], Client]
ASKED = "Quanto custa o plano Ouro? somos 8 na loja"
SAID = "O plano Ouro custa R$ 950 por mês. Quantas pessoas usariam?"


@pytest.fixture
def wrong(number: Number) -> Turn:
    """A turn that took a team's size and claimed a price nobody gave it."""
    arrive(number, incoming("Bom dia"))
    first = turns.open_turn(the_conversation().pk)
    assert first is not None
    assert turns.apply(first, Decision(("Olá! O que você procura?",)))
    arrive(number, incoming(ASKED))
    opened = turns.open_turn(the_conversation().pk)
    assert opened is not None
    lead = Message.objects.get(text=ASKED)
    finds = (FactFound("team_size", 8, lead.pk, "somos 8"),)
    assert turns.apply(opened, Decision((SAID,), finds=finds, intent="answer"))
    return Turn.objects.latest("pk")


def address(end: str = "") -> str:
    return f"/o/acme/inbox/{the_conversation().pk}/turns/{Turn.objects.latest('pk').pk}/{end}"


def report_all(client: Client) -> None:
    client.post(address("cases/understanding/"), {"intent": "question", "fact_team_size": "8"})
    claim = {"wrong": "R$ 950 por mês", "kind": "money", "should_say": "Vou confirmar o preço e já te digo."}
    client.post(address("cases/claim/"), claim)
    client.post(address("cases/answer/"), {"should_say": "Posso confirmar o preço?", "is_answerable": "on"})


def exported(client: Client) -> list[dict[str, object]]:
    answer = client.post("/o/acme/inbox/cases/export/")
    assert answer.status_code == 200
    return [json.loads(line) for line in answer.content.decode().splitlines()]


def test_what_was_exported_is_what_evaluate_reads(wrong: Turn, sign_in: SignIn, ana: Person, tmp_path: Path) -> None:
    report_all(sign_in(ana))
    rows = exported(sign_in(ana))
    first, second, third = (f"case-{pk}" for pk in EvalCase.objects.order_by("pk").values_list("pk", flat=True))
    assert [row["id"] for row in rows] == [first, second, f"{second}-said", third, f"{third}-said"]
    assert rows[0] == {
        "id": first, "language": "pt-BR", "text": ASKED, "context_question": "Olá! O que você procura?",
        "expect": {"intent": "question", "opt_out": False, "wants_human": False},
    }  # fmt: skip
    path = tmp_path / "cases.jsonl"
    path.write_text("".join(f"{json.dumps(row)}\n" for row in rows), encoding="utf-8")
    predictions = StringIO()
    call_command("evaluate", path, as_json=True, stdout=predictions)
    found = {one["id"]: one for one in map(json.loads, predictions.getvalue().splitlines())}
    assert found[first]["intent"] == "question"
    assert [one["kind"] for one in found[second]["violations"]] == ["money"]
    assert found[f"{second}-said"]["allowed"] is True
    assert found[third]["answerable"] is False  # the org's knowledge is empty
    report = StringIO()
    call_command("evaluate", path, stdout=report)
    assert "violations caught: money     pt-BR      1.000     1" in report.getvalue()
    assert AuditEntry.objects.get(action="eval_cases.exported").data == {"rows": 5}


def test_reporting_again_replaces(wrong: Turn, sign_in: SignIn, beto: Person, ana: Person) -> None:
    sign_in(beto).post(address("cases/answer/"), {"should_say": "Um momento."})
    page = sign_in(ana).get(address()).content.decode()
    assert "Um momento." in page
    assert "Relatado por Beto" in page
    sign_in(ana).post(address("cases/answer/"), {"should_say": "Já confirmo."})
    case = EvalCase.objects.get()
    assert (case.should_say, case.person_id) == ("Já confirmo.", ana.pk)
    entries = AuditEntry.objects.filter(action__startswith="eval_case").order_by("pk")
    assert [entry.action for entry in entries] == ["eval_case.added", "eval_case.changed"]


def test_facts_are_labels_only_where_somebody_changed_them(wrong: Turn, sign_in: SignIn, beto: Person) -> None:
    client = sign_in(beto)
    client.post(address("cases/understanding/"), {"intent": "question", "fact_team_size": "8"})
    assert "facts" not in EvalCase.objects.get().expect
    client.post(
        address("cases/understanding/"), {"intent": "wants_human", "fact_team_size": "9", "fact_segment": "loja"}
    )
    assert EvalCase.objects.get().expect == {
        "intent": "wants_human", "opt_out": False, "wants_human": True, "facts": {"team_size": 9, "segment": "loja"},
    }  # fmt: skip
    assert Fact.objects.get(ended_at=None).value == 8  # a label corrects no lead


@pytest.mark.parametrize(
    ("reason", "body", "said"),
    [
        ("claim", {"wrong": "R$ 800", "kind": "money"}, "Copie-as como estão"),
        ("claim", {"wrong": "R$ 950", "kind": "gossip"}, "claim-kind_error"),
        ("answer", {"should_say": " "}, "answer-should_say_error"),
        ("understanding", {"intent": "question", "fact_team_size": "many"}, "understanding-fact_team_size_error"),
    ],
)
def test_what_cannot_be_is_said_in_place(
    wrong: Turn, sign_in: SignIn, beto: Person, reason: str, body: dict[str, str], said: str
) -> None:
    answer = sign_in(beto).post(address(f"cases/{reason}/"), {**body, "note": "see the list"})
    assert answer.status_code == 422
    assert said in answer.content.decode()
    assert "see the list" in answer.content.decode()
    assert not EvalCase.objects.exists()


def test_only_sellers_report_and_only_administrators_export(
    wrong: Turn, sign_in: SignIn, vera: Person, beto: Person
) -> None:
    viewer = sign_in(vera)
    assert "/cases/answer/" not in viewer.get(address()).content.decode()
    assert viewer.post(address("cases/answer/"), {"should_say": "x"}).status_code == 403
    assert not EvalCase.objects.exists()
    sign_in(beto).post(address("cases/answer/"), {"should_say": "Um momento."})
    assert "Um momento." in viewer.get("/o/acme/inbox/cases/").content.decode()
    assert sign_in(beto).post("/o/acme/inbox/cases/export/").status_code == 403
    assert not AuditEntry.objects.filter(action="eval_cases.exported").exists()


def test_one_removes_ones_own_and_administrators_all(wrong: Turn, sign_in: SignIn, ana: Person, beto: Person) -> None:
    sign_in(ana).post(address("cases/answer/"), {"should_say": "Um momento."})
    end = f"/o/acme/inbox/cases/{EvalCase.objects.get().pk}/end/"
    assert sign_in(beto).post(end).status_code == 404
    assert EvalCase.objects.exists()
    assert sign_in(ana).post(end).status_code == 302
    assert sign_in(ana).post(end).status_code == 404
    assert not EvalCase.objects.exists()
    assert AuditEntry.objects.filter(action="eval_case.removed").count() == 1


def test_what_a_lead_deletes_is_in_no_export(wrong: Turn, sign_in: SignIn, ana: Person) -> None:
    report_all(sign_in(ana))
    intake.apply_revoke(Message.objects.get(text=ASKED))
    assert exported(sign_in(ana)) == []
    assert "apagou estas mensagens" in sign_in(ana).get("/o/acme/inbox/cases/").content.decode()


def test_cases_go_with_an_erased_lead(wrong: Turn, sign_in: SignIn, ana: Person) -> None:
    report_all(sign_in(ana))
    assert len(erasure.export(Contact.objects.get())["conversations.EvalCase"]) == 3
    erasure.erase(Contact.objects.get())
    assert not EvalCase.objects.exists()


def test_a_case_outlives_the_merging_of_its_conversation(wrong: Turn, sign_in: SignIn, ana: Person) -> None:
    sign_in(ana).post(address("cases/answer/"), {"should_say": "Um momento."})
    theirs = the_conversation()
    ours = Conversation.objects.create(
        contact=Contact.objects.create(name="Maria"), number=theirs.number, reply_jid="5511999990002@s.whatsapp.net"
    )
    intake.absorb(ours, theirs)
    case = EvalCase.objects.get()
    assert (case.conversation_id, case.turn_id) == (ours.pk, None)
    assert exported(sign_in(ana))[0]["lead"] == {"name": "Maria", "message": ASKED}


def test_two_reports_at_once_are_one_case(committed: None) -> None:
    org, ana = Org.objects.get(slug="acme"), Person.objects.get(email="ana@example.com")
    with in_org(org):
        arrive(make_number(), incoming(ASKED))
        opened = turns.open_turn(the_conversation().pk)
        assert opened is not None
        assert turns.apply(opened, Decision((SAID,)))
        turn = Turn.objects.get()
    together(org, *[lambda: eval_cases.report(turn, eval_cases.Given(Reason.ANSWER, should_say="Olá"), ana)] * 4)
    together(
        org,
        *[partial(agents.forbid, None, words, person=ana) for words in ("desconto", "grátis", "Desconto")],
        *[partial(agents.answer_with, None, about, "R$ 10.", person=ana) for about in ("preço", "prazo", "PRECO")],
    )
    with in_org(org):
        assert EvalCase.objects.count() == 1
        draft = AgentVersion.objects.get(state="draft")
        assert sorted(policy.folded(one) for one in draft.forbidden) == ["desconto", "gratis"]
        assert sorted(policy.folded(one["about"]) for one in draft.objections) == ["prazo", "preco"]


def test_who_sees_only_their_leads_reads_no_case_about_others(
    wrong: Turn, sign_in: SignIn, ana: Person, beto: Person, acme: Org
) -> None:
    report_all(sign_in(ana))
    assert ASKED in sign_in(beto).get("/o/acme/inbox/cases/").content.decode()
    Org.objects.filter(pk=acme.pk).update(sdrs_see_only_theirs=True)
    assert ASKED not in sign_in(beto).get("/o/acme/inbox/cases/").content.decode()
    EvalCase.objects.update(person_id=beto.pk)
    assert sign_in(beto).post(f"/o/acme/inbox/cases/{EvalCase.objects.latest('pk').pk}/end/").status_code == 404
    assert EvalCase.objects.exists()
