"""Every draft of a brain against what supports it, before it is written: repaired, replaced, or handed to a person.

`guards` holds the rules; here is what they may lean on in a turn, and what becomes of a draft that breaks them.
"""

from collections.abc import Iterable, Iterator
from dataclasses import replace

from django.utils import timezone

from conversations import guards
from conversations.guards import Grounds, ToolResult, Violation
from conversations.playbook import wording
from conversations.playbook.dialogue import in_words
from conversations.playbook.injection import sift
from conversations.playbook.money import level
from conversations.ports import Context, Decision, GuardNote, Wish

HANDED_OFF = "guarded"  # why a person must look
WORDS_OF_ONES_OWN = 4  # fewer are found in anything
LANGUAGES = {"pt-br": "pt-BR", "en": "en", "es": "es"}


def violations(context: Context, decision: Decision) -> list[Violation]:
    """What keeps the bubbles of a decision from leaving, taken together; empty when they may. Pure, milliseconds.

    What the org has written to be said word for word is its own to answer for, and not judged, unless it has something
    in it that the org forbids.
    """
    drafted = "\n".join(decision.bubbles)
    forbidden = [named for topic in context.persona.forbidden if (named := level(topic).strip())]
    for own in sorted(_own_words(context, decision), key=len, reverse=True):
        if not any(named in level(own) for named in forbidden):
            drafted = drafted.replace(own, " ")
    return guards.check(drafted, grounds(context, decision)) if drafted.strip() else []


def _own_words(context: Context, decision: Decision) -> Iterator[str]:
    """Disclosure, profile and answers to objections, and what the offline brain says as it is written; none that asks,
    for a turn asks once."""
    spoken = decision.language or context.language
    answers = (str(objection.get("answer", "")) for objection in context.persona.objections)
    for own in (context.disclosure, wording.disclosure(context, spoken), context.business, *answers):
        if len((said := own.strip()).split()) >= WORDS_OF_ONES_OWN and "?" not in said:
            yield said
    if decision.brain == "playbook":
        yield from (own for own in wording.fixed(spoken) if "?" not in own)


def grounds(context: Context, decision: Decision) -> Grounds:
    """What a turn's draft may lean on: the org's own words, its knowledge, and what tools of this turn gave."""
    spoken = decision.language or context.language
    return Grounds(
        now=context.now or timezone.now(),
        knowledge=tuple(_quotable(context)),
        tool_results=tuple(_results(context, decision)),
        lead_name=str(context.known.facts.get("name") or context.contact_name),
        lead_message="\n".join(line.text for line in context.lines if line.author == "lead"),
        org=context.company,
        language=LANGUAGES.get(spoken, ""),
        forbidden=tuple(context.persona.forbidden),
        asked=tuple(asked.text for asked in context.known.asked),
        own_names=(context.persona.name, context.company),
    )


def vetted(context: Context, decision: Decision) -> Decision:
    """The decision if it may leave as it is; else the same finds with words that are safe, and a person called."""
    decision = disclosed(context, decision)
    found = violations(context, decision) if decision.bubbles else []
    if not found:
        return decision
    spoken = decision.language or context.language
    last = context.lines[-1].id if context.lines else 0
    safe = wording.say(spoken, "unknown", seed=f"{context.conversation_id}:{last}")
    who = wording.disclosure(context, spoken) if context.is_first_reply else ""
    return replace(
        decision,
        bubbles=(who, safe) if who else (safe,),
        asks=None,
        passages=(),
        handoff=decision.handoff or HANDED_OFF,
        guards=(*decision.guards, *notes(found, "replaced")),
    )


def disclosed(context: Context, decision: Decision) -> Decision:
    """The decision with who speaks before its words, where they are our first and do not say so (PRODUCT 2)."""
    who = wording.disclosure(context, decision.language or context.language)
    first = context.is_first_reply and who and decision.bubbles and decision.wish is not Wish.OPT_OUT
    if not first:
        return decision
    said = tuple(who if bubble == context.disclosure else bubble for bubble in decision.bubbles)
    return replace(decision, bubbles=said if any(who in bubble for bubble in said) else (who, *said))


def notes(found: Iterable[Violation], outcome: str) -> tuple[GuardNote, ...]:
    """What was wrong, for the turn's trace. `outcome`: repaired, replaced, or handed_off."""
    return tuple(GuardNote(str(one.kind), one.text, outcome) for one in found)


def _quotable(context: Context) -> Iterator[str]:
    yield context.business
    yield context.disclosure
    yield context.persona.handoff_text
    yield context.persona.handoff_away_text
    for snippet in context.snippets:
        yield f"{snippet.heading}\n{sift(snippet.text).honest}"  # an order in a document supports nothing
    for offer in context.offers:
        yield " ".join(part for part in (offer.name, offer.description, offer.price, offer.conditions) if part)
    for texts in context.persona.questions.values():
        yield from texts
    for objection in context.persona.objections:
        yield str(objection.get("answer", ""))


def _results(context: Context, decision: Decision) -> Iterator[ToolResult]:
    for tool in decision.tools:
        yield ToolResult(tool.name, tool.result, tool.ok)
    if context.back_at is not None:
        for language in LANGUAGES:
            yield ToolResult("opening_hours", in_words(context.back_at, context.now, language))
