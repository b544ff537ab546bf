"""Settings are drafted, published and rolled back; what was published never changes (issue "The brain", 6)."""

import pytest
from django.core.exceptions import ValidationError

from conversations import agents, policy, settings_of
from conversations.models import AgentVersion, Number
from orgs.context import in_org
from orgs.models import Org
from tests.conversations.test_ownership_race import together


def published(number: Number | None) -> list[tuple[int, str]]:
    rows = AgentVersion.objects.filter(number_id=number.pk if number else None).order_by("version")
    return [(row.version, row.state) for row in rows]


@pytest.fixture(autouse=True)
def nothing_yet(request: pytest.FixtureRequest) -> None:
    if "number" in request.fixturenames:
        request.getfixturevalue("number")
        AgentVersion.objects.all().delete()


def test_a_draft_starts_from_what_is_published(number: Number) -> None:
    first = agents.draft(None)
    first.threshold = 60
    first.save()
    agents.publish(None, person_id=1)
    assert agents.draft(None).threshold == 60


def test_asking_for_the_draft_twice_gives_the_same(number: Number) -> None:
    assert agents.draft(number.pk) == agents.draft(number.pk)
    assert agents.draft(number.pk) != agents.draft(None)


def test_a_draft_changes_nothing_until_it_is_published(number: Number) -> None:
    one = agents.draft(None)
    one.batching_seconds = 20
    one.save()
    assert settings_of.number(number).batching_seconds == 8
    agents.publish(None, person_id=1)
    assert settings_of.number(number).batching_seconds == 20


def test_a_number_of_its_own_goes_before_the_shared_agent(number: Number) -> None:
    for of, seconds in ((None, 5), (number.pk, 9)):
        one = agents.draft(of)
        one.batching_seconds = seconds
        one.save()
        agents.publish(of, person_id=1)
    assert settings_of.number(number).batching_seconds == 9


def test_publishing_what_is_out_of_bounds_changes_nothing(number: Number) -> None:
    one = agents.draft(None)
    one.threshold = 100
    one.save()
    with pytest.raises(ValidationError):
        agents.publish(None, person_id=1)
    assert not AgentVersion.objects.filter(state=AgentVersion.State.PUBLISHED).exists()


def test_rolling_back_publishes_a_copy_and_leaves_the_draft(number: Number) -> None:
    for threshold in (50, 60):
        one = agents.draft(None)
        one.threshold = threshold
        one.save()
        agents.publish(None, person_id=1)
    in_work = agents.draft(None)
    old = AgentVersion.objects.get(version=1)
    back = agents.roll_back(old, person_id=2)
    assert (back.version, back.threshold, back.published_by) == (3, 50, 2)
    assert published(None) == [(0, "draft"), (1, "retired"), (2, "retired"), (3, "published")]
    assert agents.draft(None) == in_work
    with pytest.raises(ValueError, match="published"):
        agents.roll_back(back, person_id=2)


def test_it_shows_what_differs(number: Number) -> None:
    one, other = AgentVersion(), AgentVersion(threshold=60, name="Lia")
    assert agents.difference(one, other) == {"threshold": (70, 60), "name": ("", "Lia")}


def test_publishing_at_once_publishes_once(committed: None) -> None:
    org = Org.objects.get(slug="acme")
    with in_org(org):
        agents.draft(None)
    together(org, *[lambda: agents.publish(None, person_id=1)] * 8)
    with in_org(org):
        assert published(None) == [(1, "published")]
    together(org, *[lambda: agents.draft(None)] * 8)
    with in_org(org):
        assert published(None) == [(0, "draft"), (1, "published")]


def test_of_two_who_change_what_both_have_seen_one_is_told(committed: None) -> None:
    org = Org.objects.get(slug="acme")
    with in_org(org):
        seen = agents.fingerprint(agents.shown(None), ["threshold"])
    told: list[str] = []

    def change(threshold: int) -> None:
        try:
            agents.change(None, {"threshold": threshold}, person=None, seen=seen)
        except agents.Outdated as outdated:
            told.append(f"{threshold} after {outdated.current.threshold}")

    together(org, *[lambda value=value: change(value) for value in (51, 52, 53, 54)])
    with in_org(org):
        [draft] = AgentVersion.objects.all()
        others = {51, 52, 53, 54} - {draft.threshold}
        assert sorted(told) == sorted(f"{value} after {draft.threshold}" for value in others)
        # Who publishes what they have looked at, while it is changed, publishes that or nothing.
        looked_at = agents.fingerprint(draft)
        outcomes: list[object] = []

    def publish() -> None:
        try:
            outcomes.append(agents.publish(None, person_id=None, seen=looked_at))
        except agents.Outdated:
            outcomes.append(None)

    together(org, publish, lambda: agents.change(None, {"name": "Lia"}, person=None) and None, publish)
    with in_org(org):
        holds = agents.published(None)
        assert (holds is not None) == any(outcomes)
        assert sum(1 for one in outcomes if one) <= 1
        assert holds is None or (holds.name, holds.threshold) == ("", draft.threshold)
        assert agents.shown(None).name == "Lia"


def test_words_are_forbidden_once_however_often_and_whoever_says_it(committed: None) -> None:
    org = Org.objects.get(slug="acme")
    words = ("grátis", "Gratis", " GRÁTIS ", "barato")
    together(org, *[lambda said=said: agents.forbid(None, said, person=None) for said in words])
    with in_org(org):
        [draft] = AgentVersion.objects.all()
        assert sorted(policy.folded(one) for one in draft.forbidden) == ["barato", "gratis"]
