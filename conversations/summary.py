"""What is known of a lead, for people: composed from the evidence's rows, in the language of whoever reads (PRODUCT 2).

It says nothing that no row says, so nobody has to check it against the thread. `brief` leaves out everything the lead
said or is: that may stand in an e-mail, where we could not erase it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.utils import translation
from django.utils.translation import gettext

from conversations import wording
from conversations.evidence import of as evidence_of
from conversations.evidence import rules_of
from conversations.models import AgentVersion, Answer, Conversation, Fact, FactKey, Signal
from conversations.qualification import STAGES, SignalKey, Stage, Verdict, judge

QUOTE_CHARS = 160
QUOTES_A_STAGE = 3  # newest
VALUE_CHARS = 80


@dataclass(frozen=True)
class Summary:
    """A conversation in a few lines; all words are in the language it was composed in.

    `facts`: label and value, in FactKey's order; `answers`: stage and the lead's own words; `signals`: label and yes or
    no; `open`: stages that lack answers.
    """

    standing: str
    facts: tuple[tuple[str, str], ...] = ()
    answers: tuple[tuple[str, tuple[str, ...]], ...] = ()
    signals: tuple[tuple[str, str], ...] = ()
    open: tuple[str, ...] = ()
    ruled_out_by: tuple[str, ...] = ()
    brief: tuple[str, ...] = field(default=())
    lines: tuple[str, ...] = field(default=())

    @property
    def text(self) -> str:
        return "\n".join(self.lines)


def of(conversation: Conversation, agent: AgentVersion, *, language: str) -> Summary:
    """The summary of a conversation as its rows are now. Inside the org; five queries, writes nothing."""
    answers: dict[str, list[str]] = {}
    for stage, quote in Answer.objects.filter(conversation=conversation, ended_at=None).order_by("pk").values_list(
        "stage", "quote"
    ):  # fmt: skip
        answers.setdefault(stage, []).append(quote)
    facts = Fact.objects.filter(contact_id=conversation.contact_id, ended_at=None)
    signals = Signal.objects.filter(conversation=conversation, ended_at=None)
    verdict = judge(evidence_of(conversation), rules_of(agent))
    return compose(
        verdict,
        threshold=agent.threshold,
        facts=dict(facts.values_list("key", "value")),
        answers=answers,
        signals=dict(signals.values_list("key", "is_true")),
        language=language,
    )


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


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return gettext("yes") if value else gettext("no")
    text = " ".join(str(value).split())
    return text if len(text) <= VALUE_CHARS else f"{text[: VALUE_CHARS - 1]}…"


def _quoted(quote: str) -> str:
    text = " ".join(quote.split())
    return f"“{text}”" if len(text) <= QUOTE_CHARS else f"“{text[: QUOTE_CHARS - 1]}…”"
