"""Facts a lead reveals in a turn: name, company, team, budget… each with the words it stands in (evals/README "Facts"). Pure.

Only what the lead says: pass the honest rest of the text (`injection.sift`), never a profile name. The agent's message
before is context: "quatro" answers what was asked, "sim" confirms the price that was named.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from conversations.playbook import headcount, identity, persontype, purchase, reach, spans
from conversations.playbook.money import level
from conversations.playbook.topics import asked

KEYS = (
    *("name", "person_type", "company", "role", "email", "phone", "segment", "team_size"),
    *("current_tool", "budget", "timeline", "decision_maker", "preferred_times"),
)
USED = re.compile(
    r"\b(?:usa[mns]?|use[sd]?|utiliza\w*|using)\s+(?:o |a |um |uma |un |una |el |la |an? |the )?(?!algum|algun|any|que|hoje)([a-z]+(?: d[eo] [a-z]+)?)"
)
LONGEST_TEXT = 1_500  # characters that are read; whoever writes more has said who they are before that
LEAST_SURE = 0.5  # below, a find is not told
# How sure a find must be to replace what is known already, where it was neither asked for nor corrects it.
REPLACES = {"person_type": 0.75, "current_tool": 0.85, "segment": 0.8, "company": 0.9, "name": 0.9, "role": 0.85}
CORRECTS = re.compile(
    r"\b(?:na verdade|alias|ou melhor|quer dizer|digo|minto|ops|corrigindo|mudamos|agora e|troquei|trocamos|actually|i mean|sorry|we switched|"
    r"en realidad|mejor dicho|perdon|quise decir|cambiamos)\b"
)


@dataclass(frozen=True)
class Fact:
    """One fact. `quote` is `text[start:end]`, verbatim; `confidence` from 0 to 1.

    `value`: digits with the country code for `phone`, lower case for `email`, a whole number for `team_size`, True or
    False for `decision_maker`, "PF" or "PJ" for `person_type`, else the lead's words.
    """

    key: str
    value: str | int | bool
    start: int
    end: int
    quote: str
    confidence: float


def find(
    text: str,
    *,
    question: str = "",
    language: str = "",
    known: Mapping[str, Any] | None = None,
    tagger: spans.Tagger | None = None,
) -> list[Fact]:
    """Facts in one turn of a lead, at most one per key, in the order of `KEYS`.

    In: the turn's honest text, the agent's message before, the language spoken (`pt-BR`, `en`, `es`, "" if not known),
    the facts known already (a passing word does not replace one of `REPLACES`), and the weights of the second opinion
    when they are not the shipped ones.
    """
    text = text[:LONGEST_TEXT]
    topics = asked(question)
    found = {fact.key: fact for fact in _found(text, question, topics, language) if fact.confidence >= LEAST_SURE}
    _revise(found, text, (tagger or spans.tagger()).read(text, question))
    if (kind := persontype.read(text, question, found=found.keys(), topics=topics)) is not None:
        value, start, end, confidence = kind
        found["person_type"] = Fact("person_type", value, start, end, text[start:end], confidence)
    corrects = bool(CORRECTS.search(level(text)))
    return [
        found[key] for key in KEYS if key in found and (corrects or key in topics or _is_news(found[key], known or {}))
    ]


def _is_news(fact: Fact, known: Mapping[str, Any]) -> bool:
    """Whether nothing is known of this yet, or the find is sure enough to replace it."""
    return fact.key not in known or fact.confidence >= REPLACES.get(fact.key, 0.0)


def _revise(found: dict[str, Fact], text: str, reading: spans.Reading) -> None:
    """Drop what the words do not bear out, and add what they tell where the grammar found nothing."""
    for key in spans.KEYS:
        fact = found.get(key)
        if fact is not None:
            if fact.quote == fact.value and reading.within(key, fact.start, fact.end) < spans.LEAST.get(key, 0.0):
                del found[key]
            continue
        if key in spans.ENOUGH and (span := reading.best(key, spans.ENOUGH[key])) is not None:
            quote = text[span.start : span.end]
            if key == "budget" and purchase.counts_things(level(text)[span.end :]):
                continue
            found[key] = Fact(key, quote, span.start, span.end, quote, round(span.likely, 2))


def _found(text: str, question: str, topics: frozenset[str], language: str) -> Iterator[Fact]:
    def at(key: str, place: tuple[int, int, float], value: str | int | bool | None = None) -> Fact:
        start, end, confidence = place
        quote = text[start:end]
        return Fact(key, quote if value is None else value, start, end, quote, confidence)

    name = next(identity.names(text, is_asked="name" in topics), None)
    if name:
        yield at("name", name)
    place = name[:2] if name else None
    company = next(identity.companies(text, is_asked="company" in topics, name=place), None)
    if company:
        yield at("company", company)
    introduces = bool(name) or bool(topics & {"name", "segment", "company"})
    role = next(identity.roles(text, is_asked="role" in topics, introduces=introduces), None)
    if role:
        yield at("role", role)
    for mail, start, end in reach.mails(text):
        yield at("email", (start, end, 0.95), mail)
    for phone, start, end in reach.phones(text, is_asked="phone" in topics, language=language):
        yield at("phone", (start, end, 0.9), phone)
    segment = next(
        identity.segments(text, is_asked="segment" in topics, company=company[:2] if company else None), None
    )
    if segment and not (role and role[0] <= segment[0] < role[1]):
        yield at("segment", segment)
    elif (workplace := identity.segment_asked_about(text, question)) is not None:
        yield at("segment", (0, len(text.rstrip()), 0.6), _verbatim(question, workplace))
    team = headcount.team(text, is_asked="team_size" in topics)
    if team is not None and not ("decision_maker" in topics and "team_size" not in topics):
        yield at("team_size", (team.start, team.end, team.confidence), team.size)
    named = (
        (purchase.TOOL.search(level(question)) or USED.search(level(question))) if "current_tool" in topics else None
    )
    for tool in purchase.tools(text, is_asked="current_tool" in topics, tool_named=named.group(1) if named else ""):
        yield (
            at("current_tool", tool)
            if tool[2] or named is None
            else at("current_tool", (tool[0], tool[1], 0.6), _verbatim(question, named.span(1)))
        )
    is_price = "price" in topics
    budget = next(purchase.budgets(text, is_asked="budget" in topics, price_asked=is_price), None)
    if budget is not None:
        yield at("budget", budget)
    elif is_price and (yes := purchase.accepts(text)) is not None and (price := purchase.price_in(question)):
        yield at("budget", yes, price)
    for timeline in purchase.timelines(text, topics=topics):
        yield at("timeline", timeline)
    for value, start, end, confidence in purchase.decides(text, is_asked="decision_maker" in topics):
        yield at("decision_maker", (start, end, confidence), value)
    for times in purchase.preferred_times(text, topics=topics, question=question):
        yield at("preferred_times", times)


def _verbatim(text: str, span: tuple[int, int]) -> str:
    return text[span[0] : span[1]]
