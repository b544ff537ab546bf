"""What this app needs from outside, and the shapes that cross: implementations are named in settings by dotted path.

Nothing here knows a vendor. A vendor's folder parses its own JSON into these frozen dataclasses (`wire.py`) and calls
`conversations.intake`; the other way round it implements `Transport` and `Brain`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Any, Protocol

from conversations.qualification import Rules
from sdr.lib.errors import PortError


class MessageKind(StrEnum):
    """What a message is, whatever app made it."""

    TEXT = "text"
    IMAGE = "image"
    VIDEO = "video"
    AUDIO = "audio"  # `Media.is_voice_note` tells a voice note from a sent file
    DOCUMENT = "document"
    STICKER = "sticker"
    LOCATION = "location"
    CONTACT = "contact"
    POLL = "poll"
    REPLY = "reply"  # a pressed button or list row; `Incoming.choice` is its id
    UNSUPPORTED = "unsupported"  # stored by its type's name, shown as such, no turn


class Ack(StrEnum):
    """How far one of our messages has come, as the provider reports it (contracts/evolution.md 4.2)."""

    PENDING = "pending"
    SERVER = "server"
    DELIVERED = "delivered"
    READ = "read"
    PLAYED = "played"
    ERROR = "error"  # refused after it had been accepted
    DELETED = "deleted"

    @property
    def rank(self) -> int:
        """Only ever rises; ERROR and DELETED are flags beside it and have rank 0."""
        return {"pending": 1, "server": 2, "delivered": 3, "read": 4, "played": 5}.get(self.value, 0)


@dataclass(frozen=True)
class ChatAddress:
    """Who is at the other end of a chat, as the provider names them. At least one of the last two is known.

    `jid`: exactly as received, without a device part: replies go there. `phone`: canonical digits (country first, the
    Brazilian ninth digit added), None when unknown. `lid`: WhatsApp's opaque id, digits only; never a phone.
    """

    jid: str
    phone: str | None = None
    lid: str | None = None


@dataclass(frozen=True)
class Media:
    """A file that belongs to a message. `inline` is there if the webhook carried it, else it is fetched by id."""

    mime: str = ""
    file_name: str = ""  # as sent: never to be trusted as a path
    size: int | None = None  # bytes, as claimed
    seconds: int | None = None
    is_voice_note: bool = False
    inline: bytes | None = field(default=None, repr=False)
    kept: str = ""  # name in our default storage, where the door put what the webhook carried; never from the wire
    url: str = ""  # a presigned address the provider gave, if any; never the encrypted one
    is_view_once: bool = False  # never downloaded nor kept


@dataclass(frozen=True)
class Referral:
    """The ad or post a lead came from (untrusted display data, never an instruction)."""

    source_id: str = ""
    source_url: str = ""
    title: str = ""
    body: str = ""
    click_id: str = ""
    source_type: str = ""


@dataclass(frozen=True)
class Incoming:
    """A message in a chat of ours: the lead's, or one that somebody sent from the company's own phone (`from_us`)."""

    provider_id: str
    chat: ChatAddress
    from_us: bool
    sent_at: datetime | None  # aware, by the provider's clock; None when it gave none
    kind: MessageKind
    text: str = ""  # text, caption, or what the thing says in words; NUL and lone surrogates are gone
    sender_name: str = ""  # chosen by the sender, untrusted; empty for `from_us`
    type_name: str = ""  # the provider's own name of the type
    quoted_id: str = ""
    choice: str = ""
    media: Media | None = None
    referral: Referral | None = None
    is_forwarded: bool = False
    is_history: bool = False  # from a history sync: stored, never answered, never a takeover
    extra: dict[str, str] = field(default_factory=dict)  # e.g. latitude and longitude


@dataclass(frozen=True)
class Reaction:
    """An emoji put on (or, empty, taken from) a message."""

    provider_id: str
    chat: ChatAddress
    from_us: bool
    target_id: str
    emoji: str


@dataclass(frozen=True)
class Edit:
    """New text for a message, found by its id alone (the rest is in the editor's perspective)."""

    target_id: str
    text: str
    edited_at: datetime | None


@dataclass(frozen=True)
class Revoke:
    """A message was deleted for everyone."""

    target_id: str


@dataclass(frozen=True)
class StatusUpdate:
    """How far a message has come. `from_us` False with READ: the company's own phone read a lead's message."""

    target_id: str
    ack: Ack
    from_us: bool
    reason: str = ""


@dataclass(frozen=True)
class SentEcho:
    """The provider says that the API sent this: it settles sends whose answer we never saw."""

    provider_id: str
    chat: ChatAddress
    text: str
    sent_at: datetime | None


class LinkState(StrEnum):
    """Of a number's connection."""

    CONNECTING = "connecting"
    OPEN = "open"
    CLOSED = "closed"  # logged out: somebody must scan again
    REFUSED = "refused"  # nobody scanned in time
    REMOVED = "removed"


@dataclass(frozen=True)
class LinkUpdate:
    """A number's connection changed. `own_jid` is the number that was paired, when told."""

    state: LinkState
    own_jid: str = ""
    profile_name: str = ""
    reason: int | None = None


@dataclass(frozen=True)
class PairingCode:
    """A QR code or pairing code to show once, to the person connecting; a secret."""

    qr_png: str = field(default="", repr=False)  # data: URL
    code: str = field(default="", repr=False)
    limit_reached: bool = False


@dataclass(frozen=True)
class Call:
    """Somebody calls the number."""

    provider_id: str
    chat: ChatAddress
    status: str


@dataclass(frozen=True)
class Ignored:
    """Understood, and none of our business (groups, status posts, protocol noise): acknowledged, never stored."""

    why: str


Event = Incoming | Reaction | Edit | Revoke | StatusUpdate | SentEcho | LinkUpdate | PairingCode | Call | Ignored


class Unreadable(Exception):
    """An authentic body nobody can read; kept in Quarantine with this reason."""


@dataclass(frozen=True)
class Sent:
    """A provider accepted a message. `chat_jid` may differ from the one asked for (ninth digit)."""

    provider_id: str
    chat_jid: str
    sent_at: datetime | None = None


class Uncertain(Exception):
    """Whether the message went out is not known (a timeout, an odd answer): it must not simply be sent again."""


@dataclass(frozen=True)
class ReadBack:
    """What a provider has stored of all a number's chats in a span of time: messages oldest first, and their ticks.

    `ticks` come in any order, the same one again and again; an ERROR or DELETED of a message is among them.
    `is_whole` False: more is there than one reading takes; ask for a shorter span. `records`: the messages by their id
    as the provider keeps them, for one that cannot be stored.
    """

    messages: tuple[Incoming, ...] = ()
    ticks: tuple[StatusUpdate, ...] = ()
    is_whole: bool = True
    records: Mapping[str, Mapping[str, Any]] = field(default_factory=dict, repr=False)

    @property
    def refused(self) -> frozenset[str]:
        """Ids of our messages that WhatsApp did not take."""
        return frozenset(tick.target_id for tick in self.ticks if tick.ack is Ack.ERROR)


class Transport(Protocol):
    """A way to WhatsApp for one number. Every method raises PortError; `send_*` also Uncertain, and only then."""

    def send_text(self, jid: str, text: str, *, quoted_id: str = "") -> Sent: ...
    def send_file(
        self,
        jid: str,
        content: bytes,
        *,
        mime: str,
        file_name: str,
        caption: str = "",
        voice: bool = False,
        quoted_id: str = "",
    ) -> Sent:
        """`quoted_id`: the message it answers; a voice note answers none."""

    def show_typing(self, jid: str, *, milliseconds: int, recording: bool = False) -> None: ...
    def mark_read(self, jid: str, provider_ids: Sequence[str]) -> None: ...
    def fetch_media(self, provider_id: str) -> tuple[bytes, str]:
        """Content and MIME type of a message's file."""

    def recent(self, jid: str, *, since: datetime, until: datetime, from_us: bool | None = None) -> list[Incoming]:
        """Messages of one chat, oldest first: for settling uncertain sends."""

    def read_back(self, *, since: datetime, until: datetime) -> ReadBack:
        """Everything stored between two moments (aware, both included, by the provider's clock): for finding gaps."""

    def chats(self, *, limit: int) -> list[str]:
        """JIDs of the chats with the newest activity, newest first."""

    def state(self) -> LinkState: ...


class Brain(Protocol):
    """Context in, decision out. May be slow; holds no database connection. Raises PortError when nothing came of it.

    `is_informed`: it wants to be told what is known of the lead and of the business, which costs queries.
    """

    name: str
    is_informed: bool

    async def decide(self, context: Context) -> Decision: ...


@dataclass(frozen=True)
class Line:
    """A message as a brain reads it."""

    id: int
    author: str  # "lead", "ai", "person"
    text: str  # of a voice note or an image: its transcript, when there is one
    at: datetime
    kind: str = "text"  # a MessageKind
    hearing: str = ""  # of sound without words: "wanted" (they may come later), "unclear", or why there are none


@dataclass(frozen=True)
class KnownAnswer:
    """An answer that counts already: its row, its stage, the lead's words."""

    id: int
    stage: str
    quote: str


@dataclass(frozen=True)
class Asked:
    """A question the agent has put to this lead: what it was about, and the words."""

    about: str  # a stage, "fact:<key>", or "confirm:opt_out" and the like
    text: str


@dataclass(frozen=True)
class Known:
    """What is known of the lead when the turn begins."""

    facts: Mapping[str, Any] = field(default_factory=dict)
    answers: tuple[KnownAnswer, ...] = ()
    signals: Mapping[str, bool] = field(default_factory=dict)
    stage: str = "situation"
    score: int = 0
    is_qualified: bool = False
    asked: tuple[Asked, ...] = ()  # oldest first
    summary: str = ""


@dataclass(frozen=True)
class Snippet:
    """A passage of the org's knowledge that may be quoted. `id`: of the passage; `source`: the document's title.

    `answers`: judged to answer what the lead asked; the others are only near it.
    """

    id: int
    source: str
    heading: str
    text: str
    answers: bool = True


@dataclass(frozen=True)
class Offer:
    """A row of the catalogue. `price`: as to be told ("R$ 297,00 per month"), or empty when it must not be."""

    id: int
    name: str
    description: str
    price: str = ""
    conditions: str = ""


@dataclass(frozen=True)
class Slot:
    """A free time offered to the lead, aware; `number` is what the lead may answer with."""

    number: int
    starts_at: datetime


@dataclass(frozen=True)
class Persona:
    """Whom a brain speaks for: an agent version's settings as plain values (PRODUCT 2's table)."""

    name: str = ""
    language: str = ""  # its questions and answers to objections are written in
    personality: str = "consultative"
    instructions: str = ""
    questions: Mapping[str, Sequence[str]] = field(default_factory=dict)  # by stage
    objections: Sequence[Mapping[str, str]] = ()  # {"about", "answer"}
    forbidden: Sequence[str] = ()
    goals: Mapping[str, str] = field(default_factory=dict)  # by stage: what the org wants to learn there
    facts_left_out: Sequence[str] = ()  # keys of facts that are not asked for
    human_topics: Sequence[str] = ()  # words that call a person
    handoff_text: str = ""  # what is said then, in the org's words; "" ours
    handoff_away_text: str = ""  # outside hours, with {when}
    model: str = ""
    thinking_level: str = "low"
    rules: Rules = field(default_factory=Rules)
    asks_satisfaction: bool = True
    follows_language: bool = True  # answers in the lead's language, else always in `Context.language`


@dataclass(frozen=True)
class Attachment:
    """A file of a lead's message, to be looked at: a picture or a PDF. `mime` is by content, not as claimed."""

    message_id: int
    mime: str
    content: bytes = field(repr=False)
    file_name: str = ""


@dataclass(frozen=True)
class ToolAnswer:
    """What a tool gave. `text`: what the brain reads and may quote; `passages`: ids of the knowledge in it."""

    ok: bool
    text: str
    passages: tuple[int, ...] = ()


class Tool(Protocol):
    """Something a brain may call while it thinks, bound to one org and conversation before the brain sees it.

    `parameters` is a JSON Schema of an object. `call` gets arguments that have not been checked against it, and must
    not trust them; it answers with `ok` False rather than raise.
    """

    name: str
    description: str
    parameters: Mapping[str, Any]

    async def call(self, arguments: Mapping[str, Any]) -> ToolAnswer: ...


@dataclass(frozen=True)
class Context:
    """What a brain may know: the newest messages oldest first, whom it speaks for, and what is known of the lead.

    `company` is the org's name, `business` what it says of itself. `language`: pt-br, en or es, to answer in. `now` is
    aware, in the agent's time zone; `back_at` is when people are back, None while they are there. `snippets` were found
    for the lead's newest messages.
    """

    lines: tuple[Line, ...]
    language: str
    business: str
    disclosure: str
    is_first_reply: bool
    persona: Persona = Persona()
    known: Known = Known()
    snippets: tuple[Snippet, ...] = ()
    offers: tuple[Offer, ...] = ()
    slots: tuple[Slot, ...] = ()
    contact_name: str = ""
    company: str = ""
    now: datetime | None = None
    back_at: datetime | None = None
    conversation_id: int = 0
    org: str = ""  # its schema's name: what an outage or a budget is counted by
    seconds: float = 30.0  # how long the decision may take, all attempts and fallbacks together
    purpose: str = "reply"  # or "suggest": to a person, who decides
    is_over_budget: bool = False  # the month's money for models is spent
    attachments: tuple[Attachment, ...] = ()  # files of the newest messages
    tools: tuple[Tool, ...] = ()  # what a brain may call in this turn: nothing else exists for it


@dataclass(frozen=True)
class AnswerFound:
    """The lead said something that counts for a stage. `quote`: verbatim words of that message.

    `replaces`: ids of answers it corrects, which then no longer count.
    """

    stage: str
    message_id: int
    quote: str
    confidence: float = 1.0
    replaces: tuple[int, ...] = ()


@dataclass(frozen=True)
class FactFound:
    """The lead revealed something of themselves. `key` is one of `models.FactKey`; the value a text, number or bool."""

    key: str
    value: str | int | bool
    message_id: int
    quote: str
    confidence: float = 1.0


@dataclass(frozen=True)
class SignalFound:
    """The lead gave a signal (`qualification.SignalKey`), or denied it."""

    key: str
    message_id: int
    quote: str
    is_true: bool = True
    confidence: float = 1.0


Found = AnswerFound | FactFound | SignalFound


class Wish(StrEnum):
    """What a lead wants of us beyond talking. A doubtful one is asked about once, before anything else is said."""

    OPT_OUT = "opt_out"
    HUMAN = "human"
    DOUBTFUL_OPT_OUT = "doubtful_opt_out"
    DOUBTFUL_HUMAN = "doubtful_human"
    COME_BACK = "come_back"  # an opted-out lead asks in words to be talked to again


@dataclass(frozen=True)
class ModelUse:
    """One request to a language model, as the vendor counted it (conversations.models.ModelCall)."""

    purpose: str
    model: str
    outcome: str = "ok"
    response_id: str = ""
    input_tokens: int = 0
    cached_tokens: int = 0
    output_tokens: int = 0
    thought_tokens: int = 0
    seconds: float = 0.0
    cost_usd: Decimal = Decimal(0)
    price_from: date | None = None  # since when the price it was counted at holds; None: no price is known


@dataclass(frozen=True)
class ToolUse:
    """A tool that was called while thinking: what it was given, and what it gave."""

    name: str
    ok: bool
    result: str = ""
    milliseconds: int = 0


@dataclass(frozen=True)
class GuardNote:
    """What a guard found in a draft. `outcome`: repaired, replaced, handed_off."""

    kind: str
    text: str
    outcome: str = ""


@dataclass(frozen=True)
class Decision:
    """What a brain makes of a context: what the lead revealed, and what it would say. The domain decides the rest.

    `handoff` is a reason why a person must go on ("" for none); the bubbles are then what the lead is told. `asks` is
    the question the last bubble ends with. `passages` are ids of what was quoted.
    """

    bubbles: tuple[str, ...]
    intent: str = ""
    language: str = ""
    finds: tuple[Found, ...] = ()
    wish: Wish | None = None
    handoff: str = ""
    asks: Asked | None = None
    passages: tuple[int, ...] = ()
    summary: str = ""
    rating: int | None = None
    brain: str = ""
    model: str = ""
    prompt_hash: str = ""
    uses: tuple[ModelUse, ...] = ()
    tools: tuple[ToolUse, ...] = ()
    guards: tuple[GuardNote, ...] = ()
    slot: int | None = None  # number of the offered time the lead took


class ModelError(PortError):
    """A model gave nothing that can be used. `uses`: what was asked and counted all the same.

    `reason` is a closed word (timeout, rate_limited, refused_key, retired, blocked, unusable, …). `is_blocked`: what
    the lead wrote, or what would have been answered, is refused by the vendor; a person must look.
    """

    def __init__(
        self,
        message: str,
        *,
        reason: str,
        uses: tuple[ModelUse, ...] = (),
        permanent: bool = False,
        retry_after: timedelta | None = None,
        needs_reconnect: bool = False,
        status: int | None = None,
    ) -> None:
        super().__init__(
            message, permanent=permanent, retry_after=retry_after, needs_reconnect=needs_reconnect, status=status
        )
        self.reason = reason
        self.uses = uses

    @property
    def is_blocked(self) -> bool:
        return self.reason == "blocked"


@dataclass(frozen=True)
class Transcript:
    """What was said in a voice note, word for word: the lead's untrusted text. `language`: pt-br, en, es or "".

    `is_unintelligible`: there is speech, or noise, that nobody can make out; the text is then empty.
    """

    text: str
    language: str = ""
    is_unintelligible: bool = False
    use: ModelUse | None = None


class Transcriber(Protocol):
    """Speech to text. `settings.SDR_TRANSCRIBER` names a function without arguments that gives one, or is empty."""

    async def transcribe(self, content: bytes, mime: str, *, language: str) -> Transcript:
        """`mime` as received, also "audio/ogg; codecs=opus"; `language` is the one expected. Raises ModelError."""
