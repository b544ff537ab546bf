"""Settings of an agent that do not go together, in plain words: what keeps it from being published, what to know."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from django.conf import settings
from django.utils.translation import gettext as _

from conversations import guards, policy, qualification
from conversations.models import AgentVersion, FactKey
from conversations.qualification import SIGNAL_POINTS, STAGE_POINTS, STAGES, SignalKey

FIRST_RESPONSE_SECONDS = 60  # PRODUCT 2: the UI warns when it would pass this
THINKING_SECONDS = 5  # PRODUCT 7: a decision's p95


@dataclass(frozen=True)
class Problem:
    """`is_error`: it may not be published so. `section` is the page to mend it on."""

    section: str
    text: str
    is_error: bool = True


def problems(version: AgentVersion, *, now: datetime) -> list[Problem]:
    """What is wrong with a version, errors first. In: `now`, aware."""
    found = [*_clock(version, now), *_words(version), *_score(version), *_advice(version)]
    return sorted(found, key=lambda one: not one.is_error)


def first_response(version: AgentVersion) -> int:
    """Seconds until a lead who sends one message reads the answer, in an ordinary case."""
    return round(version.batching_seconds + THINKING_SECONDS + version.typing_longest)


def latest_response(version: AgentVersion) -> int:
    """The same for a lead who goes on writing: the wait is restarted so often at most."""
    return first_response(version) + round(version.batching_seconds * (policy.PUSHES - 1))


def _clock(version: AgentVersion, now: datetime) -> Iterator[Problem]:
    opens = policy.next_opening(version.hours, version.time_zone, now, holidays=version.closed_days)
    is_open = policy.is_open(version.hours, version.time_zone, now, holidays=version.closed_days)
    closes = policy.next_closing(version.hours, version.time_zone, now, holidays=version.closed_days)
    match version.outside_hours:
        case AgentVersion.OutsideHours.SILENT | AgentVersion.OutsideHours.SAY_WHEN if opens is None and not is_open:
            yield Problem(
                "hours", _("There are no business hours, and outside them the AI does not answer: it never would.")
            )
        case AgentVersion.OutsideHours.ONLY_OUTSIDE if is_open and closes is None:
            yield Problem("hours", _("You are always open, and the AI answers only outside hours: it never would."))
        case AgentVersion.OutsideHours.SAY_WHEN if version.away_text and "{when}" not in version.away_text:
            yield Problem("hours", _("Leads are to be told when you are back, but your words have no {when}."), False)


def _words(version: AgentVersion) -> Iterator[Problem]:
    """Words of one's own that one has forbidden: the guard would hold every message with them."""
    now = datetime(2000, 1, 1)  # noqa: DTZ001  # no rule on words asks for it
    for section, text in own_words(version):
        found = guards.check(text, guards.Grounds(now=now, forbidden=version.forbidden))
        for one in found:
            if one.kind is guards.Kind.FORBIDDEN:
                told = {"word": one.text, "text": text[:80]}
                yield Problem(
                    section, _("“%(word)s” is never to be said, but stands in your own words: “%(text)s”.") % told
                )
                break


def own_words(version: AgentVersion) -> Iterator[tuple[str, str]]:
    """What the org has written for leads to read, with the page it stands on."""
    yield from (("identity", text) for text in [version.disclosure, version.name] if text)
    if version.business:
        yield "business", version.business
    for objection in version.objections:
        yield "business", str(objection.get("answer", ""))
    for asked in version.questions.values():
        yield from (("qualification", text) for text in asked)
    yield from (("handoff", text) for text in [version.handoff_text, version.handoff_away_text] if text)
    yield from (("follow-ups", str(one["text"])) for one in version.follow_ups if one.get("text"))
    if version.away_text:
        yield "hours", version.away_text


def _score(version: AgentVersion) -> Iterator[Problem]:
    highest = sum(version.stage_points.get(stage, STAGE_POINTS) for stage in STAGES)
    highest += sum(version.signal_points.get(key, SIGNAL_POINTS) for key in SignalKey)
    if min(qualification.HIGHEST, highest) <= version.threshold:
        yield Problem("qualification", _("Nobody could qualify: all points together do not pass the threshold."))
    for rule in version.disqualifiers:
        if rule["fact"] in version.facts_left_out:
            fact = FactKey(rule["fact"]).label
            yield Problem("qualification", _("A rule needs the fact “%(fact)s”, which is left out.") % {"fact": fact})


def _advice(version: AgentVersion) -> Iterator[Problem]:
    if (seconds := first_response(version)) > FIRST_RESPONSE_SECONDS:
        told = _("A lead would wait about %(seconds)s seconds for the first answer. Most expect one within a minute.")
        yield Problem("timing", told % {"seconds": seconds}, False)
    if not version.discloses:
        yield Problem(
            "identity", _("Leads are not told that an assistant answers. Tell them: the law may want it."), False
        )
    if version.brain != "playbook" and not settings.SDR_MODEL_BRAIN:
        yield Problem("model", _("No model is set up on this installation: the playbook answers."), False)
