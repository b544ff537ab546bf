"""Which offered slot a lead takes, or which time they ask for instead (evals/README, `slots.jsonl`). Pure.

A slot is taken only when exactly one fits everything that was said and nothing in the text speaks against it; in every
other case the agent asks back. Days and hours are read before option numbers: "dia 2" and "às 2" are no options.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from enum import StrEnum

from conversations.playbook import dates
from conversations.playbook.dates import Mention, Part, Sort
from conversations.ports import Slot

MONDAY = 0
STRANGERS_AT_MOST = 2  # words that have nothing to do with choosing; with more of them it is not a choice
QUESTION_CLAUSE = "?"


class Outcome(StrEnum):
    TAKES = "takes"
    ASKS_OTHER = "asks_other"  # another time, or none of these
    UNCLEAR = "unclear"  # about the slots, but which one must be asked
    NOTHING = "nothing"  # not about the slots


@dataclass(frozen=True)
class AskedTime:
    """What a lead said of the time they want; None is not said. With a time the part is the part of that time."""

    day: date | None = None
    part: Part | None = None
    time: tuple[int, int] | None = None

    def __bool__(self) -> bool:
        return any(value is not None for value in (self.day, self.part, self.time))


@dataclass(frozen=True)
class SlotAnswer:
    """`number` is that of the slot taken. `asked` is None when nothing definite is asked, and when a slot is taken."""

    outcome: Outcome
    number: int | None = None
    asked: AskedTime | None = None


ORDINALS = {
    1: "primeir[oa]|first|1st|primer[oa]?|1[oa]", 2: "segund[oa]|second|2nd|2[oa]", 3: "terceir[oa]|third|3rd|tercer[oa]?|3[oa]",
}  # fmt: skip
THING = r"(?:opcao|opcion|option|alternativa|horario|horaria|slot|data|fecha|time|one|numero|nro|n|num|number|#)"
_NUMBER = r"([1-9]|um|uma|uno|una|one|dois|duas|dos|two|tres|three)"
OPTION = [
    re.compile(rf"(?:\b(?:opcao|opcion|option|op|alternativa|numero|nro|no|num|number|slot)|\bn[.o]?|#)\s*[:.]?\s*{_NUMBER}\b(?!\s*(?:/|h\b|:))"),
    re.compile(r"\b(?:a|o|la|el|com a|com o|na|no|pela|essa|esse)\s+([1-9])\b(?!\s*(?:/|h\b|hs\b|:|horas|da |de ))"),
]  # fmt: skip
LAST = re.compile(
    r"\b(?:(?:o|a|el|la|the)\s+)?(?:ultim[oa]|last(?: one)?|latest)\b(?!\s+(?:vez|semana|mes|week|month|time))"
)
MIDDLE = re.compile(r"\b(?:do meio|del medio|de en medio|middle(?: one)?|in the middle)\b")
EARLIEST = re.compile(
    r"\b(?:mais cedo|mas temprano|earlier|earliest|quanto antes|lo antes|antes possivel|soonest|sooner)\b"
)
LATEST = re.compile(r"\b(?:mais tarde|mas tarde|later|latest)\b")
SAME_TIME = re.compile(r"\b(?:mesm[ao] (?:hora|horario)|misma hora|mismo horario|same time)\b")
LATEST_HOUR = 21
BARE = re.compile(rf"(?<![\d/:]){_NUMBER}(?![\d/:])\b")

DENIES = re.compile(
    r"(?:^no\b|\bno(?=\s*(?:,|$|puedo|podria|podre|llego|me|tengo|va|sirve|es|hay|esta|quiero|creo|thanks|way|can|more|longer|good))|\b(?:nao|n|nem|not|ni|nunca|can't|cannot|cant|couldn't|won't|doesn't|don't|impossivel|imposible|tampoco|neither|nor|"
    r"sem chance|except|menos|tirando|exceto|ruim|pessim[oa]|complicad[oa]|dificil|lotad[oa]|chei[oa]|ocupad[oa]|corrid[oa]|mess|bad|tough|packed|busy|full)\b)"
)
ASKS_FOR = re.compile(
    r"\b(?:tem|teria|tiene|tienen|hay|habria|da|daria|rola|consegue|conseguem|pode|posso|any|have|possible|can|could|puede|se puede)\b"
)
CORRECTS = re.compile(
    r"\b(?:ops|opa|aliais|alias|digo|quer dizer|na verdade|na vdd|minto|errei|corrigindo|melhor dizendo|i mean|actually|"
    r"sorry|scratch that|perdon|mejor dicho|quise decir|en realidad|quero dizer|desculpa)\b[ ,:]*"
)
OR = re.compile(r"\b(?:ou|or|o|either|tanto|u)\b")
ANY = re.compile(
    r"\b(?:qualquer(?: um| uma| horario| hora| dia| data)?|tanto faz|voces? escolhem?|vc escolhe|escolhe (?:voce|vc|ai)|any(?: of them| one| time)?|"
    r"either(?: one| way)?|whichever|whatever|cualquier[ao]?|me da igual|da igual|da lo mesmo|lo que sea|todos?|todas?|all of them|ambos|both|os dois|as duas|los dos)\b"
)
NONE = re.compile(
    r"\b(?:nenhum[ao]?|nenhuns|ningun[ao]?|none|neither|outr[ao]s?(?: (?:dia|data|datas|horarios?|opcao|opcoes))?|otr[ao]s?(?: (?:dia|fecha|hora|horario|opcion))?|"
    r"another (?:day|time|date|slot)|other (?:day|time|date|slot|option)s?|something else|different (?:day|time|date)|mais pra frente|mais para frente)\b"
)
HOLDS = re.compile(
    r"\b(?:vou ver|vou verificar|vou confirmar|vou checar|vou olhar|vou consultar|vou perguntar|vou pensar|deixa eu|deixe eu|deixa ver|preciso ver|tenho que ver|preciso confirmar|tenho que confirmar|"
    r"te aviso|te falo|te confirmo|te digo|ja te|depois te|talvez|acho que|se der|se eu conseguir|depende|nao sei|maybe|perhaps|let me|i'll check|i will check|i'll see|"
    r"have to check|need to check|might|not sure|i think|depends|dejame|voy a ver|tengo que ver|quizas?|tal vez|a lo mejor|depende|no se|creo que|"
    r"confirmar com|ver com|falar com|check with|consultar con|era (?:na|no|as))\b"
)
ACCEPTS = re.compile(
    r"\b(?:sim|s|ss|ok|okay|okk?|oks|pode ser|pode sim|pode marcar|pode agendar|pode|marca|marque|agenda|agende|confirma|confirmo|confirmado|"
    r"fechado|fechou|fecha|combinado|perfeito|perfeita|otimo|otima|show|beleza|blz|bele|certo|isso|bora|vamos|topo|aceito|serve|da certo|ta bom|ta otimo|esta bom|tudo bem|"
    r"de acordo|maravilha|excelente|pode crer|positivo|claro|com certeza|rola|dale|vale|listo|si|sale|va|perfecto|de acuerdo|me sirve|me queda bien|agendame|"
    r"yes|yep|yeah|yup|sure|works|that works|perfect|great|sounds good|deal|done|book it|confirmed|fine|good|cool|let's do it|go ahead|go for it|please do|manda ver|manda bala|adelante|hecho)\b"
)
AT_MONDAY = re.compile(r"\b(?:na|nesta|essa|proxima|pra|para|toda|de|da|ate)\s+$")
FILLERS = frozenset(
    (
        "a o as os um uma e de da do das dos em na no nas nos pra para pro p por pela pelo com que q se eu me mim nos a gente te voce voces vc vcs ce la lá ai "
        "quero queria prefiro preferia gostaria gosto fico ficaria fica ficar ficou vai vou ir ser seria sera pode podem posso poder consigo conseguimos consegue da dar daria "
        "melhor bom boa bem otimo perfeito ta tah esta estou estaria so somente apenas mesmo entao ent ja tb tambem acho ok obrigado obrigada obg vlw valeu favor pf pfv pfvr "
        "kk kkk kkkk rs rsrs haha hora horas h hs horario horarios dia data opcao opcoes numero slot essa esse esses essas este esta isso aquele aquela vamos bora "
        "marca marcar marque marcamos agenda agendar agende agendado confirma confirmar confirmo confirmado reserva reservar reserve escolho escolhi escolher pego pegar fechado fechar fechou "
        "combinado tarde manha noite cedo quanto antes daqui pouco hoje amanha tranquilo sim certo show blz beleza opa oi ola bom dia feira troca trocar coloca colocar poe bota deixa deixar "
        "serve atende livre disponivel agradeco mais menos tipo umas cerca volta ponto em at the on in of for to is it that this me my i i'd i'm we us would like love can could do instead works work "
        "fine good great please pls thanks thank you then one time slot let's lets go with take i'll ill book want prefer make best better perfect ok yes "
        "el la los las un una de del al en por con para que me te se nos quiero quisiera prefiero puedo puede podemos queda quedo bien mejor va vale listo si dale gracias entonces "
        "porfa porfis favor agendar agendame agende tomo tomemos elijo ese esa este esta hora horas dia fecha jaja ahi yo mi solo nomas sirve gustaria seria estaria disponible pues bueno "
        "sendo pela pelas minha meu nossa nosso lado aqui hein ne viu mano moca moco querida amigo amiga obrigadinha abraco bjs tks thx e pode"
    ).split()
)  # fmt: skip
WORD = re.compile(r"[a-z']+|\d+")
CLAUSES = re.compile(r"[,;.!?\n]+|\b(?:mas|porem|pero|but|so que|sino)\b")


def read(text: str, slots: Sequence[Slot], *, now: datetime) -> SlotAnswer:
    """What an answer to offered slots means. In: the lead's words, the slots, `now` aware in the lead's time zone."""
    folded = dates.fold(text)
    slots = [replace(slot, starts_at=slot.starts_at.astimezone(now.tzinfo)) for slot in slots]
    said = _Said.of(_after_correction(folded, now), slots, now)
    fits = [slot for slot in slots if said.fits(slot)]
    if HOLDS.search(folded):
        return (
            SlotAnswer(Outcome.ASKS_OTHER, asked=said.asked) if said.asks and not fits else SlotAnswer(Outcome.NOTHING)
        )
    options = _options(said, slots)
    if not options and not said.asks and (time := _bare_time(said, slots)) is not None:
        said = replace(said, asked=replace(said.asked, time=time, part=dates.part_of(time[0])))
        fits = [slot for slot in slots if said.fits(slot)]
    if said.is_unclear or len(options) > 1 or said.several:
        return SlotAnswer(Outcome.UNCLEAR)
    if len(options) == 1:
        taken = next((slot for slot in slots if slot.number == options[0]), None)
        if taken is None:
            return SlotAnswer(Outcome.UNCLEAR)
        if said.asks and taken not in fits:
            return SlotAnswer(Outcome.UNCLEAR, asked=said.asked)
        return _take(taken, said)
    if said.asks:
        return _by_time(fits, said, slots)
    if said.other or _refuses_all(said, slots):
        return SlotAnswer(Outcome.ASKS_OTHER)
    if said.denied:
        return SlotAnswer(Outcome.UNCLEAR)
    agrees = ACCEPTS.search(said.text) or ANY.search(said.text)
    if agrees and said.strangers <= STRANGERS_AT_MOST and "?" not in folded and not DENIES.search(said.text):
        return SlotAnswer(Outcome.TAKES, slots[0].number) if len(slots) == 1 else SlotAnswer(Outcome.UNCLEAR)
    return SlotAnswer(Outcome.NOTHING)


def _take(slot: Slot, said: "_Said") -> SlotAnswer:
    if said.strangers > STRANGERS_AT_MOST:
        return SlotAnswer(Outcome.UNCLEAR)
    return SlotAnswer(Outcome.TAKES, slot.number)


def _start(slot: Slot) -> datetime:
    return slot.starts_at


def _bare_time(said: "_Said", slots: Sequence[Slot]) -> tuple[int, int] | None:
    """A number alone that is no option is an hour: "11", "dez"."""
    numbers = [dates.number(word) for word in WORD.findall(said.text) if dates.number(word) is not None]
    if said.strangers or len(numbers) != 1 or DENIES.search(said.text):
        return None
    hour = numbers[0] or 0
    if not max(len(slots), 3) < hour <= LATEST_HOUR:
        return None
    return (hour + 12 if hour in dates.AFTERNOON_HOURS else hour), 0


def _by_time(fits: list[Slot], said: "_Said", slots: Sequence[Slot]) -> SlotAnswer:
    if len(fits) == 1:
        return _take(fits[0], said)
    if fits and (EARLIEST.search(said.text) or LATEST.search(said.text)):
        return _take(min(fits, key=_start) if EARLIEST.search(said.text) else max(fits, key=_start), said)
    if fits:
        return SlotAnswer(Outcome.UNCLEAR, asked=said.asked)
    return SlotAnswer(Outcome.ASKS_OTHER, asked=said.asked)


@dataclass(frozen=True)
class _Said:
    """An answer taken apart: what is asked for, what is denied, what is left of the words."""

    text: str  # what no day or hour has used up, folded
    asked: AskedTime
    denied: tuple[Mention, ...]
    other: bool
    several: bool
    is_unclear: bool
    strangers: int
    now: datetime

    @property
    def asks(self) -> bool:
        return bool(self.asked)

    @classmethod
    def of(cls, folded: str, slots: Sequence[Slot], now: datetime) -> "_Said":
        found = dates.mentions(folded, now=now)
        found, bare = _monday_or_second(found, folded, slots)
        clauses = _clauses(folded)
        denied: list[Mention] = []
        wanted: list[Mention] = []
        for mention in found:
            start, end, is_question = next(
                (c for c in clauses if c[0] <= mention.start < c[1]), (0, len(folded), False)
            )
            clause = folded[start:end]
            refused = DENIES.search(clause) and not (is_question and mention.sort != Sort.OTHER_WEEK)
            (denied if refused else wanted).append(mention)
        left = folded
        for mention in found:
            left = left[: mention.start] + " " * (mention.end - mention.start) + left[mention.end :]
        wanted, denied = _shared_day(wanted, denied)
        asked, several, unclear = _merge(wanted, slots, now)
        if asked.time is None and len(slots) == 1 and SAME_TIME.search(folded):
            at = slots[0].starts_at
            asked = replace(asked, time=(at.hour, at.minute), part=dates.part_of(at.hour))
        return cls(
            text=left,
            asked=asked,
            denied=tuple(
                mention for mention in denied if mention.sort in {Sort.DATE, Sort.WEEKDAY, Sort.TIME, Sort.PART}
            ),
            other=any(mention.sort is Sort.OTHER_WEEK for mention in found) or bool(NONE.search(left)),
            several=several,
            is_unclear=unclear or bare,
            strangers=_strangers(left),
            now=now,
        )

    def fits(self, slot: Slot) -> bool:
        at = slot.starts_at
        if self.asked.day is not None and at.date() != self.asked.day:
            return False
        if self.asked.time is not None and (at.hour, at.minute) != self.asked.time:
            return False
        if self.asked.part is not None and dates.part_of(at.hour) is not self.asked.part:
            return False
        return not any(_denies(mention, slot, self.now) for mention in self.denied)


def _after_correction(folded: str, now: datetime) -> str:
    """What stands after "digo", "I mean"…, when it says a day, an hour or an option of its own."""
    for match in reversed(list(CORRECTS.finditer(folded))):
        rest = folded[match.end() :]
        if match.start() and (dates.mentions(rest, now=now) or BARE.search(rest) or _ordinals(rest)):
            return rest
    return folded


def _clauses(folded: str) -> list[tuple[int, int, bool]]:
    """Start, end, and whether it is a question, of each clause."""
    found: list[tuple[int, int, bool]] = []
    start = 0
    for match in CLAUSES.finditer(folded):
        found.append((start, match.start(), QUESTION_CLAUSE in match.group()))
        start = match.end()
    found.append((start, len(folded), False))
    return found


def _monday_or_second(found: list[Mention], folded: str, slots: Sequence[Slot]) -> tuple[list[Mention], bool]:
    """Whether "segunda" is a day or the second option: as a day it stays, as an option it goes, else it is unclear."""
    kept: list[Mention] = []
    bare = False
    for mention in found:
        is_bare = mention.words.strip() == "segunda"
        if not is_bare:
            kept.append(mention)
            continue
        rest = folded[mention.end :].strip()
        before = folded[: mention.start]
        if re.match(r"(?:opcao|alternativa|data|opcion)", rest):
            continue
        has_time = any(other.sort in {Sort.TIME, Sort.PART} for other in found)
        if has_time or AT_MONDAY.search(before) or not _is_alone(before, rest):
            kept.append(mention)
            continue
        mondays = [slot.number for slot in slots if slot.starts_at.weekday() == MONDAY]
        article = re.search(r"\b(?:a|la)\s+$", before)
        if mondays == [2] or (article and not mondays):
            continue  # read as an ordinal
        if article or not mondays or 2 in {slot.number for slot in slots} - set(mondays):
            bare = True
        kept.append(mention)
    return kept, bare


def _is_alone(before: str, rest: str) -> bool:
    """True when the words around say nothing that makes it a weekday."""
    return all(word in FILLERS for word in WORD.findall(before + " " + rest))


def _options(said: _Said, slots: Sequence[Slot]) -> list[int]:
    """Numbers of the options named and not denied, each once."""
    found: list[int] = []
    for start, end, _ in _clauses(said.text):
        clause = said.text[start:end]
        if DENIES.search(clause):
            continue
        found += _in_clause(clause, slots, alone=said.strangers == 0 and not said.asks)
    return list(dict.fromkeys(found))


def _in_clause(clause: str, slots: Sequence[Slot], *, alone: bool) -> list[int]:
    found: list[int] = []
    for pattern in OPTION:
        found += [number for match in pattern.finditer(clause) if (number := dates.number(match.group(1))) is not None]
    found += _ordinals(clause)
    if LAST.search(clause):
        found.append(slots[-1].number)
    if MIDDLE.search(clause) and len(slots) % 2:
        found.append(slots[len(slots) // 2].number)
    if not found and alone:
        numbers = [number for match in BARE.finditer(clause) if (number := dates.number(match.group(1))) is not None]
        articles = {"um", "uma", "una", "one"}
        words = WORD.findall(clause)
        found += [
            n for n in numbers if n <= max(len(slots), 1) and not (n == 1 and len(words) > 1 and articles & set(words))
        ]
    return found


def _ordinals(clause: str) -> list[int]:
    return [
        number
        for number, pattern in ORDINALS.items()
        for match in re.finditer(rf"\b(?:{pattern})\b(?!\s*(?:[- ]?feira|vez|coisa|hora\b))", clause)
        if match
    ]


def _shared_day(wanted: list[Mention], denied: list[Mention]) -> tuple[list[Mention], list[Mention]]:
    """ "Friday not in the evening, only in the morning": the day holds for both, only the evening is denied."""
    days = [m for m in denied if m.sort in {Sort.DATE, Sort.WEEKDAY}]
    hours = [m for m in denied if m.sort in {Sort.TIME, Sort.PART}]
    has_day = any(m.sort in {Sort.DATE, Sort.WEEKDAY} for m in wanted)
    has_hour = any(m.sort in {Sort.TIME, Sort.PART} for m in wanted)
    if len(days) == 1 and hours and has_hour and not has_day:
        return [*days, *wanted], hours
    return wanted, denied


def _merge(wanted: list[Mention], slots: Sequence[Slot], now: datetime) -> tuple[AskedTime, bool, bool]:
    """One asked time of all mentions; whether they name several; whether one of them cannot be pinned down."""
    days: list[date] = []
    times: list[tuple[int, int]] = []
    parts: list[Part] = []
    unclear = False
    dated = {m.value.weekday() for m in wanted if m.sort is Sort.DATE and isinstance(m.value, date)}
    for mention in wanted:
        match mention.sort:
            case Sort.DATE if mention.value is None:
                unclear = True
            case Sort.DATE:
                days.append(mention.value)  # type: ignore[arg-type]
            case Sort.WEEKDAY if mention.value in dated:
                pass  # "sexta dia 8": one day, said twice
            case Sort.WEEKDAY:
                day = _weekday(mention, now, slots)
                if day is None:
                    unclear = True
                else:
                    days.append(day)
            case Sort.TIME:
                times.append(mention.value)  # type: ignore[arg-type]
            case Sort.PART:
                parts.append(mention.value)  # type: ignore[arg-type]
            case _:
                pass
    several = len(set(days)) > 1 or len(set(times)) > 1 or (len(set(parts)) > 1 and not times)
    part = dates.part_of(times[0][0]) if times else (parts[0] if parts else None)
    asked = AskedTime(days[0] if days else None, part, times[0] if times else None)
    return asked, several, unclear


def _weekday(mention: Mention, now: datetime, slots: Sequence[Slot]) -> date | None:
    """The day meant by a weekday; None when "que vem" could be this week's or the next one's."""
    today = now.date()
    ahead = (int(str(mention.value)) - today.weekday()) % 7 or 7
    day = today + timedelta(days=ahead)
    if mention.is_next and "semana" not in mention.words and "week" not in mention.words:
        return None if day.isocalendar()[1] == today.isocalendar()[1] else day
    if mention.is_next:
        monday = today + timedelta(days=7 - today.weekday())
        return monday + timedelta(days=int(str(mention.value)))
    offered = {slot.starts_at.date() for slot in slots}
    if day not in offered:
        others = [slot.starts_at.date() for slot in slots if slot.starts_at.weekday() == mention.value]
        if len(others) == 1:
            return others[0]
    return day


def _denies(mention: Mention, slot: Slot, now: datetime) -> bool:
    at = slot.starts_at
    match mention.sort:
        case Sort.DATE:
            return at.date() == mention.value
        case Sort.WEEKDAY:
            return at.weekday() == mention.value
        case Sort.TIME:
            return (at.hour, at.minute) == mention.value
        case Sort.PART:
            return dates.part_of(at.hour) is mention.value
        case _:
            return False


def _refuses_all(said: _Said, slots: Sequence[Slot]) -> bool:
    """True when every slot is denied by name, or "these" are."""
    if said.denied:
        return not any(said.fits(slot) for slot in slots)
    return bool(
        re.search(r"\b(?:ess[ae]s|est[ae]s|nest[ae]s|ness[ae]s|these|those|any of)\b", said.text)
        and DENIES.search(said.text)
    )


def _strangers(text: str) -> int:
    return sum(1 for word in WORD.findall(text) if word not in FILLERS and len(word) > 1 and not word.isdigit()
               and not ACCEPTS.fullmatch(word) and word not in dates.NUMBERS)  # fmt: skip
