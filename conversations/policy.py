"""May the AI speak now, how long does it wait, what do a few unmistakable words mean. Pure: values in, values out."""

import re
import unicodedata
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo

PUSHES = 3  # each new message restarts the wait, up to three times it in all (PRODUCT 2)
FINISHED_SHARE = 0.4  # a finished question waits less than a fragment
FRAGMENT_CHARS = 12
CONTINUES = re.compile(
    r"(,|:|\be|\bmas|\bou|\bque|\bpra|\bpara|\band|\bbut|\bor|\by|\bpero|\.\.\.|…)\s*$", re.IGNORECASE
)
FINISHED = re.compile(r"[.!?]\s*$")

# Whole messages only. Understanding wishes in other words is the brain's work; these must hold without any brain.
LEAVE_ME = frozenset(
    {
        *("pare", "parar", "stop", "sair", "cancelar", "descadastrar", "unsubscribe", "baja", "salir"),
        *("pare de me mandar mensagem", "pare de me mandar mensagens", "nao me mande mais mensagem"),
        *("nao me mande mais mensagens", "nao quero mais receber mensagens", "me tira da lista", "me remova da lista"),
        *("stop messaging me", "remove me from the list", "no me escriban mas", "no quiero recibir mas mensajes"),
    }
)


class Silence(StrEnum):
    """Why the AI does not speak."""

    OFF = "number_off"
    PAUSED = "ai_paused"
    OWNED = "owned_by_person"
    NOBODY = "owned_by_nobody"
    OPTED_OUT = "opted_out"
    BLOCKED = "blocked"
    IGNORED = "ignored_contact"
    OLD_CONTACT = "known_before_going_live"
    HISTORY = "contact_has_history"
    HOURS = "outside_hours"
    LOOP = "loop"
    NOTHING_NEW = "nothing_to_answer"


@dataclass(frozen=True)
class Situation:
    """Everything that decides whether the AI may speak."""

    mode: str
    mode_since: datetime
    is_paused: bool
    owner: str
    opted_out: bool
    blocked: bool
    ignored: bool
    has_history: bool
    first_lead_at: datetime | None
    ai_in_a_row: int
    loop_limit: int
    hours: list[list[str]]
    time_zone: str
    outside_hours: str


def silence(situation: Situation, now: datetime) -> Silence | None:
    """Why the AI must stay silent now; None when it may speak. In: `now` aware."""
    if situation.opted_out:
        return Silence.OPTED_OUT
    if situation.blocked:
        return Silence.BLOCKED
    if situation.ignored:
        return Silence.IGNORED
    if situation.is_paused:
        return Silence.PAUSED
    if situation.owner == "person":
        return Silence.OWNED
    if situation.owner != "ai":
        return Silence.NOBODY
    if situation.mode == "off":
        return Silence.OFF
    if situation.mode in {"new", "drafts"} and situation.has_history:
        return Silence.HISTORY
    if situation.mode == "new" and (situation.first_lead_at is None or situation.first_lead_at < situation.mode_since):
        return Silence.OLD_CONTACT
    if situation.ai_in_a_row >= situation.loop_limit:
        return Silence.LOOP
    inside = is_open(situation.hours, situation.time_zone, now)
    if (situation.outside_hours == "silent" and not inside) or (situation.outside_hours == "only_outside" and inside):
        return Silence.HOURS
    return None


def is_open(hours: list[list[str]], time_zone: str, now: datetime) -> bool:
    """Is `now` within the opening hours? `hours`: Monday first, pairs of HH:MM per day, local to `time_zone`."""
    local = now.astimezone(ZoneInfo(time_zone))
    spans = hours[local.weekday()] if local.weekday() < len(hours) else []
    clock = local.strftime("%H:%M")
    return any(start <= clock < end for start, end in zip(spans[::2], spans[1::2], strict=False))


def wait_for_more(text: str, *, batching: timedelta) -> timedelta:
    """How long to wait for more after this message: less when it reads as finished, the whole time after a fragment."""
    text = text.strip()
    if FINISHED.search(text) and len(text) > FRAGMENT_CHARS and not CONTINUES.search(text):
        return batching * FINISHED_SHARE
    return batching


def asks_to_stop(text: str) -> bool:
    """True for the unmistakable whole-message wishes to be left alone; anything doubtful is not for this rule."""
    return folded(text) in LEAVE_ME


def folded(text: str) -> str:
    """Lower case, no accents, no punctuation, single spaces."""
    plain = unicodedata.normalize("NFKD", text.lower())
    letters = "".join(c if c.isalnum() else " " for c in plain if not unicodedata.combining(c))
    return " ".join(letters.split())


def typing_time(text: str, *, per_character: float, longest: float) -> timedelta:
    """How long "typing…" is shown before a bubble: by its length, bounded."""
    return timedelta(seconds=min(longest, per_character * len(text)))
