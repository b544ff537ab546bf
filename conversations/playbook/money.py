"""Numbers, amounts of money and shares as people write them, in figures or words, in three languages. Pure.

Places are those of the text given: `level` keeps every character where it is.
"""

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass

THOUSANDS = re.compile(r"\d{1,3}(?:[.,\s]\d{3})+(?![\d])")
FIGURES = r"\d{1,3}(?:[.,]\d{3})+(?:[.,]\d{1,2})?(?!\d)|\d+(?:[.,]\d{1,2})?(?![\d])|\d+"
TOKEN = re.compile(rf"(?P<figures>{FIGURES})|(?P<word>[a-z]+)|(?P<mark>[^\sa-z\d])")
ONES = {
    "zero": 0, "cero": 0,
    "um": 1, "uma": 1, "un": 1, "una": 1, "uno": 1, "one": 1,
    "dois": 2, "duas": 2, "dos": 2, "two": 2, "tres": 3, "three": 3,
    "quatro": 4, "cuatro": 4, "four": 4, "cinco": 5, "five": 5, "seis": 6, "six": 6,
    "sete": 7, "siete": 7, "seven": 7, "oito": 8, "ocho": 8, "eight": 8, "nove": 9, "nueve": 9, "nine": 9,
    "dez": 10, "diez": 10, "ten": 10, "onze": 11, "once": 11, "eleven": 11, "doze": 12, "doce": 12, "twelve": 12,
    "treze": 13, "trece": 13, "thirteen": 13, "catorze": 14, "quatorze": 14, "catorce": 14, "fourteen": 14,
    "quinze": 15, "quince": 15, "fifteen": 15, "dezesseis": 16, "dieciseis": 16, "sixteen": 16,
    "dezessete": 17, "diecisiete": 17, "seventeen": 17, "dezoito": 18, "dieciocho": 18, "eighteen": 18,
    "dezenove": 19, "diecinueve": 19, "nineteen": 19,
    "veintiuno": 21, "veintiun": 21, "veintidos": 22, "veintitres": 23, "veinticuatro": 24, "veinticinco": 25,
    "veintiseis": 26, "veintisiete": 27, "veintiocho": 28, "veintinueve": 29,
}  # fmt: skip
TENS = {
    "vinte": 20, "veinte": 20, "twenty": 20, "trinta": 30, "treinta": 30, "thirty": 30,
    "quarenta": 40, "cuarenta": 40, "forty": 40, "cinquenta": 50, "cincuenta": 50, "fifty": 50,
    "sessenta": 60, "sesenta": 60, "sixty": 60, "setenta": 70, "seventy": 70, "oitenta": 80, "ochenta": 80,
    "eighty": 80, "noventa": 90, "ninety": 90,
}  # fmt: skip
HUNDREDS = {
    "cem": 100, "cento": 100, "cien": 100, "ciento": 100, "duzentos": 200, "duzentas": 200, "doscientos": 200,
    "doscientas": 200, "trezentos": 300, "trezentas": 300, "trescientos": 300, "trescientas": 300,
    "quatrocentos": 400, "quatrocentas": 400, "cuatrocientos": 400, "cuatrocientas": 400,
    "quinhentos": 500, "quinhentas": 500, "quinientos": 500, "quinientas": 500, "seiscentos": 600,
    "seiscentas": 600, "seiscientos": 600, "seiscientas": 600, "setecentos": 700, "setecentas": 700,
    "setecientos": 700, "setecientas": 700, "oitocentos": 800, "oitocentas": 800, "ochocientos": 800,
    "ochocientas": 800, "novecentos": 900, "novecentas": 900, "novecientos": 900, "novecientas": 900,
}  # fmt: skip
SCALES = {
    "hundred": 100, "mil": 1_000, "milzao": 1_000, "thousand": 1_000, "k": 1_000, "grand": 1_000, "lucas": 1_000,
    "mi": 1_000_000, "milhao": 1_000_000, "milhoes": 1_000_000, "millon": 1_000_000, "millones": 1_000_000,
    "million": 1_000_000, "palos": 1_000_000,
}  # fmt: skip
DOZENS = frozenset(("duzia", "duzias", "docena", "docenas", "dozen"))
HALVES = frozenset(("meia", "media", "half"))
JOINS = frozenset(("e", "y", "and"))
PER_CENT = frozenset(("cento", "ciento", "cent"))
DOUBTFUL = frozenset(
    ("um", "uma", "un", "una", "uno", "one", "dos", "once", "doce", "mil", "mi", "k", "lucas", "palos")
)

SIGN = r"(?:r\$|us\$|u\$s?|usd|brl|mxn|\$|€|£|eur|s/\.?)"
UNIT = (
    r"(?:reais|real|contos?|paus?|pilas?|mangos?|dolares|dolar|dollars?|bucks|quid|pounds?|euros?|pesos?|pesitos|soles|"
    r"usd|brl|eur|mxn|cop|clp|ars|lucas|grand|palos|salarios? minimos?)\b"
)
FREE = re.compile(
    r"\b(?:gratis|gratuit[oa]s?(?:mente)?|de graca|sem custos?(?: algum| nenhum| extra| adicional)?|sem cobranca|isent[oa]s?|"
    r"(?:for )?(?<!-)free(?! time| to| trade| slot| on| at)|(?:at )?no (?:extra |additional )?(?:charge|cost)|free of charge|"
    r"sin (?:costo|cargo|coste)(?: extra| adicional| alguno)?|por conta da casa|on the house|complimentary|cortesia|nao (?:paga|cobra(?:mos)?|custa) nada|sai zero)\b"
)
SHARE = re.compile(r"\s*(?:%|por ?cento\b|por ciento\b|per ?cent\b|pct\b)")


@dataclass(frozen=True)
class Number:
    """A number at `start` to `end`. `is_doubtful`: the word is as often something else ("um", "once", "dos")."""

    start: int
    end: int
    value: float
    is_doubtful: bool = False
    is_words: bool = False


@dataclass(frozen=True)
class Amount:
    """An amount of money: the place of number, sign and unit together. `sign` is the currency as written, or empty."""

    start: int
    end: int
    value: float
    sign: str = ""


def level(text: str) -> str:
    """Lower case without accents, of the same length as `text`: what is found keeps its place."""
    return "".join(map(_plain, text))


def _plain(sign: str) -> str:
    if sign.isascii():
        return sign.lower()
    if sign in "’´`":
        return "'"
    base = unicodedata.normalize("NFKD", sign.lower())
    return base[0] if base and not unicodedata.combining(base[0]) else sign


def numbers(text: str) -> list[Number]:
    """Every number in a levelled text, by place; "dois mil e quinhentos" is one, "3 e 4" are two."""
    words = list(TOKEN.finditer(text))
    found: list[Number] = []
    at = 0
    while at < len(words):
        number, at = _number(words, at)
        if number is not None:
            found.append(number)
    return found


def amounts(text: str) -> list[Amount]:
    """Amounts with a currency sign or unit, by place, and what is said to be free (0). In: levelled text."""
    found = []
    for number in numbers(text):
        before = re.search(rf"{SIGN}\s*$", text[: number.start])
        after = re.match(rf"(?:tinha)?s?\s*(?:de\s+)?{UNIT}", text[number.end :])
        if not before and not after:
            continue
        if after and after.group().strip() in {"lucas", "palos", "grand"} and number.value >= THOUSAND:
            after = None
        found.append(
            Amount(
                before.start() if before else number.start,
                number.end + (after.end() if after else 0),
                number.value,
                (before or after).group().strip(),  # type: ignore[union-attr]  # one of them is there
            )
        )
    found += [Amount(match.start(), match.end(), 0.0, "free") for match in FREE.finditer(text)]
    return sorted(found, key=lambda amount: amount.start)


def shares(text: str) -> list[Number]:
    """Percentages, by place, sign included. In: levelled text."""
    return [
        Number(number.start, number.end + sign.end(), number.value)
        for number in numbers(text)
        if (sign := SHARE.match(text[number.end :]))
    ]


THOUSAND = 1_000
LAST_ONE, LAST_TEN, LAST_HUNDRED = 19, 90, 900


def _number(words: list[re.Match[str]], at: int) -> tuple[Number | None, int]:
    first = words[at]
    if (dozens := _dozens(words, at)) is not None:
        return dozens
    total, current, size = 0.0, 0.0, float("inf")
    end, used, doubtful, figures = first.start(), 0, True, False
    place = at
    while place < len(words):
        word = words[place]
        form = word.group()
        if form in PER_CENT and place and words[place - 1].group() in {"por", "per"}:
            break
        joined = form in JOINS and used and place + 1 < len(words)
        if (form in JOINS or form == "-") and used:
            following = words[place + 1].group() if place + 1 < len(words) else ""
            value = _value(following)
            tight = (
                form == "-" and words[place + 1].start() == word.end() == end + 1 if place + 1 < len(words) else False
            )
            if value is None or value >= size or figures or (form == "-" and not tight):
                break
            place += 1
            continue
        if used and not joined and not _touches(words[place - 1], word):
            break
        if word.lastgroup == "figures":
            if used and not (size == THOUSAND and _figure(form) < THOUSAND and figures is False):
                break
            current, figures, doubtful, size = current + _figure(form), True, False, 1.0
        elif form in SCALES and (used or form in {"mil", "milzao", "thousand"}):
            if form in {"k", "mi", "lucas", "palos", "grand"} and not used:
                break
            scale = SCALES[form]
            if scale == LAST_TEN + 10:  # "hundred"
                current, size = max(1.0, current) * scale, scale
            else:
                total, current, size = total + max(1.0, current) * scale, 0.0, scale
                figures = False
            doubtful = doubtful and not used and form == "mil"
        else:
            value = _value(form)
            if value is None or value >= size or figures:
                break
            current, size = current + value, _size(value)
            doubtful = doubtful and form in DOUBTFUL
        used, end, place = used + 1, word.end(), place + 1
    if not used:
        return None, at + 1
    return Number(first.start(), end, total + current, doubtful, first.lastgroup == "word"), max(place, at + 1)


def _dozens(words: list[re.Match[str]], at: int) -> tuple[Number, int] | None:
    """ "meia duzia", "uma duzia e meia", "two dozen", "half a dozen"."""
    ahead = [word.group() for word in words[at : at + 5]]
    first = words[at]
    if ahead[0] in HALVES and len(ahead) > 1:
        reach = 2 if ahead[1] == "a" and len(ahead) > 2 else 1
        if ahead[reach] in DOZENS:
            return Number(first.start(), words[at + reach].end(), 6.0, is_words=True), at + reach + 1
        return None
    value = _figure(ahead[0]) if first.lastgroup == "figures" else _value(ahead[0])
    reach = 0 if ahead[0] in DOZENS else 1
    if reach and (value is None and ahead[0] != "a"):
        return None
    if reach < len(ahead) and ahead[reach] in DOZENS:
        count = 12.0 * (value or 1.0)
        if ahead[reach + 1 : reach + 3] in (["e", "meia"], ["y", "media"], ["and", "half"]):
            return Number(first.start(), words[at + reach + 2].end(), count + 6, is_words=True), at + reach + 3
        return Number(first.start(), words[at + reach].end(), count, is_words=True), at + reach + 1
    return None


def _touches(before: re.Match[str], word: re.Match[str]) -> bool:
    return word.start() - before.end() <= 1


def _value(form: str) -> float | None:
    for table in (ONES, TENS, HUNDREDS):
        if form in table:
            return float(table[form])
    return None


def _size(value: float) -> float:
    """What follows must be smaller: after twenty a one, after two hundred a ten."""
    return 100.0 if value >= 100 else 10.0 if value >= 20 else 1.0


def _figure(form: str) -> float:
    """ "1.200" and "1,200" are twelve hundred, "1,5" and "99.90" are not whole."""
    if re.fullmatch(r"\d{1,3}(?:[.,]\d{3})+", form):
        return float(re.sub(r"[.,]", "", form))
    whole, mark, cents = form.replace(",", ".").rpartition(".")
    return float(whole.replace(".", "") + mark + cents)


def spans(found: list[Number]) -> Iterator[tuple[int, int]]:
    """Places of numbers."""
    for number in found:
        yield number.start, number.end
