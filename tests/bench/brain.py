"""A brain that waits as long as a model does and costs nothing."""

import asyncio

from conversations.ports import Context, Draft

SECONDS = 1.0


class SlowBrain:
    name = "echo"

    async def decide(self, context: Context) -> Draft:
        await asyncio.sleep(SECONDS)
        newest = max((line for line in context.lines if line.author == "lead"), key=lambda line: line.id)
        return Draft(bubbles=(f"About “{newest.text}”: could you tell me a little more?",))
