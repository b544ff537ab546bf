"""Rows → what a brain reads: the newest messages, oldest first by the provider's clock, and whom it speaks for."""

from conversations.models import AgentVersion, Contact, Conversation, Message
from conversations.ports import Context, Line

SEEN = (Message.State.RECEIVED, Message.State.SENT, Message.State.SENDING, Message.State.QUEUED, Message.State.UNKNOWN)


def context(conversation: Conversation, contact: Contact, agent: AgentVersion, *, up_to: int) -> Context:
    """The last N messages that count, and the agent's settings; plain data, safe to carry across threads."""
    messages = list(
        conversation.messages.filter(state__in=SEEN, deleted_at=None).order_by("-seq")[: agent.context_messages]
    )
    messages.sort(key=lambda message: (message.sent_at or message.created_at, message.seq))
    return Context(
        lines=tuple(
            Line(id=message.pk, author=message.author, text=message.text, at=message.sent_at or message.created_at)
            for message in messages
        ),
        language=contact.language or agent.language,
        business=agent.business,
        disclosure=agent.disclosure,
        is_first_reply=not conversation.messages.filter(
            author=Message.Author.AI, state__in=[Message.State.SENT, Message.State.SENDING]
        ).exists(),
    )
