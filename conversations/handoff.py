"""When a person is called, and what the lead is told then: the org's topics and own words. Pure (PRODUCT 2, handoff).

Some topics always go to a person, whatever the brain would have said. Where the lead asks for a person, or names such a
topic, they are told in the org's own words, if it has some in the lead's language, also outside hours, with when.
"""

import re
from collections.abc import Iterator
from dataclasses import replace

from conversations import policy
from conversations.playbook import wording
from conversations.playbook.dialogue import in_words
from conversations.ports import Context, Decision, Persona, Wish

TOPIC = "human_topic"  # why a person is called
WHEN = "{when}"


def handed(context: Context, decision: Decision) -> Decision:
    """The decision, with a person called where a topic wants one, and the org's own words where it calls one."""
    if decision.wish in {Wish.OPT_OUT, Wish.DOUBTFUL_OPT_OUT}:
        return decision
    if topic(context):
        return replace(
            decision, bubbles=_bubbles(context, decision), asks=None, passages=(),
            handoff=decision.handoff if decision.wish is Wish.HUMAN else TOPIC,
        )  # fmt: skip
    if decision.wish is Wish.HUMAN and (own := _unsaid(context, _own(context, decision))):
        return replace(decision, bubbles=(own,))
    return decision


def topic(context: Context) -> str:
    """The first of the org's topics that the lead's unanswered messages name, by whole words or their beginnings."""
    said = " ".join(policy.folded(text) for text in _newest(context))
    for one in context.persona.human_topics:
        words = policy.folded(one)
        if words and re.search(rf"\b{re.escape(words)}", said):
            return one
    return ""


def own_words(persona: Persona) -> tuple[str, ...]:
    """What the org tells leads when it calls a person, for whoever must recognise or vouch for it."""
    return tuple(text for text in (persona.handoff_text, persona.handoff_away_text) if text)


def _bubbles(context: Context, decision: Decision) -> tuple[str, ...]:
    """Told once in the org's words or ours, once more shortly, then a person is waited for in silence."""
    spoken = decision.language or context.language
    back = in_words(context.back_at, context.now, spoken) if context.back_at else ""
    later = wording.say(spoken, "back", seed="", when=back) if back else ""
    seed = str(context.conversation_id)
    first = _own(context, decision) or wording.say(spoken, "human", seed=seed, back=later)
    again = wording.say(spoken, "human_again", seed=seed, back=later)
    text = next((text for text in (first, again) if _unsaid(context, text)), "")
    return (text,) if text else ()


def _own(context: Context, decision: Decision) -> str:
    """The org's own words for now, "" where it has none in the lead's language."""
    persona, spoken = context.persona, decision.language or context.language
    if persona.language not in {"", spoken}:
        return ""
    if context.back_at is None or not persona.handoff_away_text:
        return persona.handoff_text
    return persona.handoff_away_text.replace(WHEN, in_words(context.back_at, context.now, spoken))


def _unsaid(context: Context, text: str) -> str:
    return "" if any(text in line.text for line in context.lines if line.author == "ai") else text


def _newest(context: Context) -> Iterator[str]:
    for line in reversed(context.lines):
        if line.author != "lead":
            return
        yield line.text
