"""A brain that names the newest message it was shown, so that two answers to the same thing have the same words."""

import asyncio
import random

from conversations.ports import Context, Draft

SHORTEST_SECONDS, LONGEST_SECONDS = 0.05, 0.6


class NamingBrain:
    name = "echo"

    async def decide(self, context: Context) -> Draft:
        """One bubble. Newest by arrival, not by the sender's clock: each turn has an arrival no other turn has."""
        await asyncio.sleep(random.uniform(SHORTEST_SECONDS, LONGEST_SECONDS))
        newest = max((line for line in context.lines if line.author == "lead"), key=lambda line: line.id)
        return Draft(bubbles=(f"re {newest.text}",))
