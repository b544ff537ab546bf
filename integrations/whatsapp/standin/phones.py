"""The truth: WhatsApp as the leads' phones show it, whatever Evolution told us about it."""

import hashlib
import re
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import ClassVar

from pydantic import ConfigDict

BRAZILIAN_WITH_NINE = re.compile(r"55(\d{2})9(\d{8})")
BRAZILIAN_WITHOUT_NINE = re.compile(r"55(\d{2})([6-9]\d{7})")
FIRST_DDD_WITHOUT_NINE = 31
FIRST_MOBILE_DIGIT = 7
GROUP_DIGITS = 18
GROUP_CHARS = 24


class Addressing(StrEnum):
    """How WhatsApp names a lead to Evolution (evolution.md 5.3)."""

    PHONE = "pn"
    LID = "lid"  # the LID, the phone beside it in remoteJidAlt
    LID_ONLY = "lid_only"  # the phone is nowhere


class Author(StrEnum):
    """Who wrote a message of a chat."""

    LEAD = "lead"
    API = "api"  # our product, through Evolution
    COMPANY = "company"  # a person on the company's own phone or WhatsApp Web


class Tick(StrEnum):
    """How far a message has come, in WhatsApp's own words; `rank` only rises."""

    PENDING = "PENDING"
    SERVER_ACK = "SERVER_ACK"
    DELIVERY_ACK = "DELIVERY_ACK"
    READ = "READ"
    PLAYED = "PLAYED"

    @property
    def rank(self) -> int:
        return list(Tick).index(self)


@dataclass
class Lead:
    """A person with a phone. `phone`: digits as WhatsApp knows them, perhaps without the ninth; `lid`: digits."""

    phone: str
    name: str
    lid: str
    addressing: Addressing = Addressing.PHONE
    device: str = "android"  # or ios
    sends_read_receipts: bool = True

    @property
    def jid(self) -> str:
        return f"{self.phone}@s.whatsapp.net"

    @property
    def lid_jid(self) -> str:
        return f"{self.lid}@lid"

    @property
    def address(self) -> str:
        """The JID under which messages of this lead arrive."""
        return self.jid if self.addressing == Addressing.PHONE else self.lid_jid


@dataclass
class Media:
    """A file in a chat. `data` is the whole of it."""

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(ser_json_bytes="base64", val_json_bytes="base64")

    data: bytes
    mime: str
    file_name: str = ""
    seconds: int = 0
    width: int = 0
    height: int = 0


@dataclass
class PhoneMessage:
    """One message as it stands on the lead's phone. `at`: epoch seconds; `order`: rank over all chats."""

    id: str
    instance: str
    phone: str
    author: Author
    kind: str  # text, voice, audio, image, video, document, location, reaction
    text: str
    at: float
    order: int
    tick: Tick = Tick.PENDING
    media: Media | None = None
    quoted_id: str = ""
    is_edited: bool = False
    is_deleted: bool = False
    reactions: dict[str, str] = field(default_factory=dict)  # author -> emoji


@dataclass
class Whatsapp:
    """Leads and what went over the air. `absent` holds phones that have no WhatsApp; all others do.

    `typing`: (instance, phone) -> what the company shows there (composing, recording) and until when, epoch seconds.
    """

    salt: str = ""
    leads: dict[str, Lead] = field(default_factory=dict)
    messages: list[PhoneMessage] = field(default_factory=list)
    absent: set[str] = field(default_factory=set)
    counts: dict[str, int] = field(default_factory=dict, repr=False)  # ids given so far, by what they are about
    typing: dict[str, tuple[str, float]] = field(default_factory=dict)
    chats: dict[str, list[PhoneMessage]] = field(default_factory=dict, repr=False)
    by_id: dict[str, PhoneMessage] = field(default_factory=dict, repr=False)
    by_lid: dict[str, Lead] = field(default_factory=dict, repr=False)

    def lead(self, phone: str, *, name: str = "", addressing: Addressing | None = None, device: str = "") -> Lead:
        """The lead with this phone (digits), made on first sight; given properties are changed."""
        lead = self.leads.get(phone)
        if lead is None:
            lead = Lead(phone=phone, name=name or f"Lead {phone[-4:]}", lid=self.lid_of(phone))
            self.leads[phone] = lead
            self.by_lid[lead.lid] = lead
        lead.name = name or lead.name
        lead.device = device or lead.device
        lead.addressing = addressing or lead.addressing
        return lead

    def lid_of(self, phone: str) -> str:
        """Fifteen digits that say nothing about the phone."""
        digest = hashlib.blake2b(f"lid|{phone}".encode(), digest_size=8).digest()
        return str(2 * 10**14 + int.from_bytes(digest) % 10**14)

    def find(self, jid: str) -> Lead | None:
        """Who is reached at a JID, trying both Brazilian forms. A phone nobody used becomes a lead unless `absent`."""
        digits, _, server = jid.partition("@")
        if server == "lid":
            return self.by_lid.get(digits)
        forms = tuple(ninth_digit_forms(digits))
        known = next((self.leads[form] for form in forms if form in self.leads), None)
        if known or self.absent.intersection(forms):
            return None if self.absent.intersection(forms) else known
        return self.lead(digits)

    def received(self, phone: str, instance: str = "") -> list[PhoneMessage]:
        """What arrived at the lead from the company, in order; by API and by hand."""
        return [m for m in self.chat(phone, instance) if m.author != Author.LEAD]

    def answers(self, phone: str, instance: str = "") -> list[PhoneMessage]:
        """What our product's own calls brought to the lead's phone, in order."""
        return [m for m in self.chat(phone, instance) if m.author == Author.API]

    def sent(self, phone: str, instance: str = "") -> list[PhoneMessage]:
        """What the lead sent, in order."""
        return [m for m in self.chat(phone, instance) if m.author == Author.LEAD]

    def chat(self, phone: str, instance: str = "") -> list[PhoneMessage]:
        """All messages with a lead, in order; of one number only when `instance` is given."""
        if instance:
            return list(self.chats.get(f"{instance}/{phone}", ()))
        return [message for message in list(self.messages) if message.phone == phone]

    def add(self, message: PhoneMessage) -> PhoneMessage:
        self.messages.append(message)
        self.index([message])
        return message

    def index(self, messages: Iterable[PhoneMessage]) -> None:
        for message in messages:
            self.by_id[message.id] = message
            self.chats.setdefault(f"{message.instance}/{message.phone}", []).append(message)

    def reindex(self) -> None:
        """After loading: everything that is looked up follows from `leads` and `messages`."""
        self.chats, self.by_id = {}, {}
        self.by_lid = {lead.lid: lead for lead in self.leads.values()}
        self.index(self.messages)

    def new_id(self, style: str, *about: str) -> str:
        """A new message id in the form of that client (evolution.md 5.1 `source`), made of salt, subject and count."""
        counted = "/".join((style, *about))
        self.counts[counted] = nth = self.counts.get(counted, 0) + 1
        prefix, length = {"android": ("A", 32), "ios": ("3A", 20), "web": ("3EB0", 22), "business": ("", 40)}[style]
        digest = hashlib.blake2b(
            "\x1f".join((self.salt, style, *about, str(nth))).encode("utf-8", "surrogatepass"), digest_size=20
        )
        name = (prefix + digest.hexdigest().upper())[:length]
        return f"wamid.{name}" if style == "business" else name

    def show_typing(self, instance: str, phone: str, presence: str, *, seconds: float) -> None:
        self.typing[f"{instance}/{phone}"] = (presence, time.time() + seconds)

    def is_typing(self, instance: str, phone: str) -> str:
        """What the company is seen doing in the chat now: composing, recording or ""."""
        presence, until = self.typing.get(f"{instance}/{phone}", ("", 0.0))
        return presence if presence in {"composing", "recording"} and until > time.time() else ""


def create_jid(number: str) -> str:
    """The JID Evolution makes of a `number` (evolution.md 5.4), ninth digit rule included."""
    if any(server in number for server in ("@g.us", "@s.whatsapp.net", "@lid", "@broadcast")):
        return re.sub(r":\d+", "", number)
    bare = re.split("[:@]", number, maxsplit=1)[0]
    if "-" in bare and len(bare) >= GROUP_CHARS:
        return re.sub(r"[^\d-]", "", bare) + "@g.us"
    digits = re.sub(r"\D", "", bare)
    if len(digits) >= GROUP_DIGITS:
        return f"{digits}@g.us"
    if len(digits) == 13 and digits.startswith(("52", "54")):
        digits = digits[:2] + digits[3:]
    brazilian = BRAZILIAN_WITH_NINE.fullmatch(digits)
    if brazilian and int(brazilian[1]) >= FIRST_DDD_WITHOUT_NINE and int(brazilian[2][0]) >= FIRST_MOBILE_DIGIT:
        digits = f"55{brazilian[1]}{brazilian[2]}"
    return f"{digits}@s.whatsapp.net"


def ninth_digit_forms(digits: str) -> list[str]:
    """The digits, and for a Brazilian mobile also the form with or without the ninth digit."""
    if longer := BRAZILIAN_WITHOUT_NINE.fullmatch(digits):
        return [digits, f"55{longer[1]}9{longer[2]}"]
    if shorter := BRAZILIAN_WITH_NINE.fullmatch(digits):
        return [digits, f"55{shorter[1]}{shorter[2]}"]
    return [digits]
