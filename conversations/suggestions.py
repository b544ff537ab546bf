"""A draft for a person who asks for one: by the brain that would answer, under the same guards, never sent by itself.

The brain thinks in the asker's request, without a transaction; a few at once in a process, each with little time, so
that pages stay quick when a model is slow.
"""

import asyncio
import threading
from dataclasses import dataclass, replace

from asgiref.sync import async_to_sync, sync_to_async
from django.db import transaction
from django.utils.translation import gettext_lazy as _

from conversations import brains, costs, settings_of, transcript, turns, vetting
from conversations.models import Conversation, ModelCall
from conversations.ports import Brain, Context, Decision, Wish
from orgs.models import Refused
from sdr.lib.errors import PortError

SECONDS = 12.0  # a person waits
AT_ONCE = 2  # of a process: its other threads serve pages
LEAVING = frozenset({Wish.OPT_OUT, Wish.DOUBTFUL_OPT_OUT})
PERSON = frozenset({Wish.HUMAN, Wish.DOUBTFUL_HUMAN})
_room = threading.BoundedSemaphore(AT_ONCE)


@dataclass(frozen=True)
class Suggestion:
    """What could be answered, and which brain says so. Without a text, `why` is a code of `wording.NEEDS`."""

    text: str
    brain: str
    why: str = ""


def suggest(conversation: Conversation) -> Suggestion:
    """A reply to what the lead has said since anybody of ours last spoke. Call inside the org, outside transactions.

    What it cost is recorded; nothing else is written. Out: no text where the guards held it back, or where the brain
    would only call a person. Raises Refused when there is nothing to answer, and when too many ask at once.
    """
    agent = settings_of.number(conversation.number)
    context = transcript.context(conversation, conversation.contact, agent)
    if not context.lines or context.lines[-1].author != "lead":
        raise Refused("nothing_new", _("The lead has written nothing that is not answered yet."))
    if not _room.acquire(blocking=False):
        raise Refused("busy", _("Too many drafts are being written at this moment. Try again in some seconds."))
    try:
        informed = replace(transcript.inform(context, agent), purpose="suggest", is_first_reply=False, seconds=SECONDS)
        decision = async_to_sync(think)(turns.brain_named(agent.brain), informed)
    except (PortError, TimeoutError):
        return Suggestion("", agent.brain, "ai_failed")
    finally:
        _room.release()
    if decision.uses:
        with transaction.atomic():
            costs.record(None, decision.uses, purpose=ModelCall.Purpose.SUGGEST)
    why = why_not(decision)
    text = "" if why else "\n".join(decision.bubbles)
    return Suggestion(text, decision.brain or agent.brain, why or ("" if text else "unknown_answer"))


async def think(brain: Brain, context: Context) -> Decision:
    """The brain's decision after the guards. What it looks up runs on the asker's own thread, inside the org.

    Raises PortError, TimeoutError.
    """
    run = sync_to_async(lambda function, *args: function(*args), thread_sensitive=True)
    context = await brains.equipped(brain, context, run)
    decision = await asyncio.wait_for(brain.decide(context), SECONDS + brains.GRACE_SECONDS)
    return await asyncio.to_thread(vetting.vetted, context, decision)


def why_not(decision: Decision) -> str:
    """Why a person must find words of their own; "" when the draft is one for them.

    Who asks is the person whom the brain would call: words that only call them are of no use.
    """
    if decision.wish in LEAVING:
        return "asks_to_stop"
    if decision.wish in PERSON:
        return "lead_asked"
    return decision.handoff
