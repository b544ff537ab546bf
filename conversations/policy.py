"""May the AI speak now, how long does it wait, what do a few unmistakable words mean. Pure: values in, values out."""

import re
import unicodedata
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from itertools import pairwise
from zoneinfo import ZoneInfo

HORIZON_DAYS = 62  # who does not open for so long has no opening time
PUSHES = 3  # each new message restarts the wait, up to three times it in all (PRODUCT 2)
FINISHED_SHARE = 0.4  # a finished question waits less than a fragment
FRAGMENT_CHARS = 12
CONTINUES = re.compile(
    r"(,|:|\be|\bmas|\bou|\bque|\bpra|\bpara|\band|\bbut|\bor|\by|\bpero|\.\.\.|…)\s*$", re.IGNORECASE
)
REPLIES_LOOKED_AT = 6
SAME_REPLIES = 3
REPEATED_CHARS = 12  # "sim" and "não sei" are said often by people, too
AVOWALS = 2
SAYS_SO = re.compile(
    r"\b(?:mensagem automatica|resposta automatica|atendimento automatico|nao responda (?:a )?esta mensagem"
    r"|automat(?:ic|ed) (?:reply|response|message)|auto ?reply|do not reply to this message"
    r"|mensaje automatico|respuesta automatica|no respondas? a este mensaje"
    r"|(?:digite|tecle|marque|press|pulse|presione) (?:o numero |a opcao |la opcion )?\d)\b"
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

COME_BACK = frozenset(
    {
        *("voltar", "quero voltar", "quero voltar a receber", "quero voltar a receber mensagens", "reativar"),
        *("pode voltar a me mandar mensagem", "pode voltar a me mandar mensagens", "podem me mandar mensagens de novo"),
        *("start", "i want to come back", "come back", "resubscribe", "you can message me again", "unstop"),
        *("volver", "quiero volver", "quiero volver a recibir mensajes", "alta", "pueden escribirme de nuevo"),
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
    HOURS = "outside_hours"  # nothing is said until we open
    AWAY = "away_until_open"  # they are told when we are back
    TEAM_HOURS = "team_hours"  # people answer now; the AI does when they have gone
    STALE = "waited_too_long"
    LOOP = "loop"
    BOT = "another_bot"  # who writes is a program
    NOTHING_NEW = "nothing_to_answer"


@dataclass(frozen=True)
class Situation:
    """Everything that decides whether the AI may speak.

    `waited`: how long the newest unanswered message has been here; `keeps_until_open`: it waits for our hours, which is
    no delay of ours, so it is answered however old it has become.
    """

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
    holidays: Collection[str]
    waited: timedelta
    stale_after: timedelta
    keeps_until_open: bool
    is_bot: bool = False  # the lead's messages read as a program's


# The clock ends these by itself: the turn is due again when it does.
UNTIL_THE_CLOCK = frozenset({Silence.HOURS, Silence.AWAY, Silence.TEAM_HOURS})


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
    if situation.is_bot:
        return Silence.BOT
    if situation.waited > situation.stale_after and not situation.keeps_until_open:
        return Silence.STALE
    inside = is_open(situation.hours, situation.time_zone, now, holidays=situation.holidays)
    match situation.outside_hours:
        case "silent" if not inside:
            return Silence.HOURS
        case "say_when" if not inside:
            return Silence.AWAY
        case "only_outside" if inside:
            return Silence.TEAM_HOURS
        case _:
            return None


def may_speak_at(situation: Situation, now: datetime) -> datetime | None:
    """When the clock lets the AI speak again: the next opening, or the next closing where it speaks outside hours.

    Out: aware, UTC; None when that does not happen within two months.
    """
    change = next_closing if situation.outside_hours == "only_outside" else next_opening
    return change(situation.hours, situation.time_zone, now, holidays=situation.holidays)


def is_open(hours: list[list[str]], time_zone: str, now: datetime, *, holidays: Collection[str] = ()) -> bool:
    """Is `now` within the opening hours?

    `hours`: Monday first, pairs of HH:MM per day, local to `time_zone`; a span that ends before it begins goes on after
    midnight. `holidays`: YYYY-MM-DD, closed all day.
    """
    return span_around(hours, time_zone, now, holidays) is not None


def next_opening(
    hours: list[list[str]], time_zone: str, now: datetime, *, holidays: Collection[str] = ()
) -> datetime | None:
    """The next moment after `now` at which we open; `now` itself may lie in open hours. Out: aware, UTC."""
    zone = ZoneInfo(time_zone)
    today = now.astimezone(zone).date()
    for ahead in range(HORIZON_DAYS):
        for opens, _ in spans_of(hours, zone, today + timedelta(days=ahead), holidays):
            if opens > now:
                return opens
    return None


def next_closing(
    hours: list[list[str]], time_zone: str, now: datetime, *, holidays: Collection[str] = ()
) -> datetime | None:
    """The end of the open hours around `now`, spans that touch taken together; `now` when we are closed. UTC."""
    closes = now
    for _ in range(HORIZON_DAYS):
        around = span_around(hours, time_zone, closes, holidays)
        if around is None:
            return closes.astimezone(UTC)
        closes = around[1]
    return None  # open for ever


def span_around(
    hours: list[list[str]], time_zone: str, now: datetime, holidays: Collection[str]
) -> tuple[datetime, datetime] | None:
    """The opening and closing between which `now` lies."""
    zone = ZoneInfo(time_zone)
    today = now.astimezone(zone).date()
    spans = spans_of(hours, zone, today - timedelta(days=1), holidays) + spans_of(hours, zone, today, holidays)
    return next(((opens, closes) for opens, closes in spans if opens <= now < closes), None)


def spans_of(
    hours: list[list[str]], zone: ZoneInfo, day: date, holidays: Collection[str]
) -> list[tuple[datetime, datetime]]:
    """The open spans that begin on a day, in UTC, so that clock changes lengthen or shorten them as they do."""
    if day.isoformat() in holidays or day.weekday() >= len(hours):
        return []
    pairs = hours[day.weekday()]
    found = []
    for start, end in zip(pairs[::2], pairs[1::2], strict=False):
        last = day if start < end < "24:00" else day + timedelta(days=1)
        opens = datetime.combine(day, time.fromisoformat(start), zone)
        closes = datetime.combine(last, time.fromisoformat("00:00" if end == "24:00" else end), zone)
        found.append((opens.astimezone(UTC), closes.astimezone(UTC)))
    return found


def wait_for_more(text: str, *, batching: timedelta) -> timedelta:
    """How long to wait for more after this message: less when it reads as finished, the whole time after a fragment."""
    text = text.strip()
    if FINISHED.search(text) and len(text) > FRAGMENT_CHARS and not CONTINUES.search(text):
        return batching * FINISHED_SHARE
    return batching


@dataclass(frozen=True)
class Said:
    """A message for telling programs from people."""

    is_lead: bool
    text: str


def is_automatic(said: Sequence[Said]) -> bool:
    """Whether the lead's newest messages are a program's: the same words again and again, or words that say so. Pure.

    In: the talk's newest messages, oldest first. People repeat themselves, or ask whether we are a bot: it takes
    several messages of one kind, each in answer to a word of ours.
    """
    replies = [one for before, one in pairwise(said) if one.is_lead and not before.is_lead][-REPLIES_LOOKED_AT:]
    words = Counter(folded(one.text) for one in replies)
    if any(count >= SAME_REPLIES and len(text) >= REPEATED_CHARS for text, count in words.items()):
        return True
    return sum(1 for one in replies if SAYS_SO.search(folded(one.text))) >= AVOWALS


def asks_to_stop(text: str) -> bool:
    """True for the unmistakable whole-message wishes to be left alone; anything doubtful is not for this rule."""
    return folded(text) in LEAVE_ME


def asks_to_return(text: str) -> bool:
    """True for the unmistakable whole-message wishes to be written to again, after having asked to be left alone."""
    return folded(text) in COME_BACK


def folded(text: str) -> str:
    """Lower case, no accents, no punctuation, single spaces."""
    plain = unicodedata.normalize("NFKD", text.lower())
    letters = "".join(c if c.isalnum() else " " for c in plain if not unicodedata.combining(c))
    return " ".join(letters.split())


def typing_time(text: str, *, per_character: float, longest: float) -> timedelta:
    """How long "typing…" is shown before a bubble: by its length, bounded."""
    return timedelta(seconds=min(longest, per_character * len(text)))
