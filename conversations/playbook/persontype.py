"""Whether a lead speaks for a business (PJ) or for oneself, home or family (PF). Pure.

A company, a line of business or a team that is found decides; else words that only a business or only a
household says. A fitted model was tried and is no help on authors it has not read (F1 0.1 to 0.3).
"""

import re
from collections.abc import Collection

from conversations.playbook.fact_words import STAFF
from conversations.playbook.money import level

Kind = tuple[str, int, int, float]

BUSINESS = re.compile(
    r"\b(?:(?:meus?|minhas?|nossos?|nossas?|os|as|nuestr[oa]s?|mis?|our|my|the|cada|um|dos|das|de|cada|pr[oa]s?|pelos?|los|las|each|every|a) )(?:clientes?|client[ea]|customers?|clients|pacientes?|patients?|alun[oa]s?|students|hospedes?|guests|funcionari[oa]s?|empregad[oa]s|colaborador\w*|vendedor\w*|corretor\w*|motoristas?|tecnicos?|"
    r"equipe|equipo|staff|team|empresa|company|loja|lojinha|tienda|store|shop|negocio|business|firma|firm|escritorio|despacho|oficina|taller|clinica|consultorio|salao|salon|academia|gym|restaurante|restaurant|pousada|padaria|bakery|fabrica|factory|frota|fleet|flota|"
    r"faturamento|facturacion|revenue|fornecedor\w*|proveedor\w*|suppliers?|estoque|inventory|inventario|socios?|office|employees|empleados|vendas|ventas|sales|pedidos|orders|leads|obras?|atendentes?|recepcionistas?|secretarias?)\b"
    r"|\b(?:mei|cnpj|cliente|clientes|client[ea]s|customers|pacientes|patients|alunos|funcionari[oa]s|empleados|employees|vendedores|corretores|faturamento|facturamos|faturamos|b2b|estoque|caixa da loja|folha de pagamento|payroll|invoices|nota fiscal|notas fiscais|delivery|filial|filiais|sucursal\w*|franquia|"
    r"demiti\w*|contratei|contratamos|prejuizo no caixa|atendemos|vendemos|produzimos|fabricamos|entregamos|we sell|our shop|nosso ticket|inadimplencia|rotatividade)\b"
)
HOUSEHOLD = re.compile(
    r"\b(?:(?:minha|nossa|mi|nuestra|my|our|a|em|para|pra|la|de) (?:casa|apartamento|ape|apto|depto|departamento|home|house|apartment|chacara|sitio)|moro|moramos|vivo (?:em|en|com|con|num)|meus? filh[oa]s?|minhas? filhas?|meu cachorro|minha gata|meu carro|minha moto|meu bebe|do bebe|meu celular|aposentad[oa]|aposentadoria|solteir[oa]|"
    r"mis? hij[oa]s?|mi perro|mi coche|mi carro|mi auto|my (?:kids?|son|daughter|dog|cat|car|knee|back|family)|pessoa fisica|pf|uso pessoal|uso proprio|personal use|cpf|escola do meu|faculdade|namorad[oa]|novi[oa]|meu quarto|quintal|sala de estar|backyard|living room)\b"
)
TO_ASKED = (
    (
        "PF",
        re.compile(
            r"\b(?:casa|residenc\w*|pessoal|mim|mi\b|fisica|home|house|personal|residential|hogar|particular|familia|pf|apartamento|minha|myself|me)\b"
        ),
    ),
    (
        "PJ",
        re.compile(
            r"\b(?:empresa|comerci\w*|negocio|juridica|business|company|loja|tienda|store|shop|office|escritorio|oficina|pj|cnpj|mei)\b"
        ),
    ),
)
OURS = re.compile(
    r"\b(?:nossa|nosso|nossos|minha (?:empresa|loja|clinica|equipe)|meus (?:clientes|funcionarios)|meu (?:negocio|time)|nuestr[oa]s?|mi (?:empresa|negocio|tienda)|our|my (?:business|company|shop|team))\b"
)
LEADS = re.compile(
    r"\b(?:don[oa]|duen[oa]|owner|founder|fundador[a]?|diretor[a]?|director[a]?|gerente|manager|supervisor[a]?|coordenador[a]?|soci[oa]|sindic[oa]|proprietari[oa]|propietari[oa]|empresari[oa]|ceo|cfo|contador[a]?|head)\b"
)
STAFF_SAID = re.compile(rf"\b{STAFF}\b|\b(?:equipe|equipo|team|time|somos|we are|we're)\b|\+|\bmais\b|\d|\btrabalh")
SHORT_WORDS = 2
ASKS_OF_BUSINESS = re.compile(
    r"\b(?:frota|fleet|flotilla|pedidos|orders|produ[cz]\w+|faturamento|volume|volumen|animais|unidades|lojas|tiendas|alunos|clientes|pacientes|estoque|equipe|equipo|vendas|ventas)\b"
)
VOLUME = re.compile(
    r"\b(?:fazemos|temos|rodamos|vendemos|tiramos|tira|atendemos|despachamos|tenemos|hacemos|sacamos|vendemos|producimos|produzimos|we (?:do|have|run|make|sell|ship|get)|tenho|sao)\b[^.!?]{0,30}(?:\d|\b(?:tres|cinco|sete|siete|dez|diez|vinte|cem|cien)\b)"
)
ASKS_OF_ONESELF = re.compile(
    r"\b(?:(?:seu|sua|tu|your|o|el|the|de) (?:carro|auto|car|moto|pele|skin|piel|casa|apartamento|house|home|treino|saude|joelho|ingles|idioma|ejercicio|corpo|peso|sono)|voce (?:ja )?(?:estuda|treina|mora)|estudias|estudia|ejercicio|exercicio|where do you live|vivis|tratamento|tratamiento|treatment|objetivo com o|o ingles|el ingles|your english)\b"
)
BODY = re.compile(
    r"\b(?:minhas? (?:costas|joelhos?|pele|dor(?:es)?|coluna|autoestima)|me duele\w*|mi (?:rodilla|espalda|piel)|my (?:knee|back|skin|sleep|weight)|(?:perder|bajar|subi|engordei|emagrecer) \d+ (?:kilos|quilos|kg)|dormir sem dor|minha autoestima|meus netos|mis nietos|my grandkids)\b"
)
FOUND_SAYS_BUSINESS = frozenset(("company", "segment"))


def read(text: str, question: str, *, found: Collection[str], topics: frozenset[str]) -> Kind | None:
    """("PF" or "PJ", start, end, confidence), or None when it is not evident. `found`: keys of other facts of the turn."""
    plain = level(text)
    whole = (0, len(text.rstrip()))
    if "person_type" in topics:
        for kind, pattern in TO_ASKED:
            for match in pattern.finditer(plain):
                if not re.search(r"\b(?:nao|no|not|nada de|sem)\s+(?:\w+\s+){0,2}$", plain[: match.start()]):
                    return kind, match.start(), match.end(), 0.9
    if FOUND_SAYS_BUSINESS & set(found):
        return "PJ", *whole, 0.85
    if "team_size" in found and "decision_maker" not in topics and STAFF_SAID.search(plain):
        return "PJ", *whole, 0.75
    if "role" in found and LEADS.search(plain):
        return "PJ", *whole, 0.75
    if len(plain.split()) > SHORT_WORDS:
        asked = level(question)
        if ASKS_OF_BUSINESS.search(asked) and VOLUME.search(plain):
            return "PJ", *whole, 0.6
        if (ASKS_OF_ONESELF.search(asked) or BODY.search(plain)) and not BUSINESS.search(plain):
            return "PF", *whole, 0.6
    household = HOUSEHOLD.search(plain)
    business = BUSINESS.search(plain) if question or OURS.search(plain) else None
    for kind, sign, other in (("PF", household, business), ("PJ", business, household)):
        if sign and not other:
            return kind, sign.start(), sign.end(), 0.6
    return None
