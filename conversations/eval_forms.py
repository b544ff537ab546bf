"""What a person types on a turn's trace: what was wrong with it, and what the agent is to say from now on."""

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from conversations import lead_panel, wording
from conversations.corrections import value_of
from conversations.eval_cases import FLAGS, Given, Reason
from conversations.guards import Kind
from conversations.models import FactKey
from conversations.playbook.understanding import Intent
from orgs.models import Refused

SAY_CHARS = 1_000
NOTE_CHARS = 500
PHRASE_CHARS = 80
ANSWER_CHARS = 500
CLAIMS = (
    Kind.MONEY, Kind.PERCENT, Kind.DATE, Kind.TIME, Kind.BOOKING, Kind.PROMISE, Kind.LINK, Kind.NAME,
    Kind.INSTRUCTION_LEAK, Kind.LANGUAGE, Kind.OTHER,
)  # fmt: skip


def plain(text: Any) -> str:
    """Without NUL, which PostgreSQL cannot hold, and without blank ends."""
    return str(text or "").replace("\x00", "").strip()


class CaseForm(forms.Form):
    """What every report has; `reason` says which."""

    reason: Reason
    should_say = forms.CharField(
        label=_("What it should have said"),
        required=False,
        max_length=SAY_CHARS,
        widget=forms.Textarea(attrs={"rows": 3}),
    )
    note = forms.CharField(
        label=_("Note for colleagues"), required=False, max_length=NOTE_CHARS, widget=forms.Textarea(attrs={"rows": 2})
    )
    field_order: tuple[str, ...] | None = None

    def __init__(self, *args: Any, said: str = "", understood: dict[str, Any] | None = None, **options: Any) -> None:
        self.said, self.understood = said, understood or {}
        super().__init__(*args, **{"auto_id": f"{self.reason}-%s", **options})

    def clean_should_say(self) -> str:
        return plain(self.cleaned_data["should_say"])

    def clean_note(self) -> str:
        return plain(self.cleaned_data["note"])

    def labels(self) -> dict[str, Any]:
        """What goes into `expect`, once the form is valid."""
        return {}

    @property
    def given(self) -> Given:
        """What was said of the turn, once the form is valid."""
        typed = self.cleaned_data
        return Given(self.reason, expect=self.labels(), should_say=typed["should_say"], note=typed["note"])


class UnderstandingForm(CaseForm):
    """The intent it should have seen, and the facts; a fact that was left as it is counts as right."""

    reason = Reason.UNDERSTANDING
    intent = forms.ChoiceField(
        label=_("What the lead wanted"), choices=[(one.value, wording.INTENTS[one]) for one in Intent]
    )
    field_order = ("intent",)

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        facts = self.understood.get("facts", {})
        for key in FactKey:
            choices = lead_panel.choices_of(key)
            value = facts.get(key.value, "")
            if choices:
                value = {True: "yes", False: "no"}.get(value, value)
                found: forms.Field = forms.ChoiceField(
                    choices=[("", _("Not said")), *choices], required=False, label=key.label, initial=value
                )
            else:
                found = forms.CharField(max_length=200, required=False, label=key.label, initial=value)
            self.fields[f"fact_{key.value}"] = found
        self.order_fields(["intent", *(f"fact_{key.value}" for key in FactKey), "should_say", "note"])

    @property
    def facts(self) -> list[forms.BoundField]:
        return [self[f"fact_{key.value}"] for key in FactKey]

    @property
    def has_fact_errors(self) -> bool:
        return any(field.errors for field in self.facts)

    def clean(self) -> dict[str, Any]:
        typed = super().clean() or self.cleaned_data
        self.values: dict[str, str | int | bool] = {}
        for key in FactKey:
            try:
                value = value_of(key, plain(typed.get(f"fact_{key.value}")))
            except Refused as refused:
                self.add_error(f"fact_{key.value}", str(refused))
                continue
            if value is not None:
                self.values[key.value] = value
        return typed

    def labels(self) -> dict[str, Any]:
        """The intent; the two wishes where the intent settles them; facts where the person has changed any."""
        intent = self.cleaned_data["intent"]
        expect: dict[str, Any] = {"intent": intent, "opt_out": intent == Intent.OPT_OUT}
        if intent != Intent.OPT_OUT:  # who leaves may have asked for a person too
            expect["wants_human"] = intent == Intent.WANTS_HUMAN
        if self.values != self.understood.get("facts", {}):
            expect["facts"] = self.values
        return {name: expect[name] for name in ("intent", *FLAGS, "facts") if name in expect}


class ClaimForm(CaseForm):
    """Which words are not so, verbatim, and what they claim."""

    reason = Reason.CLAIM
    wrong = forms.CharField(
        label=_("The wrong words"),
        help_text=_("Copied from the answer above."),
        max_length=SAY_CHARS,
        widget=forms.Textarea(attrs={"rows": 2}),
    )
    kind = forms.ChoiceField(
        label=_("They are about"), choices=[(one.value, wording.CLAIMS[one]) for one in CLAIMS], initial=Kind.OTHER
    )
    field_order = ("wrong", "kind", "should_say", "note")

    def clean_wrong(self) -> str:
        wrong = plain(self.cleaned_data["wrong"].replace("\r\n", "\n"))
        if not wrong or wrong not in self.said:
            raise forms.ValidationError(_("These words are not in the answer. Copy them as they are."), code="absent")
        return wrong

    def labels(self) -> dict[str, Any]:
        typed = self.cleaned_data
        return {"allowed": False, "violations": [{"kind": typed["kind"], "text": typed["wrong"]}]}


class AnswerForm(CaseForm):
    """What it should have said; and whether the org's knowledge answers what the lead asked."""

    reason = Reason.ANSWER
    is_answerable = forms.BooleanField(label=_("Our knowledge answers what the lead asked"), required=False)
    field_order = ("should_say", "is_answerable", "note")

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.fields["should_say"].required = True

    def labels(self) -> dict[str, Any]:
        return {"answerable": True} if self.cleaned_data["is_answerable"] else {}


FORMS: dict[Reason, type[CaseForm]] = {form.reason: form for form in (UnderstandingForm, ClaimForm, AnswerForm)}


class ForbiddenForm(forms.Form):
    """Words the agent must not use any more."""

    words = forms.CharField(
        label=_("Words or a topic"),
        help_text=_(
            "Any answer with these words is held back, however they are written: capitals and accents do not matter."
        ),
        max_length=PHRASE_CHARS,
    )

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **{"auto_id": "forbidden-%s", **options})

    def clean_words(self) -> str:
        words = " ".join(plain(self.cleaned_data["words"]).split())
        if not any(one.isalnum() for one in words):
            raise forms.ValidationError(_("Write a word."), code="empty")
        return words


class CorrectAnswerForm(forms.Form):
    """What the agent says from now on when a lead speaks of something."""

    about = forms.CharField(
        label=_("When the lead writes"),
        help_text=_("The words that matter, for example: price of the monthly plan."),
        max_length=PHRASE_CHARS,
    )
    answer = forms.CharField(label=_("It answers"), max_length=ANSWER_CHARS, widget=forms.Textarea(attrs={"rows": 3}))

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **{"auto_id": "correct-%s", **options})

    def clean_about(self) -> str:
        about = " ".join(plain(self.cleaned_data["about"]).split())
        if not any(len(word) > 3 for word in about.split()):
            raise forms.ValidationError(_("Write a word of at least four letters."), code="too_short")
        return about

    def clean_answer(self) -> str:
        answer = plain(self.cleaned_data["answer"])
        if not answer:
            raise forms.ValidationError(_("Write the answer."), code="empty")
        return answer
