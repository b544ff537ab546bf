"""What the agent's message before asks for: the facts an answer to it would give. Pure.

A short answer means what the question makes of it: "quatro" is a team, an amount or an hour.
"""

import re
from functools import lru_cache

from conversations.playbook.money import level

_STAFF = (
    r"(?:pessoas|gente|funcion\w+|colaborador\w*|voces sao|vcs sao|sao (?:voces|no|na|em)|vendedor\w*|corretor\w*|atendentes?|motoristas|tecnicos|dentistas|medicos|professor\w*|"
    r"instrutor\w*|advogados|profissionais|empregados|usuarios|trabalha\w*|empleados|personas|son\b|trabajan|trabajador\w*|usuarios|agentes|people|employees|staff|of you|"
    r"users|reps|agents|team|workers|drivers|work (?:there|with|for))"
)
TOPICS = {
    "name": r"\b(?:seu nome|teu nome|nome completo|qual (?:e )?o nome(?! d[ao] (?:empresa|loja|neg))|com quem (?:eu )?(?:falo|estou|tenho)|quem (?:fala|esta falando)|posso (?:te |lhe )?chamar|devo (?:te |lhe )?chamar|te chamo|como (?:se|te|voce se) chama|"
    r"tu nombre|su nombre|te llamas|se llama usted|con quien (?:hablo|tengo)|quien (?:habla|escribe)|your name|your first name|who am i|who's this|who is this|who are you|(?:should|can|may) (?:i|we) call you|speaking with|talking to)\b",
    "company": r"\b(?:nome d[ao] (?:sua |seu )?(?:empresa|loja|negocio|clinica|escola|restaurante|escritorio|salao)|qual (?:e )?(?:a )?(?:sua )?empresa|(?:de|em) qual empresa|que empresa|cargo e empresa|nombre (?:de(?:l| la| tu| su)?) (?:negocio|empresa|tienda|local)|"
    r"(?:que|cual) empresa|de que empresa|company name|(?:what|which) company|name of (?:your|the) (?:company|business|shop|store)|business name|where do you work)\b",
    "role": r"\b(?:cargo|funcao|profissao|seu papel|sua area|com o que (?:voce )?trabalha|o que (?:voce )?faz (?:na|la|hoje)|job title|your role|your position|what do you do|your title|what's your job|puesto|tu rol|tu cargo|profesion|ocupacao|ocupacion|a que te dedicas)\b",
    "segment": r"\b(?:ramo|segmento|seu negocio|tipo de (?:negocio|empresa|loja)|o que (?:voces?|a empresa|vcs) (?:faz|fazem|vende|vendem)|(?:voce |voces |vcs )?(?:vende|vendem|distribui|produz|fabrica) o que|atua(?:m)? (?:em|com)|area de atuacao|industry|(?:kind|type|sort|line) of (?:business|company|work)|"
    r"what does your (?:company|business)|what (?:do you|kind).*(?:sell|business)|about your business|your business|rubro|giro|tu negocio|su negocio|a que (?:te|se) dedica\w*|que (?:venden|hacen|vendes)|conta\w* (?:um pouco )?(?:d[ao]|sobre) \w+|me fala d[ao] \w+|cuentame (?:de|sobre) \w+|tell me (?:a bit )?about (?:your|the) \w+|como e (?:a|o) (?:sua |seu )?(?:empresa|negocio|loja|clinica|escola))\b",
    "email": r"\b(?:e-?mail|correo|mail)\b",
    "phone": r"\b(?:telefone|celular|numero (?:para|pra|de) (?:contato|telefone)|whatsapp (?:para|pra)|ddd|phone|number to reach|contact number|telefono|movil|tu numero|su numero|your number|seu numero|numero de contacto|qual o numero|um numero)\b",
    "team_size": rf"(?:\b(?:quant[oa]s|cuant[oa]s|how many)\b[^?]*\b{_STAFF}|\b(?:tamanho d[oae]|tamano del?|size of) (?:sua |seu |your |the |tu |su )?(?:time|equipe|equipo|team)|team size|how big is (?:the|your) (?:team|company)|headcount|quem trabalha|quem (?:faz parte|esta) n[ao] (?:time|equipe)|equipe de vendas hoje|"
    r"de cuantos (?:es|era) el equipo|quantos (?:voces )?sao\b|cuantos son\b|how many are you|numero de (?:funcionarios|empleados|pessoas)|\d+ pessoas|sao (?:quinze|dez|\d+), certo|pessoas no time)",
    "current_tool": r"(?:\bcomo (?:e que )?(?:voces?|vcs?|vc|o senhor|a senhora|vocês|sao|e|fica|funciona|e feit[oa]|chegam)?\s*\w*\s*(?:hoje |atualmente )?(?:control|anot|organiz|registr|gerenc|acompanh|receb|agend|marc|lanc|faz|cuid|fech|calcul|confirm|pass|guard|process|feit|chegam|estud|cobr|tira|acha)\w*|"
    r"\b(?:que|qual|quais|algum|alguma) (?:e )?(?:o |a )?(?:\w+ )?(?:sistema|ferramenta|programa|crm|erp|software|app|aplicativo|plataforma|fornecedor|provedor|operadora|internet|plano|seguro)|\b(?:usam?|utilizam?|trabalham? com|tem) (?:algum|alguma|que|qual|hoje|ainda)|onde (?:voces? |vcs )?(?:anot|registr|control|guard)|"
    r"\bhow (?:do|are|is) (?:you|your|they|the|it)[^?]*(?:track|manag|handl|keep|record|book|schedul|organi[sz]|tak|do|log|run|bill|invoic|store|today|currently|now)|\b(?:what|which) (?:tool|system|software|app|crm|program|provider|platform|supplier)|are you using|do you (?:use|currently use|have a)|what do you use|"
    r"\bcomo (?:lleva|llevas|llevan|maneja|manejas|manejan|controla|controlas|controlan|registra|registran|organiza|organizan|agenda|agendan|recibe|reciben|anota|anotan|hacen|haces|cobran)|\b(?:que|cual) (?:sistema|herramienta|programa|software|usas|usan|app|proveedor|utilizan)|\busan? (?:algun|alguna)|tiene[ns]? (?:algun|alguna)|\busa[mns]? [a-z]+|\b(?:do you|are you|you) (?:log|track|keep|record|use|write|studying)|\bcon (?:que|quien|cual)\b|\bonde (?:a senhora|o senhor|voces?|vc|anunci\w+)|donde (?:anunci|compr|guard|registr|anot)\w*|como (?:toman|confirmam|hacen|vc|manda\w*)\b|quien (?:les?|hace|lleva|maneja)\b|who (?:does|handles|runs|keeps)\b|por onde|quem (?:faz|cuida|e o fornecedor)|fornecedor atual|hoje (?:e|esta) (?:com|em) (?:quem|que))",
    "budget": r"\b(?:um valor|algum valor|un monto|algun monto|a figure|verba|orcamento|investi\w*|faixa de (?:valor|preco|investimento)|valor (?:em mente|separado|reservado|cabe|voce)|quanto (?:cabe|caberia|pode|poderia|pensa|pretende|voces? (?:pode|pretende|investi)|daria|tem|dispoe|quer)|teto|ate quanto|how much could|could you do|what deposit|deposit|entrada|put aside|numero ten|en mente|in mind|con cuanto|doable|reservado|cabe n[oa]|gastar|ja tem o valor|tem recurso|recurso previsto|"
    r"budget|invest|spend|afford|how much (?:can|could|are|were|would|have) you|price range|set aside|presupuesto|invertir|gastar|cuanto (?:puede|podria|piensa|pueden|podrian|tienes|tienen|manejan?|destina)\w*|rango de precio)\b",
    "timeline": r"\b(?:(?:para|pra|ate) quando|quando (?:voces? |vcs |vc )?(?:quer|queria|pretend|precis|gostari|seria|comec|pens|vence|inaugur|decid|podemos (?:comecar|avancar|seguir))\w*|qual (?:e )?o prazo|prazo|e urgente|urgencia|tem pressa|pressa|em quanto tempo|tem data|tem prazo|"
    r"(?:para|hasta) cuando|cuando (?:quier|necesit|pien|empez|comenz|seria|les gust|te gust|arranc)\w*|plazo|es urgente|hay (?:prisa|apuro|urgencia)|tiene[ns]? (?:prisa|apuro)|^(?:e |y |and )?(?:para |pra |ate )?(?:quando|cuando|when)\b(?! (?:foi|aconte|fue|paso|did|was|liga|chove|da |o |cai))|que (?:fecha|data)|what date|timing|renewal|when\?|when (?:do|would|are|will|did|should) (?:you|we) (?:need|want|like|start|plan|look|hop|thinking|be)\w*|how soon|timeline|time ?frame|deadline|is it urgent|by when)\b",
    "decision_maker": r"\b(?:quem (?:mais )?(?:que )?(?:decide|aprova|resolve|bate|participa|da a palavra|define|assina|toma|manda)|(?:voce|vc|o senhor|a senhora)?\s*(?:que |quem )?decide|(?:voce|vc|voces|senhora?|tu|usted|ustedes) (?:mesm[oa] |sozinh[oa] )?(?:que )?decid\w+|decidem|decide sozinh\w*|decid\w+ sozinh\w*|decisor\w*|ajudam? a decidir|palavra final|ultima palavra|autonomia|decisao|decision|aprova\w*|precisa (?:falar|consultar|aprovar)|fecha sozinh\w*|(?:voce e|e) (?:o|a) don[oa]|mais alguem|tem soci|hay soci|board|boss|autoriza|who chooses|quem escolhe|quien elige|someone else|alguien mas en|"
    r"who (?:decides|signs|makes|approves|else|has)|you decide|decision|sign(?:s)? off|approv\w+|(?:are you|you're) the owner|anyone else|quien (?:decide|aprueba|toma|mas|firma)|(?:tu|usted) (?:decides|decide|toma)|la decision|aprueba|alguien mas)\b",
    "preferred_times": r"\b(?:que horas|(?:qual|que|melhor|algum|em que|em qual|quais) (?:e )?(?:o |os |a )?(?:seu |seus )?(?:melhor |melhores )?(?:horarios?|dias?|periodo|data)|quando (?:fica|podemos|posso|pode|voce pode|da|seria bom|conversa|marc)\w*|marca\w*|agend\w*|reuniao|conversar|bate-papo|call|visita|demonstracao|posso (?:te )?ligar|vistoria|medicao|"
    r"what (?:time|times|day)|when (?:suits|works|can|could|shall|is good|are you (?:free|available))|best time|meeting|demo|schedule|book|visit|appointment|que (?:hora|horas|horario|dia)|a que hora|cuando (?:podemos|podri\w+|puedes|puede|hacemos|te|le)\w*|que tal uma|dia e hora\w*|dia y hora|datas? que|dia ruim|melhor hora|quando e melhor|when suits|suits you|reunion|llamada|cita|coordin\w*|agend\w*|disponib\w*)\b",
    "person_type": r"\b(?:(?:casa|residencia|residencial|voce|voces|pessoal|uso proprio|vc|fisica) ou (?:para |pra |sua |a )?(?:\w+ )?(?:empresa|comercio|comercial|negocio|juridica)|empresa ou|pessoa (?:fisica|juridica)|(?:para|pra) quem (?:e|seria)|cpf ou cnpj|voce tem empresa|e (?:para|pra) (?:empresa|casa)|"
    r"home or (?:a )?business|business or (?:home|personal|residential)|personal or|for (?:you|yourself) or|residential or|negocio u? ?o? ?hogar|(?:casa|hogar|particular|personal) o (?:para )?(?:\w+ )?(?:empresa|negocio)|(?:empresa|negocio) [ou] (?:\w+ )?(?:casa|hogar|particular|personal)|para quien)\b",
}
_COMPILED = {key: re.compile(pattern) for key, pattern in TOPICS.items()}
SLOTS_OFFERED = re.compile(r"\b[1-3][).:]\s")
MEETING_BOOKED = re.compile(
    r"\b(?:lembrete|confirmad[ao]|marcad[ao]|agendad[ao]|posso confirmar|podemos confirmar|confirmamos|puedo confirmar|can i confirm|shall i confirm|reminder|booked|scheduled|see you|recordatorio|te espero|nos vemos)\b"
)
AT_HOME = re.compile(
    r"\b(?:moram?|mora com|em casa|na casa|en casa|viven?|vivem|familia|at home|household|live (?:there|with|in))\b"
)
FOR_A_TALK = re.compile(
    r"\b(?:ligar|ligo|conversar|conversa|falar|falamos|reuniao|reunirmos|visita|tecnico|demonstracao|demo|call|talk|meet\w*|chat|hablar|hablamos|llam\w+|reunion|charla|melhor|mejor|suits?)\b"
)
PRICE_ASKED = re.compile(
    r"\b(?:cabe|fica bom|pode ser|dentro|faz sentido|tudo bem|ok|serve|combina|consegue|works?|okay|sound|fit|alright|va bien|sirve|le queda|te queda|parece|esta bien|bolso)\b"
)


@lru_cache(maxsize=512)
def asked(question: str) -> frozenset[str]:
    """Facts the question asks for (keys of `facts.KEYS`), and "slots", "booked", "price" where it offers or names them."""
    plain = level(question)
    ends = [piece for piece in re.split(r"(?<=[.!])\s+|\n", plain) if piece.strip()]
    last = " ".join(piece for piece in ends if "?" in piece) or (ends[-1] if ends else "")
    found = {key for key, pattern in _COMPILED.items() if pattern.search(last)}
    if re.match(
        r"\W*(?:e\s+|y\s+|and\s+)?(?:como|how|quant|cuant|o que|que (?:incomoda|mudaria)|what (?:happens|would)|nunca|ever)\b",
        last,
    ) and not re.search(r"how about|que tal|how does \w+ (?:sound|work)", last):
        found.discard("preferred_times")
    if "team_size" in found and AT_HOME.search(last):
        found.discard("team_size")
    if {"timeline", "preferred_times"} <= found and FOR_A_TALK.search(last):
        found.discard("timeline")
    if SLOTS_OFFERED.search(plain):
        found.add("slots")
    if MEETING_BOOKED.search(plain):
        found.add("booked")
    if (
        re.search(r"[$€£]\s?\d|\d[\d.,]*\s*(?:reais|por mes|/mes|al mes|a month|dolares|euros|mensais)", plain)
        and "?" in plain
        and PRICE_ASKED.search(plain)
    ):
        found.add("price")
    return frozenset(found)
