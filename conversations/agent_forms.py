"""The pages of an agent's settings, a form each. What may hold together is `agent_checks`' business."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, time
from itertools import zip_longest
from typing import Any, ClassVar

from django import forms
from django.conf import settings
from django.forms import BoundField
from django.utils import timezone
from django.utils.dates import WEEKDAYS
from django.utils.formats import date_format
from django.utils.functional import Promise
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from conversations import agent_words, follow_ups, holidays, wording
from conversations.agent_words import LABELS, OUTSIDE_HOURS, PACES, PERSONALITIES, TESTS, THINKING
from conversations.models import AgentVersion, FactKey
from conversations.qualification import ANSWERS_NEEDED, SIGNAL_POINTS, STAGE_POINTS, STAGES, SignalKey
from orgs.org_forms import ZoneField

TEXT_CHARS = 2_000
SAID_CHARS = 300  # one message to a lead
QUESTION_CHARS = 200
LINES_AT_MOST = 60
OBJECTIONS, DISQUALIFIERS = 20, 10  # rows at most
SPARE_ROWS = 2  # empty ones shown
MODEL_NAME = re.compile(r"[a-z0-9][a-z0-9.\-]*")
PLACEHOLDER = re.compile(r"\{[^{}]*\}")


@dataclass(frozen=True)
class Group:
    """Fields that stand together; each row has the names of what stands side by side, and may have a title.

    `is_week`: rows alike, whose titles stand before them and whose labels are heard only. `has_sample`: the sample
    answer stands behind it.
    """

    title: str | Promise
    rows: Sequence[Sequence[str]]
    hint: str | Promise = ""
    titles: Sequence[str | Promise] = ()
    is_week: bool = False
    has_sample: bool = False


@dataclass(frozen=True)
class ShownRow:
    title: str
    fields: list[BoundField]


@dataclass(frozen=True)
class ShownGroup:
    title: str
    hint: str
    rows: list[ShownRow]
    is_week: bool
    has_sample: bool


class LinesField(forms.CharField):
    """Several short texts, one a line. Out: a list without blanks or repeats."""

    widget = forms.Textarea

    def __init__(self, *, longest: int = QUESTION_CHARS, rows: int = 4, **options: Any) -> None:
        self.longest = longest
        options.setdefault("required", False)
        super().__init__(**options)
        self.widget.attrs["rows"] = rows

    def prepare_value(self, value: Any) -> Any:
        return "\n".join(value) if isinstance(value, list | tuple) else value

    def clean(self, value: Any) -> Any:
        text = super().clean("\n".join(value) if isinstance(value, list) else value)
        found = list(dict.fromkeys(" ".join(line.split()) for line in text.splitlines() if line.strip()))
        if len(found) > LINES_AT_MOST:
            raise forms.ValidationError(
                _("These are too many lines: %(most)s is the limit."), code="too_many", params={"most": LINES_AT_MOST}
            )
        for line in found:
            if len(line) > self.longest:
                raise forms.ValidationError(
                    _("“%(start)s…” is too long: a line has %(most)s characters at most."),
                    code="too_long", params={"start": line[:30], "most": self.longest},
                )  # fmt: skip
        return found


class SectionForm(forms.Form):
    """One page. `writes` names the settings it holds; `groups` how its fields stand."""

    key: ClassVar[str]
    title: ClassVar[str | Promise]
    lead: ClassVar[str | Promise] = ""
    writes: ClassVar[tuple[str, ...]]
    has_sample: ClassVar[bool] = False  # a page whose sample answer changes with it

    def __init__(self, data: Any = None, *, version: AgentVersion, may_change: bool = True) -> None:
        super().__init__(data, initial=self.initial_of(version))
        self.version = version
        self.build(version)
        for name, label in LABELS.items():
            if name in self.fields:
                self.fields[name].label = label  # type: ignore[assignment]  # a lazy text, as Django takes it
        if not may_change:
            for field in self.fields.values():
                field.disabled = True

    def build(self, version: AgentVersion) -> None:
        """Add what depends on the version."""

    @classmethod
    def initial_of(cls, version: AgentVersion) -> dict[str, Any]:
        return {name: getattr(version, name) for name in cls.writes}

    def values(self) -> dict[str, Any]:
        """The settings as typed, once the form is valid."""
        return {name: self.cleaned_data[name] for name in self.writes}

    def layout(self) -> Sequence[Group]:
        return [Group("", [[name] for name in self.fields])]

    @property
    def groups(self) -> list[ShownGroup]:
        return [
            ShownGroup(
                str(group.title),
                str(group.hint),
                [
                    ShownRow(str(title), [self[name] for name in row])
                    for title, row in zip_longest(group.titles, group.rows, fillvalue="")
                ],
                group.is_week,
                group.has_sample,
            )
            for group in self.layout()
        ]


class IdentityForm(SectionForm):
    key, title = "identity", _("Identity")
    lead = _("Who speaks to your leads, and how.")
    writes = (
        "name", "language", "answers_in_lead_language", "personality", "instructions", "discloses", "disclosure",
    )  # fmt: skip
    has_sample = True

    name = forms.CharField(
        required=False, max_length=60, help_text=_("What it calls itself, such as Lia. May be empty.")
    )
    language = forms.ChoiceField(
        choices=settings.LANGUAGES, help_text=_("What it speaks, and what you write your own words in.")
    )
    answers_in_lead_language = forms.BooleanField(
        required=False,
        help_text=_("Portuguese, English or Spanish, as they write. Otherwise always the language above."),
    )
    personality = forms.ChoiceField(choices=list(PERSONALITIES.items()), widget=forms.RadioSelect)
    instructions = forms.CharField(
        required=False,
        max_length=TEXT_CHARS,
        widget=forms.Textarea(attrs={"rows": 4}),
        help_text=_("Read by a language model. The playbook follows the fields of these pages, not free text."),
    )
    discloses = forms.BooleanField(
        required=False,
        help_text=_("We advise it: leads should know. Asked whether it is a machine, it never denies it."),
    )
    disclosure = forms.CharField(
        required=False,
        max_length=SAID_CHARS,
        widget=forms.Textarea(attrs={"rows": 2}),
        help_text=_("Before the first answer. Empty: our own words, with your company’s name."),
    )

    def layout(self) -> Sequence[Group]:
        return [
            Group(_("Who"), [["name"], ["language"], ["answers_in_lead_language"]]),
            Group(_("How it speaks"), [["personality"], ["instructions"]], has_sample=True),
            Group(_("Introduction"), [["discloses"], ["disclosure"]]),
        ]


class BusinessForm(SectionForm):
    key, title = "business", _("Business")
    lead = _("What you do, in a few words. Prices and details belong in the knowledge.")
    writes = ("business", "objections")
    has_sample = True

    business = forms.CharField(
        required=False,
        max_length=TEXT_CHARS,
        widget=forms.Textarea(attrs={"rows": 4}),
        help_text=_("What you sell, to whom and where. Two sentences or less are told to leads as they stand."),
    )

    def build(self, version: AgentVersion) -> None:
        for number in range(rows_shown(len(version.objections), OBJECTIONS, self.data, "objection{}_answer")):
            self.fields[f"objection{number}_about"] = forms.CharField(
                label=_("When they speak of"), required=False, max_length=100
            )
            self.fields[f"objection{number}_answer"] = forms.CharField(
                label=_("Answer"), required=False, max_length=SAID_CHARS
            )

    @classmethod
    def initial_of(cls, version: AgentVersion) -> dict[str, Any]:
        rows = {
            f"objection{number}_{part}": str(one.get(part, ""))
            for number, one in enumerate(version.objections)
            for part in ("about", "answer")
        }
        return {"business": version.business, **rows}

    def clean(self) -> dict[str, Any]:
        typed = super().clean() or self.cleaned_data
        for number in numbers_of(self.fields, "objection", "_about"):
            about, answer = typed.get(f"objection{number}_about"), typed.get(f"objection{number}_answer")
            for have, other, missing in ((about, answer, "answer"), (answer, about, "about")):
                if have and other == "":
                    self.add_error(f"objection{number}_{missing}", required())
        return typed

    def values(self) -> dict[str, Any]:
        typed = self.cleaned_data
        return {
            "business": typed["business"],
            "objections": [
                {"about": typed[f"objection{number}_about"], "answer": typed[f"objection{number}_answer"]}
                for number in numbers_of(self.fields, "objection", "_about")
                if typed[f"objection{number}_about"]
            ],
        }

    def layout(self) -> Sequence[Group]:
        rows = [
            [f"objection{number}_about", f"objection{number}_answer"]
            for number in numbers_of(self.fields, "objection", "_about")
        ]
        hint = _("Words such as “expensive price” and what you answer. Save for more rows; empty a row to remove it.")
        return [Group("", [["business"]], has_sample=True), Group(LABELS["objections"], rows, hint)]


class QualificationForm(SectionForm):
    key, title = "qualification", _("Qualification")
    lead = _("What is asked, stage by stage, and when a lead is worth a meeting.")
    writes = (
        "goals", "questions", "answers_needed", "answers_at_most", "stage_points", "signal_points", "threshold",
        "disqualifiers", "facts_left_out",
    )  # fmt: skip
    has_sample = True

    threshold = forms.IntegerField(
        min_value=1, max_value=99,
        help_text=_("From 1 to 99, usually 70. A lead is qualified when the score is greater."),
    )  # fmt: skip
    facts = forms.MultipleChoiceField(
        label=_("Facts it asks for and keeps"),
        required=False,
        choices=FactKey.choices,
        widget=forms.CheckboxSelectMultiple,
        help_text=_("What is known is never asked again. What you leave out is neither asked for nor kept."),
    )

    def build(self, version: AgentVersion) -> None:
        for stage in STAGES:
            self.fields[f"goal_{stage}"] = forms.CharField(
                label=_("Goal"), required=False, max_length=SAID_CHARS,
                help_text=_("What you want to learn. Read by a language model."),
            )  # fmt: skip
            self.fields[f"questions_{stage}"] = LinesField(
                label=_("Questions"),
                help_text=_("One a line, asked in this order, one at a time. Without any, ours are asked."),
            )
            self.fields[f"needed_{stage}"] = forms.IntegerField(label=_("Answers needed"), min_value=1, max_value=5)
            self.fields[f"most_{stage}"] = forms.IntegerField(
                label=_("Kept at most"), required=False, min_value=1, max_value=20
            )
            self.fields[f"points_{stage}"] = forms.IntegerField(label=_("Points"), min_value=0, max_value=100)
        for key in SignalKey:
            self.fields[f"signal_{key}"] = forms.IntegerField(label=wording.signal(key), min_value=0, max_value=50)
        facts = [("", "—"), *FactKey.choices]
        for number in range(rows_shown(len(version.disqualifiers), DISQUALIFIERS, self.data, "rule{}_fact")):
            self.fields[f"rule{number}_fact"] = forms.ChoiceField(label=_("Fact"), required=False, choices=facts)
            self.fields[f"rule{number}_test"] = forms.ChoiceField(
                label=_("Rule"), required=False, choices=list(TESTS.items())
            )
            self.fields[f"rule{number}_value"] = forms.CharField(label=_("Value"), required=False, max_length=80)
            self.fields[f"rule{number}_points"] = forms.IntegerField(
                label=_("Points less"), required=False, min_value=1, max_value=100
            )

    @classmethod
    def initial_of(cls, version: AgentVersion) -> dict[str, Any]:
        initial: dict[str, Any] = {
            "threshold": version.threshold,
            "facts": [key for key in FactKey.values if key not in version.facts_left_out],
        }
        for stage in STAGES:
            initial[f"goal_{stage}"] = version.goals.get(stage, "")
            initial[f"questions_{stage}"] = list(version.questions.get(stage, []))
            initial[f"needed_{stage}"] = version.answers_needed.get(stage, ANSWERS_NEEDED)
            initial[f"most_{stage}"] = version.answers_at_most.get(stage)
            initial[f"points_{stage}"] = version.stage_points.get(stage, STAGE_POINTS)
        for key in SignalKey:
            initial[f"signal_{key}"] = version.signal_points.get(key, SIGNAL_POINTS)
        for number, rule in enumerate(version.disqualifiers):
            for part in ("fact", "test", "value", "points"):
                initial[f"rule{number}_{part}"] = rule.get(part)
        return initial

    def clean(self) -> dict[str, Any]:
        typed = super().clean() or self.cleaned_data
        for stage in STAGES:
            needed, most = typed.get(f"needed_{stage}"), typed.get(f"most_{stage}")
            if needed and most and most < needed:
                self.add_error(
                    f"most_{stage}", forms.ValidationError(_("Keep at least as many as are needed."), code="too_few")
                )
            for question in typed.get(f"questions_{stage}") or []:
                if question.count("?") != 1 or not question.endswith("?"):
                    self.add_error(
                        f"questions_{stage}",
                        forms.ValidationError(
                            _("“%(question)s” must be one question, with its question mark at the end."),
                            code="no_question", params={"question": question},
                        ),
                    )  # fmt: skip
                    break
        for number in numbers_of(self.fields, "rule", "_fact"):
            self._clean_rule(typed, number)
        self._clean_reach(typed)
        return typed

    def _clean_rule(self, typed: Mapping[str, Any], number: int) -> None:
        fact, test, value = (typed.get(f"rule{number}_{part}") for part in ("fact", "test", "value"))
        if not fact:
            if value or typed.get(f"rule{number}_points"):
                self.add_error(f"rule{number}_fact", required())
            return
        if test not in {"known", "unknown"} and value == "":
            self.add_error(f"rule{number}_value", required())
        if test in {"below", "above"} and value and not re.fullmatch(r"-?\d+(\.\d+)?", value):
            self.add_error(f"rule{number}_value", forms.ValidationError(_("Write a number."), code="no_number"))
        if fact not in typed.get("facts", []):
            self.add_error(
                f"rule{number}_fact",
                forms.ValidationError(
                    _("This fact is left out below, so the rule could not be tested."), code="left_out"
                ),
            )

    def _clean_reach(self, typed: Mapping[str, Any]) -> None:
        """A score that nobody can reach qualifies nobody."""
        parts = [typed.get(f"points_{stage}") for stage in STAGES] + [typed.get(f"signal_{key}") for key in SignalKey]
        if "threshold" not in typed or any(part is None for part in parts):
            return
        highest = min(100, sum(part for part in parts if part is not None))
        if highest <= typed["threshold"]:
            self.add_error(
                "threshold",
                forms.ValidationError(
                    _("Nobody could qualify: all points together are %(highest)s."),
                    code="out_of_reach", params={"highest": highest},
                ),
            )  # fmt: skip

    def values(self) -> dict[str, Any]:
        typed = self.cleaned_data
        rules = []
        for number in numbers_of(self.fields, "rule", "_fact"):
            if not typed[f"rule{number}_fact"]:
                continue
            rule = {part: typed[f"rule{number}_{part}"] for part in ("fact", "test", "value")}
            points = typed[f"rule{number}_points"]
            rules.append(rule | ({"points": points} if points else {}))
        return {
            "threshold": typed["threshold"],
            "goals": {stage: typed[f"goal_{stage}"] for stage in STAGES if typed[f"goal_{stage}"]},
            "questions": {stage: typed[f"questions_{stage}"] for stage in STAGES if typed[f"questions_{stage}"]},
            "answers_needed": {
                stage: needed for stage in STAGES if (needed := typed[f"needed_{stage}"]) != ANSWERS_NEEDED
            },
            "answers_at_most": {stage: most for stage in STAGES if (most := typed[f"most_{stage}"])},
            "stage_points": {stage: points for stage in STAGES if (points := typed[f"points_{stage}"]) != STAGE_POINTS},
            "signal_points": {
                str(key): points for key in SignalKey if (points := typed[f"signal_{key}"]) != SIGNAL_POINTS
            },
            "disqualifiers": rules,
            "facts_left_out": [key for key in FactKey.values if key not in typed["facts"]],
        }

    def layout(self) -> Sequence[Group]:
        stages = [
            Group(
                wording.stage(stage),
                [
                    [f"goal_{stage}"], [f"questions_{stage}"],
                    [f"needed_{stage}", f"most_{stage}", f"points_{stage}"],
                ],
            )
            for stage in STAGES
        ]  # fmt: skip
        rules = [
            [f"rule{number}_{part}" for part in ("fact", "test", "value", "points")]
            for number in numbers_of(self.fields, "rule", "_fact")
        ]
        return [
            *stages,
            Group(
                _("Score"), [["threshold"], [f"signal_{key}" for key in SignalKey]],
                _("A stage gives its points in proportion to its answers; these signals add to them. 100 is the most."),
            ),
            Group(
                LABELS["disqualifiers"], rules,
                _("Points less when the rule is met. Without points the lead is never qualified."),
            ),
            Group(_("Facts"), [["facts"]], has_sample=True),
        ]  # fmt: skip


class GuardrailsForm(SectionForm):
    key, title = "guardrails", _("Guardrails")
    lead = _("What is never said, and what is for people. Prices, dates and promises need your knowledge in any case.")
    writes = ("forbidden", "human_topics", "loop_limit")

    forbidden = LinesField(
        longest=80, rows=5,
        help_text=_("Words and topics, one a line. An answer with one of them is not sent; a person is called."),
    )  # fmt: skip
    human_topics = LinesField(
        longest=80, rows=5,
        help_text=_("Words, one a line, such as “refund”. A lead who uses one is told that a person goes on."),
    )  # fmt: skip
    loop_limit = forms.IntegerField(
        min_value=3, max_value=50,
        help_text=_("From 3 to 50, usually 12. After so many in a row without anything learnt, a person is called."),
    )  # fmt: skip


class TimingForm(SectionForm):
    key, title = "timing", _("Timing")
    lead = _("How fast it answers. Leads often write several short messages: it waits, and answers them together.")
    writes = (
        "batching_seconds", "cooldown_seconds", "turn_timeout_seconds", "context_messages", "backlog_minutes",
        "bubbles_at_most", "typing_per_character", "typing_longest",
    )  # fmt: skip
    has_sample = True

    batching_seconds = forms.FloatField(
        min_value=1, max_value=120,
        help_text=_("Seconds, from 1 to 120, usually 8. Less after a finished question; each new message restarts it."),
    )  # fmt: skip
    cooldown_seconds = forms.FloatField(min_value=1, max_value=30, help_text=_("Seconds, from 1 to 30, usually 3."))
    turn_timeout_seconds = forms.FloatField(
        min_value=10, max_value=120,
        help_text=_("Seconds, from 10 to 120, usually 30. A model that takes longer is replaced by the playbook."),
    )  # fmt: skip
    context_messages = forms.IntegerField(
        min_value=5, max_value=50,
        help_text=_("From 5 to 50, usually 20. What is known of the lead is always there besides."),
    )  # fmt: skip
    backlog_minutes = forms.IntegerField(
        min_value=5, max_value=1440,
        help_text=_("Minutes, from 5 to 1440, usually 60. What comes later, after an outage, goes to a person."),
    )  # fmt: skip
    bubbles_at_most = forms.IntegerField(
        min_value=1, max_value=4, help_text=_("From 1 to 4, usually 3, the introduction included.")
    )
    typing_per_character = forms.TypedChoiceField(coerce=float, choices=())
    typing_longest = forms.FloatField(
        min_value=0, max_value=20, help_text=_("Seconds, from 0 to 20, usually 6: “typing…” before a message.")
    )

    def build(self, version: AgentVersion) -> None:
        paces = sorted({*PACES, version.typing_per_character})
        self.fields["typing_per_character"].choices = [  # type: ignore[attr-defined]
            (value, agent_words.pace(value)) for value in paces
        ]

    @classmethod
    def initial_of(cls, version: AgentVersion) -> dict[str, Any]:
        """Whole seconds without a fraction."""
        initial = super().initial_of(version)
        whole = {
            name: int(value) for name, value in initial.items() if isinstance(value, float) and value == int(value)
        }
        return initial | whole | {"typing_per_character": version.typing_per_character}

    def layout(self) -> Sequence[Group]:
        return [
            Group(_("Waiting"), [["batching_seconds"], ["cooldown_seconds"], ["backlog_minutes"]], has_sample=True),
            Group(_("Thinking"), [["turn_timeout_seconds"], ["context_messages"]]),
            Group(_("Writing"), [["bubbles_at_most"], ["typing_per_character"], ["typing_longest"]]),
        ]


class HoursForm(SectionForm):
    key, title = "hours", _("Hours and holidays")
    lead = _("When your team works. Follow-ups keep to these hours, and the AI does what you say outside them.")
    writes = ("time_zone", "hours", "yearly_holidays", "holidays", "outside_hours", "away_text")
    PARTS = ("from", "to", "from2", "to2")

    time_zone = ZoneField()
    outside_hours = forms.ChoiceField(choices=list(OUTSIDE_HOURS.items()), widget=forms.RadioSelect)
    away_text = forms.CharField(
        required=False,
        max_length=SAID_CHARS,
        widget=forms.Textarea(attrs={"rows": 2}),
        help_text=_(
            "With {when} where the time stands. Empty: our own words. Used when leads are told when you are back."
        ),
    )
    yearly_holidays = forms.MultipleChoiceField(
        required=False, widget=forms.CheckboxSelectMultiple,
        help_text=_("Brazil’s, closed every year. In brackets, the next date."),
    )  # fmt: skip
    holidays = LinesField(longest=10, rows=3, help_text=_("One a line, as year-month-day: 2026-12-24."))

    def build(self, version: AgentVersion) -> None:
        today = timezone.localdate()
        self.fields["yearly_holidays"].choices = [  # type: ignore[attr-defined]
            (one.key, f"{one.name} ({date_format(holidays.next_on(one.key, today), 'SHORT_DATE_FORMAT')})")
            for one in holidays.BRAZIL
        ]
        labels = (_("Opens at"), _("Closes at"), _("Opens again at"), _("Closes again at"))
        for day in range(7):
            for part, label in zip(self.PARTS, labels, strict=True):
                self.fields[f"day{day}_{part}"] = forms.TimeField(
                    label=label, required=False, input_formats=["%H:%M", "%H:%M:%S"],
                    widget=forms.TimeInput(format="%H:%M", attrs={"type": "time"}),
                )  # fmt: skip

    @classmethod
    def initial_of(cls, version: AgentVersion) -> dict[str, Any]:
        initial = super().initial_of(version)
        for day, spans in enumerate(initial.pop("hours")[:7]):
            for part, at in zip(cls.PARTS, spans, strict=False):
                initial[f"day{day}_{part}"] = time.fromisoformat("00:00" if at == "24:00" else at)
        return initial

    def clean_holidays(self) -> list[str]:
        """Dates as they are stored."""
        found = []
        for line in self.cleaned_data["holidays"]:
            try:
                found.append(date.fromisoformat(line).isoformat())
            except ValueError:
                raise forms.ValidationError(
                    _("“%(line)s” is no date: write year-month-day."), code="no_date", params={"line": line}
                ) from None
        return sorted(set(found))

    def clean_away_text(self) -> str:
        return only_placeholders(self.cleaned_data["away_text"], "{when}")

    def clean(self) -> dict[str, Any]:
        typed = super().clean() or self.cleaned_data
        for day in range(7):
            opens, closes, again, ends = (typed.get(f"day{day}_{part}") for part in self.PARTS)
            for start, end, part in ((opens, closes, "to"), (again, ends, "to2")):
                if (start is None) != (end is None):
                    self.add_error(
                        f"day{day}_{part if end is None else part.replace('to', 'from')}",
                        forms.ValidationError(_("Write both times."), code="required"),
                    )
            if again is not None and opens is None:
                self.add_error(f"day{day}_from", forms.ValidationError(_("Write these first."), code="required"))
            if again is not None and closes is not None and opens is not None and (again < closes or closes <= opens):
                self.add_error(
                    f"day{day}_from2", forms.ValidationError(_("Begin after the first hours end."), code="overlap")
                )
        return typed

    def values(self) -> dict[str, Any]:
        typed = self.cleaned_data
        week = []
        for day in range(7):
            at = [typed[f"day{day}_{part}"] for part in self.PARTS]
            week.append([f"{one:%H:%M}" for one in at if one is not None])
        return {**{name: typed[name] for name in self.writes if name != "hours"}, "hours": week}

    def layout(self) -> Sequence[Group]:
        week = [[f"day{day}_{part}" for part in self.PARTS] for day in range(7)]
        return [
            Group(
                _("Week"),
                [*week, ["time_zone"]],
                _("Leave a day empty when you are closed. 00:00 to 00:00 is all day."),
                titles=[WEEKDAYS[day] for day in range(7)],
                is_week=True,
            ),
            Group(_("Closed days"), [["yearly_holidays"], ["holidays"]]),
            Group(_("When you are closed"), [["outside_hours"], ["away_text"]]),
        ]


class FollowUpsForm(SectionForm):
    key, title = "follow-ups", _("Follow-ups")
    lead = _(
        "When a lead falls silent after a question: at most five steps, within your hours, never once they answered, "
        "asked to stop, or a person took over."
    )
    writes = ("follow_ups", "asks_satisfaction", "close_after_days")
    SORTS = (("", _("No step")), ("minutes", _("Minutes after")), ("days", _("Days after")))

    asks_satisfaction = forms.BooleanField(required=False, help_text=_("From 1 to 5, once, and rarely."))
    close_after_days = forms.IntegerField(
        required=False, min_value=1, max_value=365,
        help_text=_("From 1 to 365, usually 14. Empty: never. A new message opens it again."),
    )  # fmt: skip

    def build(self, version: AgentVersion) -> None:
        for number in range(follow_ups.RUNGS_AT_MOST):
            self.fields[f"rung{number}_sort"] = forms.ChoiceField(label=_("When"), required=False, choices=self.SORTS)
            self.fields[f"rung{number}_amount"] = forms.IntegerField(
                label=_("How many"), required=False, min_value=1, max_value=10_080
            )
            self.fields[f"rung{number}_at"] = forms.TimeField(
                label=_("At"), required=False, input_formats=["%H:%M", "%H:%M:%S"],
                widget=forms.TimeInput(format="%H:%M", attrs={"type": "time"}),
            )  # fmt: skip
            self.fields[f"rung{number}_text"] = forms.CharField(
                label=_("Your words"), required=False, max_length=SAID_CHARS,
                help_text=_("With {name} for the first name. Empty: our own words."),
            )  # fmt: skip

    @classmethod
    def initial_of(cls, version: AgentVersion) -> dict[str, Any]:
        initial = super().initial_of(version)
        known = [one for one in initial.pop("follow_ups") if isinstance(one, dict) and follow_ups.is_rung(one)]
        for number, one in enumerate(known):
            is_minutes = "after_minutes" in one
            initial[f"rung{number}_sort"] = "minutes" if is_minutes else "days"
            initial[f"rung{number}_amount"] = one["after_minutes"] if is_minutes else one["after_days"]
            initial[f"rung{number}_at"] = None if is_minutes else time.fromisoformat(str(one["at"]))
            initial[f"rung{number}_text"] = one.get("text", "")
        return initial

    def clean(self) -> dict[str, Any]:
        typed = super().clean() or self.cleaned_data
        last = 0
        for number in range(follow_ups.RUNGS_AT_MOST):
            name = f"rung{number}"
            sort, amount = typed.get(f"{name}_sort"), typed.get(f"{name}_amount")
            if sort and amount is None and f"{name}_amount" not in self.errors:
                self.add_error(f"{name}_amount", required())
            if sort == "days":
                if typed.get(f"{name}_at") is None and f"{name}_at" not in self.errors:
                    self.add_error(f"{name}_at", required())
                if amount is not None and amount > follow_ups.GIVEN_UP_AFTER.days:
                    self.add_error(
                        f"{name}_amount",
                        forms.ValidationError(
                            _("At most %(days)s days: later nobody remembers."),
                            code="too_late", params={"days": follow_ups.GIVEN_UP_AFTER.days},
                        ),
                    )  # fmt: skip
            if sort and amount is not None:
                minutes = amount * (1440 if sort == "days" else 1)
                if minutes <= last:
                    self.add_error(
                        f"{name}_amount", forms.ValidationError(_("Later than the step before."), code="order")
                    )
                last = max(last, minutes)
            if typed.get(f"{name}_text"):
                try:
                    only_placeholders(typed[f"{name}_text"], "{name}")
                except forms.ValidationError as error:
                    self.add_error(f"{name}_text", error)
        return typed

    def values(self) -> dict[str, Any]:
        typed = self.cleaned_data
        ladder: list[dict[str, Any]] = []
        for number in range(follow_ups.RUNGS_AT_MOST):
            sort, amount, at, text = (typed[f"rung{number}_{part}"] for part in ("sort", "amount", "at", "text"))
            if not sort:
                continue
            when = {"after_minutes": amount} if sort == "minutes" else {"after_days": amount, "at": f"{at:%H:%M}"}
            ladder.append({**when, **({"text": text} if text else {})})
        return {
            "follow_ups": ladder, "asks_satisfaction": typed["asks_satisfaction"],
            "close_after_days": typed["close_after_days"],
        }  # fmt: skip

    def layout(self) -> Sequence[Group]:
        rows, titles = [], []
        for number in range(follow_ups.RUNGS_AT_MOST):
            rows += [[f"rung{number}_{part}" for part in ("sort", "amount", "at")], [f"rung{number}_text"]]
            titles += [gettext("Step %(number)s") % {"number": number + 1}, ""]
        return [
            Group(_("Steps"), rows, titles=titles),
            Group(_("At the end"), [["asks_satisfaction"], ["close_after_days"]]),
        ]


class HandoffForm(SectionForm):
    key, title = "handoff", _("Handoff")
    lead = _("When a person goes on, what the lead is told, and how the AI comes back.")
    writes = ("handoff_text", "handoff_away_text", "hand_back_hours")

    handoff_text = forms.CharField(
        required=False,
        max_length=SAID_CHARS,
        widget=forms.Textarea(attrs={"rows": 2}),
        help_text=_("To a lead who asks for a person or names one of your topics. Empty: our own words."),
    )
    handoff_away_text = forms.CharField(
        required=False,
        max_length=SAID_CHARS,
        widget=forms.Textarea(attrs={"rows": 2}),
        help_text=_("With {when} where the time stands. Empty: the words above."),
    )
    hand_back_hours = forms.IntegerField(
        required=False, min_value=1, max_value=72,
        help_text=_("From 1 to 72, usually 12. Empty: never. Where a person began the conversation, it stays theirs."),
    )  # fmt: skip

    def clean_handoff_text(self) -> str:
        return only_placeholders(self.cleaned_data["handoff_text"])

    def clean_handoff_away_text(self) -> str:
        return only_placeholders(self.cleaned_data["handoff_away_text"], "{when}")


class ModelForm(SectionForm):
    key, title = "model", _("Model")
    lead = _("Which brain answers. The playbook carries on whenever a model fails, is slow, or its budget is spent.")
    writes = ("brain", "model", "thinking_level", "monthly_budget_usd")

    brain = forms.ChoiceField(widget=forms.RadioSelect)
    model = forms.CharField(
        required=False, max_length=60, help_text=_("Its name at the vendor. Empty: the one of this installation."),
        widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false", "autocapitalize": "none"}),
    )  # fmt: skip
    thinking_level = forms.ChoiceField(choices=list(THINKING.items()))
    monthly_budget_usd = forms.DecimalField(
        required=False, min_value=0, max_digits=8, decimal_places=2,
        help_text=_("In US dollars. Empty: no limit. Once it is spent, the playbook answers till the month ends."),
    )  # fmt: skip

    def build(self, version: AgentVersion) -> None:
        names = dict.fromkeys([*settings.SDR_BRAINS, version.brain])
        self.fields["brain"].choices = [(name, wording.brain(name)) for name in names]  # type: ignore[attr-defined]
        if not settings.SDR_MODEL_BRAIN:
            self.fields["brain"].help_text = _("No model is set up on this installation: the playbook answers.")

    def clean_model(self) -> str:
        typed = str(self.cleaned_data["model"]).strip()
        if typed and not MODEL_NAME.fullmatch(typed):
            raise forms.ValidationError(_("Lower-case letters, digits, dots and hyphens only."), code="no_model")
        return typed


FORMS: dict[str, type[SectionForm]] = {
    form.key: form
    for form in (
        IdentityForm, BusinessForm, QualificationForm, GuardrailsForm, TimingForm, HoursForm, FollowUpsForm,
        HandoffForm, ModelForm,
    )
}  # fmt: skip


def section_of(name: str) -> str:
    """The page on which a setting stands."""
    return next((key for key, form in FORMS.items() if name in form.writes), "")


def rows_shown(filled: int, most: int, data: Mapping[str, Any], key: str) -> int:
    """How many rows a page has: those that are filled or came back, and a few empty ones."""
    came = sum(1 for number in range(most) if key.format(number) in data)
    return min(most, max(filled + SPARE_ROWS, came))


def numbers_of(fields: Iterable[str], prefix: str, suffix: str) -> Iterator[int]:
    """Numbers of the rows there are."""
    for name in fields:
        if (found := re.fullmatch(rf"{prefix}(\d+){suffix}", name)) is not None:
            yield int(found.group(1))


def only_placeholders(text: str, *known: str) -> str:
    """The text. Raises ValidationError for braces that nobody fills in."""
    strange = [one for one in PLACEHOLDER.findall(text) if one not in known]
    if strange:
        raise forms.ValidationError(
            _("%(placeholder)s is not filled in here."), code="placeholder", params={"placeholder": strange[0]}
        )
    return text


def required() -> forms.ValidationError:
    return forms.ValidationError(forms.Field.default_error_messages["required"], code="required")


def counted(changes: int) -> str:
    """How many settings wait to be published."""
    return ngettext("%(count)s change not published", "%(count)s changes not published", changes) % {"count": changes}
