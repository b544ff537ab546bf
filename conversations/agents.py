"""An agent's settings over time: a draft is edited, published, and rolled back; what was published never changes."""

from django.db import transaction
from django.db.models import Max
from django.utils import timezone

from conversations import policy, turns
from conversations.models import AgentVersion, Control, Number

OF_ITSELF = frozenset({"id", "version", "state", "published_at", "published_by", "created_at"})


def draft(number_id: int | None) -> AgentVersion:
    """The draft for a number (None: the shared agent), made from what is published there when there is none yet."""
    with transaction.atomic():
        _lock()
        rows = AgentVersion.objects.filter(number_id=number_id)
        found = rows.filter(state=AgentVersion.State.DRAFT).first()
        if found is not None:
            return found
        published = rows.filter(state=AgentVersion.State.PUBLISHED).first()
        return _copy(published or AgentVersion(number_id=number_id), state=AgentVersion.State.DRAFT)


def publish(number_id: int | None, *, person_id: int | None) -> AgentVersion | None:
    """Make the draft what holds from the next turn on; the former version is retired. None when there is no draft.

    Raises django's ValidationError for a setting out of its bounds.
    """
    with transaction.atomic():
        _lock()
        rows = AgentVersion.objects.filter(number_id=number_id)
        found = rows.filter(state=AgentVersion.State.DRAFT).first()
        if found is None:
            return None
        found.clean_fields(exclude=OF_ITSELF | {name for name in _settings() if getattr(found, name) is None})
        _retire(number_id)
        found.state, found.version = AgentVersion.State.PUBLISHED, _next_version(number_id)
        found.published_at, found.published_by = timezone.now(), person_id
        found.save()
        _look_at_the_clock(number_id)
        return found


def roll_back(version: AgentVersion, *, person_id: int | None) -> AgentVersion:
    """Publish a copy of an older version. A draft in work stays as it is. Raises ValueError for what is no old one."""
    with transaction.atomic():
        _lock()
        version = AgentVersion.objects.get(pk=version.pk)
        if version.state != AgentVersion.State.RETIRED:
            raise ValueError(version.state)
        _retire(version.number_id)
        copy = _copy(version, state=AgentVersion.State.PUBLISHED)
        copy.version, copy.published_at, copy.published_by = _next_version(version.number_id), timezone.now(), person_id
        copy.save()
        _look_at_the_clock(version.number_id)
        return copy


def difference(one: AgentVersion, other: AgentVersion) -> dict[str, tuple[object, object]]:
    """The settings in which two versions differ, by field: what it is in the first and in the second."""
    return {
        name: (getattr(one, name), getattr(other, name))
        for name in _settings()
        if getattr(one, name) != getattr(other, name)
    }


def _look_at_the_clock(number_id: int | None) -> None:
    """Other hours may hold now: what waits for an opening asks again. Of all numbers, where the agent is shared."""
    number = Number.objects.filter(pk=number_id).first() if number_id is not None else None
    turns.retake(set(policy.UNTIL_THE_CLOCK), number=number)


def _copy(of: AgentVersion, *, state: AgentVersion.State) -> AgentVersion:
    return AgentVersion.objects.create(state=state, version=0, **{name: getattr(of, name) for name in _settings()})


def _settings() -> list[str]:
    return [field.name for field in AgentVersion._meta.concrete_fields if field.name not in OF_ITSELF]


def _retire(number_id: int | None) -> None:
    AgentVersion.objects.filter(number_id=number_id, state=AgentVersion.State.PUBLISHED).update(
        state=AgentVersion.State.RETIRED
    )


def _next_version(number_id: int | None) -> int:
    newest = AgentVersion.objects.filter(number_id=number_id).aggregate(newest=Max("version"))["newest"]
    return (newest or 0) + 1


def _lock() -> None:
    """One change of versions at a time in an org."""
    Control.objects.get_or_create(pk=1)
    Control.objects.select_for_update(no_key=True).get(pk=1)
