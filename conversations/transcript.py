"""Rows → what a brain reads: the newest messages, oldest first by the provider's clock, and what is known."""

from dataclasses import replace
from zoneinfo import ZoneInfo

from django.db import connection
from django.utils import timezone

from conversations import costs, evidence, knowledge, policy
from conversations.models import AgentVersion, Contact, Conversation, MediaAsset, Message, Qualification
from conversations.playbook import wording
from conversations.ports import Asked, Context, Known, KnownAnswer, Line, MessageKind, Persona
from conversations.qualification import Stage

SEEN = (Message.State.RECEIVED, Message.State.SENT, Message.State.SENDING, Message.State.QUEUED, Message.State.UNKNOWN)
SNIPPETS = 3
QUESTION_CHARS = 1_000  # of the lead's newest words, to search the org's knowledge with


def context(conversation: Conversation, contact: Contact, agent: AgentVersion) -> Context:
    """The last N messages that count, and the agent's settings; plain data, safe to carry across threads."""
    messages = list(
        conversation.messages.filter(state__in=SEEN, deleted_at=None)
        .select_related("media")
        .order_by("-seq")[: agent.context_messages]
    )
    messages.sort(key=lambda message: (message.sent_at or message.created_at, message.seq))
    company = str(getattr(connection, "tenant").name)  # noqa: B009  # django-tenants' wrapper has it, types do not
    language = contact.language if contact.language and agent.answers_in_lead_language else agent.language
    return Context(
        lines=tuple(
            Line(
                id=message.pk, author=message.author, text=words(message), kind=message.kind,
                hearing=hearing(message), at=message.sent_at or message.created_at,
            )
            for message in messages
        ),
        language=language,
        business=agent.business,
        company=company,
        disclosure=disclosure(agent, language, company=company),
        is_first_reply=not conversation.messages.filter(
            author=Message.Author.AI,
            state__in=[Message.State.SENT, Message.State.SENDING, Message.State.UNKNOWN, Message.State.QUEUED],
        ).exists(),
        persona=persona(agent),
        contact_name=contact.name,
        now=timezone.now().astimezone(ZoneInfo(agent.time_zone)),
        conversation_id=conversation.pk,
        org=connection.schema_name,  # type: ignore[attr-defined]
        seconds=agent.turn_timeout_seconds,
    )  # fmt: skip


def disclosure(agent: AgentVersion, language: str, *, company: str) -> str:
    """Who speaks, in the org's words or ours; "" where it is off (PRODUCT 2)."""
    if not agent.discloses:
        return ""
    return agent.disclosure or wording.say(language, "disclosure", seed="", company=company)


def hearing(message: Message) -> str:
    """How far the words of a message's sound have come, "" when it has them, or none to wait for."""
    asset: MediaAsset | None = getattr(message, "media", None) if message.kind == MessageKind.AUDIO else None
    return "" if asset is None or message.transcript else asset.hearing


def words(message: Message) -> str:
    """What a message says: its text, and what was heard or seen in its file."""
    return "\n".join(part for part in (message.text, message.transcript) if part)


def persona(agent: AgentVersion) -> Persona:
    """An agent version's settings as plain values."""
    return Persona(
        name=agent.name,
        language=agent.language,
        personality=agent.personality,
        instructions=agent.instructions,
        questions=agent.questions,
        objections=agent.objections,
        forbidden=agent.forbidden,
        goals=agent.goals,
        facts_left_out=agent.facts_left_out,
        human_topics=agent.human_topics,
        handoff_text=agent.handoff_text,
        handoff_away_text=agent.handoff_away_text,
        model=agent.model,
        thinking_level=agent.thinking_level,
        rules=evidence.rules_of(agent),
        asks_satisfaction=agent.asks_satisfaction,
        follows_language=agent.answers_in_lead_language,
    )


def inform(context: Context, agent: AgentVersion) -> Context:
    """The context with what is known of the lead, what the org's knowledge says to their words, and when we are back.

    Call inside the org, after the turn was opened: whatever changes meanwhile moves the conversation's revision.
    """
    conversation = Conversation.objects.select_related("contact").get(pk=context.conversation_id)
    now = context.now or timezone.now()
    is_open = policy.is_open(agent.hours, agent.time_zone, now, holidays=agent.closed_days)
    opening = None if is_open else policy.next_opening(agent.hours, agent.time_zone, now, holidays=agent.closed_days)
    return replace(
        context,
        known=known(conversation),
        snippets=knowledge.snippets_for(newest_words(context), language=context.language, limit=SNIPPETS),
        offers=knowledge.offers(),
        back_at=opening.astimezone(now.tzinfo) if opening is not None else None,
        is_over_budget=costs.is_over_budget(agent, now=now),
    )


def newest_words(context: Context) -> str:
    """What the lead has said since anybody of ours last spoke."""
    said: list[str] = []
    for line in reversed(context.lines):
        if line.author != Message.Author.LEAD:
            break
        said.insert(0, line.text)
    return "\n".join(said)[-QUESTION_CHARS:]


def known(conversation: Conversation) -> Known:
    """What counts of the lead's rows now, and what they have been asked."""
    counts = evidence.current(conversation)
    verdict = Qualification.objects.filter(conversation=conversation).first()
    asked = (
        conversation.messages.filter(author=Message.Author.AI, state__in=SEEN, extra__has_key="asks")
        .order_by("seq")
        .values_list("extra__asks", flat=True)
    )
    return Known(
        facts={key: row.value for key, row in counts.facts.items()},
        answers=tuple(KnownAnswer(row.pk, row.stage, row.quote) for row in counts.answers),
        signals={key: row.is_true for key, row in counts.signals.items()},
        stage=verdict.stage if verdict else Stage.SITUATION.value,
        score=verdict.score if verdict else 0,
        is_qualified=verdict.is_qualified if verdict else False,
        asked=tuple(Asked(one["about"], one["text"]) for one in asked),
    )
