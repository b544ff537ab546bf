"""A statement nothing bears out is told from one that says the same in other words, in businesses nobody trained on."""

from collections import Counter
from datetime import UTC, datetime

import pytest

from conversations import guards
from conversations.guards import Grounds, ToolResult
from conversations.playbook import support
from conversations.playbook.evaluation import grounds_of, is_caught
from conversations.playbook.money import level
from conversations.playbook.training import drafts

LIGHTHOUSE = Grounds(
    now=datetime(2026, 11, 25, 14, 0, tzinfo=UTC),
    knowledge=(
        "Guided climbs of the old lighthouse for groups of up to nine.",
        "The climb takes forty minutes and costs $14.",
        "No strollers on the stairs.",
        "Tickets are sold at the harbour kiosk.",
    ),
    lead_name="Moira",
    lead_message="can we bring the stroller?",
    org="Keeper's Light",
    language="en",
)


def chance(sentence: str, grounds: Grounds = LIGHTHOUSE) -> float:
    return support.judge().verdict(level(sentence), guards.backing_of(grounds)).chance


@pytest.mark.parametrize(
    ("borne_out", "made_up"),
    [
        ("Strollers can't go up the stairs.", "Strollers are welcome on every floor."),
        ("You get tickets at the harbour kiosk.", "You get tickets online, with a free poster."),
        ("I'd have to check that with the team.", "You will love every minute of it."),
    ],
)
def test_it_doubts_what_is_made_up_more_than_what_is_reworded(borne_out: str, made_up: str) -> None:
    assert chance(borne_out) < guards.UNFOUNDED <= chance(made_up)


def test_it_judges_no_question_no_quote_and_no_deed_a_tool_has_done() -> None:
    assert guards.check("Would you like to sail to the moon with pirates?", LIGHTHOUSE) == []
    assert guards.check("Tickets are sold at the harbour kiosk.", LIGHTHOUSE) == []
    booked = Grounds(
        now=LIGHTHOUSE.now, knowledge=LIGHTHOUSE.knowledge, language="en", tool_results=(ToolResult("book_slot", "ok"),)
    )
    assert guards.check("Done, your climb is booked!", booked) == []
    assert guards.check("Done, your climb is booked!", LIGHTHOUSE) != []


def test_it_holds_what_it_held_on_drafts_that_nothing_was_learned_from() -> None:
    told: Counter[tuple[str, bool]] = Counter()
    for row in drafts.rows(drafts.UNREAD):
        found = guards.check(row["draft"], grounds_of(row))
        given = [{"kind": str(one.kind), "text": one.text} for one in found]
        told["allowed" if row["expect"]["allowed"] else "held back", bool(found)] += 1
        for violation in row["expect"]["violations"]:
            told["caught", is_caught(violation, given, row["draft"])] += 1
    shares = {
        name: told[name, True] / (told[name, True] + told[name, False]) for name in ("allowed", "held back", "caught")
    }
    assert shares["held back"] >= 0.85
    assert shares["caught"] >= 0.68
    assert shares["allowed"] <= 0.12


def test_its_weights_fit_its_features_and_are_small() -> None:
    told, phrasing = support.features("we open early", guards.backing_of(LIGHTHOUSE), rarity=support.judge().rarity)
    about, _, weights = support.judge().parts()
    assert len(about["told"]) == len(told)
    assert weights.shape == (support.BUCKETS, 1 + len(support.KINDS))
    assert phrasing
    assert support.WEIGHTS.stat().st_size < 200_000


def test_every_draft_it_learns_from_marks_words_that_stand_in_it() -> None:
    rows = [row for name in (*drafts.TRAINED, drafts.UNREAD) for row in drafts.rows(name)] + drafts.talk()
    assert len(rows) > 900
    assert all(one["text"] in row["draft"] for row in rows for one in row["expect"]["violations"])
