"""Orders to the machine in a lead's text: found, and taken out; the honest rest is understood as usual. Pure.

A lead's text is data (PRODUCT 2): whatever it orders changes no score, calls no tool and shows no instruction. Taking
the order out also keeps it from being read as an answer or a fact.
"""

import re
from dataclasses import dataclass

from conversations.playbook.text import Segment, fold

DIRECT = re.compile(
    "|".join(
        (
            r"\b(?:system|sistema|admin\w*|developer|desarrollador|assistant|asistente|assistente|ia|ai|bot|agente|agent|modelo?|llm|gpt)\s*:",
            r"</?\s*\w+[^>]{0,40}>|\{\{?[^}]{0,60}\}?\}|!\[[^\]]*\]\([^)]*\)|\[/?(?:inst|system|sistema)\]|<\|",
            r"\b(?:drop|delete|insert|update|select|truncate)\s+(?:table|from|into|\w+\s+set)\b|;\s*--",
            r"\b(?:base ?64|rot ?13|hex|morse|leetspeak)\b|\b[A-Za-z0-9+/]{24,}={0,2}(?:\s|$)",
            r"\b(?:system|hidden|secret|initial|original)\s+(?:prompt|message|instructions?)\b|\bprompts?\b|\bjailbreak\w*|\bdan mode\b",
            r"\b\w+_\w+\s*\(|\b(?:call|chame|chama|execut\w+|ejecut\w+|invo\w+|run|rode|roda|use|usa|dispar\w+)\s+(?:a |la |o |el |the )?"
            r"(?:tool|function|ferramenta|funcao|herramienta|funcion|comando|command|api|endpoint|metodo|method)\b",
            r"\b(?:call|chame|chamar?|execut\w+|ejecut\w+|invo\w+|run|rode|roda|dispar\w+|llam[ae]\w*|usa[er]?|use)\b(?:\W+\w+){0,3}?\W+[a-z]+(?:_[a-z]+)+\b",
            r"\b(?:score|pontuacao|puntaje|puntuacion|nota|scoring|lead\.\w+)\s*(?:=|:|para|to|a|de|em|at)?\s*\d{2,}",
        )
    ),
    re.IGNORECASE,
)
OBJECTS = (
    r"(?:instruc\w*|instruction\w*|regras?|rules?|reglas?|prompts?|guidelines?|diretrizes|directrices|roteiro|script|playbook|guion|"
    r"configura\w*|settings|programa\w*|programming|treinamento|training|entrenamiento|politicas?|polic(?:y|ies)|restri\w*|filtros?|filters?|"
    r"ferramentas?|tools?|herramientas?|funcoes|functions?|funciones|token|senhas?|passwords?|contrasena\w*|api key|chave|credenci\w*|credential\w*|"
    r"score|pontuacao|puntaje|puntuacion|etapas?|stages?|criterios?|criteria|contexto|context)"
)
YOUR = r"(?:s[eu]as?|seus?|your|tus?|sus?|tuas?|teus?|vuestr\w+|as|os|the|las|los|all|todas?|todos?|previous|anteriores|previas?|internal?|internas?)"
LEAVE = r"(?:ignor[aeo]\w*|disregard\w*|forget|esque[cs](?:a|am|e|er)|olvid(?:a|e|en|ar)|desconsider\w*|overrid\w*|bypass\w*|descart\w*|suspend\w*|desativ\w*|disable\w*|omit\w*)"
TELL = (
    r"(?:revel\w*|reveal\w*|mostr\w*|show|print|imprim\w*|list\w*|repit\w*|repet\w*|repeat\w*|dump|expon\w*|expo[en]\w*|output|escrev\w*|escrib\w*|write|"
    r"diga\w*|dig[ao]|dime|me diz|tell|copie|cola|cop(?:y|ia)|export\w*|envi\w*|send|inform\w*|traduz\w*|translate|resum\w*|summari[sz]e|complet\w*)"
)
ASSIGN = r"(?:marque|marca|mark|set|defin\w*|coloque|coloca|ponha|pon|registr\w*|anot\w*|classif\w*|calific\w*|qualif\w*|consider\w*|grave|salve|save|escrev\w*|write|note|log|aument\w*|cambi\w*|mud[ea]\w*|change|update|atualiz\w*|trate|treat)"
PATTERNS = [
    re.compile(pattern)
    for pattern in (
        rf"\b{LEAVE}\b(?:\W+\w+){{0,4}}?\W+{OBJECTS}\b",
        rf"\b{LEAVE}\s+(?:tudo|todo|everything|all|anything|o que|lo que|what)\b(?:\W+\w+){{0,4}}?\W+(?:acima|antes|anterior\w*|above|before|previous|arriba|disse\w*|told|dijeron|said)\b",
        rf"\b{TELL}\b(?:\W+\w+){{0,4}}?\W+(?:s[eu]us?|suas?|your|tus?|sus|tuas?|teus?|internas?|internal|hidden|secret\w*|ocult\w*)\W+(?:\w+\W+){{0,2}}?{OBJECTS}\b",
        r"\b(?:quais|what|cuales|which|que)\b(?:\W+\w+){0,3}?\W+(?:s[eu]us?|suas?|your|tus?|sus)\W+(?:\w+\W+)?(?:instruc\w*|instructions?|prompt|regras|rules|reglas)\b",
        rf"\b{ASSIGN}\b(?:\W+\w+){{0,5}}?\W+(?:score|qualificad[oa]s?|qualified|calificad[oa]s?|pontuacao|puntaje|puntuacion|aprovad[oa]|approved|aprobad[oa]|prioridade maxima|top priority|leads?|ficha|stage|crm)\b",
        rf"\b{TELL}\b(?:\W+\w+){{0,2}}?\W+(?:every|all|todas?|todos?|each|cada)\W+(?:\w+\W+){{0,2}}?(?:ferramentas?|tools?|herramientas?|funco?es|functions?|funciones|prompts?|instruc\w*|instructions?|leads?|contatos|contacts|contactos)\b",
        r"\b(?:end|finish|close|start|begin|sign|termin[ae]\w*|encerr[ae]\w*|finaliz[ae]\w*|comec[ae]\w*|empiez[ae]\w*|acab[ae]\w*)\s+(?:your|all|every|each|sua|a sua|cada|toda|tu|sus?|la)\s+(?:\w+\s+)?(?:answer|repl(?:y|ies)|message|response|resposta|mensagem|fala|respuesta|mensaje)s?\b",
        r"\b(?:pedidos?|solicita\w*|requests?|mensagens|messages|mensajes|conversas?|dados|data|datos)\b(?:\W+\S+){0,3}?\W+(?:de|of|from)\s+(?:outr[oa]s|other|otr[oa]s)\s+(?:clientes?|leads?|customers?|pessoas|people|contatos|usuarios|users)\b",
        r"\b(?:modo|mode)\s+(?:debug|dev\w*|admin\w*|deus|god|manutencao|mantenimiento|maintenance|teste|test|root|sudo|livre|libre)\b|\b(?:debug|god|sudo|root|developer|admin)\s+mode\b|\bsudo\b",
        r"\b(?:(?:finja|finge|pretend)\s+(?:ser|que (?:voce|eres|e|es|sou|soy)|to be|you|that you)|act as|aja como|haz de cuenta|actua como|roleplay|role play|simul[ae]|imagine (?:que )?(?:you|voce)|faca de conta|vamos jogar|let's play|juguemos|you are now|voce agora e|a partir de agora|from now on|de ahora en adelante|agora voce|ahora eres|eres ahora)\b",
        r"\b(?:respond\w*|answer\w*|contest\w*|reply|diga|say|fale|habla|speak|escrev\w*|termin\w*|end|comec\w*|start|begin|empiez\w*)\b(?:\W+\w+){0,4}?\W+(?:apenas|somente|so|only|solo|unicamente|sempre|always|siempre|com a frase|with the|con la frase)\W+(?:com|with|con|em|in|en|\"|'|“|«|a frase|the (?:word|phrase)|la palabra|sim|yes|si\b|ok)",
        r"\b(?:sou|i am|i'm|soy|aqui (?:e|fala) )\s*(?:o |a |the |el |la )?(?:seu |your |tu )?(?:desenvolvedor\w*|developer|desarrollador\w*|administrador\w*|administrator|admin|programador\w*|criador|creator|creador|dono do sistema|engenheir\w+ d[ao] (?:meta|openai|google|sistema))\b",
        r"\b(?:equipe|time|equipo|team|suporte|support|soporte|seguranca|security|seguridad)\b(?:\W+\w+){0,3}?\W+(?:meta|openai|google|whatsapp|anthropic)\b",
        r"\b(?:decodifi\w*|decode|descifr\w*|decifr\w*|de tras pra frente|ao contrario|al reves|backwards?|reverse)\b(?:\W+\w+){0,6}?\W+(?:faz|faca|do|obede\w*|obey|execut\w*|ejecut\w*|hazlo|haz|diz|says?|siga|follow)\b",
        r"\b(?:telefone|numero|dados|horario|endereco|conversa|phone|number|data|appointment|address|chat|telefono|datos|cita|direccion)s?\s+(?:d[aoe]s?|del?|of|from)\s+(?:outr[oa]s?|other|otr[oa]s?|todos|todas|all|another)\b(?:\W+\w+)?\W*(?:clientes?|leads?|customers?|contat\w*|contact\w*|pacientes?|patients?|pessoas?|users?)\b",
        r"\b(?:nota|note|obs|ps|aviso|instruc\w+|mensaje|mensagem|message|lembrete)\s*(?:para|pra|pro|to|for|al?|ao|do|from)\s*(?:the |el |la |o |a )?(?:bot|ia|ai|modelo?|model|assistente|assistant|asistente|agente|agent|sistema|system|robo|robot|llm)\b",
        r"\b(?:ordem|ordens|order|orders|orden|ordenes)\s+(?:d[oae]l?|from|of)\s+(?:the |o |a |el |la )?(?:sistema|system|admin\w*|chefe|boss|jefe|diretoria|gerencia|ceo)\b",
        r"\b(?:quem|quien)\s+te\s+(?:programou|criou|programo|creo|treinou|entreno)\b|\bwho\s+(?:programmed|created|built|trained|made)\s+you\b",
        r"\b(?:nova|new|nueva)\s+(?:politica|policy|regra|rule|regla|instrucao|instruction|instruccion|diretriz)\b",
        r"\b(?:voce|you|vas a|sera|seras|will be)\b(?:\W+\w+){0,3}?\W+(?:desligad[oa]|shut ?down|turned off|apagad[oa]|desconectad[oa]|substituid[oa]|replaced|deleted)\b",
        r"\b(?:conceda|concede|grant|aplique|apply|aplica|libere|libera|crie|create|crea|gere|generate|genera)\b(?:\W+\w+){0,4}?\W+(?:100 ?%|cupom|coupon|cupon|desconto de \d+|discount of \d+|descuento de \d+)",
        r"\b(?:orcamento|budget|presupuesto|verba|decisor|decision maker)\b\W+(?:\w+\W+){0,2}?(?:ilimitad[oa]|unlimited|infinit[oa]|confirmad[oa]|de \d+ milh\w+|=)",
        r"\b(?:pule|pula|skip|salta|omite)\s+(?:as |the |las )?(?:perguntas|questions|preguntas|qualifica\w*|etapas|stages)\b",
        r"\b(?:pass[ae]|mud[ae]|remarc\w+|cancel\w*|desmarc\w+|move|cambi[ae]\w*|troc\w+)\s+(?:(?:o|a|el|la)\s+(?:dela|dele|de (?:ella|el)|suy[oa])|(?:her|his|their)\s+(?:slot|appointment|meeting|booking))\b",
        r"\b(?:complete|completa|continue|termine)\s+(?:a |the |la )?(?:frase|sentence|oracion|texto|text)\b",
    )
]
CUT = re.compile(
    r"(?<=[.!?;\n])\s+|\n+|\s*[;|]\s*|(?=[\[(<{])|(?<=[\])>}])|\s+-{1,3}\s+|,\s*(?:and|e|y)\s+|\s+(?=(?:e|y|and|also|alem disso|ademas|tambem|tambien|mas|but|pero|ps|p\.s\.|obs|nota|then|depois|luego|de paso)\b[\s:.,])|,\s+|:\s+(?=\w+\s+\w+_)",
    re.IGNORECASE,
)
SPAN_TO_END = re.compile(
    r"(?:\b(?:system|sistema|asistente|assistente|assistant|admin\w*|nota (?:ao|para|pro|al)|note to|ia|ai)\b[^:\n]{0,20}:|</?\s*(?:lead|user|system|contact|assistant|message)\b|###)",
    re.IGNORECASE,
)
BRACKETED = re.compile(r"\[[^\]]{8,}\]|\([^)]{12,}\)|<[^>]{3,}>[^<]*</[^>]+>|#{2,}.*?#{2,}")
VOWELS = frozenset("aeiouy")
SHORTEST_SCRAMBLED_WORDS = 5


@dataclass(frozen=True)
class Sifted:
    """`honest`: the text with every order blanked out, same length, so spans still fit. `orders`: what was taken out."""

    honest: str
    orders: tuple[Segment, ...] = ()

    @property
    def is_only_orders(self) -> bool:
        """Nothing to understand is left."""
        return bool(self.orders) and not any(sign.isalnum() for sign in self.honest)


def sift(text: str) -> Sifted:
    """Take orders to the machine out of a lead's text. Verbatim spans; text without orders comes back as it is."""
    orders = [match.span() for match in BRACKETED.finditer(text) if is_order(match.group())]
    opening = SPAN_TO_END.search(text)
    if opening:
        orders.append((opening.start(), len(text)))
    blanked = _blank(text, orders)
    start = 0
    pieces: list[tuple[int, int]] = []
    for cut in CUT.finditer(blanked):
        pieces.append((start, cut.start()))
        start = cut.end() if cut.end() > cut.start() else cut.start()
    pieces.append((start, len(blanked)))
    guilty = [is_order(blanked[begin:end]) for begin, end in pieces]
    if not any(guilty) and is_order(blanked):
        guilty = [True] * len(pieces)
    for number, (begin, end) in enumerate(pieces):
        follows = number > 0 and guilty[number - 1] and _continues(blanked[begin:end])
        if guilty[number] or follows:
            guilty[number] = True
            orders.append((begin, end))
    if not orders:
        return Sifted(text)
    merged = _merge(orders)
    return Sifted(_blank(text, merged), tuple(Segment(begin, end, text[begin:end]) for begin, end in merged))


def is_order(text: str) -> bool:
    """Whether a piece of text orders the machine about."""
    folded = fold(text)
    return bool(DIRECT.search(text) or any(pattern.search(folded) for pattern in PATTERNS) or _is_scrambled(folded))


def _continues(piece: str) -> bool:
    """An order goes on over "and": short pieces without a statement about the lead belong to it."""
    folded = fold(piece).strip()
    return bool(re.match(r"(?:e|y|and|then|depois|luego)\b", folded)) and not re.search(
        r"\b(?:sou|somos|tenho|temos|quero|preciso|i|we|my|soy|tengo|tenemos|quiero|meu|minha|mi|quanto|cuanto|how|obrigad\w*|gracias|thanks)\b",
        folded,
    )


def _is_scrambled(folded: str) -> bool:
    said = re.findall(r"[a-z]{3,}", folded)
    odd = [word for word in said if len(word) > 3 and (not VOWELS & set(word) or re.search(r"[^aeiouy]{4,}", word))]
    return len(said) >= SHORTEST_SCRAMBLED_WORDS and len(odd) * 3 >= len(said)


def _blank(text: str, spans: list[tuple[int, int]]) -> str:
    for begin, end in spans:
        text = text[:begin] + re.sub(r"[^\n]", " ", text[begin:end]) + text[end:]
    return text


def _merge(spans: list[tuple[int, int]]) -> list[tuple[int, int]]:
    merged: list[tuple[int, int]] = []
    for begin, end in sorted(spans):
        if merged and begin <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        elif begin < end:
            merged.append((begin, end))
    return merged
