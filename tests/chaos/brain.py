"""A brain that names the newest message it was shown, so that two answers to the same thing have the same words."""

import asyncio
import random
from dataclasses import replace

from conversations.playbook.brain import PlaybookBrain
from conversations.ports import Context, Decision
from sdr.lib.errors import PortError

QUICK_SECONDS, SLOW_SECONDS = (0.05, 0.6), (2.0, 5.0)
SLOW_SHARE = 0.3  # long enough for somebody to lose the turn, and for another to be thinking about it
FAIL_SHARE = 0.01


class NamingBrain:
    name = "echo"
    is_informed = False

    async def decide(self, context: Context) -> Decision:
        """One bubble. Newest by arrival, not by the sender's clock: each turn has an arrival no other turn has.

        Raises PortError now and then, as a model does that is busy.
        """
        is_slow = random.random() < SLOW_SHARE
        await asyncio.sleep(random.uniform(*(SLOW_SECONDS if is_slow else QUICK_SECONDS)))
        if random.random() < FAIL_SHARE:
            raise PortError("The model is busy.")
        newest = max((line for line in context.lines if line.author == "lead"), key=lambda line: line.id)
        return Decision(bubbles=(f"re {newest.text.split()[0]}",))


class UnderstandingBrain(NamingBrain):
    """Says the same, and understands what the playbook does, so that evidence is written and languages change."""

    is_informed = True

    async def decide(self, context: Context) -> Decision:
        named = await super().decide(context)
        understood = await PlaybookBrain().decide(context)
        return replace(named, finds=understood.finds, intent=understood.intent, language=understood.language)
