"""Days, parts of the day and hours as people write them in Portuguese, Spanish and English: text in, mentions out.

The rules are those of everyday speech: an hour from one to six without a part of the day is in the afternoon, a weekday
is the next one to come, "mañana" is tomorrow unless it is the morning. Everything is local to the moment given.
"""

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from enum import StrEnum

NOON, EVENING = 12, 18  # hours at which afternoon and evening begin
AFTERNOON_HOURS = range(1, 7)  # "at four" is in the afternoon
SMALL_HOURS = 5  # before, "tomorrow" may be today


class Part(StrEnum):
    MORNING = "morning"
    AFTERNOON = "afternoon"
    EVENING = "evening"


class Sort(StrEnum):
    """What a mention is about."""

    DATE = "date"
    WEEKDAY = "weekday"
    TIME = "time"
    PART = "part"
    OTHER_WEEK = "other_week"


@dataclass(frozen=True)
class Mention:
    """A day, hour or part of the day in a text, at characters `start` to `end` of its folded form.

    `value`: date → a date, or None when unclear; weekday → 0–6 from Monday; time → (hour, minute); part → a Part.
    """

    sort: Sort
    start: int
    end: int
    value: object = None
    is_next: bool = False  # a weekday "that comes", "next"
    words: str = ""


NUMERO = re.compile(r"\bn\s?[°o.]?\s?(?=\d)")


def fold(text: str) -> str:
    """Lower case without accents, keycaps and decoration; punctuation and digits stay, spaces are single."""
    plain = unicodedata.normalize("NFKD", text.lower())
    kept = "".join(
        " " if unicodedata.category(c) in {"So", "Sk"} and c != "°" else c
        for c in plain
        if not unicodedata.combining(c)
    )
    kept = kept.replace("\ufe0f", "").replace("\u20e3", "").replace("\u200d", "")
    kept = NUMERO.sub("numero ", kept.replace("’", "'"))
    return " ".join(kept.split())


WORDS = {
    1: "um uma uno una un one", 2: "dois duas dos two", 3: "tres three", 4: "quatro cuatro four", 5: "cinco five",
    6: "seis six", 7: "sete siete seven", 8: "oito ocho eight", 9: "nove nueve nine", 10: "dez diez ten",
    11: "onze once eleven", 12: "doze doce twelve", 13: "treze trece thirteen", 14: "catorze quatorze fourteen",
    15: "quinze quince fifteen", 16: "dezesseis dieciseis sixteen", 17: "dezessete diecisiete seventeen",
    18: "dezoito dieciocho eighteen", 19: "dezenove diecinueve nineteen", 20: "vinte veinte twenty",
    30: "trinta treinta thirty", 45: "quarenta e cinco|cuarenta y cinco|forty five|forty-five",
}  # fmt: skip
NUMBERS = {
    word: number for number, words in WORDS.items() for word in (words.split("|") if "|" in words else words.split())
}
NUM = r"(?:\d{1,2}|" + "|".join(sorted((w for w in NUMBERS if NUMBERS[w] <= 20), key=len, reverse=True)) + r")"
MINUTES = {"meia": 30, "media": 30, "cuarto": 15, "quarto": 15, "thirty": 30, "fifteen": 15, "half": 30}
MINUTE = r"(?:[0-5]\d|meia|media|cuarto|quinze|quince|trinta|treinta|quarenta e cinco|cuarenta y cinco|thirty|fifteen)"
DAYPART = (
    r"(?:(?:da|de|pela|a|na|de la|por la|en la|a la|in the|of the|at|this)\s+)?"
    r"(manhazinha|manha|manana|tardezinha|tardinha|tarde|noitinha|noite|noche|mornings?|afternoons?|evenings?|nights?|madrugada)\b"
)
PARTS = {
    "manhazinha": Part.MORNING, "manha": Part.MORNING, "manana": Part.MORNING, "morning": Part.MORNING,
    "madrugada": Part.MORNING, "tarde": Part.AFTERNOON, "tardinha": Part.AFTERNOON, "tardezinha": Part.AFTERNOON,
    "afternoon": Part.AFTERNOON, "noite": Part.EVENING, "noitinha": Part.EVENING, "noche": Part.EVENING,
    "evening": Part.EVENING, "night": Part.EVENING, "mornings": Part.MORNING, "afternoons": Part.AFTERNOON,
    "evenings": Part.EVENING, "nights": Part.EVENING,
}  # fmt: skip
WEEKDAYS = {
    0: "segunda lunes monday mon seg", 1: "terca martes tuesday tues tue", 2: "quarta miercoles wednesday wed",
    3: "quinta jueves thursday thurs thur thu", 4: "sexta viernes friday fri",
    5: "sabado sabadao saturday sat", 6: "domingo sunday",
}  # fmt: skip
WEEKDAY_OF = {word: day for day, words in WEEKDAYS.items() for word in words.split()}
ORDINAL_DAYS = {"2": 0, "3": 1, "4": 2, "5": 3, "6": 4}  # "3ª-feira"
MONTHS = {
    1: "janeiro enero january jan", 2: "fevereiro febrero february fev feb", 3: "marco marzo march mar",
    4: "abril april abr apr", 5: "maio mayo may mai", 6: "junho junio june jun", 7: "julho julio july jul",
    8: "agosto august ago aug", 9: "setembro septiembre setiembre september set sep sept",
    10: "outubro octubre october out oct", 11: "novembro noviembre november nov",
    12: "dezembro diciembre december dez dic dec",
}  # fmt: skip
MONTH_OF = {word: month for month, words in MONTHS.items() for word in words.split()}
MONTH = "|".join(sorted(MONTH_OF, key=len, reverse=True))
NEXT = r"(?:que vem|q vem|que viene|proxim[oa]|seguinte|siguiente|da semana que vem|da outra semana|da proxima semana|de la proxima semana|next week|da semana q vem)"

AFTER = r"(?:depois d[ae]s?|a partir d[ae]s?|apos as?|apos|so apos as|despues de las?|a partir de las?|after|from|past|desde las?)"
BEFORE = r"(?:antes d[ae]s?|ate as?|ate|antes de las?|hasta las?|before|until|till|by)"

_TIMES: list[tuple[str, str]] = [
    ("noon", rf"\b(?:12\s+)?(?:meio[ -]?dia|medio ?dia|noon|midday)\b(?:\s+(?:e|y)\s+({MINUTE}))?"),
    ("midnight", r"\b(?:meia[ -]?noite|media ?noche|midnight)\b"),
    ("half", rf"\bhalf\s+(?:past\s+)?({NUM})\b"),
    ("quarter", rf"\bquarter\s+(past|to)\s+({NUM})\b"),
    ("clock", r"(?<![\d/])(\d{1,2})\s*(?::|h|hs|hrs)\s*([0-5]\d)\s*(?:(?:h|hs|hrs|min)\b)?\s*(?:([ap])\.?\s?m\b\.?)?(?![\d/])"),
    ("ampm", rf"\b({NUM})(?:\s+({MINUTE}))?\s*([ap])\.?\s?m\b\.?"),
    ("hours", rf"\b({NUM})\s*(?:hs|hrs|horas|hora|h|o'?clock)\b(?:\s+(?:e|y)\s+({MINUTE}))?(?:\s+{DAYPART})?"),
    ("and", rf"\b({NUM})\s+(?:e|y)\s+({MINUTE})\b(?:\s+{DAYPART})?"),
    ("daypart", rf"\b({NUM})(?:\s+em ponto|\s+en punto|\s+sharp)?\s+(?:da|de la|in the|at)\s+(manha|manana|tarde|noite|noche|morning|afternoon|evening|night)\b"),
    ("spoken", rf"\b({NUM})[ -](thirty|fifteen|trinta|treinta|forty[ -]five)\b"),
    ("at", rf"\b(?:as|a las|a la|at|pelas|la pelas|umas|uns|by|tipo as|por volta das|around|sobre las|(?<=depois )das|(?<=antes )das|(?<=partir )das|(?<=apos )as|(?<=ate )as|(?<=antes )de las|(?<=despues )de las|(?<=partir )de las|hasta las|after|before|(?<=so )depois das)\s+({NUM})\b(?!\s*(?:/|de\s+(?:{MONTH})\b|pessoas|minut|dias|opc|%|mil))(?:\s+(?:e|y)\s+({MINUTE}))?(?:\s+{DAYPART})?"),
]  # fmt: skip
TIMES = [(name, re.compile(pattern)) for name, pattern in _TIMES]

_WEEKDAY = "|".join(sorted(WEEKDAY_OF, key=len, reverse=True))
WEEKDAY = re.compile(
    rf"\b(?:(next|this|proxim[oa]|el proximo|na proxima|esta|este)\s+)?(?:({_WEEKDAY})(?:s?[ -]?feira)?|([2-6])(?:a|o)?[ -]?feira)\b"
    rf"(?:[ ,]+({NEXT})\b)?"
)
DAY_AFTER = re.compile(r"\b(?:depois de amanha|dps de amanha|pasado manana|(?:the )?day after tomorrow)\b")
TODAY = re.compile(r"\b(?:hoje|hj|hoy|today|tonight|ainda hoje|esta noche|esta tarde|hoje mesmo)\b")
TOMORROW = re.compile(r"\b(?:amanha|amnh|amn|tomorrow|tmrw|tmr|tomorow|manana)\b")
DAY_MONTH = re.compile(r"\b(?:dia\s+)?(\d{1,2})\s*(?:/|-)\s*(\d{1,2})(?:\s*(?:/|-)\s*(\d{2,4}))?\b")
DAY_OF_MONTH = re.compile(rf"\b(?:dia\s+)?(\d{{1,2}})(?:o|st|nd|rd|th)?\s+(?:de\s+|of\s+)?({MONTH})\b")
MONTH_DAY = re.compile(rf"\b({MONTH})\s+(?:the\s+)?(\d{{1,2}})(?:st|nd|rd|th)?\b")
DAY = re.compile(
    r"\b(?:(?:no |o |el |pro |para o )?dia|on the|el)\s+(\d{1,2}|vinte e (?:um|dois|tres|quatro|cinco|seis|sete|oito|nove)|dez|onze|doze|quinze|vinte|trinta)(?:o|st|nd|rd|th)?\b(?!\s*(?:opc|h\b|:|horas|de la (?:tarde|manana|noche)))"
)
THE_DAY = re.compile(r"\bthe\s+([4-9]|[12]\d|3[01])(?:st|nd|rd|th)\b")
FROM_ON = re.compile(r"\b(?:depois|a partir|antes|ate|despues|hasta|after|before|until|from)(?:\s+d[eo]|\s+del)?\s*$")
OTHER_WEEK = re.compile(
    r"\b(?:semana que vem|semana q vem|outra semana|proxima semana|semana seguinte|next week|following week|"
    r"otra semana|semana que viene|another week|mes que vem|next month|proximo mes|mes que viene)\b"
)
PART = [
    (Part.AFTERNOON, re.compile(
        r"\b(?:(?:depois|dps|apos) d?o? ?almoco|(?:no|hora d[eo]|horario d[eo]) almoco|lunch ?time|(?:at|after|over) lunch|despues del? (?:almuerzo|comida)|(?:fim|final|finzinho|comeco|inicio|meio) d[ae] tarde|fim de tarde|final de la tarde|end of the day)\b")),
    (Part.MORNING, re.compile(r"\b(?:cedinho|bem cedo|(?<!mais )cedo|(?<!mas )temprano|early|primeira hora|primera hora|primeiro horario|first thing)\b(?!\s+d(?:a|e) (?:tarde|noite))")),
    (Part.EVENING, re.compile(r"\b(?:tonight|esta noche|de noite|a noite|depois do expediente|apos o expediente|depois do trabalho|after work|despues del trabajo)\b")),
]  # fmt: skip
NAMED_PART = re.compile(rf"\b{DAYPART}")
LATER = re.compile(r"\b(?:mais|muito|later|mas|ja|too|boa|bom|buenas|good|bem)\s+(?:a\s+)?$")
BOUND = re.compile(rf"\b(?:({AFTER})|({BEFORE}))\s*$")


def mentions(text: str, *, now: datetime) -> list[Mention]:
    """All days, hours and parts of the day in a folded text, by place. `now`: aware, in the local time zone."""
    found: list[Mention] = []
    free = text
    for name, pattern in TIMES:
        for match in pattern.finditer(free):
            mention = _time(name, match, free)
            if mention is not None:
                found.append(mention)
        free = _without(free, found)
    for mention in _days(free, now=now):
        found.append(mention)
        free = _without(free, [mention])
    for part, pattern in PART:
        found += [Mention(Sort.PART, m.start(), m.end(), part, words=m.group()) for m in pattern.finditer(free)]
    free = _without(free, found)
    for match in NAMED_PART.finditer(free):
        if match.start() < match.start(1) or not LATER.search(free[: match.start()]):
            found.append(Mention(Sort.PART, match.start(), match.end(), PARTS[match.group(1)], words=match.group()))
    return sorted(found, key=lambda mention: mention.start)


def number(word: str) -> int | None:
    """A number up to 45 in figures or words; None for anything else."""
    return int(word) if word.isdigit() else NUMBERS.get(word)


def part_of(hour: int) -> Part:
    return Part.MORNING if hour < NOON else Part.AFTERNOON if hour < EVENING else Part.EVENING


def _without(text: str, spans: list[Mention]) -> str:
    for span in spans:
        text = text[: span.start] + " " * (span.end - span.start) + text[span.end :]
    return text


def _time(name: str, match: re.Match[str], text: str) -> Mention | None:
    groups = match.groups()
    minute, part, half = 0, None, None
    match name:
        case "noon":
            hour, minute = NOON, _minute(groups[0])
        case "midnight":
            hour = 0
        case "half":
            hour, minute = number(groups[0]) or 0, 30
        case "quarter":
            hour = number(groups[1]) or 0
            minute = 15
            if groups[0] == "to":
                hour, minute = hour - 1, 45
        case "clock":
            hour, minute, half = int(groups[0]), int(groups[1]), groups[2]
        case "ampm":
            hour, minute, half = number(groups[0]) or 0, _minute(groups[1]), groups[2]
        case "spoken":
            hour, minute = number(groups[0]) or 0, _minute(groups[1])
        case "daypart":
            hour, part = number(groups[0]) or 0, groups[1]
        case _:
            hour, minute, part = number(groups[0]) or 0, _minute(groups[1]), groups[2]
    if not 0 <= hour <= 23 or (hour == 0 and name not in {"midnight", "clock"}):
        return None
    if half == "p" or (part and PARTS[part] is not Part.MORNING):
        hour += 12 if hour < NOON else 0
    elif half == "a" or part:
        hour = 0 if hour == NOON and half == "a" else hour
    elif hour in AFTERNOON_HOURS and not (name == "clock" and match.group(1).startswith("0")):
        hour += 12
    if hour > 23:
        return None
    bound = BOUND.search(text[: match.start()])
    outer = _outer_bound(text, match)
    if bound or outer:
        after = bool(bound and bound.group(1)) or outer == "after"
        start = bound.start() if bound else match.start()
        return Mention(Sort.PART, start, match.end(), part_of(hour if after else max(0, hour - 1)), words="bound")
    return Mention(Sort.TIME, match.start(), match.end(), (hour, minute), words=match.group())


def _outer_bound(text: str, match: re.Match[str]) -> str:
    """Whether a match that swallowed its preposition ("das 18h") belongs to "depois das", "antes das"."""
    before = text[: match.start()].rstrip()
    if re.search(r"\b(?:depois|a partir|apos|despues|after|so apos)$", before):
        return "after"
    if re.search(r"\b(?:antes|ate|hasta|before|until)$", before):
        return "before"
    return ""


def _minute(word: str | None) -> int:
    if not word:
        return 0
    return MINUTES.get(word) or (number(word) or 0)


def _days(text: str, *, now: datetime) -> Iterator[Mention]:
    today = now.date()
    taken: list[Mention] = []

    def take(mention: Mention) -> Mention:
        nonlocal text
        if mention.sort is Sort.DATE and FROM_ON.search(text[: mention.start]):
            mention = replace(mention, sort=Sort.OTHER_WEEK)  # "from the tenth on": no day to offer, but another time
        text = _without(text, [mention])
        taken.append(mention)
        return mention

    for match in list(OTHER_WEEK.finditer(text)):
        if not re.search(rf"\b(?:{_WEEKDAY})(?:[ -]feira)?\s+(?:da|de|de la|na)?\s*$", text[: match.start()]):
            yield take(Mention(Sort.OTHER_WEEK, match.start(), match.end(), words=match.group()))
    for match in list(DAY_AFTER.finditer(text)):
        yield take(_relative(match, today, 2, now))
    for match in list(TOMORROW.finditer(text)):
        if match.group() == "manana" and re.search(r"\b(?:la|de la|por la|en la|a la)\s+$", text[: match.start()]):
            continue
        yield take(_relative(match, today, 1, now))
    for match in list(TODAY.finditer(text)):
        yield take(Mention(Sort.DATE, match.start(), match.end(), today, words=match.group()))
    for match in list(DAY_MONTH.finditer(text)):
        if (day := _date(today, int(match.group(1)), int(match.group(2)))) is not None:
            yield take(Mention(Sort.DATE, match.start(), match.end(), day, words=match.group()))
    for pattern, month_first in ((DAY_OF_MONTH, False), (MONTH_DAY, True)):
        for match in list(pattern.finditer(text)):
            one, other = match.groups()
            month, number_of_day = (one, other) if month_first else (other, one)
            if (day := _date(today, int(number_of_day), MONTH_OF[month])) is not None:
                yield take(Mention(Sort.DATE, match.start(), match.end(), day, words=match.group()))
    for match in [*DAY.finditer(text), *THE_DAY.finditer(text)]:
        if (day := _next_day(today, _day_number(match.group(1)))) is not None:
            yield take(Mention(Sort.DATE, match.start(), match.end(), day, words=match.group()))
    for match in list(WEEKDAY.finditer(text)):
        before, word, ordinal, after = match.groups()
        weekday = WEEKDAY_OF[word] if word else ORDINAL_DAYS[ordinal]
        is_next = bool(after) or (before or "").split(" ")[-1] in {"next", "proxima", "proximo"}
        yield take(Mention(Sort.WEEKDAY, match.start(), match.end(), weekday, is_next, match.group()))


def _relative(match: re.Match[str], today: date, days: int, now: datetime) -> Mention:
    unclear = now.hour < SMALL_HOURS  # after midnight, people still say tomorrow for the day that has begun
    value = None if unclear else today + timedelta(days=days)
    return Mention(Sort.DATE, match.start(), match.end(), value, words=match.group())


def _date(today: date, day: int, month: int) -> date | None:
    """The next such day from today on; None when there is none."""
    for year in (today.year, today.year + 1):
        try:
            found = date(year, month, day)
        except ValueError:
            continue
        if found >= today:
            return found
    return None


def _next_day(today: date, day: int | None) -> date | None:
    if day is None or not 1 <= day <= 31:
        return None
    found = today
    for _ in range(62):
        if found.day == day:
            return found
        found += timedelta(days=1)
    return None


def _day_number(words: str) -> int | None:
    if words.isdigit():
        return int(words)
    total = 0
    for word in words.split(" e "):
        value = number(word.strip())
        if value is None:
            return None
        total += value
    return total
