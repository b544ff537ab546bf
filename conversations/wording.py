"""What codes in our rows mean, in words for people; the templates show them as they are."""

from collections.abc import Mapping
from datetime import datetime
from zoneinfo import ZoneInfo

from django.conf import settings
from django.utils import timezone, translation
from django.utils.formats import date_format
from django.utils.functional import Promise
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from conversations.guards import Kind
from conversations.models import AgentVersion, Contact, Conversation, EventName, MediaAsset, Message
from conversations.policy import Silence
from conversations.ports import Ack, MessageKind
from conversations.qualification import SignalKey, Stage

LONGEST_NAME_CHARS = 30

NEEDS: dict[str, str | Promise] = {
    "lead_waiting": _("The lead waits for your answer"),
    "backlog": _("Came in while we were disconnected"),
    "draft_waits": _("A draft waits for approval"),
    "not_sent": _("A message could not be sent"),
    "unknown_send": _("Nobody knows whether a message was sent"),
    Silence.OFF: _("The AI is off on this number"),
    Silence.PAUSED: _("The AI is paused"),
    Silence.OWNED: _("The lead waits for your answer"),
    Silence.NOBODY: _("Nobody has this conversation"),
    Silence.OLD_CONTACT: _("Was a contact before the AI went live"),
    Silence.HISTORY: _("Had talked with you before the AI came"),
    Silence.HOURS: _("Outside business hours"),
    Silence.AWAY: _("Outside business hours"),
    Silence.TEAM_HOURS: _("Business hours: the team answers"),
    Silence.STALE: _("The lead has waited too long for an answer by the AI"),
    Silence.OPTED_OUT: _("Wrote again after asking to be left alone"),
    "ai_failed": _("The AI could not answer"),
    "media_failed": _("A file could not be fetched"),
    "daily_cap": _("The number has sent as many messages as it may today"),
    "snooze_over": _("The snooze is over"),
    Silence.LOOP: _("The AI answered many times without progress"),
    Silence.BOT: _("Another program seems to answer"),
    "stopped": _("Somebody stopped the AI's answer"),
    "lead_asked": _("The lead asks for a person"),
    "human_topic": _("The lead speaks of something that always goes to a person"),
    "asks_to_stop": _("The lead may want to be left alone"),
    "qualified": _("The lead is qualified: somebody should arrange the meeting"),
    "wants_meeting": _("The lead wants a meeting"),
    "cancel": _("The lead wants to cancel a meeting"),
    "reschedule": _("The lead wants to move a meeting"),
    "hostile": _("The lead is upset"),
    "talk_complete": _("The AI has asked all it had to ask"),
    "unknown_answer": _("The lead asked something the AI has no answer to"),
    "model_blocked": _("The model's vendor refused to answer this conversation"),
    "guarded": _("The AI's answer was held back, as nothing supported it"),
}

STAGES: dict[str, str | Promise] = {
    Stage.SITUATION: _("Situation"),
    Stage.PROBLEM: _("Problem"),
    Stage.IMPLICATION: _("Implication"),
    Stage.NEED_PAYOFF: _("Need and payoff"),
    Stage.QUALIFIED: _("Qualified"),
}

SIGNALS: dict[str, str | Promise] = {
    SignalKey.BUDGET: _("Has a budget"),
    SignalKey.URGENCY: _("Is in a hurry"),
    SignalKey.DECISION_MAKER: _("Decides"),
}

FAILURES: dict[str, str | Promise] = {
    "taken_over": _("A person took over before it left."),
    "no_longer_ai": _("The AI might not speak any more when it was due."),
    "opted_out": _("The contact asked to be left alone."),
    "ai_paused": _("The AI was paused before it left."),
    "lead_changed_message": _("The lead changed the message it answered."),
    "merged": _("Two conversations of one contact became one."),
    "discarded": _("A person decided not to send it."),
    "stopped": _("Somebody stopped the AI's answer."),
    "not_sent_and_outdated": _("It was not sent, and the conversation has moved on."),
    "number_not_on_whatsapp": _("This phone has no WhatsApp."),
    "not_sent_twice": _("Two tries did not reach WhatsApp."),
    "refused_by_whatsapp": _("WhatsApp refused it."),
    "closed": _("The conversation was closed before it left."),
    "gave_up": _("It could not be sent in several tries."),
    "lead_wrote": _("The lead wrote before it left."),
    "heard_late": _("What the lead said in a voice note was understood only then."),
    "waits_for_hours": _("It waits for business hours."),
    "waits_for_number": _("It waits: the number is not connected."),
    "waits_for_day": _("It waits for tomorrow: the number has sent as many messages as it may today."),
    "waits_for_pace": _("It waits a little: the number sends no faster, to be safe with WhatsApp."),
    "waits_for_person": _("It waits: somebody is typing."),
    "file_gone": _("Its file is not there any more."),
}

KINDS: dict[str, str | Promise] = {
    MessageKind.IMAGE: _("Picture"),
    MessageKind.VIDEO: _("Video"),
    MessageKind.AUDIO: _("Audio"),
    MessageKind.DOCUMENT: _("Document"),
    MessageKind.STICKER: _("Sticker"),
    MessageKind.LOCATION: _("Location"),
    MessageKind.CONTACT: _("Contact card"),
    MessageKind.POLL: _("Poll"),
    MessageKind.REPLY: _("Chosen answer"),
    MessageKind.UNSUPPORTED: _("A message of a kind we cannot show"),
}


HEARING: dict[str, str | Promise] = {
    MediaAsset.Hearing.WANTED: _("Is being transcribed"),
    MediaAsset.Hearing.UNCLEAR: _("Nobody can make out what is said"),
    MediaAsset.Hearing.TOO_LONG: _("Too long to be transcribed"),
    MediaAsset.Hearing.NO_BUDGET: _("Not transcribed: the month's money for AI is spent"),
    MediaAsset.Hearing.FAILED: _("Could not be transcribed"),
}


def hearing(asset: MediaAsset | None) -> str:
    """How far the words of a voice note have come, "" when there is nothing to say."""
    return str(HEARING.get(asset.hearing, "")) if asset is not None else ""


def need(reason: str) -> str:
    """Why a person is needed."""
    return str(NEEDS.get(reason) or _("A person is needed"))


BRAINS: dict[str, str | Promise] = {
    "playbook": _("Playbook (works offline)"),
}

INTENTS: dict[str, str | Promise] = {
    "opt_out": _("Wants to be left alone"),
    "wants_human": _("Asks for a person"),
    "off_topic": _("Talks of something else"),
    "cancel": _("Wants to cancel a meeting"),
    "reschedule": _("Wants to move a meeting"),
    "choose_slot": _("Chooses a time"),
    "wants_meeting": _("Wants a meeting"),
    "not_interested": _("Is not interested"),
    "objection": _("Objects"),
    "question": _("Asks something"),
    "answer": _("Answers"),
    "thanks": _("Thanks"),
    "greeting": _("Greets"),
}


CLAIMS: dict[str, str | Promise] = {
    Kind.MONEY: _("A price or an amount"),
    Kind.PERCENT: _("A percentage or a discount"),
    Kind.DATE: _("A day or a deadline"),
    Kind.TIME: _("A time of day"),
    Kind.BOOKING: _("A booking that was not made"),
    Kind.PROMISE: _("A promise"),
    Kind.LINK: _("A link"),
    Kind.NAME: _("A wrong name"),
    Kind.INSTRUCTION_LEAK: _("Its own instructions"),
    Kind.LANGUAGE: _("The wrong language"),
    Kind.OTHER: _("Something else"),
    Kind.LENGTH: _("Too long"),
    Kind.REPEATED: _("A question asked before"),
    Kind.FORBIDDEN: _("Words it must not use"),
}


def claim(kind: str) -> str:
    """What was wrong with a draft, or with what was said."""
    return str(CLAIMS.get(kind, kind))


def brain(name: str) -> str:
    """Which brain spoke; a vendor's is called by its own name."""
    return str(BRAINS.get(name) or name.capitalize())


def intent(name: str) -> str:
    """What the lead wanted, as it was understood; a dash where nothing was."""
    return str(INTENTS.get(name, name or "–"))


ACTIVITIES: dict[str, str | Promise] = {
    EventName.SESSION_HANDED_OFF: _("The AI asked for a person: %(reason)s"),
    EventName.SESSION_TAKEN_OVER: _("Taken over from the AI"),
    EventName.SESSION_GIVEN_BACK: _("Given back to the AI"),
    EventName.SESSION_UPDATED: _("Stage %(stage)s, score %(score)s, %(lifecycle)s"),
    EventName.MESSAGE_FAILED: _("A message was not sent"),
}


def activity(name: str, data: Mapping[str, object]) -> str:
    """What an event says happened."""
    lifecycle = str(data.get("lifecycle", ""))
    filled = {
        "reason": need(str(data.get("reason", ""))),
        "stage": stage(str(data.get("stage", ""))),
        "score": data.get("score", ""),
        "lifecycle": str(Conversation.Lifecycle(lifecycle).label).lower() if lifecycle else "",
    }
    return str(ACTIVITIES.get(name, name)) % filled


def stage(name: str) -> str:
    """A SPIN stage."""
    return str(STAGES.get(name, name))


def signal(key: str) -> str:
    """What a lead signals, as a statement about them."""
    return str(SIGNALS.get(key, key))


def standing(conversation: Conversation) -> str:
    """That it is closed, and why, or asleep, and until when; nothing while it is open."""
    match conversation.lifecycle:
        case Conversation.Lifecycle.CLOSED:
            reason = conversation.get_closed_reason_display()
            return gettext("Closed: %(reason)s") % {"reason": reason} if reason else gettext("Closed")
        case Conversation.Lifecycle.SNOOZED if conversation.snoozed_until:
            return gettext("Sleeps until %(when)s") % {
                "when": moment(conversation.snoozed_until, timezone.get_current_timezone_name())
            }
        case _:
            return ""


IGNORED: dict[str, str | Promise] = {
    Contact.Ignored.CUSTOMER: _("A customer already: the AI does not write to them"),
    Contact.Ignored.SUPPLIER: _("A supplier: the AI does not write to them"),
    Contact.Ignored.TEAM: _("One of us: the AI does not write to them"),
    Contact.Ignored.OWN: _("A number of ours: the AI does not write to it"),
    Contact.Ignored.JOB_SEEKER: _("Looks for a job: the AI does not write to them"),
    Contact.Ignored.SPAM: _("Spam: the AI does not write to them"),
}


def ignored(sort: str) -> str:
    """Why the AI never writes to a contact."""
    return str(IGNORED.get(sort, sort))


def failure(reason: str) -> str:
    """Why a message did not go out; a provider's own words when it is none of our codes."""
    return str(FAILURES.get(reason, reason))


def away(agent: AgentVersion, *, language: str, again: datetime | None) -> str:
    """What a lead is told outside our hours: the org's own words, with {when} filled in, or ours, in their language."""
    with translation.override(known(language)):
        when = moment(again, agent.time_zone) if again is not None else ""
        if agent.away_text:
            return agent.away_text.replace("{when}", when)
        if not when:
            return gettext(
                "Thank you for your message! We are away at the moment and will answer as soon as we are back."
            )
        return gettext(
            "Thank you for your message! We are away at the moment. We are back on %(when)s and will answer you then."
        ) % {"when": when}


def opted_out(*, language: str) -> str:
    """The one word to a lead who asked to be left alone."""
    with translation.override(known(language)):
        return gettext(
            "Understood: we will not write to you again. If you ever change your mind, write “I want to come back”."
        )


def follow_up(own: str, *, step: int, is_last: bool, name: str, language: str) -> str:
    """What a silent lead is written: the org's `own` words with {name} filled in, or ours, in their language.

    In: `step`, 0 for the first; `name` as WhatsApp tells it, of which only a plain first name is used.
    """
    first = name.split(maxsplit=1)[0] if name.split() else ""
    first = first if first.isalpha() and len(first) <= LONGEST_NAME_CHARS else ""
    if own:
        return " ".join(own.replace("{name}", first).split()).replace(" ,", ",").replace(" !", "!")
    with translation.override(known(language)):
        hello = gettext("Hi %(name)s!") % {"name": first} if first else gettext("Hi!")
        if step == 0:
            text = gettext("Did you get to see my last message? When it suits you, we go on from there.")
        elif is_last:
            text = gettext("I do not want to bother you, so this is my last reminder. To go on, just write here.")
        else:
            text = gettext("Shall we go on with our talk? I am here when it suits you.")
        return f"{hello} {text}"


def satisfaction(*, language: str) -> str:
    """What a lead is asked once at the end."""
    with translation.override(known(language)):
        return gettext("To close: from 1 to 5, how would you rate this conversation? 5 is the best.")


def rated(*, language: str) -> str:
    """Thanks for a rating."""
    with translation.override(known(language)):
        return gettext("Thank you for the rating!")


def moment(at: datetime, time_zone: str) -> str:
    """A day and time as a lead reads it: “Monday, 23 November, 09:00”, in the language that is active."""
    local = timezone.localtime(at, ZoneInfo(time_zone))
    # Translators: how a day and time is written, in Django's date format: Monday, 23 November, 09:00
    return date_format(local, gettext("l, j F, H:i"))


def known(language: str) -> str:
    """The language of ours that is nearest: `pt-PT` is pt-br; what we do not speak, the first of ours."""
    try:
        return translation.get_supported_language_variant(language)
    except LookupError:
        return settings.LANGUAGE_CODE


def kind(message: Message) -> str:
    """What the message is when it is no text, else nothing."""
    media = getattr(message, "media", None)
    if message.kind == MessageKind.AUDIO and media is not None and media.is_voice_note:
        return str(_("Voice note"))
    return str(KINDS.get(message.kind, ""))


def progress(message: Message) -> tuple[str, str, int]:
    """How far one of ours has come: (word, tone, ticks). Tone is soft, accent, warning or negative."""
    state = Message.State
    match message.state:
        case state.SENT if message.ack >= Ack.PLAYED.rank:
            return str(_("Played")), "accent", 2
        case state.SENT if message.ack >= Ack.READ.rank:
            return str(_("Read")), "accent", 2
        case state.SENT if message.ack >= Ack.DELIVERED.rank:
            return str(_("Delivered")), "soft", 2
        case state.SENT:
            return str(_("Sent")), "soft", 1
        case state.FAILED:
            return str(message.get_state_display()), "negative", 0
        case state.UNKNOWN | state.DRAFT:
            return str(message.get_state_display()), "warning", 0
        case _:
            return str(message.get_state_display()), "soft", 0
