"""How many people work in a lead's team, from figures, words, sums and enumerations. Pure."""

import re
from dataclasses import dataclass
from itertools import pairwise

from conversations.playbook.fact_words import KIN, STAFF
from conversations.playbook.money import Number, level, numbers

LARGEST = 100_000
MOST_NUMBERS = 40  # a list of more is no team
ARTICLES = re.compile(r"(?:um|uma|un|una|uno|one|mil)\b")
CORRECTS = re.compile(
    r"(?:\b(?:ops|opa|alias|digo|quer dizer|quero dizer|na verdade|minto|errei|corrigindo|i mean|actually|sorry|scratch that|wait|perdon|mejor dicho|quise decir|en realidad|desculpa|melhor|ah nao|quem me dera)\b|(?:\.\.\.|,|-)\s*(?:nao|no)\s*,)[\s,:.]*"
)
PAST = re.compile(
    r"\b(?:eram?|eramos|fomos|foram|tinha|tinhamos|ja (?:tive|tivemos|fomos)|antes|era|teniamos|antes eramos|used to|were|had|was)\b(?:\s+(?:be|have|de|em|mais))?[^,;.]{0,14}$"
)
SUBJECT = re.compile(
    r"\b(?:somos|son|sao|seremos|nos e|nois e|a gente e|we are|we're|there are|there's|i have|we have|we've got|i've got|have got|got|tenho|temos|tem|tiene|has|tengo|tenemos|cuento con|contamos com|conto com|trabalham|trabajan|trabalhamos|trabajamos|equipe|equipo|time|team|staff|"
    r"com|con|with|quadro|sobraram?|sobrou|quedamos|quedan|down to|up to|employ|employs|for|para|pra|de|en|em|of|mas|only|so|solo|apenas|just)\s+(?:(?:apenas|so|solo|just|only|like|about|around|aqui|hoje|em|en|de|of|de uns|uns|umas|unos|unas|como|cerca de|mais ou menos|maybe|roughly|al menos|at least|a team of|um time de|uma equipe de|un equipo de|tipo|total de|nada menos que|more than|mais de|over|casi|quase|nearly|almost|agora|ahora|now|nós|nos|the|los|las)\s+){0,3}$"
)
STRONG = re.compile(
    r"\b(?:somos|nos e|nois e|a gente e|we are|we're|there are|quedamos|sobrou|sobraram|down to|equipe|equipo|time|team|staff)\b[^,.;]{0,18}$"
)
TOTAL = re.compile(
    r"^\s*(?:no total|ao todo|em total|in total|en total|total|altogether|all together|no todo|todos)\b|^\s*(?:pessoas |people |personas )?(?:ao todo|no total|in total|en total|all in)"
)
STAFF_AFTER = re.compile(
    rf"^\s*(?:(?:outr[oa]s|full[- ]time|part[- ]time|novos?|mais|bons|boas|good|other)\s+)?{STAFF}\b"
)
OTHERS_PEOPLE = re.compile(
    r"^\s*(?:pessoas|personas|people|alunos|clientes|pacientes)\s+(?:por|per|a|each|al|que (?:comp|vie)|interess)"
)
NOT_PEOPLE = re.compile(
    r"^\s*(?:%|anos?|years?|meses|months?|dias?|days?|horas?|h\b|hours?|mil\b|reais|r\$|k\b|contos?|euros|dolar|pesos|semanas?|weeks?|vezes|times|lojas?|unidades?|filiais|alunos?|clientes?|customers|students|pacientes?|"
    r"patients|carros?|caminh|trucks|vans|cars|mesas|tables|quartos|rooms|chales|leads|pedidos|orders|ligac|calls|metros|km|kg|litros|placas|hectares|casos|processos|cadeiras|chairs|imoveis|properties|locations|apartamentos|condominios|[:/]\d|minut|min\b|turnos|turmas|salas|vagas|filhos|filhas|hijos|kids|children|cachorro|gato|dogs|cats)"
)
ALONE = re.compile(
    r"\b(?:so eu|somente eu|apenas eu|(?:atendo|faco|edito|cuido|vigio|dou aula|cozinho|dirijo|administro|advogad[oa]|atiendo|hago todo|i do (?:it|everything)|i work) (?:\w+ ){0,2}(?:sozinh[oa]|sol[oa]|alone)|eu sozinh[oa]|sou (?:so )?(?:eu )?sozinh[oa]|trabalho sozinh[oa]|toco [^,.]{0,20}sozinh[oa]|sou so eu|eu mesm[oa] e deus|eu e deus|just me|only me|just myself|it's me alone|on my own|by myself|one[- ]man|one[- ]woman|solo yo|solamente yo|yo sol[oa]|trabajo sol[oa]|sozinh[oa] tipo eu|quem (?:e|trabalha) sozinh[oa]|eu(?:quipe|equipe))\b"
)
PLUS = re.compile(
    r"\b(eu|yo|me|i|myself|nos dois|comigo)\s*,?\s*(?:e|y|and|mais|mas|plus|\+|com|con|with)\s+(?:mais |mas |outros? |outras? |other |uns |umas )*$"
)
MEMBER = re.compile(
    rf"\b(?:(?:a |o |la |el |the )?(?:minha|meu|mi|my|um|uma|un|una|an?|one|o|a|la|el)\s+(?:[a-z]+\s)?(?:{KIN}|{STAFF}|rapaz|moca|menino|menina|senhora|colega|chico|chica|guy|girl|muchach[oa]|motoboy|caixa)\b)"
)
SELF = re.compile(r"\b(?:eu|yo|me|myself|i)\b")
COUNTED = re.compile(rf"^\s*(?:\w+\s+)?(?:{STAFF}|{KIN}|no |na |en |in the |at the |on the |meninos|rapazes|mocas)\b")


@dataclass(frozen=True)
class Team:
    """How many, and where it is said."""

    size: int
    start: int
    end: int
    confidence: float


def team(text: str, *, is_asked: bool) -> Team | None:
    """The last size the lead gives of the team, or None. In: the text, and whether the question before asked for it."""
    plain = level(text)
    offset = 0
    for match in CORRECTS.finditer(plain):
        if match.start() and numbers(plain[match.end() :]) and numbers(plain[: match.start()]):
            offset = match.end()
    found = _team(plain[offset:], is_asked=is_asked)
    if found is None:
        return None
    return Team(found.size, found.start + offset, found.end + offset, found.confidence)


def _team(plain: str, *, is_asked: bool) -> Team | None:
    counts = [
        number
        for number in numbers(plain)[:MOST_NUMBERS]
        if number.value == int(number.value) and 0 < number.value < LARGEST
    ]
    people = [number for number in counts if _is_of_people(plain, number, is_asked=is_asked)]
    for number in people:
        if TOTAL.match(plain[number.end :]) or re.search(
            r"\b(?:total de|ao todo|no total|in total|en total)\s*(?:sao|somos|we're|de|of|:)?\s*$",
            plain[: number.start],
        ):
            return Team(int(number.value), number.start, number.end, 0.9)
    for number in counts:
        if (plus := PLUS.search(plain[: number.start])) and not NOT_PEOPLE.match(plain[number.end :]):
            rest = [other for other in people if other.start > number.end and not other.is_doubtful]
            more = sum(
                int(other.value) for other in rest if re.search(r"[,e+y]\s*$|and\s*$", plain[number.end : other.start])
            )
            singles = len(MEMBER.findall(plain[number.end :]))
            end = rest[-1].end if more else number.end
            return Team(int(number.value) + 1 + more + singles, plus.start(), end, 0.9)
    if (
        is_asked
        or re.search(r"\b(?:somos|we're|we are|tenho|trabalh\w+|equip\w+|quem atende|sou eu|soy yo|it's me)\b", plain)
    ) and (listed := _enumeration(plain, people)):
        return listed
    sure = [number for number in people if not number.is_doubtful or is_asked]
    now = [number for number in sure if not PAST.search(plain[: number.start])] or sure[:0]
    if len(now) > 1 and _are_summed(plain, now):
        total = sum(int(number.value) for number in now)
        return Team(total, now[0].start, now[-1].end, 0.8)
    strong = [number for number in now if STRONG.search(plain[: number.start])]
    if now:
        number = (
            (strong or now)[-1]
            if not is_asked
            else now[0]
            if len(now) == 1
            else (strong or now)[-1 if PAST.search(plain) else 0]
        )
        return Team(
            int(number.value),
            number.start,
            number.end,
            0.85 if is_asked or STAFF_AFTER.match(plain[number.end :]) else 0.7,
        )
    if alone := ALONE.search(plain):
        return Team(1, alone.start(), alone.end(), 0.8)
    if is_asked and re.fullmatch(r"\W*(?:eu|yo|me|1|um|uno|one)\W*", plain):
        return Team(1, 0, len(plain), 0.7)
    return None


def _is_of_people(plain: str, number: Number, *, is_asked: bool) -> bool:
    after = plain[number.end :]
    if (
        NOT_PEOPLE.match(after)
        or OTHERS_PEOPLE.match(after)
        or re.match(r"\s*(?:%|[:/]\s?\d|o\b|a\b\.|st\b|nd\b|rd\b|th\b)", after)
    ):
        return False
    if re.search(r"(?:r\$|\$|€|£|\bdia|\bas|\bloja|\bn)\s*$", plain[: number.start]):
        return False
    if STAFF_AFTER.match(after):
        return bool(
            is_asked
            or SUBJECT.search(plain[: number.start])
            or not plain[: number.start].strip()
            or re.search(
                r"[,.;+(e]\s*$|\b(?:y|and|m[ea]us?|minhas|my|our|mis|nossos|os|train|treinar|uns|umas|unos)\s+$",
                plain[: number.start],
            )
        )
    subject = SUBJECT.search(plain[: number.start])
    if subject and subject.group().split()[0] in {"somos", "seremos", "quedamos", "we're", "sobrou", "sobraram"}:
        return not number.is_doubtful or is_asked
    if subject and re.search(
        r"\b(?:we are|a gente e|nos e|nois e|equipe|equipo|team|staff|there are|time)\b", subject.group()
    ):
        return not re.match(r"\s*[a-z]", after) or bool(
            re.match(
                r"\s*(?:aqui|here|no total|com|contando|hoje|now|e\b|y\b|and\b|mas\b|pero\b|but\b|em\b|en\b|in\b|total|incl|ao|agora|pra|para|of us)",
                after,
            )
        )
    return is_asked and not (number.is_doubtful and ARTICLES.match(plain, number.start))


def _enumeration(plain: str, people: list[Number]) -> Team | None:
    """ "eu, meu pai e três rapazes": one for each person named, the numbers as they are."""
    members = list(MEMBER.finditer(plain))
    me = SELF.search(plain)
    groups = [number for number in people if not number.is_doubtful and COUNTED.match(plain[number.end :])]
    if me is None or not members or me.start() > members[0].start():
        return None
    if not re.match(r"\s*(?:,|e\b|y\b|and\b|mais\b|mas\b|\+|com\b|con\b)", plain[me.end() :]):
        return None
    end = max(members[-1].end(), groups[-1].end if groups else 0)
    size = 1 + len(members) + sum(int(number.value) for number in groups)
    return Team(size, me.start(), end, 0.75)


def _are_summed(plain: str, people: list[Number]) -> bool:
    """ "5 na cozinha, 4 no salão": every number stands with what they do, none is a total."""
    for before, after in pairwise(people):
        between = plain[before.end : after.start]
        if (
            not re.search(r"(?:,|\be|\by|\band|\+|\bmais|\bplus)\s*$", between)
            or len(between) > 40
            or len(between.strip(" ,ey+")) < 3
        ):
            return False
    return all(COUNTED.match(plain[number.end :]) for number in people)
