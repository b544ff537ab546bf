"""Brains and a way to WhatsApp that cost nothing: what is measured is everything around them."""

import asyncio
from uuid import uuid4

from conversations.models import Number
from conversations.ports import Context, Decision, Sent
from tests.bench.harness import BRAIN_SECONDS


class InstantBrain:
    name = "echo"
    is_informed = False

    async def decide(self, context: Context) -> Decision:
        newest = max((line for line in context.lines if line.author == "lead"), key=lambda line: line.id)
        return Decision(bubbles=(f"About “{newest.text}”: could you tell me a little more?",))


class SlowBrain(InstantBrain):
    """Waits as long as a model does."""

    async def decide(self, context: Context) -> Decision:
        await asyncio.sleep(BRAIN_SECONDS)
        return await super().decide(context)


class InstantTransport:
    """Takes every text at once."""

    def send_text(self, jid: str, text: str, *, quoted_id: str = "") -> Sent:
        return Sent(provider_id=uuid4().hex.upper(), chat_jid=jid)


def for_number(number: Number) -> InstantTransport:
    """A plug of `settings.SDR_TRANSPORT`."""
    return InstantTransport()
