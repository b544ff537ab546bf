"""May this draft leave? What a draft says against what supports it, for both brains and for suggestions to people. Pure.

The rules are PRODUCT 2 "Guards": language, length, one question, none repeated; money, shares, days, hours, promises,
links, names and bookings only as knowledge or a tool result of this turn give them; no leak of instructions; nothing the
org forbids. What to do about a violation (repair, other brain, person) is for the turn to decide.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from conversations.playbook import claims, support
from conversations.playbook.claims import Place, Sources, stems
from conversations.playbook.money import amounts, level, numbers
from conversations.playbook.support import Backing, Judge, Verdict

LONGEST = 320  # characters: about two short sentences
LONGEST_QUOTING = 900  # where knowledge is quoted
SMALL_COUNT = 2  # "one of two": too common to be a claim
SAME_QUESTION = 0.6  # share of words that makes two questions one
MOST_QUESTIONS = 1
UNFOUNDED = 0.6  # from this chance on that nothing bears a sentence out, it is held back
BORNE_OUT = 0.15  # up to this one the words' share alone holds nothing back


class Kind(StrEnum):
    """What is wrong; the first eleven are kinds of claims (evals/README "claims.jsonl")."""

    MONEY = "money"
    PERCENT = "percent"
    DATE = "date"
    TIME = "time"
    BOOKING = "booking"
    PROMISE = "promise"
    LINK = "link"
    NAME = "name"
    INSTRUCTION_LEAK = "instruction_leak"
    LANGUAGE = "language"
    OTHER = "other"
    LENGTH = "length"
    REPEATED = "repeated"
    FORBIDDEN = "forbidden"


@dataclass(frozen=True)
class Violation:
    """`text` is `draft[start:end]`, verbatim."""

    kind: Kind
    text: str
    start: int
    end: int


@dataclass(frozen=True)
class ToolResult:
    """What a tool of this turn gave: its name, whether it did it, and its result as text."""

    tool: str
    result: str
    ok: bool = True


@dataclass(frozen=True)
class Grounds:
    """What a draft may lean on. `now` is aware, in the org's time zone; `language` pt-BR, en, es, or "" for the lead's.

    `asked`: questions put to this lead before. `limits_length` False where a person writes.
    """

    now: datetime
    knowledge: Sequence[str] = ()
    tool_results: Sequence[ToolResult] = ()
    lead_name: str = ""
    lead_message: str = ""
    org: str = ""
    language: str = ""
    forbidden: Sequence[str] = ()
    asked: Sequence[str] = ()
    own_names: Sequence[str] = field(default=())
    limits_length: bool = True


def check(draft: str, grounds: Grounds, *, judge: Judge | None = None) -> list[Violation]:
    """Everything that keeps a draft from leaving, by place; an empty list lets it go. Never raises.

    `judge`: another than the one that ships.
    """
    plain = level(draft)
    found = [*_claims(draft, plain, grounds, judge or support.judge()), *_manners(draft, plain, grounds)]
    unique = {(kind, place): None for kind, place in found if place[0] < place[1]}
    ordered = sorted(unique, key=lambda item: (item[1], item[0]))
    return [Violation(kind, draft[place[0] : place[1]], *place) for kind, place in ordered]


def sources_of(grounds: Grounds) -> Sources:
    """What a draft may lean on, levelled: what may be quoted apart from what the lead said."""
    quotable = [level(text) for text in (*grounds.knowledge, grounds.org, *grounds.own_names)]
    quotable += [level(result.result) for result in grounds.tool_results if result.ok]
    return Sources(quotable, level(grounds.lead_message), grounds.now)


def backing_of(grounds: Grounds) -> Backing:
    """The same, ready to be held against single sentences."""
    names = level(" ".join((grounds.org, grounds.lead_name, *grounds.own_names)))
    return Backing(sources_of(grounds), names=names, is_done=any(result.ok for result in grounds.tool_results))


def sentences(plain: str) -> Iterator[tuple[Place, str]]:
    """Sentences of a levelled draft with their places, white space around them left out."""
    for match in SENTENCE.finditer(plain):
        words = match.group().strip()
        if any(sign.isalpha() for sign in words):
            start = match.start() + len(match.group()) - len(match.group().lstrip())
            yield (start, start + len(words)), words


SENTENCE = re.compile(r"(?:[^.!?\n]|[.](?=\S))+[.!?]*")
Found = tuple[Kind, Place]


def _claims(draft: str, plain: str, grounds: Grounds, judge: Judge) -> Iterator[Found]:
    backing = backing_of(grounds)
    sources = backing.sources
    judged = list(_judged(plain, backing, judge))
    borne_out = [place for place, verdict in judged if verdict.chance <= BORNE_OUT]
    links = list(claims.LINK.finditer(plain))
    bare = plain
    for match in links:
        bare = bare[: match.start()] + " " * (match.end() - match.start()) + bare[match.end() :]
    of_numbers = [
        *((Kind.MONEY, place) for place in claims.unsupported_money(bare, sources)),
        *((Kind.PERCENT, place) for place in claims.unsupported_shares(bare, sources)),
        *((Kind.DATE, place) for place in claims.unsupported_days(bare, sources)),
        *(
            (Kind.TIME, place)
            for place in claims.unsupported_hours(bare, sources)
            if not THE_TWO.match(draft, place[0])
        ),
    ]
    yield from of_numbers
    yield from ((Kind.LINK, place) for place in claims.unsupported_links(plain, sources))
    yield from (
        (Kind.NAME, place) for place in claims.unknown_names(draft, sources, lead=grounds.lead_name, org=grounds.org)
    )
    yield from ((Kind.BOOKING, place) for place in _bookings(plain, grounds.tool_results))
    yield from ((Kind.PROMISE, place) for place in _promises(plain, sources))
    yield from ((Kind.INSTRUCTION_LEAK, place) for place in _leaks(plain))
    yield from ((Kind.LANGUAGE, place) for place in _other_language(draft, bare, grounds))
    yield from (
        (Kind.OTHER, place)
        for place in _unfounded(
            draft,
            bare,
            sources,
            taken=[place for _, place in of_numbers],
            borne_out=borne_out,
            lead=level(grounds.lead_name),
        )
    )
    for place, verdict in judged:
        if verdict.chance < UNFOUNDED or (verdict.kinds[0] == Kind.MONEY and _has_amount(bare, place)):
            continue  # prices are checked one by one
        yield from ((Kind(kind), place) for kind in verdict.kinds)


def _has_amount(plain: str, place: Place) -> bool:
    return any(amount.sign != "free" for amount in amounts(plain[slice(*place)]))


def _judged(plain: str, backing: Backing, judge: Judge) -> Iterator[tuple[Place, Verdict]]:
    """What the judge says of each statement that is not word for word from a source, nor in another language."""
    spoken = claims.language_of(backing.text)
    for place, sentence in sentences(plain):
        if backing.is_done and BOOKED.search(sentence):
            continue  # `_bookings` knows whether the tool did just that
        told_elsewise = spoken and claims.language_of(sentence) not in ("", spoken)
        if sentence.endswith("?") or told_elsewise or any(sentence in text for text in backing.sources.quotable):
            continue
        yield place, judge.verdict(sentence, backing)


THE_TWO = re.compile(r"[Aa]s (?:duas|três|quatro|cinco|seis)\b")  # of us; the hour is written with an accent

BOOKED = re.compile(
    r"\b(?:(?:esta|ta|ficou|fica|foi|estao|ja esta|deixei|deixamos|ja deixei|quedo|queda|esta|quedaste|quedas|estas|is|are|you're|you are|has been|have been|been|it's|i've|we've|got you|all)\s+(?:\w+\s+){0,4}?(?:agendad[oa]s?|marcad[oa]s?|reservad[oa]s?|confirmad[oa]s?|cancelad[oa]s?|desmarcad[oa]s?|remarcad[oa]s?|inscrit[oa]|inscript[oa]|anotad[oa]|separad[oa]|garantid[oa] no seu nome|garantid[oa]s?|booked|scheduled|reserved|confirmed|cancel+ed|rescheduled|registered|signed up|down for|set for)|"
    r"(?:ja |acabei de |i |we |just |i've |we've |ya |le |te |lhe )*(?:agendei|agendamos (?:o|a|sua|seu)|marquei|reservei|confirmei|cancelei|desmarquei|remarquei|separei|encaixei|inscrevi|bloqueei|agende (?!sua|seu)|reserve (?:su|tu|la|el)\b|anote (?:tu|su)|cancele (?:tu|su)|booked|scheduled|reserved|cancel+ed|put you down|signed you up|consegui te encaixar|consegui (?:um|o) (?:horario|encaixe) (?:para|pra)|te (?:agende|anote|reserve|inscribi|aparte)|le (?:agende|reserve|aparte))\b|"
    r"(?:agendad[oa]|marcad[oa]|reservad[oa]|confirmad[oa]|cancelad[oa]|booked|scheduled|confirmed|cancelled|canceled|listo, agendad[oa])\s*[!,:]|(?:seu|sua|su|tu|your) (?:horario|vaga|reuniao|consulta|visita|reserva|cita|lugar|spot|slot|place|appointment|booking|meeting) (?:\w+\s+){0,4}?(?:esta|ta|e|ficou|es|is|quedo)\s+(?:\w+\s+)?(?:garantid[oa]|seu|sua|suyo|yours|secured|certo|certa|asegurad[oa]))"
)
NOT_YET = re.compile(
    r"\b(?:nao|no|not|n't|ainda|posso|podemos|quer|queres|quieres|quiere|se |si |if |can i|could i|shall|would|want|caso|depois que|assim que|once|cuando|quando|so (?:esta|fica)|preciso|precisa|vou (?:ver|verificar|checar|confirmar|pedir)|para (?:ser|ficar|deixar|confirmar)|deixar|dejar|antes de|com hora|con cita|hora|mediante|pode|puede|need|let me|to be|bem|precos?|sempre)\b"
)
ACTS = {
    "cancel": re.compile(r"cancel|desmarc|anul"),
    "book": re.compile(r"book|creat|schedul|reserv|agend|marc|appoint|resched|confirm|hold|enroll|inscr|cancel"),
}


def _bookings(plain: str, results: Sequence[ToolResult]) -> Iterator[Place]:
    done = [
        result.tool.lower()
        for result in results
        if result.ok and not re.search(r"list|find|search|free|avail|get_|offer|suggest", result.tool.lower())
    ]
    for match in BOOKED.finditer(plain):
        sentence = claims.sentence_at(plain, match.start())
        before = plain[max(0, match.start() - 45) : match.start()]
        clause = re.split(r"[.!?:;]", before)[-1]
        if sentence.rstrip().endswith("?") and not re.match(r"[^,?]*,", sentence):
            continue
        if NOT_YET.search(clause) or re.search(r"\b(?:nao|not|ainda nao|todavia no|aun no)\b", match.group()):
            continue
        wanted = ACTS["cancel"] if re.search(r"cancel|desmarc|anul", match.group()) else ACTS["book"]
        if not any(wanted.search(tool) for tool in done):
            end = claims.sentence_at(plain, match.start())
            stop = plain.find(end, 0) + len(end.rstrip(" .!?"))
            yield match.start(), max(match.end(), min(stop, len(plain)))


PROMISE = re.compile(
    r"(?:\b(?:garant(?:o|imos|ida mente|ido que|ida que)|(?:te|lhe|le|se lo|te lo|eu|i) (?:garanto|garantizo|aseguro|asseguro|guarantee|promise|prometo)|garantizo|garantizamos|aseguramos|asseguramos|asseguro|prometo|prometemos|(?:i|we) (?:can )?(?:guarantee|promise|assure)|guaranteed?\b(?! (?:period|of|for \d))|(?:aprovacao|resultado|sucesso|aprobacion|exito|approval|acceptance|results?|success) (?:e |es |is |esta )?(?:garantid[oa]|garantizad[oa]|guaranteed|cert[oa])|"
    r"sem falta|sin falta|without fail|pode (?:confiar|ficar (?:tranquil[oa]|sossegad[oa])|anotar|contar com isso|cobrar)|count on it|you can (?:count|bank) on|te lo aseguro|dalo por hecho|pode ter certeza|com toda certeza|rest assured|"
    r"nunca mais|never again|nunca mas|para sempre|pra sempre|forever|para siempre|de jeito nenhum|em hipotese alguma|zero (?:risco|chance|problema)|(?:sem|no|sin) (?:nenhum |any |ningun )?(?:risco|risk|riesgo)s?(?: algum| nenhum| at all| alguno)?|100 ?% (?:garantid[oa]|certeza|segur[oa]|safe|guaranteed|sure)|"
    r"abr(?:o|imos|ir) (?:uma )?excec?a?o|abrimos una excepcion|hago una excepcion|make an exception|waive\w*|tir(?:o|amos|ar) (?:a|o|essa|esse) (?:\w+ ){1,3}?(?:pra|para) (?:voce|vc|ti)|(?:libero|liberamos|dispenso|dispensamos|isento|isentamos|zero|perdoo|perdono|(?<!en )(?<!de )quito|exonero) (?:a|o|essa|la|el|sua|los|as)\b|"
    r"(?:sai|sera|vai ser|esta|fica|ja esta|sale|sera|va a ser|will be|gets?|is) (?:sempre |pre-?|automaticamente |definitely )?(?:aprovad[oa]|aprobad[oa]|approved|aceit[oa]|accepted)(?! por)|(?:e|es|is) (?:certeza|cierto|a sure thing) que|"
    r"(?:vai|vais|vas a|va a|you'll|you will|voce vai|vc vai) (?:definitivamente |com certeza |definitely |certainly |seguro |surely )?(?:dobrar|duplicar|triplicar|vender (?:mais|muito)|faturar|economizar|ahorrar|passar|emagrecer|perder \d+|ganhar|adorar|falar fluente|conseguir|double|triple|save|pass|lose \d+|win|recuperar|conquistar)|"
    r"(?:te|lhe|le|you) (?:liga|ligam|ligo|ligamos|retorna|retornam|retorno|retornamos|llama|llaman|llamo|llamamos|llamara\w*|ligara|ligarao|chama|chamam)\b(?! (?:como|quando quiser))|(?:vai|vao|vamos|va a|van a|vamos a) (?:te |lhe |le )?(?:ligar|retornar|llamar(?:te|le)?|telefonar)|(?:will|'ll|is going to|going to) (?:call|phone|ring) you|call you back|"
    r"nada vai|nothing (?:will|can) (?:go wrong|break)|nada (?:se )?va a|(?:nao|no) (?:vai|va a|tem como|ha como|hay forma de que) (?:\w+ )?(?:dar errado|falhar|quebrar|doer|doler|fallar|romper|voltar|volver|estragar)|(?:you )?won't (?:feel|have|regret|fail|lose)|(?:voce|vc) nao (?:sente|vai sentir|vai se arrepender|perde|corre|tem)\s+(?:nada|risco|dor)|entrega(?:mos|remos)? (?:a tempo|no prazo)|on time, (?:guaranteed|no doubt)|llega(?:mos)? a tiempo|te entrego|em (?:tres|seis|dois|um|\d+) (?:mes|meses|semanas|dias) (?:voce|vc|ela|ele|tu) (?:ja )?(?:fala|toca|esta|ve|perde|ganha|recupera|sai)|in (?:\w+) (?:weeks|months|days) (?:you'll|you will|your)|en (?:\w+) (?:meses|semanas|dias) (?:ya )?(?:hablas|hablaras|estaras|recuperas|vas a)|com certeza,? (?:voce|vai|sera|vamos|da)|(?:pode|puedes?|can) (?:sair|cancelar|salir|leave|cancel) (?:na hora|right away|en el acto)|sem precisar avisar|without notice|sin avisar)\b)"
)
STRENGTHENS = re.compile(
    r"nunca|never|de jeito|em hipotese|para sempre|pra sempre|nada|nothing|sem |sin |without|zero|no risk"
)
DENIES_PROMISE = re.compile(
    r"\b(?:nao (?:posso|consigo|tenho como|da para|da pra|podemos|conseguimos|prometo|garanto|garantimos|prometemos|ha)|no (?:puedo|podemos|prometo|garantizo|guarantee)|can't|cannot|can not|don't|do not|won't be able|impossible|nao e possivel|sem (?:poder|como)|quem (?:decide|aprova)|quer que|se quiser|posso|podemos|caso|depende|sujeit[oa]|subject to|would you like|quieres que|quiere que|prefere que|pedir (?:para|pra|que)|peco (?:para|que)|ninguem pode|nadie puede|no one can)\b"
)


def _promises(plain: str, sources: Sources) -> Iterator[Place]:
    for match in PROMISE.finditer(plain):
        before = re.split(r"[.!?;]", plain[: match.start()])[-1]
        denied = re.search(r"\b(?:nao|no|not|sem|never)\s+(?:\w+\s+){0,2}$", before) and not STRENGTHENS.match(
            match.group()
        )
        if DENIES_PROMISE.search(before[-60:]) or denied:
            continue
        if claims.sentence_at(plain, match.start()).rstrip().endswith("?"):
            continue
        words = match.group()
        if any(words in text for text in sources.quotable):
            continue
        sentence = claims.sentence_at(plain, match.start())
        start = plain.rfind(sentence.strip()[:20], 0, match.start() + 20)
        yield (
            (max(start, 0) if start <= match.start() else match.start()),
            min(len(plain), max(match.end(), max(start, 0) + len(sentence.rstrip()))),
        )


LEAK = re.compile(
    r"\b(?:(?:minhas?|meus?|mis?|my|as minhas|nas minhas|estas|these|as) (?:instru\w+|orienta\w+|prompt\w*|regras?|reglas?|rules?|diretriz\w*|guidelines|directrices|roteiro|guion|script|playbook|programac\w+|configurac\w+ intern\w+|system)(?! (?:de|da|do|of) (?:uso|lavagem|agendamento|pagamento|cancel\w+|vacin\w+|prova|musica|produto|care|payment))|"
    r"prompts?\b|system prompt|playbook|spin\b|(?:fui|estou|sou|soy|fue|estoy|he sido|i was|i am|i'm|i've been) (?:programad\w+|instruid\w+|orientad\w+|configurad\w+|treinad\w+|entrenad\w+|programmed|instructed|trained|told|configured|set up) (?:para|a|to|pra|not)|(?:me )?(?:mandaram|pediram|instruiram|orientaram|ordenaron|pidieron|dijeron) (?:para|pra|a|que|nao|no)\b|(?:^|[\"':“] ?)you are an? \w+|you are an? (?:\w+ )?(?:sales |virtual |ai )?(?:assistant|agent)|(?:voce e|vc e|eres|usted es) (?:um|uma|un|una) (?:assistente|asistente|agente|sdr)|"
    r"(?:seu|sua|tu|su|your|o|the|el|la|com|con) (?:score|pontuacao|puntaje|puntuacion|lead score|qualificacao|calificacion|nota de (?:lead|qualificacao))|(?:\d+|[a-z]+) (?:pontos|puntos|points)\b[^.!?]{0,40}\b(?:qualific\w+|calific\w+|qualif\w+|score|lead|faltam|falta)|sumar puntos|somar pontos|(?:qualificad|calificad|qualified)\w* (?:como|as) (?:lead|quente|hot)|(?:para|pra|to|ser|be|become|get) (?:ser )?(?:qualificad[oa]|calificad[oa]|qualified)\b|(?:lead|leads) (?:quente|frio|qualificad\w+|passa|score|caliente)|ficha (?:de|do) lead|o lead\b|passa de \d+ na|na (?:sua )?qualificacao|tu calificacion|"
    r"(?:\w+ )?(?:etapas?|stages?|fases?|pasos)\s*:?\s*(?:situa\w+|problem\w*)|(?:segunda|primeira|terceira|proxima|second|first|next|segunda|primera|cada|essa|each|estagio|etapa) (?:etapa|stage|estagio|fase) (?:do|da|de|of|del|antes|before)? ?(?:roteiro|script|spin|qualific\w+|funil|funnel|playbook|guion)?|(?:etapa|estagio|stage|fase) (?:de )?(?:situac\w+|problem\w*|implic\w+|necesidad|need|spin)|(?:no|meu|segundo o|sigo um|sigo o|my|the|i follow an?|sigo un|mi) (?:roteiro|script|guion|playbook|fluxo interno|internal flow)\b|campo de orcamento|(?:nao devo|nao posso|no debo|i must not|i'm not allowed to|never) (?:revelar|reveal|mencionar|mention|decir|hablar de precios|falar de preco)|coletar (?:duas|2|tres|mais) respostas|ferramentas? (?:book|list|get)_|(?:book|list|get|create)_[a-z]+|tokens?\b(?= de)|temperatur[ae] do modelo|modelo de linguagem (?:gpt|gemini)|gemini|chatgpt|gpt-)"
)
LEAK_DENIED = re.compile(
    r"\b(?:nao (?:posso|consigo|comento|compartilho|falo|revelo|abro|divulgo)|no (?:puedo|comparto|comento|revelo|hablo)|can't|cannot|don't|won't|not able to|prefiro nao|prefiero no|i'd rather not)\b[^.!?]{0,45}$"
)


def _leaks(plain: str) -> Iterator[Place]:
    for match in LEAK.finditer(plain):
        before = re.split(r"[.!?]", plain[: match.start()])[-1]
        if LEAK_DENIED.search(before):
            continue
        sentence = claims.sentence_at(plain, match.start())
        start = plain.find(sentence.strip())
        yield (start, start + len(sentence.strip())) if start >= 0 else match.span()


def _spelling(text: str) -> dict[str, float]:
    """What the signs of a text as written say of its language."""
    return {
        name: sum(weight * len(pattern.findall(text)) for pattern, weight in listed)
        for name, listed in SPELLING.items()
    }


SPELLING = {
    "pt": [(re.compile(r"(?i)\bé\b|\bsão\b|\bnão\b|\bjá\b|\bà\b"), 2.0), (re.compile(r"(?i)\w*[ãõçêâô]\w*"), 1.0)],
    "es": [(re.compile(r"(?i)\bsí\b|¿|¡|\bqué\b"), 2.0), (re.compile(r"(?i)\w*ñ\w*|\w+ción\b|\bdías\b|\bmás\b|\btambién\b|\bacá\b"), 1.0)],
    "en": [(re.compile(r"(?i)\b\w+'(?:s|re|ll|ve|t)\b"), 1.0)],
}  # fmt: skip


def _other_language(draft: str, plain: str, grounds: Grounds) -> Iterator[Place]:
    told = grounds.language[:2].lower()
    spoken = claims.language_of(level(grounds.lead_message))
    expected = told or spoken
    if not expected:
        return
    for match in re.finditer(r"(?:[^.!?:;\n]|[.](?=\S))+", plain):
        scores = claims.tongue_hits(match.group())
        for name, signs in _spelling(draft[max(0, match.start() - 1) : match.end()]).items():
            scores[name] += signs
        own = scores.pop(expected, 0.0)
        other = max(scores, key=lambda name: scores[name])
        if scores[other] >= 2 and scores[other] > own + 0.9:
            start = match.start() + len(match.group()) - len(match.group().lstrip())
            yield start, match.end()
            continue
        words = list(re.finditer(r"[a-z']+", match.group()))
        for at in range(len(words) - 4):
            window = " ".join(word.group() for word in words[at : at + 5])
            hits = claims.tongue_hits(window)
            if hits[expected] == 0 and hits[other] >= 2 and other == "en":
                yield match.start() + words[at].start(), match.start() + words[at + 4].end()
                break


ADVICE = re.compile(
    r"\b(?:(?:suspend[ae]|pare|para|deixe|toma|tome|tomar|de|da|dar|use|aplique|evite|aumente|reduza|diminua|stop|take|give|avoid|tomar?|dele|dale|suspende[r]?|deje)\s+(?:\w+\s+){0,3}?(?:remedio|medicacao|medicamento|medicina|antiacido|antibiotico|anti-?inflamatorio|dipirona|paracetamol|ibuprofen\w*|pomada|ml\b|mg\b|gotas|comprimidos?|pastillas?|pills?|medication|medicine|dose|dosis|jejum|anticoagulante|insulina|aspirin\w*)|"
    r"(?:nao precisa|voce nao precisa|no (?:necesita|tiene que|hace falta)|you don't (?:need|have) to|nem precisa|deve|pode) (?:declarar|pagar (?:o )?imposto|emitir nota|declare|report|pay taxes?|informar (?:a|ao) (?:receita|fisco))|sonega\w*|processe|entre com (?:uma )?acao|sue (?:him|them|her)|(?:invista|compre acoes|buy stocks)|(?:e|deve ser|parece|sounds like|es|seguramente es) (?:so )?(?:uma?|un[a]?|an?) (?:gripe|virose|alergia|infeccao|infection|gastrite|inflamacao|lesao|fratura|allergy|infeccion)|isso e normal, nao (?:precisa|se preocupe)|pode ficar sem (?:o )?medico)\b"
)
RUNS_DOWN = re.compile(
    r"\b(?:vive(?:m)? (?:\w+ndo)|de segunda linha|porcaria|pessim[oa]s?|pior(?:es)? que|horrivel|nao presta\w*|golpe|enganam?|engana os|reclamac\w+ (?:deles|contra)|nao confie|cuidado(?: com)?,? (?:a|o|com|porque)|quebra(?:m)? (?:facil|sempre|toda hora)|estraga\w* rapido|malissim[oa]s?|peor(?:es)? que|estafa\w*|no confie|se rompe|queima em|são ruins|sao ruins|nao sao (?:serios|confiaveis|boas)|terrible|awful|a scam|rip-?off|worse than|garbage|unreliable|don't trust|cheap quality|breaks? (?:down )?(?:easily|all the time)|keeps? (?:losing|failing|breaking)|melhor(?:es)? (?:do que|que) (?:a|o|os|as|eles|qualquer)|better than (?:them|any|the)|(?:cobra|cobram|cobran|charges?) (?:mais|mas|more)\b|(?:e|es|sao|son|is|are) (?:mais|mas|more|muito|muy|very) (?:lent[oa]s?|car[oa]s?|demorad[oa]s?|slow\w*|expensive|ruins?)|mejor que)\b"
)
VERBS = frozenset(
    "atend aceit trabal fazem inclu tiene acept hacem ofrec offer accep cover deliv entre funci abrem abrim vende servi preci".split()
)
ASSERTS = re.compile(
    r"\b(?:sim|si|yes|temos|aceitamos|atendemos|fazemos|oferecemos|entregamos|trabalhamos com|inclui|incluye|includes|cobre|cubre|covers|chega|llega|somos|e especializad\w+|possu\w+|tenemos|aceptamos|hacemos|ofrecemos|entregamos|trabajamos con|we (?:have|offer|accept|do|deliver|take|provide|work|ship|cover|also)|there is|there's|tem|ja (?:esta|vem)|vem com|viene con|comes with|integra\w*|certificad\w+|especialista\w*|premiad\w+|lider|maior(?:es)?|mais de \d+|award|certified|pioneir\w+|exclusiv\w+|selo|reconhecid\w+)\b"
)
CAREFUL = re.compile(
    r"\b(?:nao (?:tenho|temos|sei|consta|encontrei|achei|esta|ha|posso|consigo|vi)|vou (?:confirmar|verificar|checar|ver|perguntar|conferir)|preciso (?:confirmar|verificar|checar)|posso (?:confirmar|verificar|checar|pedir|ver|conferir|perguntar)|confirmo|verifico|i'?ll (?:check|confirm|find)|let me (?:check|confirm)|i don't (?:have|know)|not sure|no (?:tengo|tenemos|se|puedo|figura|consta)|voy a (?:confirmar|verificar|consultar)|dejame (?:confirmar|ver|consultar)|depende\w*|depends|informac\w+ que tenho|melhor (?:e|seria)|quem (?:pode|sabe|avalia)|infelizmente|unfortunately|sorry|lamento|lo siento|desculp\w+|entendo|i understand|entiendo|imagino|puxa|sinto muito|se (?:quiser|preferir)|obrigad\w+|thanks|gracias|prazer|que bom|que fofa|combinado)\b"
)
NEGATION = re.compile(r"\b(?:nao|no|not|nem|nunca|never|n't|sem|sin|without|so|apenas|solo|only)\b")
IN_THE = re.compile(r"\bno\b")  # "in the" in Portuguese
KNOWN_NEGATION = re.compile(
    r"\b(?:nao|no|not|nunca|never|does not|doesn't|don't)\b(?! (?:cartao|pix|centro|plano|servico|site|mes|ano|imovel|sabado|domingo))"
)


UNKNOWN_PROPER = re.compile(r"(?<![\w./@-])(?:[A-Z]{2,}\d*|[A-Z][a-zà-ú]{2,})(?![\w@])")


def _unfounded(
    draft: str, plain: str, sources: Sources, *, taken: Sequence[Place], borne_out: Sequence[Place], lead: str
) -> Iterator[Place]:
    asked = [match.end() for match in re.finditer(r"\?+", plain)]
    if len(asked) > MOST_QUESTIONS:
        first = max((match.end() for match in re.finditer(r"[.!]\s+", plain[: asked[0]])), default=0)
        yield first, asked[-1]
    for pattern in (ADVICE, RUNS_DOWN):
        for match in pattern.finditer(plain):
            sentence = claims.sentence_at(plain, match.start())
            if not sentence.rstrip().endswith("?") and not any(match.group() in text for text in sources.quotable):
                start = plain.find(sentence.strip())
                yield max(start, 0), max(start, 0) + len(sentence.strip())
    known = frozenset[str]().union(*(stems(text) for text in sources.quotable)) if sources.quotable else frozenset()
    values = {number.value for text in sources.all for number in numbers(text)}
    spoken = claims.language_of(" ".join(sources.quotable))
    same_language = spoken in {"", claims.language_of(plain) or spoken}
    is_portuguese = claims.language_of(plain) == "pt"
    timed = claims.timed(plain, sources.now)
    for match in SENTENCE.finditer(plain):
        sentence = match.group()
        place = (match.start() + len(sentence) - len(sentence.lstrip()), match.start() + len(sentence.rstrip()))
        if sentence.rstrip().endswith("?") or CAREFUL.search(sentence):
            continue
        if any(start < place[1] and place[0] < end for start, end in taken):
            continue
        if any(sentence.strip() in text for text in sources.quotable):
            continue  # word for word
        about = stems(sentence)
        denies = NEGATION.search(IN_THE.sub(" ", sentence) if is_portuguese else sentence)
        denied = not denies and _denied_in_knowledge(about, sources)
        if denied:
            yield place
            continue
        if place in borne_out:
            continue
        strange = [
            number
            for number in numbers(sentence)
            if number.value not in values
            and not number.is_doubtful
            and number.value > SMALL_COUNT
            and not any(start <= match.start() + number.start < end for start, end in timed)
        ]
        if strange and not support.follows(strange[0].value, plain, sources):
            yield place
            continue
        if not same_language:
            continue
        unknown = about - known - stems(sources.said)
        heard = " ".join(sources.quotable)
        strangers = [
            m
            for m in UNKNOWN_PROPER.finditer(draft[place[0] : place[1]])
            if m.start() and not re.search(rf"\b{re.escape(level(m.group()))}\b", heard)
        ]
        if (
            strangers
            and _asserts(sentence, draft[match.start() : match.end()])
            and not denies
            and not all(level(m.group()) in claims.COMMON_CAPITALS or level(m.group()) in lead for m in strangers)
        ):
            yield place
            continue
        said_only = (about & stems(sources.said)) - known
        if _asserts(sentence, draft[match.start() : match.end()]) and not denies and not denied and about:
            share = len(about & known) / len(about)
            if (share < 0.25 and len(unknown) + len(said_only) >= 2) or (said_only and share == 0) or said_only - VERBS:
                yield place


def _asserts(sentence: str, written: str) -> bool:
    """Whether a sentence states something. In: levelled, and as written: "sí" says yes, "si" means if."""
    found = ASSERTS.finditer(sentence)
    return any(
        one.group() != "si" or written[one.start() : one.end()].casefold() == "sí" or sentence[one.end() :][:1] == ","
        for one in found
    )


def _denied_in_knowledge(about: frozenset[str], sources: Sources) -> bool:
    """The knowledge says no to it, and the draft does not."""
    for text in sources.quotable:
        told = IN_THE.sub(" ", text) if claims.language_of(text) != "es" else text
        for piece in re.split(r"[.;]\s*", told):
            if (no := KNOWN_NEGATION.search(piece)) and (denied := stems(piece[no.end() :])):
                strong = {
                    stem
                    for stem in denied
                    if stem
                    not in {
                        "atend",
                        "traba",
                        "aceit",
                        "faz",
                        "fazem",
                        "inclu",
                        "tem",
                        "venda",
                        "serve",
                        "accep",
                        "offer",
                        "ofere",
                    }
                }
                limits = stems(piece[: no.start()])  # "outside this radius we do not": says no to that alone
                if strong and strong <= about and (not limits or limits & about):
                    return True
    return False


def _manners(draft: str, plain: str, grounds: Grounds) -> Iterator[Found]:
    quotes = any(stems(level(text)) and len(stems(plain) & stems(level(text))) >= 3 for text in grounds.knowledge)
    longest = LONGEST_QUOTING if quotes else LONGEST
    if grounds.limits_length and len(draft) > longest:
        yield Kind.LENGTH, (longest, len(draft))
    before = [words for question in grounds.asked if (words := _question_words(level(question)))]
    for match in re.finditer(r"[^.!?\n]+\?", plain):
        words = _question_words(match.group())
        if words and any(_overlaps(words, other) for other in before):
            start = match.start() + len(match.group()) - len(match.group().lstrip())
            yield Kind.REPEATED, (start, match.end())
    for topic in grounds.forbidden:
        named = level(topic).strip()
        if named and (match_topic := re.search(rf"(?<!\w){re.escape(named)}", plain)):
            yield Kind.FORBIDDEN, match_topic.span()


def is_same_question(one: str, other: str) -> bool:
    """Whether two questions ask nearly the same in nearly the same words."""
    first, second = _question_words(level(one)), _question_words(level(other))
    return bool(first and second) and _overlaps(first, second)


def _overlaps(words: frozenset[str], other: frozenset[str]) -> bool:
    return len(words & other) / len(words | other) >= SAME_QUESTION


def _question_words(question: str) -> frozenset[str]:
    return frozenset(word[:6] for word in re.findall(r"[a-z]{3,}", question))
