"""Who is given the next lead: the switch, and one form for each rule."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, cast

from django import forms
from django.utils.translation import gettext_lazy as _

from conversations.models import Assignment, Number
from orgs.models import Membership

MOST_RULES = 20
SOURCES = (("", _("From anywhere")), ("ad", _("From an ad or a post")), ("direct", _("Wrote by themselves")))
HOURS = (("", _("At any time")), ("open", _("In business hours")), ("closed", _("Outside business hours")))

if TYPE_CHECKING:
    AssignmentModelForm = forms.ModelForm[Assignment]
    RuleForms = forms.BaseFormSet["RuleForm"]
else:
    AssignmentModelForm = forms.ModelForm  # generic for the type checker only
    RuleForms = forms.BaseFormSet


class AssignmentForm(AssignmentModelForm):
    """Whether leads are given away, when they are given to somebody else, and who sees them."""

    sdrs_see_only_theirs = forms.BooleanField(
        label=_("SDRs see only their own leads"),
        help_text=_("In lists, searches, pages, files and notifications. Administrators and viewers see all."),
        required=False,
    )

    class Meta:
        model = Assignment
        fields = ["is_on", "silent_minutes"]
        labels = {
            "is_on": _("Give each lead who needs a person to somebody, in turn"),
            "silent_minutes": _("Minutes of silence"),
        }
        help_texts = {
            "is_on": _(
                "That person alone is told. Off: everybody who may answer is told, and whoever is first takes it."
            ),
            "silent_minutes": _(
                "When the lead still waits after so many, from 5 to 1440, somebody else gets it. Empty: never."
            ),
        }


class RuleForm(forms.Form):
    """One rule; empty choices fit every lead, no people are everybody who may answer."""

    number = forms.TypedChoiceField(label=_("Number"), coerce=int, empty_value=None, required=False)
    source = forms.ChoiceField(label=_("Source"), choices=SOURCES, required=False)
    hours = forms.ChoiceField(label=_("When they need somebody"), choices=HOURS, required=False)
    people = forms.TypedMultipleChoiceField(
        label=_("Goes to"), coerce=int, widget=forms.CheckboxSelectMultiple, required=False
    )

    def __init__(self, *args: Any, numbers: Sequence[Number], members: Sequence[Membership], **options: Any) -> None:
        super().__init__(*args, **options)
        chosen: Any = self.fields
        chosen["number"].choices = [("", _("Any number")), *((number.pk, number.name) for number in numbers)]
        chosen["people"].choices = [(member.person_id, str(member.person)) for member in members]

    @property
    def rule(self) -> dict[str, Any]:
        """As `Assignment.rules` keeps it."""
        return {name: self.cleaned_data[name] for name in ("number", "source", "hours", "people")}


class RuleFormSet(RuleForms):
    """The rules in their order; a line marked for removal goes, an untouched one at the end is none."""

    @property
    def rules(self) -> list[dict[str, Any]]:
        kept = [one for one in self.forms if one not in self.deleted_forms]
        return [one.rule for one in kept if one.has_changed() or one.initial]


def rules_form(
    data: Mapping[str, Any] | None,
    rules: Sequence[Mapping[str, Any]],
    *,
    numbers: Sequence[Number],
    members: Sequence[Membership],
) -> RuleFormSet:
    """The forms of these rules, and one for another. A rule goes with its number, or with the last of its people:
    it would be one for every number, or for everybody.
    """
    numbers_known, people_known = {number.pk for number in numbers}, {member.person_id for member in members}
    initial = [
        {**rule, "number": rule["number"] or "", "people": people}
        for rule in rules
        if rule["number"] in {None, *numbers_known}
        and ((people := [pk for pk in rule["people"] if pk in people_known]) or not rule["people"])
    ]
    made = forms.formset_factory(
        RuleForm, formset=RuleFormSet, extra=1, can_delete=True, max_num=MOST_RULES, validate_max=True
    )
    kwargs = {"numbers": numbers, "members": members}
    return cast(RuleFormSet, made(data, initial=initial, prefix="rule", form_kwargs=kwargs))
