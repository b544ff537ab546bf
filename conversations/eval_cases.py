"""What people say was wrong with a turn, as examples a brain can be examined on (issue "The inbox", 4; FIELD 4.2).

A case keeps ids of messages and what should have been understood or said. Its words are read when it is shown or
exported, in the formats of tests/evals that `manage.py evaluate` reads: so an edit counts, and what a lead deletes or
has erased is in no export.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from django.db import transaction
from django.http import HttpRequest
from django.utils import timezone

from conversations import knowledge, settings_of, transcript
from conversations.models import AgentVersion, Document, EvalCase, Fact, Message, Passage, Turn
from conversations.vetting import LANGUAGES
from orgs import audit
from orgs.context import current_org
from orgs.models import Person

Reason = EvalCase.Reason
FLAGS = ("opt_out", "wants_human")  # what a wish of the lead is besides an intent
DOCUMENT_CHARS = 20_000  # of the org's knowledge beside a question
EXPORTED = 1_000  # newest


@dataclass(frozen=True)
class Given:
    """What a person says of a turn. `expect`: labels of the reason's format in tests/evals; `note`: for colleagues."""

    reason: Reason
    expect: Mapping[str, Any] = field(default_factory=dict)
    should_say: str = ""
    note: str = ""


@dataclass(frozen=True)
class Words:
    """The words of a case as they are now. `question`: ours before the lead's, "" when the lead began."""

    lead: str
    said: str
    question: str

    @property
    def is_gone(self) -> bool:
        """The lead has deleted what it was about."""
        return not self.lead


# --- Verbs ------------------------------------------------------------------------------------------------------------
@transaction.atomic
def report(turn: Turn, given: Given, person: Person, *, request: HttpRequest | None = None) -> EvalCase:
    """Keep a case; the second about the same turn and reason replaces the first, also when both come at once."""
    case, made = EvalCase.objects.update_or_create(
        turn=turn,
        reason=given.reason,
        defaults={
            "expect": dict(given.expect), "should_say": given.should_say, "note": given.note, "person_id": person.pk,
            "updated_at": timezone.now(),
        },
        create_defaults={
            "conversation_id": turn.conversation_id, "seen": seen_by(turn), "language": language_of(turn),
            "agent_version_id": turn.agent_version_id, "expect": dict(given.expect), "should_say": given.should_say,
            "note": given.note, "person_id": person.pk,
        },
    )  # fmt: skip
    audit.record(
        audit.Action.EVAL_CASE_ADDED if made else audit.Action.EVAL_CASE_CHANGED, request=request, org=current_org(),
        person=person, target=f"evalcase:{case.pk}", data={"turn": turn.pk, "reason": given.reason.value},
    )  # fmt: skip
    return case


@transaction.atomic
def remove(case: EvalCase, person: Person, *, request: HttpRequest | None = None) -> None:
    """It was no mistake after all; nothing happens when it is gone already."""
    gone, _ = EvalCase.objects.filter(pk=case.pk).delete()
    if gone:
        audit.record(
            audit.Action.EVAL_CASE_REMOVED,
            request=request,
            org=current_org(),
            person=person,
            target=f"evalcase:{case.pk}",
        )


@transaction.atomic
def export(person: Person, *, request: HttpRequest | None = None) -> str:
    """The newest EXPORTED cases as JSONL, oldest first. Leads' words leave with it: that is recorded."""
    cases = list(EvalCase.objects.select_related("conversation__contact").order_by("-pk")[:EXPORTED])[::-1]
    said = words(cases)
    found = [row for case in cases for row in rows_of(case, said)]
    audit.record(
        audit.Action.EVAL_CASES_EXPORTED, request=request, org=current_org(), person=person, data={"rows": len(found)}
    )
    return "".join(f"{json.dumps(row, ensure_ascii=False)}\n" for row in found)


# --- What a case is about ---------------------------------------------------------------------------------------------
def seen_by(turn: Turn) -> dict[str, Any]:
    """Ids of what the turn answered, what it said, and what it had before it; of one without a trace, by arrival."""
    read = Message.objects.filter(conversation_id=turn.conversation_id, seq__lte=turn.up_to_seq).order_by("-seq")
    ids = turn.seen.get("messages")
    lead: list[int] = []
    before: int | None = None
    for pk, author in (read.filter(pk__in=ids) if ids else read[:50]).values_list("pk", "author"):
        if author != Message.Author.LEAD:
            before = pk
            break
        lead.insert(0, pk)
    return {
        "lead": lead,
        "before": before,
        "said": list(turn.messages.order_by("bubble").values_list("pk", flat=True)),
        "passages": list(turn.seen.get("found", [])),
    }


def words(cases: Iterable[EvalCase]) -> dict[int, Words]:
    """What each case is about, by its id; one query."""
    cases = list(cases)
    wanted = {pk for case in cases for pk in [*case.seen["lead"], *case.seen["said"], case.seen["before"]] if pk}
    found = {
        message.pk: transcript.words(message)
        for message in Message.objects.filter(pk__in=wanted, deleted_at=None).only("text", "transcript")
    }

    def joined(ids: Iterable[int]) -> str:
        return "\n".join(found[pk] for pk in ids if found.get(pk))

    return {
        case.pk: Words(
            lead=joined(case.seen["lead"]),
            said=joined(case.seen["said"]),
            question=found.get(case.seen["before"], ""),
        )
        for case in cases
    }


def understood(turn: Turn) -> dict[str, Any]:
    """What the turn took from the lead's words, by the names of tests/evals: `intent` and `facts`."""
    facts = Fact.objects.filter(turn=turn).order_by("pk")
    return {"intent": turn.intent, "facts": dict(facts.values_list("key", "value"))}


def language_of(turn: Turn) -> str:
    """The lead's language as tests/evals name it."""
    contact = turn.conversation.contact
    return LANGUAGES.get(contact.language or settings_of.number(turn.conversation.number).language, "pt-BR")


# --- Rows for `evaluate` ----------------------------------------------------------------------------------------------
def rows_of(case: EvalCase, said: Mapping[int, Words]) -> Iterator[dict[str, Any]]:
    """The case in the formats of tests/evals; nothing where the lead has deleted the words.

    Misunderstood: a message with its labels. A false claim: the answer as a draft, with what must be caught. What
    should have been said: a draft that must be let through, and the question where knowledge should know its answer.
    """
    about = said[case.pk]
    if about.is_gone:
        return
    of = {"id": f"case-{case.pk}", "language": case.language}
    match case.reason:
        case Reason.UNDERSTANDING:
            yield {**of, "text": about.lead, "context_question": about.question or None, "expect": case.expect}
        case Reason.CLAIM if about.said:
            yield {**of, **_draft(case, about, about.said), "expect": case.expect}
        case Reason.ANSWER if case.expect:
            yield {**of, "question": about.lead, "document": document(case), "expect": case.expect}
    if case.should_say:
        allowed = {"allowed": True, "violations": []}
        yield {**of, "id": f"case-{case.pk}-said", **_draft(case, about, case.should_say), "expect": allowed}


def document(case: EvalCase) -> str:
    """The org's knowledge as one text, beginning with what was found for the turn."""
    passages = Passage.objects.filter(document__is_active=True, document__state=Document.State.READY)
    first = passages.filter(pk__in=case.seen["passages"]).order_by("pk")
    rest = passages.exclude(pk__in=case.seen["passages"]).order_by("document_id", "position")
    texts: list[str] = []
    room = DOCUMENT_CHARS
    for passage in [*first, *rest[:200]]:
        text = "\n".join(part for part in (passage.heading, passage.text) if part)
        if len(text) <= room:
            texts.append(text)
            room -= len(text)
    return "\n\n".join(texts)


def _draft(case: EvalCase, about: Words, draft: str) -> dict[str, Any]:
    agent = AgentVersion.objects.filter(pk=case.agent_version_id or 0).first() or AgentVersion()
    offers = (" ".join(filter(None, (one.name, one.description, one.price))) for one in knowledge.offers())
    own = (str(one.get("answer", "")) for one in agent.objections)
    return {
        "now": timezone.localtime(case.created_at).isoformat(),
        "org": current_org().name,
        "knowledge": [text for text in (agent.business, agent.disclosure, *own, *offers, document(case)) if text],
        "lead": {"name": case.conversation.contact.name, "message": about.lead},
        "tool_results": [],
        "draft": draft,
    }
