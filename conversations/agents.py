"""An agent's settings over time: a draft is edited, published, and rolled back; what was published never changes.

An agent belongs to one number, or is shared by every number without one of its own (`number_id` None). Each verb takes
one lock for the whole org, is safe to repeat and at once, and writes its audit entry with its change. Who edits says
what they have seen, as `fingerprint` gives it: what somebody else changed meanwhile is never overwritten unawares.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping
from typing import Any, cast

from django.db import transaction
from django.db.models import Max
from django.http import HttpRequest
from django.utils import timezone

from conversations import policy, turns
from conversations.models import AgentVersion, Control, Number
from orgs import audit
from orgs.context import current_org
from orgs.models import Person

OF_ITSELF = frozenset(
    {
        "id",
        "number_id",
        "version",
        "state",
        "note",
        "edited_at",
        "edited_by",
        "published_at",
        "published_by",
        "created_at",
    }
)


class Outdated(Exception):
    """Nothing was changed: somebody else has changed it since. `current` is what holds now."""

    def __init__(self, current: AgentVersion) -> None:
        super().__init__(str(current))
        self.current = current


# --- Reading ---------------------------------------------------------------------------------------------------------
def published(number_id: int | None) -> AgentVersion | None:
    """What holds for a number by a version of its own (None: the shared one); None when nothing was published."""
    return AgentVersion.objects.filter(number_id=number_id, state=AgentVersion.State.PUBLISHED).first()


def in_force(number_id: int | None) -> AgentVersion:
    """What holds for a number now: its own, the shared one, or PRODUCT 2's defaults, unsaved."""
    own = published(number_id)
    return own or (published(None) if number_id is not None else None) or AgentVersion(pk=None)


def drafted(number_id: int | None) -> AgentVersion | None:
    """The draft in work, if there is one."""
    return AgentVersion.objects.filter(number_id=number_id, state=AgentVersion.State.DRAFT).first()


def shown(number_id: int | None) -> AgentVersion:
    """What an editor sees: the draft, or what a draft would begin with. Writes nothing."""
    return drafted(number_id) or in_force(number_id)


def difference(one: AgentVersion, other: AgentVersion) -> dict[str, tuple[object, object]]:
    """The settings in which two versions differ, by field: what it is in the first and in the second."""
    return {
        name: (getattr(one, name), getattr(other, name))
        for name in settings()
        if getattr(one, name) != getattr(other, name)
    }


def fingerprint(version: AgentVersion, names: Iterable[str] = ()) -> str:
    """A short sign of these settings (none named: all) as they are: equal for equal values."""
    chosen = {name: getattr(version, name) for name in sorted(names or settings())}
    # A number is the same however a field or a column spells it: 8 and 8.0, Decimal("5") and Decimal("5.00").
    told = json.dumps({name: plain(value) for name, value in chosen.items()}, sort_keys=True, default=str)
    return hashlib.sha256(told.encode()).hexdigest()[:16]


def plain(value: object) -> object:
    """A value as it is compared."""
    is_number = not isinstance(value, bool | str | list | dict) and value is not None
    return float(cast(float, value)) if is_number else value


def settings() -> list[str]:
    """The fields a version sets."""
    return [field.name for field in AgentVersion._meta.concrete_fields if field.name not in OF_ITSELF]


# --- The draft -------------------------------------------------------------------------------------------------------
def draft(number_id: int | None) -> AgentVersion:
    """The draft for a number (None: the shared agent), made from what holds now when there is none yet."""
    with transaction.atomic():
        _lock()
        return _draft(number_id)


def change(
    number_id: int | None,
    values: Mapping[str, Any],
    *,
    person: Person | None,
    request: HttpRequest | None = None,
    seen: str | None = None,
) -> AgentVersion:
    """Write these settings into the draft. Out: the draft.

    In: `seen`, the fingerprint of just these settings as the editor saw them (None: whatever they were). Raises
    Outdated when they have been changed since, KeyError for what is no setting. What others changed elsewhere stays.
    """
    if unknown := set(values) - set(settings()):
        raise KeyError(*sorted(unknown))
    with transaction.atomic():
        _lock()
        before = shown(number_id)
        if seen is not None and fingerprint(before, values) != seen:
            raise Outdated(before)
        changed = sorted(name for name, value in values.items() if plain(getattr(before, name)) != plain(value))
        if not changed:
            return before
        found = _draft(number_id)
        for name in changed:
            setattr(found, name, values[name])
        found.edited_at, found.edited_by = timezone.now(), person.pk if person else None
        found.save(update_fields=[*changed, "edited_at", "edited_by"])
        _note(audit.Action.AGENT_CHANGED, found, person, request, fields=changed)
        return found


def forbid(
    number_id: int | None, words: str, *, person: Person | None, request: HttpRequest | None = None
) -> AgentVersion:
    """Add words that the draft may never say (issue "The inbox", 4); words that are there already are not added."""
    added = " ".join(words.split())
    with transaction.atomic():
        _lock()
        before = shown(number_id)
        known = {policy.folded(one) for one in before.forbidden}
        if not added or policy.folded(added) in known:
            return before
        return change(number_id, {"forbidden": [*before.forbidden, added]}, person=person, request=request)


def answer_with(
    number_id: int | None, about: str, answer: str, *, person: Person | None, request: HttpRequest | None = None
) -> AgentVersion:
    """Let the draft answer leads who write of `about` with these words, in place of a former answer to the same."""
    with transaction.atomic():
        _lock()
        kept = [
            one
            for one in shown(number_id).objections
            if policy.folded(str(one.get("about", ""))) != policy.folded(about)
        ]
        own = [*kept, {"about": about, "answer": answer}]
        return change(number_id, {"objections": own}, person=person, request=request)


def discard(number_id: int | None, *, person: Person | None, request: HttpRequest | None = None) -> bool:
    """Throw the draft away. Out: whether there was one."""
    with transaction.atomic():
        _lock()
        found = drafted(number_id)
        if found is None:
            return False
        _note(audit.Action.AGENT_DRAFT_DISCARDED, found, person, request)
        found.delete()
        return True


# --- What holds ------------------------------------------------------------------------------------------------------
def publish(
    number_id: int | None,
    *,
    person_id: int | None,
    request: HttpRequest | None = None,
    note: str = "",
    seen: str | None = None,
) -> AgentVersion | None:
    """Make the draft what holds from the next turn on; the former version is retired. None when there is no draft.

    In: `seen`, the fingerprint of the whole draft as it was looked at. Raises Outdated when it is another by now, and
    django's ValidationError for a setting out of its bounds.
    """
    with transaction.atomic():
        _lock()
        found = drafted(number_id)
        if found is None:
            return None
        if seen is not None and fingerprint(found) != seen:
            raise Outdated(found)
        found.clean_fields(exclude=OF_ITSELF | {name for name in settings() if getattr(found, name) is None})
        _retire(number_id)
        found.state, found.version = AgentVersion.State.PUBLISHED, _next_version(number_id)
        found.published_at, found.published_by, found.note = timezone.now(), person_id, note
        found.save()
        _note(audit.Action.AGENT_PUBLISHED, found, _person(person_id), request, version=found.version)
        _look_at_the_clock(number_id)
        return found


def roll_back(
    version: AgentVersion, *, person_id: int | None, request: HttpRequest | None = None, note: str = ""
) -> AgentVersion:
    """Publish a copy of an older version. A draft in work stays as it is. Raises ValueError for what is no old one."""
    with transaction.atomic():
        _lock()
        version = AgentVersion.objects.get(pk=version.pk)
        if version.state != AgentVersion.State.RETIRED:
            raise ValueError(version.state)
        _retire(version.number_id)
        copy = _copy(version, number_id=version.number_id, state=AgentVersion.State.PUBLISHED)
        copy.version, copy.published_at, copy.published_by = _next_version(version.number_id), timezone.now(), person_id
        copy.note = note
        copy.save()
        _note(
            audit.Action.AGENT_ROLLED_BACK, copy, _person(person_id), request, version=copy.version, of=version.version
        )
        _look_at_the_clock(version.number_id)
        return copy


def separate(number: Number, *, person: Person, request: HttpRequest | None = None) -> AgentVersion:
    """Give a number an agent of its own, published at once as a copy of what holds for it: nothing changes yet.

    Out: the version that holds for the number; the one there is, when it has its own already.
    """
    with transaction.atomic():
        _lock()
        own = published(number.pk)
        if own is not None:
            return own
        copy = _copy(in_force(number.pk), number_id=number.pk, state=AgentVersion.State.PUBLISHED)
        copy.version, copy.published_at, copy.published_by = _next_version(number.pk), timezone.now(), person.pk
        copy.save()
        _note(audit.Action.AGENT_SEPARATED, copy, person, request)
        return copy


def share(number: Number, *, person: Person, request: HttpRequest | None = None) -> bool:
    """Let a number use the shared agent again: its own is retired, its draft is gone. Out: whether it had its own."""
    with transaction.atomic():
        _lock()
        own = published(number.pk)
        if own is None:
            return False
        AgentVersion.objects.filter(number_id=number.pk, state=AgentVersion.State.DRAFT).delete()
        _retire(number.pk)
        _note(audit.Action.AGENT_SHARED, own, person, request)
        _look_at_the_clock(number.pk)
        return True


# --- Pieces ----------------------------------------------------------------------------------------------------------
def _draft(number_id: int | None) -> AgentVersion:
    found = drafted(number_id)
    return found or _copy(in_force(number_id), number_id=number_id, state=AgentVersion.State.DRAFT)


def _look_at_the_clock(number_id: int | None) -> None:
    """Other hours may hold now: what waits for an opening asks again. Of all numbers, where the agent is shared."""
    number = Number.objects.filter(pk=number_id).first() if number_id is not None else None
    turns.retake(set(policy.UNTIL_THE_CLOCK), number=number)


def _copy(of: AgentVersion, *, number_id: int | None, state: AgentVersion.State) -> AgentVersion:
    values = {name: getattr(of, name) for name in settings()}
    return AgentVersion.objects.create(state=state, version=0, number_id=number_id, **values)


def _retire(number_id: int | None) -> None:
    AgentVersion.objects.filter(number_id=number_id, state=AgentVersion.State.PUBLISHED).update(
        state=AgentVersion.State.RETIRED
    )


def _next_version(number_id: int | None) -> int:
    newest = AgentVersion.objects.filter(number_id=number_id).aggregate(newest=Max("version"))["newest"]
    return (newest or 0) + 1


def _person(person_id: int | None) -> Person | None:
    return Person.objects.filter(pk=person_id).first() if person_id is not None else None


def _note(
    action: audit.Action,
    agent: AgentVersion,
    person: Person | None,
    request: HttpRequest | None,
    /,
    **data: Any,
) -> None:
    org = current_org()
    told = {**data, **({"number": agent.number_id} if agent.number_id else {})}
    audit.record(action, request=request, org=org, person=person, target=f"agent:{agent.pk}", data=told)


def _lock() -> None:
    """One change of versions at a time in an org."""
    Control.objects.get_or_create(pk=1)
    Control.objects.select_for_update(no_key=True).get(pk=1)
