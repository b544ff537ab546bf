"""Who a lead is: name, company, role, line of business. Pure; places are those of the text, values verbatim."""

import re
from collections.abc import Iterator

from conversations.playbook.fact_words import (
    BROAD,
    DEPARTMENTS,
    FIRST_NAMES,
    KIN,
    TITLE_MORE,
    TITLES,
    TRADES,
    WORKPLACES,
)
from conversations.playbook.money import level

Place = tuple[int, int, float]  # start, end, confidence

HONORIFIC = r"(?:(?:dr|dra|sr|sra|srta|dona|seu|don|dona|prof|profa|professor|mr|mrs|ms|miss|eng|lic|ing|pastor|padre)\b\.?\s+)?"
UPPER = r"[A-ZÁÉÍÓÚÂÊÔÃÕÀÇÑÜ]"
PROPER = rf"{UPPER}[\w'’ªº.&-]*"
PROPER_RUN = re.compile(rf"{PROPER}(?:\s+(?:(?:d[aeo]s?|del?|e|y|&|la|los|el|van|von|of|the|and|na)\s+)*{PROPER})*")
NAME_AFTER = [
    (0.95, r"(?:meu nome (?:e|eh)|me chamo|(?:pode|podem|pode) (?:me )?(?:chamar|botar|por|colocar|anotar)(?: de| por)?|me chama[m]? (?:de|so de)?|mi nombre es|me llamo|llamame|diganme|dime|me dicen|me llaman|my name(?: i|')s|my name is|call me|everyone calls me|(?:just )?go by|(?:me )?conhece[m]? por|nome:|name:|nombre:)"),
    (0.85, r"(?:aqui (?:e|eh|quem fala e|quem escreve e|te escribe|habla)|(?:quem (?:fala|escreve|esta falando|responde)[^,.!?]{0,15}(?:e|sou eu,?))|fala (?:aqui )?(?:e )?(?=[oa] )|this is|it's|it is|here's|habla|le habla|te habla|le escribe|te escribe|aqui)"),
    (0.8, r"(?:\beu sou|\bsou|\bsoy|\byo soy|\bi'm|\bim|\bi am)"),
    (0.8, r"(?:[,;.]\s*(?:e|eh|es|it's|its))"),
]  # fmt: skip
ARTICLE = r"(?:\s*,?\s*(?:o|a|el|la|the|de|só|so|eu|is|just|as)\b)*\s*[:,]?\s*"
NOT_NAMES = frozenset(
    """sim nao oi ola bom boa dia tarde noite hello hi hey hola buenas buenos good morning afternoon evening yes no ok okay claro tudo bem obrigado obrigada gracias thanks
    dono dona responsavel unico unica eu yo i me meu minha mei pf pj cliente aqui da do de das dos somos com para pra que so tipo sozinho sozinha robo pessoa gente
    empresa loja casa nova novo the a an from with at not in just sure still looking interested busy fine afraid getting calling writing based self
    muito mais um uma uns umas el la los las un una de del en desde nuevo nueva nadie quem quien who autonomo autonoma casado casada solteiro viuva viuvo cadeirante
    leigo brasileiro mineiro gaucho baiano carioca paulista mexicano argentino por porque prefiro quero queria ja pode marido esposa mae pai filho filha irmao irma
    agora alguem alguien someone back later again when quando depois ai lo mais quem somebody anyone please urgente porfa favor si
    mulher homem cara sorry glad happy good ready open trying tired done sick wondering going running still also only ontem hoje amanha legal isso certo fechado
    perfeito prazer mucho gusto placer nice pleasure outra outro ligar falar contigo comigo eles ela ele voce bem mal seria estou estoy
    """.split()
)
SINGLE_NAME = re.compile(r"[a-zA-ZÀ-ÿªº.'’-]+")
NAME_MORE = re.compile(rf"(?:\s+(?:d[aeo]s?\s+)?{PROPER})*")
DENIED = re.compile(
    r"\b(?:nao (?:e|sou|eh|me chamo)|no soy|no es|no me llamo|not|isn't|i'm not)\s+(?:mais\s+)?(?:o\s+|a\s+|el\s+|la\s+)?$"
)
CALLED = re.compile(r"\b(?:pode (?:me )?chamar|me chama|call me|llamame|me dicen|go by|diganme|por aqui sou|conhece)\b")

TITLE_OF = re.compile(
    rf"\b(?:{TITLES})(?:\s+(?:e|de|of|and)\s+[a-z-]+)?\s+(?:d[aeo]|del?(?: la)?|of|at|for|n[ao]|en)\s+(?:the\s+|a\s+|o\s+)?"
)
ROLE_CUES = re.compile(
    rf"(?:\b(?:sou|soy|i'm|im|i am|eu|como|trabalho como|trabajo como|i work as|work as|cargo(?: e|:)?|funcao(?: e|:)?|puesto(?: es|:)?|my role is|my title is|as)\s+(?:an?\s+|the\s+|o\s+|a\s+|el\s+|la\s+|uma?\s+|un[a]?\s+|so\s+|apenas\s+|solo\s+|just\s+)*)"
    rf"((?:{TITLES})(?:{TITLE_MORE}))(?![\w])"
)
ROLE_WORD = re.compile(
    rf"(?<![\w-])((?:[a-z]+ (?=(?:manager|director|lead|coordinator|assistant|engineer|supervisor|owner|officer|rep)\b))?(?:{TITLES})(?:{TITLE_MORE}))(?![\w-])"
)
MINE = re.compile(
    r"\b(?:meu|minha|meus|nosso|nossa|o|a|mi|mis|nuestro|nuestra|el|la|my|our|the|um|uma|un|una|an?|seu|sua|tu|your|tenho|tem|temos|\d+|dois|duas|tres|com|falar com|pro|ao|pela|pelo|do|da|del|with|que|for|para)\s+$"
)
ENGLISH_TITLE = re.compile(
    r"\b(?:i'm|i am|im|as)\s+(?:the|an?)?\s*((?:[a-z]+\s){0,2}(?:manager|director|owner|lead|coordinator|assistant|engineer|supervisor|officer|rep|nurse|teacher|accountant|broker|consultant|founder))\b"
)
ROLE_FILLERS = re.compile(
    r"^(?:sou|soy|i'm|im|i am|eu|o|a|el|la|the|an?|uma?|un|una|just|so|apenas|aqui|yo|ah|olha|bom)\s+"
)

COMPANY_CUES = [
    (0.9, r"(?:nome (?:d[ao] )?(?:minha |nossa |meu |nosso )?(?:empresa|loja|negocio|clinica|escola|firma|estudio|salao|marca|lugar|escritorio|restaurante)(?: e| eh|:)|empresa:|company:|empresa se chama|loja se chama|negocio se chama|chama-se|se llama|(?:negocio|empresa|tienda|local|marca) (?:se llama|es)|company is(?: called)?|business is(?: called)?|we're called|(?:shop|store|studio|clinic|firm)(?:'s| is) called|called|falo em nome d[ao]|em nome d[ao]|represento [ao]|represent|on behalf of)"),
    (0.8, r"(?:aqui e d[ao]|aqui da|aqui do|falo d[ao]|sou d[ao]|somos d[ao]|somos [ao]|trabalho n[ao]|trabajo en|trabajo para|soy de la empresa|somos|we are|we're|i work (?:at|for)|i'm (?:with|from|at)|i am (?:with|from)|here at|escribo de|escrevo d[ao]|llamo de|dono d[ao]|dona d[ao]|gerente d[ao]|diretora? d[ao]|socia? d[ao]|compradora? d[ao]|fundador d[ao]|duen[oa] de|founder of|owner of|own|run|director of|manager at|ceo of|toco [ao])"),
]  # fmt: skip
FROM = re.compile(
    r"^(?:[\s,]*(?:,?\s*aqui)?\s*,?\s*\b(?:da|do|de|del|from|at|with|of|d[ao]s)\b\s+(?:la\s+|el\s+|the\s+|a\s+|o\s+)?|\s*,\s+|\s+aqui,?\s+(?:da|do|de)?\s*)"
)
CITIES = frozenset(
    """sao paulo rio janeiro bahia minas gerais curitiba goiania recife fortaleza salvador belem manaus brasilia campinas santos osasco maringa londrina joinville
    florianopolis blumenau caxias aracaju natal maceio teresina cuiaba betim contagem niteroi sorocaba ribeirao uberlandia uberaba parana goias ceara brasil brazil
    mexico madrid barcelona bogota lima santiago rosario cordoba mendoza guadalajara monterrey medellin cali quito austin denver boston chicago london dallas miami seattle
    bh sp rj mg rs sc pr santa catarina espanha argentina chile colombia peru texas""".split()
)
TRADE = re.compile(
    r"(?<![\w-])("
    + "|".join(sorted(map(re.escape, {level(t) for t in TRADES}), key=len, reverse=True))
    + r")(?:s|es)?(?![\w-])"
)
TRADE_NAMED = re.compile(
    rf"(?:^|[.,!]\s*|\b(?:dia|tarde|noite|fia|gente|pessoal|somos|e|da|do|na|aqui|minha|nossa|tengo)\s+)(?:a\s+|o\s+)?{TRADE.pattern}(?:\s+(?:infantil|de\s+[a-z]+|popular))?\s+(?=[a-z])"
)
TRADE_MORE = re.compile(
    r"(?:\s+(?:e|y|and)\s+[a-z]+|\s+(?:de|do|da|para|for)\s+(?!(?:um|uma|meu|minha|mi|my|novo|todo)\b)[a-z]+(?:\s+(?:de|e|y)\s+[a-z]+)?|\s+(?:canina|odontologica|veterinaria|mecanica|eletrica|infantil|feminina|automotiva|estetica|popular|rapida|integral|fisica|online|movel|tributarist\w+|previdenciari\w+|trabalhista|artesanal|natural|organic\w*))?"
)
OWN_BUSINESS = re.compile(
    r"\b(?:tenho|temos|toco|tocamos|abri|abrimos|minha|meu|nossa|nosso|sou|somos|e (?:uma?|um)|aqui e|na minha|numa|num|trabalho|trabalhamos com|mexo com|atuo|vendo|vendemos|fabrico|fabricamos|"
    r"tengo|tenemos|mi|nuestro|nuestra|soy|es (?:una?|un)|vendemos|vendo|abri|trabajo en|para mi|"
    r"have|own|run|my|our|we're|we are|i'm|at an?|small|manage|operate|work (?:at|for|in)|don[oa] d[eao]|propriet[a-z]+ d[eao]|duen[oa] de)\s+(?:an?\s+|uma?\s+|un[a]?\s+|o\s+|a\s+|the\s+|el\s+|la\s+|pequen[oa]\s+|small\s+|little\s+|local\s+|com\s+)*(?:[a-z]+\s){0,1}$"
)
FOR_OWN = re.compile(
    r"\b(?:(?:vale a pena|funciona|serve|tem plano|planos?|algo|atendem|atenderam|demonstrac\w+|demo|works?|anything|sirve|tienen algo)\b[^.!?]{0,24}\b(?:pra|para|for|alguma?|una?|an?)|toco (?:uma?|um|o|a)|sou d[ao]|diretoria d[ao]|facilities at)\s+(?:an?\s+|uma?\s+|un[a]?\s+|a\s+|o\s+)?$"
)
AT_WORK = re.compile(
    r"(?:^\W*(?:en la|en el|at the|in the)|\b(?:aqui n[ao]|aca en (?:el|la)|ca n[ao]|here (?:at|in) the|that's the whole))\s+$"
)
VISITS = re.compile(
    r"\b(?:fui|vou|voy|levo|levei|deixo|comprei|compro|compr[ea]|went|go to|took|filh[oa]s?|hij[oa]s?|minha casa|mi casa|my house|meu carro|mi coche|my car|vi |moro|vivo|estudo|perto|cerca|next to)\b"
)
SELLS = re.compile(
    r"\b(?:mexo com|trabalhamos com|trabalho com|vendo|vendemos|fabricamos|fabrico|produzimos|faco|fazemos|distribuimos|atuamos com|atuo com|atuamos n[ao] (?:ramo|area|setor) de|ramo de|setor de|rubro de(?:l| la)?|vendemos|hacemos|fabricamos|nos dedicamos a(?: la| el)?|me dedico a(?: la)?|we (?:sell|make|do|build|install)|i (?:sell|make)|in the)\s+([a-z]+(?:\s+(?:e|de|no|na|y|and|para)\s+[a-z]+)*)"
)
CLAUSE = re.compile(r"[,;.!?\n(]|\s-\s|\b(?:mas|pero|but|que|porque|because)\b|\s(?:em|en|in|aqui|ha|faz)\s")


def names(text: str, *, is_asked: bool) -> Iterator[Place]:
    """Where the lead says their own name, the surest last."""
    plain = level(text)
    found: list[Place] = []
    for confidence, cue in NAME_AFTER:
        for match in re.finditer(rf"(?<![\w]){cue}(?![\w]){ARTICLE}{HONORIFIC}", plain):
            if DENIED.search(plain[: match.end()]) or re.search(r"\b(?:nao|not|no)\s*$", plain[: match.start()]):
                continue
            if (place := _name_at(text, plain, match.end(), sure=confidence > 0.9, is_asked=is_asked)) is not None:
                found.append((*place, confidence))
    here = re.finditer(rf"(?:^|[.!\n,]\s*)({PROPER}(?:\s+{PROPER})?)\s+(?:aqui|here|por aqui)\b", text)
    found += [(match.start(1), match.end(1), 0.85) for match in here if not _is_common(match.group(1))]
    if not found and (signed := _signed(text)) is not None:
        found.append(signed)
    if is_asked and not found and (direct := _direct_name(text, plain)) is not None:
        found.append(direct)
    surest = max((place for _, _, place in found), default=0.0)
    called = [place for place in found if CALLED.search(plain[max(0, place[0] - 30) : place[0]])]
    if called:
        yield called[-1]
    elif found:
        yield next(place for place in reversed(found) if place[2] == surest)


SIGNED = re.compile(rf"(?:[.?!,\n]|\s-)\s*({PROPER}(?:\s+(?:d[aeo]s?\s+)?{PROPER}){{0,2}})\s*[.!]?\s*$")
AFTER_TITLE = re.compile(
    rf"\b(?:sou|soy|i'm|i am)\s+(?:[oa]\s+|el\s+|la\s+|the\s+|an?\s+)?(?:{TITLES})(?:{TITLE_MORE})\s*,\s*$"
)


def _signed(text: str) -> Place | None:
    """A first name as the text's last words ("…? Ana Lima"), or after what one is ("sou síndico, Ivo")."""
    if text.isupper():
        return None
    match = SIGNED.search(text)
    if match and level(match.group(1)).split()[0] in FIRST_NAMES and len(match.group(1).split()) > 1:
        return match.start(1), match.end(1), 0.7
    for run in PROPER_RUN.finditer(text):
        if AFTER_TITLE.search(level(text[: run.start()])) and not _is_common(run.group()):
            return run.start(), run.end(), 0.8
    return None


def _is_common(name: str) -> bool:
    first = level(name).split(" ")[0].strip(".,'")
    return first in NOT_NAMES or bool(TRADE.fullmatch(first)) or bool(re.fullmatch(TITLES, first))


def _name_at(text: str, plain: str, start: int, *, sure: bool, is_asked: bool) -> tuple[int, int] | None:
    first = SINGLE_NAME.match(text, start)
    if first is None:
        return None
    word = plain[first.start() : first.end()].strip(".'")
    capital = text[start].isupper() and not text.isupper()
    if word in NOT_NAMES or (not sure and (TRADE.fullmatch(word) or re.fullmatch(rf"{TITLES}|{KIN}", word))):
        return None
    if not capital and not sure and word not in FIRST_NAMES:
        return None
    more = NAME_MORE.match(text, first.end()) if capital else None
    end = more.end() if more and not re.match(r"\s+d[aeo]", more.group()) else first.end()
    if not capital:
        following = re.match(r"\s+([a-z]+)", plain[first.end() :])
        if following and following.group(1) in FIRST_NAMES:
            end = first.end() + following.end()
    while end > start and text[end - 1] in ".,":
        end -= 1
    return (start, end) if end > start else None


GREETING = re.compile(
    r"^(?:oi+e*|ola|opa|hola|hi|hello|hey|bom dia|boa tarde|boa noite|buen(?:os|as)? (?:dias?|tardes?|noches)|good \w+|salve|fala|e ai|tudo bem|sim|yes|si|claro|prazer|um prazer|aqui|ah|bueno|pessoal|gente|todos|there|ola pessoal)\b[\s,!.:?]*"
)


def _direct_name(text: str, plain: str) -> Place | None:
    start = 0
    while match := GREETING.match(plain[start:]):
        start += match.end()
    if honorific := re.match(r"(?:(?:o|a|el|la|e|eh|es|it's)\s+)?" + HONORIFIC, plain[start:]):
        start += honorific.end()
    clause = re.split(
        r"[,.;!?\n(]|\s-\s|\s(?=(?:da|do|de|del|from|aqui|here|mas|e|y|and|at|as|como|but)\s)", text[start:]
    )[0].strip()
    count = len(clause.split())
    if not clause or count > 3 or not all(SINGLE_NAME.fullmatch(word) for word in clause.split()):
        return None
    first = level(clause).split()[0]
    if (
        first in NOT_NAMES
        or (count > 1 and not clause[0].isupper() and first not in FIRST_NAMES)
        or TRADE.fullmatch(first)
    ):
        return None
    at = text.index(clause, start)
    return at, at + len(clause), 0.75


def companies(text: str, *, is_asked: bool, name: tuple[int, int] | None) -> Iterator[Place]:
    """Where the lead's company is named: after a cue, after the name ("Ana, da Padaria Sol"), or a trade in capitals."""
    plain = level(text)
    for confidence, cue in COMPANY_CUES:
        for match in re.finditer(rf"\b{cue}\s+(?:[oa]\s+|the\s+|la\s+|el\s+)?", plain):
            if re.search(r"\b(?:fui|era|was|were|ex|used to)\s*(?:\w+\s)?$", plain[: match.start()]) or re.match(
                r"(?:fui|era)\b", match.group()
            ):
                continue
            if (place := _proper_at(text, plain, match.end(), strict=confidence < 0.9)) is not None:
                yield (*place, confidence)
                return
    after = FROM.match(plain[name[1] :]) if name is not None else None
    if name is not None and after and (place := _proper_at(text, plain, name[1] + after.end(), strict=True)):
        yield (*place, 0.85)
        return
    for match in TITLE_OF.finditer(plain):
        if (place := _proper_at(text, plain, match.end(), strict=True)) is not None:
            yield (*place, 0.8)
            return
    for run in TRADE_NAMED.finditer(plain):
        start = run.end()
        if (
            "?" not in plain
            and (own := PROPER_RUN.match(text, start))
            and not text.isupper()
            and level(own.group()).split()[0] not in CITIES
        ):
            yield start, own.end(), 0.7
            return
    for run in PROPER_RUN.finditer(text):
        words = level(run.group()).split()
        if (
            len(words) > 1
            and TRADE.fullmatch(words[0])
            and not text.isupper()
            and not re.search(r"\b(?:usa|uso|com a|fornecedor|cliente|supplier)\s+$", plain[: run.start()])
        ):
            yield run.start(), run.end(), 0.75
            return
    if (
        is_asked
        and not re.match(r"\W*(?:fui|era|i was|sou|soy)\b", plain)
        and (place := _proper_at(text, plain, 0, strict=False))
    ):
        yield (*place, 0.6)


def _proper_at(text: str, plain: str, start: int, *, strict: bool) -> tuple[int, int] | None:
    while match := GREETING.match(plain[start:]) if not strict else None:
        start += match.end()
    run = PROPER_RUN.match(text, start)
    if run is not None and not (strict and text.isupper()):
        end = run.end()
        words = level(run.group()).split()
        if (
            words[0] in CITIES
            or words[0] in NOT_NAMES
            or (strict and len(words) == 1 and words[0] in FIRST_NAMES)
            or (len(words) == 1 and TRADE.fullmatch(words[0]))
        ):
            return None
        while text[end - 1] in ".,":
            end -= 1
        return start, end
    trade = TRADE.match(plain, start)
    if trade is not None:
        rest = re.match(
            r"(?:\s+(?:d[aeo]s?\s+)?(?!em\b|com\b|e\b|aqui\b|na\b|no\b|de\b|que\b|pequena\b|there\b|en\b|in\b|para\b|pra\b)[a-z]+){1,2}",
            plain[trade.end() :],
        )
        if rest and not strict:
            return start, trade.end() + rest.end()
        if rest and re.search(
            rf"(?:^|\s)(?:{'|'.join(sorted(FIRST_NAMES))}|santa|sao|estrela|sol|lua|bom|boa|bela|novo|nova|real|central|primavera|ideal|popular|brasil|dona|vovo|tia|tio|irmaos)\b",
            rest.group(),
        ):
            return start, trade.end() + rest.end()
        return None
    if strict:
        return None
    clause = re.split(r"[,.;!?\n(]", text[start:])[0].strip()
    if not clause or len(clause.split()) > 5 or level(clause).split()[0] in NOT_NAMES:
        return None
    at = text.index(clause, start)
    return at, at + len(clause)


OF_DEPARTMENT = re.compile(
    rf"\b(?:sou|soy|aqui e|aqui|i'm|i am|this is|trabalho n|trabajo en|falo d|e) ?[oa]?\s+(?:[a-z]+\s+){{0,2}}?(?:d[oa]|del?|of|from|in|en|no|na|cuido d[oa])\s+(?:the\s+|la\s+)?({DEPARTMENTS})\b"
)


def roles(text: str, *, is_asked: bool, introduces: bool) -> Iterator[Place]:
    """Where the lead says what they are in the company, or by profession."""
    plain = level(text)
    if (department := OF_DEPARTMENT.search(plain)) and introduces:
        yield department.start(1), department.end(1), 0.8
        return
    for match in [*ENGLISH_TITLE.finditer(plain), *ROLE_CUES.finditer(plain)]:
        if re.search(r"\b(?:nao|not|no|fui|era|filho d[oa]|marido d[oa])\s*$", plain[: match.start()]):
            continue
        if re.fullmatch(rf"{KIN}", match.group(1)):
            continue
        yield match.start(1), match.end(1), 0.85
        return
    if not (is_asked or introduces):
        return
    for match in ROLE_WORD.finditer(plain):
        if MINE.search(plain[: match.start()]) or (
            not is_asked and not re.search(r"(?:^|[,.;-]\s*|\be\s+)$", plain[: match.start()])
        ):
            continue
        yield match.start(1), match.end(1), 0.8
        return
    if is_asked:
        first = re.split(r"[,.;!?\n(]|\s(?:mas|pero|but|d[ao] |at |n[ao] |en )", text)[0].strip()
        offset = 0
        while filler := ROLE_FILLERS.match(level(first)):
            first, offset = first[filler.end() :], offset + filler.end()
        if first and len(first.split()) <= 4 and level(first).split()[0] not in NOT_NAMES:
            at = text.index(first)
            yield at, at + len(first), 0.55


def _without_greeting(plain: str) -> str:
    start = 0
    while match := GREETING.match(plain[start:]):
        start += match.end()
    return plain[start:]


PEOPLE_COUNTED = re.compile(r"(?:\d|\b(?:dois|duas|dos|tres|quatro|cuatro|cinco|seis|two|three|four|five|six))\s+$")
YOURS = re.compile(
    rf"\b(?:(?P<of>{WORKPLACES})\s+(?:de voces|de vcs|de ustedes|d[oa] senhora?)|"
    rf"(?:quant[oa]s|cuant[oa]s|how many|quem|quien|who)\b[^?]*\b(?:n[ao]|en (?:el|la)|at the|in the)\s+(?P<at>{WORKPLACES}))\b"
)
DENIES = re.compile(
    r"\W*(?:nao|no|nope)\b(?![^.!?]*,)|.*\b(?:nao (?:e|sou|tenho|temos)|no (?:es|soy|tengo)|it's not|i'm not)\b"
)


def segment_asked_about(text: str, question: str) -> tuple[int, int] | None:
    """Where the question names the lead's own workplace, if the lead answers and does not deny it."""
    asked = level(question)
    if not text.strip() or DENIES.match(level(text)):
        return None
    for match in YOURS.finditer(asked):
        if "?" in asked[match.end() :] and "." not in asked[match.end() : asked.find("?", match.end())]:
            return match.span(match.lastgroup or 0)
    return None


def segments(text: str, *, is_asked: bool, company: tuple[int, int] | None) -> Iterator[Place]:
    """Where the line of business is said, or shows in the company's name."""
    plain = level(text)
    candidates: list[Place] = []
    for match in TRADE.finditer(plain):
        word = match.group(1)
        if PEOPLE_COUNTED.search(plain[: match.start()]) and re.fullmatch(TITLES, word):
            continue
        inside = company is not None and company[0] <= match.start() < company[1]
        own = OWN_BUSINESS.search(plain[: match.start()])
        for_own = FOR_OWN.search(plain[: match.start()])
        at_work = AT_WORK.search(plain[: match.start()]) and not VISITS.search(plain)
        opens = "?" not in plain and not _without_greeting(plain[: match.start()]).strip(" ,.!")
        more = TRADE_MORE.match(plain, match.end()) if not inside else None
        said_more = bool(more and more.group())
        if not (
            is_asked
            or own
            or inside
            or for_own
            or at_work
            or (opens and len(plain.split()) > 1 and (said_more or word not in BROAD))
        ):
            continue
        end = more.end() if more else match.end()
        confidence = 0.85 if is_asked else 0.8 if own else 0.6 if at_work and not inside else 0.7
        if word in BROAD and end == match.end():
            confidence -= 0.3
        candidates.append((match.start(), end, confidence))
    if is_asked and candidates and company is None:
        clause = CLAUSE.split(_without_greeting(plain))[0].strip()
        at = plain.find(clause)
        if (
            0 < len(clause.split()) <= 5
            and not re.search(r"\d|\b(?:sou|soy|i'm|tenho|tengo|somos|nome)\b", clause)
            and candidates[0][0] >= at
        ):
            yield at, at + len(clause), 0.75
            return
    if candidates:
        best = max(candidates, key=lambda place: place[2])
        if best[2] > 0.5:
            yield best
            return
    if is_asked:
        if sold := SELLS.search(plain):
            yield sold.start(1), sold.end(1), 0.7
            return
        first = CLAUSE.split(text)[0].strip()
        count = len(first.split())
        if 0 < count <= 5 and level(first).split()[0] not in NOT_NAMES and not re.search(r"\d", first):
            at = text.index(first)
            yield at, at + len(first), 0.55
