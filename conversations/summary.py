"""What is known of a lead, for people: composed from the evidence's rows, in the language of whoever reads (PRODUCT 2).

It says nothing that no row says, so nobody has to check it against the thread. `brief` leaves out everything the lead
said or is: that may stand in an e-mail, where we could not erase it. `short` is kept with the verdict, in the agent's
language, for whoever opens the conversation.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.utils import timezone, translation
from django.utils.translation import gettext

from conversations import evidence, wording
from conversations.models import AgentVersion, Conversation, FactKey, Qualification
from conversations.qualification import STAGES, SignalKey, Stage, Verdict, judge

QUOTE_CHARS = 160
QUOTES_A_STAGE = 3  # newest
VALUE_CHARS = 80
SHORT_LINES = 3
SHORT_CHARS = 600  # of a model's words
WHO = (FactKey.NAME, FactKey.ROLE, FactKey.COMPANY, FactKey.SEGMENT)  # told without their labels
ABOUT = (FactKey.TEAM_SIZE, FactKey.CURRENT_TOOL, FactKey.BUDGET, FactKey.TIMELINE)
TOLD = 2  # stages whose newest words are told


@dataclass(frozen=True)
class Summary:
    """A conversation in a few lines; all words are in the language it was composed in.

    `facts`: label and value, in FactKey's order; `answers`: stage and the lead's own words; `signals`: label and yes or
    no; `open`: stages that lack answers. `short`: at most SHORT_LINES, who they are, what they said, how they stand.
    """

    standing: str
    facts: tuple[tuple[str, str], ...] = ()
    answers: tuple[tuple[str, tuple[str, ...]], ...] = ()
    signals: tuple[tuple[str, str], ...] = ()
    open: tuple[str, ...] = ()
    ruled_out_by: tuple[str, ...] = ()
    brief: tuple[str, ...] = field(default=())
    lines: tuple[str, ...] = field(default=())
    short: tuple[str, ...] = field(default=())

    @property
    def text(self) -> str:
        return "\n".join(self.lines)


def of(
    conversation: Conversation, agent: AgentVersion, *, language: str, found: evidence.Current | None = None
) -> Summary:
    """The summary of a conversation as its rows are now. Inside the org; three queries, writes nothing.

    In: `found`, what counts now, where it was read already.
    """
    found = found or evidence.current(conversation)
    answers: dict[str, list[str]] = {}
    for row in found.answers:
        answers.setdefault(row.stage, []).append(row.quote)
    return compose(
        judge(found.evidence, evidence.rules_of(agent)),
        threshold=agent.threshold,
        facts={key: row.value for key, row in found.facts.items()},
        answers=answers,
        signals={key: row.is_true for key, row in found.signals.items()},
        language=language,
    )


def keep(conversation: Conversation, agent: AgentVersion, *, found: evidence.Current, told: str = "") -> None:
    """Keep the running summary with the verdict, and when it last changed. The conversation's row must be locked.

    In: `told`, a model's own words for people, which go before ours; they are cut to SHORT_LINES.
    """
    lines = [" ".join(line.split()) for line in told.splitlines() if line.strip()]
    text = "\n".join(lines[:SHORT_LINES])[:SHORT_CHARS] or "\n".join(
        of(conversation, agent, language=agent.language, found=found).short
    )
    kept = Qualification.objects.filter(conversation=conversation).exclude(summary=text)
    kept.update(summary=text, summary_at=timezone.now())


def compose(
    verdict: Verdict,
    *,
    threshold: int,
    facts: Mapping[str, Any],
    answers: Mapping[str, Sequence[str]],
    signals: Mapping[str, bool],
    language: str,
) -> Summary:
    """Pure. In: the verdict with current facts, quotes by stage (oldest first) and signals; `language` as people have
    it, e.g. pt-br.
    """
    with translation.override(wording.known(language)):
        standing = _standing(verdict, threshold)
        known = tuple(
            (str(FactKey(key).label), _value(facts[key])) for key in FactKey.values if facts.get(key) not in {None, ""}
        )
        said = tuple(
            (wording.stage(stage), tuple(_quoted(quote) for quote in answers[stage][-QUOTES_A_STAGE:]))
            for stage in STAGES
            if answers.get(stage)
        )
        told = tuple((wording.signal(key), _value(signals[key])) for key in SignalKey if key in signals)
        missing = tuple(wording.stage(stage) for stage in STAGES if stage not in verdict.complete)
        ruled_out = tuple(
            str(FactKey(key).label) if key in FactKey.values else key for key in dict.fromkeys(verdict.ruled_out_by)
        )
        ends = [
            *([gettext("Ruled out by: %(facts)s") % {"facts": ", ".join(ruled_out)}] if ruled_out else []),
            *([gettext("Not told yet: %(stages)s") % {"stages": ", ".join(missing)}] if missing else []),
        ]
        labels = ", ".join(label for label, _ in known)
        return Summary(
            standing=standing,
            facts=known,
            answers=said,
            signals=told,
            open=missing,
            ruled_out_by=ruled_out,
            short=tuple(filter(None, (_who(dict(facts)), _said(answers), standing))),
            brief=(standing, *([gettext("Known: %(facts)s") % {"facts": labels}] if labels else []), *ends),
            lines=(
                standing,
                *(f"{label}: {value}" for label, value in known),
                *(f"{label}: {' '.join(quotes)}" for label, quotes in said),
                *(f"{label}: {value}" for label, value in told),
                *ends,
            ),
        )


def _standing(verdict: Verdict, threshold: int) -> str:
    values = {"score": verdict.score, "threshold": threshold, "stage": wording.stage(verdict.stage)}
    if verdict.stage is Stage.QUALIFIED:
        return gettext("Qualified with a score of %(score)s; more than %(threshold)s are needed") % values
    return gettext("Stage: %(stage)s, score %(score)s; qualified above %(threshold)s") % values


def _who(facts: Mapping[str, Any]) -> str:
    """Maria · owner · Kepler · Team size: 12; nothing while nothing is known."""
    there = {key: _value(value) for key, value in facts.items() if value not in {None, ""}}
    if there.get(FactKey.SEGMENT, "").casefold() in there.get(FactKey.COMPANY, "").casefold():
        there.pop(FactKey.SEGMENT, None)  # Padaria Sol is a padaria
    named = [there[key] for key in WHO if key in there]
    return " · ".join([*named, *(f"{key.label}: {there[key]}" for key in ABOUT if key in there)])


def _said(answers: Mapping[str, Sequence[str]]) -> str:
    """The newest words of the stages that lie furthest ahead."""
    told = [stage for stage in STAGES if answers.get(stage)][-TOLD:]
    return " · ".join(f"{wording.stage(stage)}: {_quoted(answers[stage][-1])}" for stage in told)


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return gettext("yes") if value else gettext("no")
    text = " ".join(str(value).split())
    return text if len(text) <= VALUE_CHARS else f"{text[: VALUE_CHARS - 1]}…"


def _quoted(quote: str) -> str:
    text = " ".join(quote.split())
    return f"“{text}”" if len(text) <= QUOTE_CHARS else f"“{text[: QUOTE_CHARS - 1]}…”"
