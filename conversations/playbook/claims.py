"""What a draft claims, and whether anything supports it: numbers, days, hours, links, names. Pure (PRODUCT 2 "Guards").

Sources are all that may be quoted: knowledge, the turn's tool results, and what the lead wrote. Numbers that follow
from them by arithmetic ("10 × 78", "350 + 480", a price in instalments) are supported.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from itertools import combinations

from conversations.playbook import dates
from conversations.playbook.dates import Sort
from conversations.playbook.fact_words import FIRST_NAMES
from conversations.playbook.money import FREE, Number, amounts, level, numbers, shares

Place = tuple[int, int]
HOURS_LISTED = re.compile(r"(?<=h) [eyo] (?=\d{1,2}\s?h)|(?<=:\d\d) [eyo] (?=\d)")  # two hours, not an hour and minutes
LEAST_BARE_PRICE = 20  # a smaller number without a currency is a count
FIVE_DAYS = 5 * 1_440  # minutes
FULL_DAY = 24  # hours; fewer, written "9h", are a time of the day
CENT = 0.011
MOST_PRICES = 10  # sums of three are tried among so many
HALF_UNIT = 0.51
MOST_TIMES = 200  # a count larger than this is not multiplied with

UNITS = {
    "minute": r"minut[oa]s?|mins?|minutes?", "hour": r"horas?|hs?|hrs?|hours?", "day": r"dias?|days?", "week": r"semanas?|weeks?",
    "month": r"mes|meses|months?", "year": r"anos?|years?",
}  # fmt: skip
MINUTES_IN = {"minute": 1, "hour": 60, "day": 1_440, "week": 10_080, "month": 43_200, "year": 525_600}
UNIT = re.compile(
    r"\s*-?\s*(?:(?:business|working|rush|calendar|full|school)\s+)?(?:"
    + "|".join(f"(?P<{name}>(?:{words}))" for name, words in UNITS.items())
    + r")\b(?!\s*(?:da|de la|of the)\s)"
)
LINK = re.compile(
    r"(?:https?://)?(?:www\.)?(?:[a-z0-9-]+\.)+[a-z]{2,}(?:\.[a-z]{2})?(?:/[^\s,;!?)\]}\"'>]*)?|[\w.+-]+@[\w-]+(?:\.[\w-]+)+"
)
NOT_LINK = re.compile(r"^(?:\d|[a-z]\.[a-z]\.?$|(?:dr|dra|sr|sra|prof|etc|ex|obs|ltda)\.)")
HALF = re.compile(r"\b(?:metade|mitad|half(?! past| an| a)|un tercio|um terco|a third|em dobro|o dobro|the double)\b")
FROM_PRICE = re.compile(
    r"\b(?:a partir d[eo]|desde|from|starting (?:at|from)|starts? at|comeca\w* (?:em|de|por)|minimo de|parte de|partem de|por volta de|cerca de|aprox\w*|em media|around|about)\s*(?:r\$|us\$|\$|€|£)?\s*$"
)
HEDGE = re.compile(
    r"\b(?:a partir|desde|from|start\w*|comec\w+|empiez\w+|comienz\w+|inici\w+|parte\w*|vari\w+|depend\w+|minim\w+|base|menos|least|arranc\w+|ao menos|em media|cerca|around|about|aprox\w*|average)\b"
)
EVERYWHERE = re.compile(
    r"\b(?:qualquer|todos? os|todas as|sempre|any|every|always|cualquier|todos los|todas las|siempre)\b"
)
INSTALMENTS = re.compile(r"\b(\d{1,2}|[a-z]+)\s?(?:x|vezes|parcelas|cuotas|instal+ments|pagos|veces)\b")
MINUTES_OF = re.compile(
    r"\b(?:as|a las|das|ate as|until|at)\s+(?:\w+\s+)?[a-z]+\s+(?:e|y)\s+$"
)  # "at seven and" thirty
OPENS_FROM = re.compile(
    r"\b(?:de|das|desde|entre|from|between|desde las)\s+(?:as |las )?(\d{1,2})(?:h|:00)?\s*(?:a|as|to|until|y|e|and|hasta|ate)"
    r"\s+(?:as |las )?(\d{1,2})(?!\s*(?:[a-z%$\d]|[.,:/]\d))(?=\W|$)"
)
OPENING = re.compile(
    r"\b(?:abr\w+|atend\w+|atiend\w+|open\w*|hor[ao]ri\w+|funcion\w+|"
    r"(?:"
    + "|".join(
        [
            "segundas?",
            "ter[cç]as?",
            "quartas?",
            "quintas?",
            "sextas?",
            "sabados?",
            "domingos?",
            "lunes",
            "martes",
            "miercoles",
            "jueves",
            "viernes",
            r"\w+days?",
        ]
    )
    + r"))\b"
)
PRICE_CUE = re.compile(
    r"\b(?:custa\w*|cuesta\w*|sai\w*|sale\w*|fica\w*|queda\w*|por|cost\w*|is|price|preco|valor|total|dá|da|som\w+|are|be|taxa|fee|e|es|seria\w*|cobr\w+|pag\w+|contra|mais|more|mas|faco|faz\w*|anual\w*|mensal\w*|mensual\w*)\W+(?:(?:so|uns|unos|about|around|de|em|just|apenas|por|a)\s+)*$"
)
SEASONS = re.compile(
    r"\b(?:natal|navidad|christmas|ano novo|new year'?s?|ano nuevo|carnaval|pascoa|pascua|easter|vespera|black friday|fim do mes|fin de mes|end of the month|fim do ano|fin de ano|end of the year|semana que vem|next week|proxima semana|semana que viene|proximo mes|mes que vem|next month|na mesma hora|same day|mesmo dia|mismo dia|feriados?|holidays?|feriado)\b"
)
DAY_NAMES = {
    0: "segunda|lunes|monday",
    1: "terca|martes|tuesday",
    2: "quarta|miercoles|wednesday",
    3: "quinta|jueves|thursday",
    4: "sexta|viernes|friday",
    5: "sabado|saturday",
    6: "domingo|sunday",
}
DAY_SHORT = re.compile(
    r"\b(seg|ter|qua|qui|sex|sab|dom|lun|mar|mie|jue|vie|mon|tues?|wed|thurs?|fri|sat|sun)\b\.?(?=\s*(?:a|ate|to|-|–|e|y|and|al|hasta|,|\d|das|de|:))"
)
SHORT_DAYS = {
    "seg": 0, "ter": 1, "qua": 2, "qui": 3, "sex": 4, "sab": 5, "dom": 6, "lun": 0, "mar": 1, "mie": 2, "jue": 3, "vie": 4,
    "mon": 0, "tue": 1, "tues": 1, "wed": 2, "thur": 3, "thurs": 3, "fri": 4, "sat": 5, "sun": 6,
}  # fmt: skip
RECURS = {
    r"seman\w*|weekly": 10_080, r"quinzena\w*|quincena\w*|fortnight\w*|biweekly": 21_600, r"mensa\w*|mensua\w*|monthly": 43_200,
    r"trimestr\w*|quarter(?:ly)?": 129_600, r"semestr\w*": 259_200, r"anua\w*|yearly|annual\w*": 525_600,
}  # fmt: skip
DAY_RANGE = re.compile(
    r"\b("
    + "|".join(DAY_NAMES.values())
    + r")s?(?:-feira)?\s*(?:a|ate|to|through|-|–|al|hasta|e)\s*(?:la |el |o )?("
    + "|".join(DAY_NAMES.values())
    + r")s?\b"
)
DAY_NAME = re.compile(
    r"\b("
    + "|".join(DAY_NAMES.values())
    + r")s?(?:-feiras?)?\b(?!\s+(?:linha|opcao|via|mao|vez|aula|etapa|parcela|opcion|parte|geracao))"
)
EVERY_DAY = re.compile(
    r"\b(?:todos os dias|todo dia|every day|daily|todos los dias|7 dias (?:por|da|de la) semana|seven days a week|24/7|diariamente)\b"
)
WORKDAYS = re.compile(
    r"\b(?:dias? uteis|dias? habiles|weekdays|business days|working days|dia de semana|dias de semana)\b"
)
ISO_DATE = re.compile(r"(\d{4})-(\d{2})-(\d{2})(?:[T ](\d{2}):(\d{2}))?")
ROUND_CLOCK = re.compile(
    r"\b(?:24 ?(?:h|horas?|hours?)(?: por dia| ao dia| al dia| a day)?|24/7|meia-noite|medianoche|midnight|around the clock|dia e noite)\b"
)

PROPER = re.compile(r"(?<![\w@./-])[A-ZÁÉÍÓÚÂÊÔÃÕÇ][a-záéíóúâêôãõçñüà]+(?:-[A-Z][a-zà-ú]+)?(?![\w@]|\.\w)")
PERSON_BEFORE = re.compile(
    r"(?:\b(?:dr|dra|sr|sra|srta|prof|profa|mr|mrs|ms)\.?|\b(?:doutora?|doctora?|professora?|profesora?|teacher|guide|coach|seu|dona|don|dona|tecnic[oa]|consultora?|corretora?|vendedora?|gerente|atendente|especialista|asesora?|colega|specialist|agent|manager|named|chamad[oa]|llamad[oa]|se chama|se llama|nome e|name is|nosso|nossa|nuestro|nuestra))\s+$"
)
ARTICLE_BEFORE = re.compile(
    r"(?:^|\s)(?:o|a|el|la|do|da|del|pelo|pela|ao|com|con|by|with|y|e|and|don|las da|las dicta|va|is|es|ask for|see)\s+$"
)
OPENS = re.compile(
    r"^\W*(?:oi|ola|hola|hi|hello|hey|claro|imagina|perfeito|perfecto|certo|sim|si|yes|no|nao|sure|otimo|listo|feito|bom dia|boa tarde|boa noite|obrigad[oa]|gracias|thanks|thank you|de nada|prazer|combinado|pronto|prontinho|fique a vontade|beleza|good morning|welcome|bem-vind[oa]|desculpa|sorry|entendi|entiendo|puxa)?[\s,]*$"
)
COMMON_CAPITALS = frozenset(
    "pix whatsapp instagram google facebook youtube excel gmail zoom meet teams brasil brazil deus dios god internet wifi cnpj mei cpf natal pascoa carnaval ok sim nao janeiro fevereiro marco abril maio junho julho agosto setembro outubro novembro dezembro monday tuesday wednesday thursday friday saturday sunday january february march april may june july august september october november december english portuguese spanish portugues espanol ingles mercado visa mastercard sus enem".split()
)


@dataclass(frozen=True)
class Sources:
    """Levelled texts a draft may lean on. `quotable`: knowledge and tool results; `said`: the lead's words; `now` aware."""

    quotable: Sequence[str]
    said: str
    now: datetime

    @property
    def all(self) -> list[str]:
        return [*self.quotable, self.said]


def stems(text: str) -> frozenset[str]:
    """Beginnings of the words of a levelled text that carry meaning."""
    return frozenset(word[:5] for word in re.findall(r"[a-z]{3,}", text) if word not in EMPTY and len(word) > 3)


INCLUDED = re.compile(
    r"(?<!nao )(?<!not )(?:\b(?:ja|ya|already)\s)?(?:\b(?:ta|esta|vem|vai|viene|is|comes)\s)?\b(?:inclus[oa]s?|incluid[oa]s?|included)\b"
)
EXTRA = re.compile(
    r"\b(?:a parte|por fora|cobrad[oa]s?|nao inclus\w*|no incluid\w*|not included|extra|separately|aparte|se cobra)\b"
)
CAREFUL = re.compile(
    r"\b(?:nao (?:tenho|temos|sei|consta|encontrei|achei|esta|ha|posso|consigo|vi)|vou (?:confirmar|verificar|checar|ver|perguntar|conferir)|preciso (?:confirmar|verificar|checar)|posso (?:confirmar|verificar|checar|pedir|ver|conferir|perguntar)|confirmo|verifico|i'?ll (?:check|confirm|find)|let me (?:check|confirm)|i don't (?:have|know)|not sure|no (?:tengo|tenemos|se|puedo|figura|consta)|voy a (?:confirmar|verificar|consultar)|dejame (?:confirmar|ver|consultar)|depende\w*|depends|informac\w+ que tenho|quem (?:pode|sabe|avalia))\b"
)
EMPTY = frozenset(
    """para pela pelo pelas pelos como mais muito tudo todo toda todos todas esta este essa esse isso isto aqui voce voces seus suas nosso nossa nossos nossas temos tenho fica ficam
    pode podem posso quer quero sobre entre ainda apenas somente depois antes quando qual quais onde porque tambem mesmo claro sim otimo certo perfeito bem obrigado obrigada
    com sem que uma uns umas dos das nos nas seu sua meu minha dele dela eles elas ser sao foi era vai vou vamos ter tem
    with from your you our the and for are this that have has will can would could what when where which there here they them their about just only also very more
    los las del una unos unas con sin por que para como mas muy todo toda todos esta este esos nuestro nuestra tiene tenemos puede puedes queda quieres cual donde cuando tambien aqui
    hola gracias favor dia dias hora horas reais real""".split()
)


def unsupported_money(draft: str, sources: Sources) -> Iterator[Place]:
    """Amounts, "free" and instalments that nothing gives. `draft` is levelled."""
    known = amounts_told(sources.quotable)
    counts = counts_told([draft, *sources.all]) | counts_implied(f"{draft} {sources.said}")
    asked_for = counts_told([draft, sources.said]) | counts_implied(f"{draft} {sources.said}")
    rates = {share.value / 100 for text in sources.quotable for share in shares(text)}
    for amount in _claimed_amounts(draft, sources):
        if amount.sign == "free":
            if CAREFUL.search(sentence_at(draft, amount.start)):
                continue
            if not _free_is_said(draft, (amount.start, amount.end), sources):
                yield amount.start, amount.end
            continue
        said = amounts_told([sources.said])
        if any(abs(amount.value - value) < CENT for value in said) and "?" in draft[amount.end :]:
            continue
        follows = is_derived(amount.value, known, counts) or is_share(amount.value, known, asked_for, rates=rates)
        if not follows or _told_as_fixed(draft, amount.start, amount.value, sources=sources):
            yield amount.start, amount.end
    for match in re.finditer(
        r"\b(?:metade|mitad|half)\s*(?:do|del|of the|el|of|the) (?:preco|valor|price|precio|cost|costo)", draft
    ):
        if not any(HALF.search(text) or any(share.value == 50 for share in shares(text)) for text in sources.quotable):
            yield match.span()
    for match in INCLUDED.finditer(draft):
        about = stems(sentence_at(draft, match.start()))
        extra = any(
            EXTRA.search(piece) and about & stems(piece)
            for text in sources.quotable
            for piece in re.split(r"[.;]\s", text)
        )
        if extra and not any(INCLUDED.search(text) and about & stems(text) for text in sources.quotable):
            yield match.span()
    allowed = [n for text in sources.quotable for n in _instalments(text)]
    for match in INSTALMENTS.finditer(draft):
        count = _small(match.group(1))
        if (
            count > 1
            and not re.match(r"\s*(?:por|a|per) (?:semana|mes|week|dia)", draft[match.end() :])
            and count > max(allowed, default=0)
            and re.search(r"parcel|juros|interes|cartao|tarjeta|card|pag|instal|cuota|divid|[xX]\b", draft)
        ):
            yield match.start(), match.end()


@dataclass(frozen=True)
class _Claimed:
    start: int
    end: int
    value: float
    sign: str = ""


def _claimed_amounts(draft: str, sources: Sources) -> list[_Claimed]:
    found = [_Claimed(a.start, a.end, a.value, a.sign) for a in amounts(draft)]
    taken = [(a.start, a.end) for a in found]
    percent = {share.start for share in shares(draft)}
    known = amounts_told(sources.quotable)
    for number in numbers(draft):
        inside = any(start <= number.start < end for start, end in taken)
        if inside or number.start in percent or number.is_doubtful or number.value < 20 or _has_unit(draft, number):
            continue
        after = draft[number.end : number.end + 14]
        if number.is_words and number.value < MINUTES_IN["hour"] and MINUTES_OF.search(draft[: number.start]):
            continue
        if re.match(r"\s*(?:[a-z]{4,}|m2|m²|km|kg|ml|mb|x\b|[:/]\d|%)", after) and not re.match(
            r"\s*(?:exact\w*|redond\w*|flat|fech\w*|por (?:mes|ano|pessoa)|mensa\w*|mensual\w*|cada|each|total|tudo|contra|mais|fixo|fijo)",
            after,
        ):
            continue
        if PRICE_CUE.search(draft[: number.start]) and known:
            found.append(_Claimed(number.start, number.end, number.value))
    return found


def _has_unit(text: str, number: Number) -> bool:
    return bool(UNIT.match(text, number.end))


def amounts_told(texts: Iterable[str]) -> set[float]:
    """Amounts of money in levelled texts, and bare numbers that may be some."""
    values: set[float] = set()
    for text in texts:
        for number in numbers(text):
            if (
                number.value >= LEAST_BARE_PRICE
                and not number.is_doubtful
                and not re.search(r"[\w:/-]$", text[: number.start])
                and not re.match(r"\s*(?:[a-z%]|x\b|:\d)", text[number.end :])
            ):
                values.add(number.value)
        values.update(amount.value for amount in amounts(text) if amount.sign != "free")
    return values


def counts_told(texts: Iterable[str]) -> set[float]:
    """Whole numbers in levelled texts that a price may be taken times."""
    return {
        number.value
        for text in texts
        for number in numbers(text)
        if 1 < number.value <= MOST_TIMES and number.value == int(number.value)
    }


def counts_implied(joined: str) -> set[float]:
    """Counts that words stand for: the months of a year, a pair."""
    found: set[float] = set()
    if re.search(r"\b(?:anual\w*|(?:por|al|no|o|un|um) ano|a year|per year|yearly|year|ano)\b", joined):
        found.add(12.0)
    if re.search(r"\b(?:os dois|as duas|casal|los dos|both|couple|dobro|ambos|par)\b", joined):
        found.add(2.0)
    return found


def is_derived(value: float, known: set[float], counts: set[float]) -> bool:
    """Whether a value is known, or one step of arithmetic away from what is."""
    if any(abs(value - other) < CENT for other in known):
        return True
    prices = sorted(known)
    single = {price * count for price in prices for count in counts} | {
        price / count for price in prices for count in counts
    }
    if any(abs(value - other) < CENT for other in single):
        return True
    for one, other in combinations(prices, 2):
        if abs(one + other - value) < CENT or abs(abs(one - other) - value) < CENT:
            return True
        for count in counts:
            both = (
                one + count * other,
                other + count * one,
                count * (one + other),
                abs(one - count * other),
                abs(other - count * one),
                abs(one - other) * count,
            )
            if any(abs(candidate - value) < CENT for candidate in both):
                return True
    return (
        any(abs(sum(three) - value) < CENT for three in combinations(prices, 3))
        if len(prices) <= MOST_PRICES
        else False
    )


def is_share(value: float, known: set[float], counts: set[float], *, rates: set[float]) -> bool:
    """A rate the sources give, taken of a price or of a price times a count."""
    prices = known | {price * count for price in known for count in counts}
    return any(
        abs(price * part - value) < HALF_UNIT
        for price in prices
        for rate in rates
        for part in (rate, 1 - rate, 1 + rate)
    )


def _told_as_fixed(draft: str, start: int, value: float, *, sources: Sources) -> bool:
    """A "from" price, or a rounded one, told as the price."""
    told = [
        FROM_PRICE.search(text[: number.start])
        for text in sources.quotable
        for number in numbers(text)
        if abs(number.value - value) < CENT
    ]
    if not told or not all(told):
        return False
    return not HEDGE.search(sentence_at(draft, start))


def _free_is_said(draft: str, place: Place, sources: Sources) -> bool:
    sentence = sentence_at(draft, place[0])
    if re.search(r"\b(?:nao|no|not|isn't)\s+(?:\w+\s+){0,2}$", draft[: place[0]]) and not re.match(
        r"(?:nao|no) ", draft[place[0] :]
    ):
        return True
    about = stems(sentence) | stems(sources.said)
    for text in sources.quotable:
        for piece in re.split(r"[.;]\s|,\s", text):
            if (
                FREE.search(piece)
                or re.search(
                    r"\bnao paga\w*\b|\bno paga\w*\b|\bnot? charged?\b|\binclu\w+|\bsem taxa|\bno \w+ fee|\bsin tasa|\bnao cobra|\b0\b",
                    piece,
                )
            ) and (about & stems(piece) or len(stems(piece)) <= 1):
                conditional = re.search(
                    r"\b(?:no plano|com fidelidade|para|acima|a partir|only|if|con|over|ate|within|hasta|em ate|when|se)\b",
                    piece,
                )
                return not (conditional and EVERYWHERE.search(sentence))
    return False


def _instalments(text: str) -> Iterator[float]:
    for match in INSTALMENTS.finditer(text):
        yield _small(match.group(1))


def _small(word: str) -> float:
    found = numbers(word)
    return found[0].value if found else 0.0


def unsupported_shares(draft: str, sources: Sources) -> Iterator[Place]:
    """Percentages nothing gives, "half" among them."""
    known = {share.value for text in sources.quotable for share in shares(text)}
    half = any(HALF.search(text) for text in sources.quotable)
    for share in shares(draft):
        if not any(
            abs(share.value - value) < CENT or abs(100 - share.value - value) < CENT for value in known
        ) and not (share.value == 50 and half):
            yield share.start, share.end
    for match in HALF.finditer(draft):
        if re.match(r"\s*(?:do|del|of the|el|of) (?:preco|valor|price|precio|cost|costo)", draft[match.end() :]):
            continue  # a price, not a share
        if match.group() in {"metade", "mitad", "half"} and not half and 50.0 not in known:
            yield match.start(), match.end()


def durations(text: str) -> Iterator[tuple[float, str, int, int]]:
    """(minutes, unit, start, end) of every "15 dias", "um ano", "half an hour"."""
    for number in numbers(text):
        unit = UNIT.match(text, number.end)
        if unit is None or unit.lastgroup is None:
            continue
        if unit.lastgroup == "hour" and re.search(
            r"\b(?:as|das|at|a las|ate as|las|desde|hasta las|until|by)\s+$", text[: number.start]
        ):
            continue
        if (
            unit.lastgroup == "hour"
            and re.fullmatch(r"\s*hs?|\s*hrs?", unit.group())
            and number.value < FULL_DAY
            and not re.search(
                r"\b(?:em|por|durante|dura\w*|for|within|cada)\s+(?:ate |uns |umas |about )?$", text[: number.start]
            )
        ):
            continue
        each = MINUTES_IN[unit.lastgroup]
        low = re.search(
            r"(?<![$£€\d])(?<![$£€]\s)\b(\d+|[a-z]+)\s*(?:a|ate|to|-|–|o|ou|or|e|y|and)\s*$", text[: number.start]
        )
        if low and 0 < (first := _small(low.group(1))) < number.value:
            yield first * each, unit.lastgroup, low.start(), unit.end()
        half = re.match(r"\s+(?:e|y|and)\s+(?:meio|meia|media|medio|a half)\b", text[unit.end() :])
        yield (
            (number.value + (0.5 if half else 0.0)) * each,
            unit.lastgroup,
            number.start,
            unit.end() + (half.end() if half else 0),
        )
    for match in re.finditer(r"\b(?:meia hora|media hora|half an hour)\b", text):
        yield 30.0, "minute", match.start(), match.end()


def unsupported_days(draft: str, sources: Sources) -> Iterator[Place]:
    """Durations, dates, weekdays and seasons that nothing gives."""
    known = [minutes for text in sources.quotable for minutes, *_ in durations(text)]
    known += [
        minutes
        for text in sources.quotable
        for words, minutes in RECURS.items()
        if re.search(rf"\b(?:{words})\b", text)
    ]
    asked_for = [minutes for minutes, *_ in durations(sources.said)]
    for minutes, _, start, end in durations(draft):
        exact = any(_same_span(minutes, other) for other in known)
        sentence = sentence_at(draft, start)
        echoed = minutes in asked_for and (CAREFUL.search(sentence) or _is_counted(sentence, sources))
        if not exact and not echoed and not _is_asking(draft, start) and not _age(draft, start, end):
            yield start, end
    days, dated = _known_days(sources)
    for match in DAY_NAME.finditer(draft):
        day = _day_number(match.group(1))
        sentence = sentence_at(draft, match.start())
        if (
            day not in days
            and not re.search(r"\b(?:nao|no|not|closed?|fecha\w+|cerra\w+)\b", sentence)
            and not CAREFUL.search(sentence)
            and not _is_asking(draft, match.start())
            and not (
                match.group(1) == "segunda"
                and re.search(r"\b(?:a|de|na) $", draft[: match.start()])
                and re.match(r"\s+[a-z]{4,}", draft[match.end() :])
            )
        ):
            yield match.start(), match.end()
    for mention in dates.mentions(draft, now=sources.now):
        if (
            mention.sort is Sort.DATE
            and mention.value is not None
            and re.search(
                r"\d|janeiro|fevereiro|marco|abril|maio|junho|julho|agosto|setembro|outubro|novembro|dezembro|enero|febrero|marzo|mayo|junio|julio|septiembre|octubre|noviembre|diciembre|january|february|march|april|june|july|august|september|october|november|december",
                mention.words,
            )
        ):
            value = mention.value
            if (
                isinstance(value, date)
                and (value.month, value.day) not in dated
                and not _is_asking(draft, mention.start)
                and not CAREFUL.search(sentence_at(draft, mention.start))
            ):
                yield mention.start, mention.end
    for match in SEASONS.finditer(draft):
        careful = CAREFUL.search(sentence_at(draft, match.start()))
        if (
            not any(match.group() in text for text in sources.quotable)
            and not careful
            and not _is_asking(draft, match.start())
        ):
            yield match.start(), match.end()


def _is_counted(sentence: str, sources: Sources) -> bool:
    """Whether a sentence tells a sum that follows: what the lead asked for is then counted, not promised."""
    told = [amount for amount in amounts(sentence) if amount.sign != "free"]
    return bool(told) and not list(unsupported_money(sentence, sources))


def _same_span(one: float, other: float) -> bool:
    if other >= FIVE_DAYS and abs(one - other * 7 / 5) < 1:
        return True  # ten working days are two weeks
    return abs(one - other) < 1 or (min(one, other) >= 518_400 and abs(one - other) / max(one, other) < 0.02)


def _age(draft: str, start: int, end: int) -> bool:
    return bool(re.match(r"\s*(?:de idade|old|de edad)", draft[end:])) or bool(
        re.search(r"\b(?:criancas?|ninos|children|kids|idade|edad|age)\b[^.!?]{0,30}$", draft[:start])
    )


def _known_days(sources: Sources) -> tuple[set[int], set[tuple[int, int]]]:
    days: set[int] = set()
    dated: set[tuple[int, int]] = set()
    for text in map(_days_spelled_out, sources.quotable):
        days.update(_day_number(match.group(1)) for match in DAY_NAME.finditer(text))
        if EVERY_DAY.search(text):
            days.update(range(7))
        if WORKDAYS.search(text):
            days.update(range(5))
        for match in DAY_RANGE.finditer(text):
            first, last = _day_number(match.group(1)), _day_number(match.group(2))
            days.update(day % 7 for day in range(first, (last if last >= first else last + 7) + 1))
        for match in ISO_DATE.finditer(text):
            day = date(int(match.group(1)), int(match.group(2)), int(match.group(3)))
            days.add(day.weekday())
            dated.add((day.month, day.day))
        for mention in dates.mentions(dates.fold(text), now=sources.now):
            if mention.sort is Sort.DATE and mention.value is not None:
                dated.add((mention.value.month, mention.value.day))  # type: ignore[attr-defined]  # a date by its sort
                days.add(mention.value.weekday())  # type: ignore[attr-defined]
    return days, dated


def _days_spelled_out(text: str) -> str:
    """ "seg a sex" as "segunda a sexta"."""
    return DAY_SHORT.sub(lambda found: DAY_NAMES[SHORT_DAYS[found.group(1)]].split("|")[0], text)


def _day_number(word: str) -> int:
    return next(day for day, words in DAY_NAMES.items() if word in words.split("|"))


def unsupported_hours(draft: str, sources: Sources) -> Iterator[Place]:
    """Clock times nothing gives; twelve hours apart is the same time."""
    known: set[tuple[int, int]] = set()
    for text in sources.quotable:
        known.update(_clock(text, sources.now))
        known.update((int(m.group(4)), int(m.group(5))) for m in ISO_DATE.finditer(text) if m.group(4))
        known.update(
            (int(n.value), 0)
            for n in numbers(text)
            if n.value == int(n.value)
            and 0 <= n.value <= 24
            and re.search(r"(?:\bas|\bdas|\bate|\bat|\bto|\blas|\ba|-|–|\be|\by|\band)\s*$", text[: n.start])
        )
    halves = {(hour % 12, minute) for hour, minute in known}
    if (match := ROUND_CLOCK.search(draft)) and not any(ROUND_CLOCK.search(text) for text in sources.quotable):
        yield match.start(), match.end()
    for mention in dates.mentions(HOURS_LISTED.sub(" , ", draft), now=sources.now):
        if (
            mention.sort is not Sort.TIME
            or not isinstance(mention.value, tuple)
            or re.match(r"(?:umas|unas|about) ", mention.words)
        ):
            continue
        hour, minute = mention.value
        if (
            (hour % 12, minute) not in halves
            and not CAREFUL.search(sentence_at(draft, mention.start))
            and not _is_asking(draft, mention.start)
            and not re.search(r"\b(?:24|48|72)\s?h", mention.words)
        ):
            yield mention.start, mention.end
    for place, hours in _opening_hours(draft):
        if any((hour % 12, 0) not in halves for hour in hours) and not _is_asking(draft, place[0]):
            yield place
    for match in re.finditer(
        r"\b(?:until|till|ate|hasta|before|after|antes|depois|despues|by|a partir)\b(?:\s+(?:as|a?|la|las|d[ae]s?|de las?|o))*\s+(?:(\d{1,2})(?::(\d\d)|\s?h(\d\d)?)?\s?(am|pm|h|hs|horas)|meio-dia|mediodia|noon)\b",
        draft,
    ):
        if not match.group(1) and (0, 0) not in halves and not _is_asking(draft, match.start()):
            yield match.span()
        if (
            match.group(1)
            and (int(match.group(1)) % 12, int(match.group(2) or match.group(3) or 0)) not in halves
            and not _is_asking(draft, match.start())
            and not any(minutes == int(match.group(1)) * 60 for text in sources.all for minutes, *_ in durations(text))
        ):
            yield match.start(), match.end()


def _opening_hours(draft: str) -> Iterator[tuple[Place, tuple[int, int]]]:
    """ "on Saturdays from 8 to 13": hours without a sign, by what they are said of."""
    for match in OPENS_FROM.finditer(draft):
        hours = int(match.group(1)), int(match.group(2))
        if max(hours) <= FULL_DAY and OPENING.search(sentence_at(draft, match.start())):
            yield match.span(), hours


def _clock(text: str, now: datetime) -> Iterator[tuple[int, int]]:
    for mention in dates.mentions(dates.fold(text), now=now):
        if mention.sort is Sort.TIME and isinstance(mention.value, tuple):
            yield mention.value
    for match in re.finditer(r"(?<![\d:/.,])(\d{1,2})(?:[:h.](\d{2}))?\s?(?:h|hs|hrs|am|pm|horas)?(?![\d/])", text):
        is_time = int(match.group(1)) <= FULL_DAY and int(match.group(2) or 0) < 60
        if is_time and (
            match.group(2)
            or re.search(r"h|am|pm", match.group())
            or re.search(r"(?:\bas|\bdas|\bate|\bat|\bto|\blas|-|–)\s*$", text[: match.start()])
        ):
            yield int(match.group(1)) % 24, int(match.group(2) or 0)
    if re.search(r"\b(?:meio-dia|meio dia|mediodia|noon)\b", text):
        yield 12, 0


def unsupported_links(draft: str, sources: Sources) -> Iterator[Place]:
    """Addresses that stand in no source, letter for letter."""
    known = {_bare(match.group()) for text in sources.quotable for match in LINK.finditer(text)}
    for match in LINK.finditer(draft):
        address = match.group().rstrip(".,;:")
        if NOT_LINK.match(address) or "." not in address:
            continue
        if (
            "/" not in address
            and "@" not in address
            and not re.search(
                r"\.(?:com|net|org|br|io|app|example|me|co|mx|ar|es|cl|dev|gov|edu|store|site|online|shop)\b", address
            )
        ):
            continue
        if _bare(address) not in known:
            yield match.start(), match.start() + len(address)


def _bare(address: str) -> str:
    return re.sub(r"^(?:https?://)?(?:www\.)?", "", address.rstrip(".,;:")).rstrip("/")


def unknown_names(draft: str, sources: Sources, *, lead: str, org: str) -> Iterator[Place]:
    """People nobody named, and the lead called by another name. `draft` as written."""
    plain = level(draft)
    known = {word for text in [*sources.all, level(lead), level(org)] for word in re.findall(r"[a-z]+", text)}
    called = set(re.findall(r"[a-z]+", level(lead)))
    for match in PROPER.finditer(draft):
        word = level(match.group())
        parts = word.split("-")
        before, after = plain[: match.start()], plain[match.end() :]
        vocative = (
            re.search(r",\s*(?:d\. |don |dona |sr\.? |sra\.? |seu )?$", before)
            and re.match(r"\s*(?:[!.?,:]|$)", after)
            and word in FIRST_NAMES | called
        ) or (OPENS.match(_last_sentence(before)) and re.match(r"\s*[,!]", after) and (word in FIRST_NAMES))
        if vocative and lead and not set(parts) & called and word in FIRST_NAMES:
            yield match.start(), match.end()
            continue
        if all(part in known or part in COMMON_CAPITALS for part in parts):
            continue
        starts = not _last_sentence(before).strip(" ¡¿\"'-–(")
        person = PERSON_BEFORE.search(before)
        if (
            person
            or (word in FIRST_NAMES and not starts)
            or (
                word in FIRST_NAMES
                and len(word) > 4
                and starts
                and re.match(r"\s*(?:,|va\b|vai\b|will\b|cuida|e\b|y\b|and\b|te\b|is\b)", after)
            )
        ) or (
            not starts
            and ARTICLE_BEFORE.search(before)
            and not re.match(r"\s+[A-Z]", draft[match.end() :])
            and re.match(
                r"\s*(?:[,.!?]|$|\s(?:que|quien|who|cuida|vai|va|te|atende|atiende|will|can|faz|hace|é|es|is)\b)", after
            )
        ):
            yield match.start(), match.end()


def timed(text: str, now: datetime) -> list[Place]:
    """Where durations, dates and hours stand in a levelled text: numbers there are no counts."""
    found = [(start, end) for _, _, start, end in durations(text) if not _age(text, start, end)]
    found += [(share.start, share.end) for share in shares(text)]
    found += [(mention.start, mention.end) for mention in dates.mentions(text, now=now)]
    found += [
        match.span()
        for match in re.finditer(
            r"\d{1,2}/\d{1,2}|\d{1,2}(?::\d\d|h\d{0,2}\b)|(?:tres|three) (?:cuartos|quartos|quarters)", text
        )
    ]
    return found


def _last_sentence(before: str) -> str:
    return re.split(r"(?<![dD]r)(?<![sS]r)(?<!dra)(?<!sra)[.!?:]\s+|\n", before)[-1]


def sentence_at(text: str, at: int) -> str:
    """The sentence of a levelled text that a place is in."""
    start = max((match.end() for match in re.finditer(r"[.!?]\s+|\n", text[:at])), default=0)
    end = re.compile(r"[.!?](?:\s|$)|\n").search(text, at)
    return text[start : end.end() if end else len(text)]


def _is_asking(text: str, at: int) -> bool:
    return sentence_at(text, at).rstrip().endswith("?")


FUNCTION_WORDS: Mapping[str, frozenset[str]] = {
    "pt": frozenset(
        "nao voce voces uma um em do dos das ao aos seu sua seus suas isso tambem ate tem temos ou pra com sao nosso nossa os pelo pela essa esse hoje pode mas fica ja muito bem qual quais posso quer sim depois mesmo mais na nas da e o aula antes ainda tudo esta foi".split()
    ),
    "es": frozenset(
        "el los las y en con una un su usted ustedes pero hay tiene tienen puede puedes muy lo al del le nuestro nuestra donde cual hasta hoy gracias si es son tu te que esta manana clase cuando mas todo sin cada".split()
    ),
    "en": frozenset(
        "the is are and you your our we of to for with it that this can per have has will on at be from by not what how would which do does there here they if or as an i'm it's you're we're please day".split()
    ),
}
SHARED = frozenset("e o a es te que de no se me la para por como esta todo mas sim si do as na da".split())


def language_of(text: str) -> str:
    """pt, es or en by its function words; "" when they do not say. In: a levelled text."""
    scores = tongue_hits(text)
    best = max(scores, key=lambda name: scores[name])
    rest = max(score for name, score in scores.items() if name != best)
    return best if scores[best] > rest else ""


def tongue_hits(text: str) -> dict[str, float]:
    """How many of its words are function words of each language, shared ones counting less. In: a levelled text."""
    words = re.findall(r"[a-z']+", text)
    return {
        name: sum((0.4 if word in SHARED else 1.0) for word in words if word in listed)
        for name, listed in FUNCTION_WORDS.items()
    }
