"""An agent's settings in words for people: what each is called, and what a value of it means."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.utils import formats
from django.utils.dates import WEEKDAYS
from django.utils.functional import Promise
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from conversations import follow_ups, holidays, wording
from conversations.models import AgentVersion, FactKey
from conversations.qualification import ANSWERS_NEEDED, SIGNAL_POINTS, STAGE_POINTS, STAGES, SignalKey

Words = str | Promise

LABELS: dict[str, Words] = {
    "name": _("Name of the assistant"),
    "language": _("Language"),
    "answers_in_lead_language": _("Answer in the lead’s own language"),
    "personality": _("Tone"),
    "instructions": _("Further instructions"),
    "discloses": _("Say first that an assistant answers"),
    "disclosure": _("Words of the introduction"),
    "business": _("What your business does"),
    "objections": _("Answers to objections"),
    "goals": _("Goal of each stage"),
    "questions": _("Questions"),
    "answers_needed": _("Answers a stage needs"),
    "answers_at_most": _("Answers a stage keeps at most"),
    "stage_points": _("Points of a complete stage"),
    "signal_points": _("Points of a signal"),
    "threshold": _("Qualified above"),
    "disqualifiers": _("What speaks against a lead"),
    "facts_left_out": _("Facts left out"),
    "forbidden": _("Never say"),
    "human_topics": _("Topics for a person"),
    "loop_limit": _("Answers without progress"),
    "batching_seconds": _("Wait for more messages"),
    "cooldown_seconds": _("Pause between answers"),
    "turn_timeout_seconds": _("Time to think"),
    "context_messages": _("Messages it reads back"),
    "backlog_minutes": _("Too late to answer after"),
    "bubbles_at_most": _("Messages an answer may have"),
    "typing_per_character": _("Pace of typing"),
    "typing_longest": _("Typing shown at most"),
    "time_zone": _("Time zone"),
    "hours": _("Business hours"),
    "yearly_holidays": _("Holidays"),
    "holidays": _("Other days you are closed"),
    "outside_hours": _("Outside business hours"),
    "away_text": _("What leads are told outside hours"),
    "follow_ups": _("Follow-ups"),
    "asks_satisfaction": _("Ask for a rating at the end"),
    "close_after_days": _("Close after days of silence"),
    "handoff_text": _("Words when a person is called"),
    "handoff_away_text": _("Words when a person is called outside hours"),
    "hand_back_hours": _("Back to the AI after hours of a person’s silence"),
    "brain": _("Who answers"),
    "model": _("Model"),
    "thinking_level": _("How much it thinks"),
    "monthly_budget_usd": _("Budget a month"),
}

PERSONALITIES: dict[str, Words] = {
    AgentVersion.Personality.CONSULTATIVE: _("Consultative: asks, listens, advises"),
    AgentVersion.Personality.PROFESSIONAL: _("Professional: formal and to the point"),
    AgentVersion.Personality.FRIENDLY: _("Friendly: warm and easy-going"),
    AgentVersion.Personality.ENERGETIC: _("Energetic: lively, moves things forward"),
}
OUTSIDE_HOURS: dict[str, Words] = {
    AgentVersion.OutsideHours.ANSWER: _("Answer as always"),
    AgentVersion.OutsideHours.SAY_WHEN: _("Say when you are back, and answer then"),
    AgentVersion.OutsideHours.SILENT: _("Stay silent, and answer when you open"),
    AgentVersion.OutsideHours.ONLY_OUTSIDE: _("Answer only outside hours: in them, the team does"),
}
THINKING: dict[str, Words] = {
    "minimal": _("Hardly: fastest and cheapest"), "low": _("A little"), "medium": _("Some"),
    "high": _("A lot: slowest and dearest"),
}  # fmt: skip
PACES: dict[float, Words] = {
    0.0: _("At once, no typing shown"), 0.015: _("Fast"), 0.03: _("Like a practised person"), 0.06: _("Slow"),
}  # fmt: skip
TESTS: dict[str, Words] = {
    "is": _("is"), "is_not": _("is not"), "contains": _("contains"), "below": _("is below"), "above": _("is above"),
    "known": _("is known"), "unknown": _("is not known"),
}  # fmt: skip
SECONDS = frozenset({"batching_seconds", "cooldown_seconds", "turn_timeout_seconds", "typing_longest"})


@dataclass(frozen=True)
class Change:
    """A setting that differs, in words: one line a thing. Empty: nothing is set."""

    name: str
    label: str
    before: tuple[str, ...]
    after: tuple[str, ...]


def changes(before: AgentVersion, after: AgentVersion, names: Iterable[str]) -> list[Change]:
    """The settings of these names as they were and are, in the order the pages have them."""
    wanted = set(names)
    return [
        Change(name, str(label), tuple(lines(name, getattr(before, name))), tuple(lines(name, getattr(after, name))))
        for name, label in LABELS.items()
        if name in wanted
    ]


def lines(name: str, value: Any) -> list[str]:
    """A setting's value in words, a line for each thing in it; none when nothing is set."""
    if name in MANY:
        return list(MANY[name](value))
    if value is None:
        return [gettext("Off")] if name in {"hand_back_hours", "close_after_days"} else []
    if isinstance(value, bool):
        return [gettext("Yes") if value else gettext("No")]
    if name in SECONDS:
        seconds = formats.number_format(value, use_l10n=True)
        return [gettext("%(seconds)s seconds") % {"seconds": seconds.removesuffix(",0").removesuffix(".0")}]
    if name in CHOSEN:
        return [str(CHOSEN[name].get(value, value))]
    if name == "language":
        return [str(dict(settings.LANGUAGES).get(value, value))]
    if name == "brain":
        return [wording.brain(value)]
    return [str(value)] if value != "" else []


def pace(value: float) -> str:
    """How fast it seems to type."""
    told = PACES.get(value)
    return str(told) if told else gettext("%(count)s characters a second") % {"count": round(1 / value)}


def rung(written: Mapping[str, Any]) -> str:
    """A step of the follow-ups, without its words."""
    if "after_minutes" in written:
        minutes = int(written["after_minutes"])
        return ngettext("After %(count)s minute", "After %(count)s minutes", minutes) % {"count": minutes}
    days = int(written["after_days"])
    told = ngettext("After %(count)s day, at %(clock)s", "After %(count)s days, at %(clock)s", days)
    return told % {"count": days, "clock": written["at"]}


def disqualifier(rule: Mapping[str, Any]) -> str:
    """A rule against a lead."""
    said = f"{FactKey(rule['fact']).label} {TESTS[rule['test']]} {rule.get('value', '')}".strip()
    points = rule.get("points")
    if points is None:
        return gettext("%(rule)s: never qualified") % {"rule": said}
    return gettext("%(rule)s: %(points)s points less") % {"rule": said, "points": points}


def _by_stage(default: int | None) -> Callable[[Mapping[str, Any]], Iterator[str]]:
    def told(value: Mapping[str, Any]) -> Iterator[str]:
        for stage in STAGES:
            if (amount := value.get(stage, default)) is not None:
                yield f"{wording.stage(stage)}: {amount}"

    return told


def _signals(value: Mapping[str, Any]) -> Iterator[str]:
    for key in SignalKey:
        yield f"{wording.signal(key)}: {value.get(key, SIGNAL_POINTS)}"


def _texts(value: Mapping[str, Any]) -> Iterator[str]:
    for stage in STAGES:
        said = value.get(stage) or []
        for text in [said] if isinstance(said, str) else said:
            yield f"{wording.stage(stage)}: {text}"


def _hours(value: Iterable[list[str]]) -> Iterator[str]:
    for number, day in enumerate(value):
        spans = [f"{opens}–{closes}" for opens, closes in zip(day[::2], day[1::2], strict=False)]
        yield f"{WEEKDAYS[number]}: {', '.join(spans) or gettext('closed')}"


def _ladder(value: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    known = [one for one in value if isinstance(one, dict) and follow_ups.is_rung(one)]
    for one in known:
        text = str(one.get("text") or "")
        yield f"{rung(one)}: {text}" if text else rung(one)
    if not known:
        yield gettext("None")


MANY: dict[str, Callable[[Any], Iterable[str]]] = {
    "objections": lambda value: (f"{one.get('about', '')} → {one.get('answer', '')}" for one in value),
    "goals": _texts,
    "questions": _texts,
    "answers_needed": _by_stage(ANSWERS_NEEDED),
    "answers_at_most": _by_stage(None),
    "stage_points": _by_stage(STAGE_POINTS),
    "signal_points": _signals,
    "disqualifiers": lambda value: map(disqualifier, value),
    "facts_left_out": lambda value: (str(FactKey(key).label) for key in value if key in FactKey.values),
    "forbidden": list,
    "human_topics": list,
    "hours": _hours,
    "yearly_holidays": lambda value: (str(holidays.BY_KEY[key].name) for key in value if key in holidays.BY_KEY),
    "holidays": list,
    "follow_ups": _ladder,
    "typing_per_character": lambda value: [pace(value)],
    "monthly_budget_usd": lambda value: [f"US$ {value}"] if value is not None else [gettext("No limit")],
}
CHOSEN: dict[str, Mapping[Any, Words]] = {
    "personality": PERSONALITIES, "outside_hours": OUTSIDE_HOURS, "thinking_level": THINKING,
}  # fmt: skip
