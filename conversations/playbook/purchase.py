"""How a lead would buy: tool used now, budget, timeline, who decides, times to meet. Pure; values are verbatim."""

import re
from collections.abc import Iterator

from conversations.playbook.fact_words import (
    FIRST_NAMES,
    GENERIC_TOOLS,
    HOUSE_TOOLS,
    OTHERS,
    TIME_CORE,
    TIME_LINKS,
    TOOLS,
)
from conversations.playbook.money import amounts, level, numbers, shares

Place = tuple[int, int, float]
MOST_NUMBERS = 40  # a list of more is no budget

TOOL = re.compile(rf"(?<![\w-])({TOOLS}|{HOUSE_TOOLS})(?![\w-])")
HOUSE_TOOL = re.compile(HOUSE_TOOLS)
PROPER_TOOL = r"[A-ZÁÉÍÓÚÂÊÔÃÕÇ0-9][\w.&+-]*(?:\s+[A-ZÁÉÍÓÚÂÊÔÃÕÇ][\w.&+-]*){0,2}"
USES = re.compile(
    r"\b(?:uso|usa|usamos|usam|usando|utilizo|utilizamos|utiliza|trabalho com|trabalhamos com|trabajo con|trabajamos con|contratamos|assino|assinamos|fechamos com|fechei com|renovar? com|renovei com|renovamos com|continuar com|"
    r"ficar com|fico com|sou cliente d[ao]|cliente d[ao]|tenho [oa]|temos [oa]|tenho|temos|tengo|tenemos|uso [oa]|pago [oa]|pagamos [oa]|paga [oa]|pago \S+ (?:al mes |por mes |na |pra |a )?(?:con|n[ao]|pr[ao]|pela|pelo)|cerramos con|firmamos con|quedarnos con|quedarme con|seguir con|"
    r"e n[oa]|e [oa]|e d[ao]|esta n[oa]|ta n[oa]|tudo (?:n[oa]|pel[oa]|em|no)|todo (?:en|por)|feito (?:n[oa]|em)|controlo (?:n[oa]|em|por|pel[oa])|controlamos (?:n[oa]|em|por|pel[oa])|anoto (?:n[oa]|em)|anotamos (?:n[oa]|em)|anota (?:n[oa]|em)|marco (?:n[oa]|em)|pel[oa]|n[oa]|num|numa|"
    r"se llama|chama|chamado|sistema e [oa]|crm e [oa]|programa e [oa]|rastreador e d[ao]|"
    r"use|uses|using|we're on|we are on|run on|we run|run|work with|have|we have|i have|stay with|staying with|went with|signed with|pay|on|in|con|el|la|en)\s+(?:um |uma |un |una |an? |the |o |a |el |la |los |our |my |meu |minha |mi |nuestro |nosso |nossa |ainda |atualmente |hoje |todavia |apenas |so |solo |just |only |old |velho |vieja? |mesmo )*$"
)
PAST = re.compile(
    r"\b(?:larg\w+|cancel\w+|cansei|abandon\w+|parei|paramos|deixamos de|deixei de|troquei|trocamos|era\b|usava\w*|usei|tentei|tentamos|testei|testamos|tinha\w*|ja (?:usei|tive|tivemos|testei|tentei)|antes|antigamente|dejamos|dejé|deje|dejo|usaba\w*|usabamos|tenia\w*|probe|probamos|intentamos|used to|tried|quit|dropped|left|ditched|stopped|previously|formerly|had)\b[^,;.]{0,28}$"
)
NEGATED = re.compile(
    r"\b(?:nao|nem|no (?:uso|usamos|usa|tengo|tenemos|hay|longer|es|use)|nunca|sem|sin|without|never|don't|doesn't|not|ni|jamais)\s+(?:\w+\s+){0,2}$"
)
TOOL_WISH = re.compile(
    r"\b(?:quero|queria|preciso de|precisava|gostaria|quiero|quisiera|necesito|want|need|would like|looking for|procuro|busco|sonho|integra(?:r)? com|mandar?|manda|envia|me chama|liga|falar|fala|send|exportar|pelo seu|teu)\s+(?:\w+\s+){0,3}$"
)
CONTACT_MEDIUM = re.compile(
    r"^(?:whats\w*|zap|wpp|wasapp?|e-?mail|correo|gmail|outlook|instagram|insta|direct|telegram|messenger|youtube|word|tim|oi|vivo|claro|net|sky|square|wave|clover|bind|rd|direct|paper|livro|pasta|mural|access|senior|dominio|monday|sage|tango|slack)$"
)
TOOL_TAIL = re.compile(
    r"^\s+(?:de|do|da|from|del)\s+(?:papel|google|celular|caixa|excel|pedidos?|parede|bolso|mesa|computador|telefono|papel)\b"
)
IN_USE = re.compile(
    r"(?<!nao )(?<!no )(?<!don't )(?<!nem )\b(?:uso|usamos|a gente usa|utilizo|utilizamos|we use|i use|we're using|usamos hoy|todavia usamos|ainda uso)\s+(?:(?:o|a|os|as|um|uma|uns|umas|el|la|los|las|un|una|an?|the|hoje|ainda|so|solo|apenas|just|our|nosso|nossa|nuestro|nuestra|meu|minha|mi|my|esse|essa|este|esta)\s+)*"
    r"([a-z][a-z'&-]+(?:\s+(?!que\b|mas\b|pero\b|but\b|pra\b|para\b|e\b|y\b|and\b|desde\b|since\b|ha\b|hace\b|faz\b|quando\b|cuando\b|when\b|todo\b|toda\b|every\b|ja\b|ya\b|ai\b|porque\b|because\b|tambem\b|hoje\b|hoy\b|now\b|mesmo\b|com\b|con\b|with\b|for\b|to\b|in\b|at\b|so\b|la\b|aqui\b|nos\b|no\b|na\b|en\b)[a-z'&-]+){0,3})"
)
PAID_ALREADY = re.compile(
    r"\b(?:ja (?:tenho|temos|trabalho com|pago)|hoje (?:pago|e|temos|tenho)|pago|pagamos|gasto|gastamos|contratamos|contrato|we've got|we have|i have|ya (?:tengo|tenemos|trabajo)|trabalho com|trabajo con|feito por|hecho por|done by|quem faz e)\b[^.!?]{0,28}$"
)
HELPER = re.compile(
    r"\b((?:meu |minha |o |a |el |la |mi |the |my |our |um |uma |un |una |an? )?(?:concorrente|competencia|competitor|freelancer|freela|diarista|faxineira|motoboy|contador[a]?|accountant|bookkeeper|sobrinh[oa]|agencia|terceirizad[ao]|seu [a-z]+|posto(?:inho)?(?: do bairro| de saude)?|sus|onibus|uber|99|tinta de farmacia|gas(?: de botijao)?|botijao|carro proprio))\b"
)
USED_YES = re.compile(r"\b(?:sim|uso|usamos|tenho|temos|ainda|yes|yeah|still|si|claro|usa)\b")

NO_MONEY = re.compile(
    r"\b(?:(?:nao (?:tem|tenho|temos|ha|sobra|cabe|da|existe)(?: (?:mais|nenhuma?|muita|essa|esse|como|agora|no momento))? (?:verba|grana|dinheiro|orcamento|caixa|recurso|condicao|condicoes|budget|no orcamento|no bolso)|sem (?:um |nenhum |nenhuma )?(?:verba|grana|dinheiro|orcamento|caixa|tostao|recursos?|condicoes|din din|budget)(?: nenhuma?)?(?: (?:agora|no momento|esse (?:ano|mes|semestre)|este (?:ano|mes)))?|"
    r"(?:verba|orcamento|grana|dinheiro|caixa|presupuesto|budget|plata|money)\W{0,3}(?:e |es |is |ta |esta |'s )?(?:zero|zerad[oa]|cero|nenhuma?|curt[oa]|apertad[oa]|tight|none|esgotad[oa])|(?:zero|cero|nenhuma?|nada de|nem um|ni un|no) (?:verba|orcamento|grana|dinheiro|presupuesto|budget|plata|money|dinero|centavo|peso|tostao|real|duro)(?: (?:set aside|for (?:this|it)|ahora|por ahora|agora|esse semestre|esse ano|esse mes|este mes|right now|at the moment))?|"
    r"no (?:hay|tengo|tenemos|tiene) (?:plata|dinero|presupuesto|fondos|un peso|un centavo)|sin (?:plata|dinero|presupuesto|fondos|un peso)|we don't have (?:a |any |the )?(?:budget|money|cash|funds)|i don't have (?:a |any |the )?(?:budget|money|cash|funds)|can't afford(?: it| that| this)?|cannot afford(?: it)?|(?:strapped|short) (?:for|on|of) (?:cash|money)|broke|"
    r"(?:to|estou|tou|ando|estamos) (?:lis[oa]|dur[oa]|quebrad[oa]|pelad[oa]|apertad[oa]|sem um tostao|zerad[oa])|mes (?:ta|esta) (?:apertado|curto)|(?:nao (?:cabe|da)|no me alcanza|no alcanza)(?: (?:agora|no momento|no bolso|ahora))?|fuera de (?:mi|nuestro) presupuesto|fora do (?:meu |nosso )?orcamento|out of (?:my|our) (?:budget|range)|reservada nao))\b"
)
MONEY_NO_MATTER = re.compile(
    r"\b(?:dinheiro (?:nao|n) e (?:o )?problema|(?:preco|valor|grana|verba) (?:nao|n) e (?:o )?problema|money(?:'s| is) (?:no|not an?) (?:problem|issue|object)|el dinero no es (?:un )?problema|sem limite|o que for preciso|lo que haga falta|whatever it (?:takes|costs)|verba (?:aprovada|liberada|garantida|tem|temos)|tem verba|tenho verba|temos verba|budget(?: is|'s)? approved|presupuesto aprobado)\b"
)
BUDGET_CUES = re.compile(
    r"\b(?:ate|no maximo|maximo|teto|tope|limite|orcamento|verba|budget|presupuesto|invest\w*|invert\w*|separ\w+|reserv\w+|guard\w+|junt\w+|ahorr\w+|apart\w+|aparte|set aside|saved|put aside|up to|at most|max|hasta|como maximo|could go|posso (?:pagar|gastar|ir)|consigo (?:pagar|gastar)?|consigo|podemos (?:pagar|gastar|ir)|a gente pode gastar|pagaria|pago ate|topo|cabe|caberia|"
    r"can (?:spend|pay|do|afford|go)|could (?:spend|pay|do|go)|would pay|willing to pay|afford|works for me|puedo (?:pagar|gastar)|podemos (?:pagar|gastar)|pagar|liber\w+|aprov\w+|aprob\w+|approved|disp\w+|tenho|tengo|temos|tenemos|have|got|eu tiro|alcanza|cover|se fosse|si fuera|gastar|spend|put down|stretch|consigo ir|traigo|aprobaron|aprovaram|pagaria)\b"
)
PAYS_NOW = re.compile(
    r"\b(?:pago|pagamos|pagando|paga|gasto|gastamos|gastei|paguei|pagué|pague|custa|custou|cuesta|costo|costs?|cobra\w*|cobrou|perd\w+|prejuizo|multa\w*|fatur\w+|factur\w+|vend\w+|ganh\w+|deve\w*|devo|devendo|divida|conta (?:de|vem|vinha)|conta|aluguel|salario|lucro|juros|paying|pay|paid|spend|lost|lose|losing|revenue|make|bill|owe|comissao|desconto|discount|perder|perdemos|perdiendo|travad[oa]|ticket|vale|valor d[ao]|preco d[ao]|por que|caro|comprei|comprou|estouro\w*|orcamento de|ganar|sale|sai|fica|cada|viene|vem|recebo|mensalidade)\b[^,;.]{0,26}$"
)
RANGE = re.compile(
    r"(?:(?:entre|between|somewhere between|de|from|una?s|uns|umas|unos|ate|hasta|up to|under|over|around|about|like|algo|tipo|no maximo|max|maximo|cerca de|por volta de|mais ou menos|maybe|menos de|less than|mais de|more than|at most|como maximo|como|acima de)\s+)*$"
)
MONEY_TAIL = re.compile(
    r"^\s*(?:tinha|inho)?(?:\s*(?:reais|real|contos?|paus?|pilas?|mangos|dolares|dollars?|bucks|euros?|pesos|pesitos|soles|quid|grand|k\b|mil\b|mi\b|usd|brl))?(?:\s*(?:por|/|al|a|per|no|ao|n[ao]|each|cada|x)\s*(?:mes|month|ano|year|mo|semana|week|cabeca|pessoa|person|user|usuario|persona|ano)\b|\s*(?:mensa(?:l|is)|mensual(?:es)?|monthly|anua(?:l|is|les)|mes)\b)?(?:\s*,?\s*(?:no maximo|maximo|max|tops|at most|como maximo|nomas))?"
)
WHEN = re.compile(
    rf"(?P<core>(?:{TIME_CORE})(?:-feira)?(?![\w-]))|(?P<clock>\d{{1,2}}\s?(?:h\d{{0,2}}|hs|hrs|:\d\d|am|pm)(?!\w)|\d{{1,2}}/\d{{1,2}}(?!\d))|(?P<link>(?:{TIME_LINKS})(?![\w-]))|(?P<number>\d{{1,2}}(?![\w.,]\d|\w)|(?:um|uma|dois|duas|tres|quatro|cinco|seis|dez|quinze|vinte|trinta|two|three|four|five|six|ten|dos|cuatro|quince|treinta|an?)(?!\w))|(?P<other>[\w'-]+)|(?P<mark>[^\s\w])"
)
HOUR_BEFORE = re.compile(
    r"\b(?:as|las|la|at|das|after|before|until|ate|hasta|entre|between|around|e|y|and|dia|tipo|depois|antes|despues)$"
)
NO_HURRY = re.compile(
    r"\b(?:(?:nao (?:tenho|temos|tem|ha)|sem|no (?:hay|tengo|tenemos)|sin|no|zero) (?:nenhuma |muita |tanta |ninguna |big |real |particular )?(?:pressa|prisa|apuro|rush|hurry|urgencia|data|prazo|fecha|deadline)(?: (?:nenhuma|alguma|definid[oa]|agora|ninguna))?|pressa (?:nao|n) (?:tenho|tem|temos)|com calma|con calma|"
    r"(?:so|to so|estou so|apenas|only|just|solo|solamente) (?:pesquisando|olhando|sondando|cotando|looking|browsing|researching|mirando|viendo|averiguando)|not in a (?:hurry|rush)|no (?:rush|hurry)|quando der|whenever|cuando se pueda|mais pra frente|mais para frente|mas adelante|later on|down the (?:road|line)|nao e (?:pra )?(?:agora|urgente)|no es urgente|not urgent|futuramente|no futuro|en el futuro|nao precisa ser agora|sem correria|sem urgencia|no corre prisa|take your time|whenever works)\b"
)
HURRY = re.compile(
    r"\b(?:urgent\w*|urgencia|(?:o |lo |el )?(?:quanto|cuanto) antes|antes possivel|mais rapido possivel|mas rapido posible|lo mas pronto posible|a s a p|asap|as soon as possible|right away|straight away|immediately|imediat\w+|inmediat\w+|de imediato|o mais breve possivel|(?:lo necesito|lo quiero|preciso|quero|need it|want it) (?:ja|ya|now|agora|ahora|hoje|hoy|today)|cada hora conta|cada dia conta|every (?:day|hour) counts|(?:pra|para|p) (?:ontem|ayer|ja|hoje|hoy|agora|ya)(?: mesmo| mismo)?|pra ja|para ya|ya mismo|ja mesmo|agora mesmo|ahora mismo|correndo|logo|can't wait|cannot wait|no puede esperar|nao (?:da|posso|pode) (?:mais )?(?:pra |para )?esperar|yesterday)\b"
)
NEEDS_BY = re.compile(
    r"\b(?:precis\w+|quer\w*|quiero|tem que|tenho que|tem q|ten(?:go|emos) que|necesit\w+|need\w*|want\w*|must|have to|has to|gotta|prazo|deadline|inaugur\w+|abr(?:e|imos|o|ir)|vence\w*|come[cç]\w+|empez\w+|start\w*|instal\w+|pronto|pronta|listo|ready|rodando|funcionando|running|live|no ar|ate|hasta|by|antes d\w+|before|resolv\w+|entreg\w+|launch\w*|lanc\w+|mud\w+|cheg(?:a|am|ar)|llega\w*|lands?|arrives?|decidir|dias pra|deu \d+|fechar|contratado|done|up and|regulariz\w+)\b"
)
MEETS = re.compile(
    r"\b(?:reuniao|reunion|meeting|call|chamada|demo|demonstracao|visita\w*|visit|agend\w+|marc\w+|encaix\w+|horario|horarios|ligar|ligue|liga|me liga|llam\w+|conversar|falar|meet|schedule|book|appointment|cita|vistoria|apresent\w+|remarc\w+|reagend\w+|mudar|mover|move|push|reschedul\w+|cambi\w+|pass(?:ar|a)|transfer\w+|posso|consigo|puedo|i can|works|available|disponivel|disponible|livre|free|tem (?:as|a)|tem vaga|venham|vengan|come by|vir|medir|coordin\w+)\b"
)
MEETING_TAIL = re.compile(r"^(?:e|y|and|de|a|o|el|la|las|os|as|por|para|pra|no|na|em|en|on|at|in|so|the|to|da|do)$")

TRUE_ALONE = re.compile(
    r"\b(?:(?:quem|que) (?:decide|manda|resolve|aprova|assina|da a palavra|bate o martelo|define)[^,.!?]{0,14}(?:sou|e|soy) (?:so |somente |apenas )?(?:eu|yo)\b|(?:eu|yo)(?: mesm[oa]| sol[oa])?(?: (?:que|q|quem|sozinh[oa]|mism[oa]))? (?:decido|mando|resolvo|aprovo|assino|defino|bato o martelo|decid[oa]|apruebo|firmo|resuelvo|dou a palavra|tomo (?:a|la|essa|las|as) decis\w+)|(?:decido|resolvo|fecho|aprovo|assino|compro|contrato|decido yo|firmo|apruebo) (?:eu )?(?:tudo )?(?:sozinh[oa]|sol[oa]|eu|yo|por (?:mim|mi))|"
    r"(?:a|la) (?:decisao|decision|palavra final|ultima palabra|ultima palavra|caneta|assinatura) (?:e|es|final e) (?:so |toda |solo )?(?:minha|mia)|(?:nao|no|n) (?:dependo|preciso|precisa|tenho que|necesito|tengo que) (?:de |falar com |consultar |perguntar (?:a|pra) |preguntarle a |de aprovacao de )?(?:ninguem|ngm|nadie|mais ninguem|aprovacao|autorizacao)|(?:so|somente|apenas|solo|solamente) (?:eu|yo)(?: mesm[oa]| mism[oa])?(?: decid\w+| mando)?\b(?! que)|(?:tenho|tengo) (?:autonomia|autonomia total|carta branca|carta blanca|poder de decisao)|(?:empresa|loja|negocio|casa|clinica) e (?:so |toda )?(?:minha|meu)|sou (?:o |a )?(?:unic[oa] )?(?:don[oa] unic[oa]|unic[oa] (?:don[oa]|titular|soci[oa]|responsavel)|proprietari[oa] unic[oa])|soy (?:el |la )?(?:unic[oa] )?(?:duen[oa] unic[oa]|unic[oa] duen[oa])|aqui (?:quem )?(?:manda e|mando) (?:eu|sou eu)|mando (?:eu|yo)|decido (?:eu|yo)|sou eu (?:que|quem) (?:mando|manda|decido|decide|resolvo)|sou don[oa] sozinh[oa]|lo (?:decido|resuelvo|apruebo) yo|es decision mia|decision mia|solely my decision|pull the trigger|(?:the )?only one (?:who|that) (?:chooses|decides|signs)|no one above me|nadie mas|yo decido|eu decido|"
    r"i (?:make|take) (?:the|all|that|this|those|every) (?:final )?(?:decisions?|calls?)|i decide|i'm the (?:only |sole )?(?:decision[- ]?maker|one who (?:decides|signs))|i (?:call the shots|have (?:the )?(?:final|full) (?:say|authority)|sign off|sign the checks|can sign|approve)|(?:it's|that's|it is) (?:all |just |entirely )?(?:my (?:call|decision|business)|up to me)|(?:my|the) decision(?:'s| is) mine|nobody else|no one else|just me(?: deciding)?|only me|sole (?:owner|decision)|nobody (?:else )?(?:needs to|gets a vote|has to)|my (?:money|business|shop),? (?:and )?my (?:call|decision|rules)|(?:yo|eu) solit[oa] decido|"
    r"(?:quem|quien|o que|la que|el que|a que) (?:escolhe|paga|dispone|assina|decide|elige|firma|compra|define)[^,.!?]{0,24} (?:sou|soy) (?:eu|yo)\b|(?:nao|no) (?:preciso|necesito) (?:pedir|de) (?:bencao|permissao|permiso|licenca|autorizacao|aprovacao)(?: (?:a|pra|para) \w+)?|nao (?:presto contas|devo satisfacao)(?: a \w+)?|"
    r"(?:ninguem|nadie) (?:acima|encima|arriba|por encima) de (?:mim|mi)|(?:nao|no) pas[as]a? por (?:mais )?(?:ninguem|nadie)|(?:aprovado|aprobado|liberado) por (?:mim|mi)(?: mesm[oa])?|empresa de uma pessoa so|(?:a )?escolha[^,.]{0,20} e minha|i pick the|i'm the one who (?:pays|picks|chooses)|carta branca|carta blanca|i don't need (?:anyone|anybody)(?:'s)?|the buck stops with me|by myself)\b"
)
OTHER_MUST = re.compile(
    rf"(?:\b(?:precis\w+|tenho que|tenho q|tem que|tem q|teria que|vou|vamos|necesito|tengo que|voy a|debo|have to|need to|got to|gotta|i'd need|i need|must|let me|gonna|going to|quero|deixa eu|prefiro|i'll|i should)\s+(?:\w+\s+){{0,2}}?(?:fal\w+|ver|convers\w+|consult\w+|alinh\w+|pergunt\w+|pedir|levar|pass\w+|mostr\w+|habl\w+|pregunt\w+|platic\w+|comentar\w*|checar|confirm\w+|discut\w+|aprova\w+|talk\w*|check|ask|run|speak|consult|discuss|clear|bring|sign-?off|approval|show)\b[^.!?]{{0,22}}?\b{OTHERS}\b|"
    rf"\b(?:meu|minha|meus|minhas|nosso|nossa|o|a|os|as|mi|mis|nuestro|nuestra|el|la|los|my|our|the|um|uma|tem o|tem a|outr[oa])\s+(?:\w+\s){{0,1}}?{OTHERS}\b[^.!?]{{0,30}}?\b(?:decid\w*|aprov\w*|aprueb\w*|aprob\w*|assin\w*|resolv\w*|defin\w*|autoriz\w*|bat\w+ o martelo|paga|manda|escolh\w+|concord\w+|firm\w+|tem (?:que|q)|tiene que|participa|opina|da a palavra|vai querer|has to|have to|needs? to|must|decides?|approves?|signs?|agree|makes? the|calls? the|say)\b|"
    rf"\b(?:quem|quien|who)\b[^.!?]{{0,18}}\b(?:decide|aprova|manda|resolve|assina|bate|paga|firma|aprueba|define|signs|approves)\b[^.!?]{{0,12}}(?:e|sao|es|son|is|eh)?\s*(?:o|a|os|as|el|la|meu|minha|mi|my|the)?\s*{OTHERS}\b|"
    rf"\b{OTHERS}\s+(?:e\s+)?(?:que|q|quem|quien)\s+(?:decid\w*|aprov\w*|manda|resolve|assina|define|bate|paga|escolhe|firma|aprueba|elige)|\b(?:decid\w*|resolv\w*|decisao|decision)\b[^.!?]{{0,16}}\b(?:juntos|juntas|together|em familia|en familia|entre (?:os|nos|los|las)|(?:con|com) (?:meu|minha|mi|o|a|el|la)|with (?:my|the)|de los dos|dos dois|em conjunto)|"
    rf"\b(?:passa|pasa|vai|va|goes) (?:pel[oa]s?|por|pr[oa]|through|to|al?|para (?:o|a))\s+(?:el |la |the |my |our )?{OTHERS}\b|\b(?:depende|depends|dependo) (?:d[oae]s?|del?|on)\s+(?:la |el |meu |minha |my |mi |the )?{OTHERS}\b|\b(?:i'm|sou|soy|eu|yo) (?:so|just|only|solo|apenas) (?:faco|fazendo|cot\w+|pesquis\w+|gather\w*|collect\w*|research\w*|busco|averigu\w+)\b|\bela que (?:resolve|decide|manda)|\bele (?:que|q) (?:resolve|decide|manda|bate)|\bnot (?:just )?(?:my|up to me)|\bnao (?:sou|e) (?:so )?(?:eu|minha|comigo)(?: (?:que|quem) decid\w+)?|\bnao decido\b|\bno (?:decido|soy yo)\b|\bvotad?a?\b|\b(?:falta|tengo que|tenho que|have to|need to|'d have to|preciso) (?:convencer|convince) (?:o|a|al?|el|la|my|meu|minha|mi|the)?\s*{OTHERS}\b|\bsem (?:o )?aval\b|\b(?:firma|autoriza|aprueba|homologa|assina|aprova) (?:el|la|o|a) {OTHERS}\b|\b{OTHERS} (?:da \w+ )?(?:que )?(?:homologa|assina comigo|da o aval)|\b(?:so|solo|only) (?:com|con|with) (?:a|la|o|el|the) {OTHERS}\b|\blev[oa] (?:pra|para|pro) (?:a |o )?(?:{OTHERS}|doutora?|chefia)\b|\bpassou disso e|\blicitacao\b|\bnot (?:the )?(?:decision|only|me)\b)"
)
YES = re.compile(
    r"^\W*(?:sim|s|isso|claro|com certeza|exato|eu|eu mesm[oa]|eu msm|yo|yo mismo|yo misma|si|yes|yep|yeah|yup|me|just me|sozinh[oa]|sol[oa]|so eu|i do|i am|alone|correct|exactly|afirmativo|correto|ninguem|nadie|nobody|no one|i decide|that's me|sou)\b"
)
NO = re.compile(r"^\W*(?:nao|n|no|nope|nah|not)\b")


def tools(text: str, *, is_asked: bool, tool_named: str) -> Iterator[Place]:
    """What does the job today. `tool_named`: a tool the question names ("usam caderno?"), or ""."""
    plain = level(text)
    best: list[Place] = []
    for match in TOOL.finditer(plain):
        before = plain[: match.start()]
        if (
            PAST.search(before)
            or TOOL_WISH.search(before)
            or (NEGATED.search(before) and not re.search(r"\bnao saio d[ao]\b", before))
        ):
            continue
        uses = bool(USES.search(before))
        if not uses and not is_asked:
            continue
        weak = bool(CONTACT_MEDIUM.match(match.group(1)) or HOUSE_TOOL.fullmatch(match.group(1)))
        if weak and not (
            is_asked or (uses and re.search(r"(?:us[oa]\w*|tudo|todo|pelo|sistema e|tenho)\s*(?:\w+\s)?$", before))
        ):
            continue
        tail = TOOL_TAIL.match(plain[match.end() :])
        best.append(
            (
                match.start(),
                match.end() + (tail.end() if tail else 0),
                0.6 if weak else 0.85 if uses and is_asked else 0.75,
            )
        )
    strong = [place for place in best if place[2] > 0.7]
    if strong or best:
        chosen = strong or best
        yield chosen[0] if is_asked else max(chosen, key=lambda place: (place[2], -place[0]))
        return
    if (brand := _brand(text, plain, is_asked=is_asked)) is not None:
        yield brand
        return
    if (used := IN_USE.search(plain)) and used.group(1).split()[0] not in NO_TOOL:
        yield used.start(1), used.end(1), 0.6
        return
    helper = HELPER.search(plain)
    if (
        helper
        and (is_asked or PAID_ALREADY.search(plain[: helper.start()]))
        and not NEGATED.search(plain[: helper.start()])
    ):
        yield helper.start(1), helper.end(1), 0.6
        return
    if is_asked and tool_named and USED_YES.search(plain) and not NO.match(plain):
        yield 0, len(text), 0.0


BRAND_CUES = re.compile(
    rf"\b(?:uso|usamos|usam|utilizamos|utilizo|use|using|trabalho com|trabalhamos com|trabajo con|trabajamos con|usa|sistema|programa|crm|erp|software|app|plataforma|fechamos com|fechei com|cerramos con|renovar com|renovei com|renovar con|quedarnos con|ficar com|paga|pagamos|pago|con|we run|on|have|tenho|temos|tengo|tenemos|fornecedor|cliente|junto com|integra com|integra con|sync with|integrate with|provedor|seguro|plano|e d[ao]|work with|works with|{GENERIC_TOOLS})\b(?:,? (?:e|es|is|era|hoje|hoje e|chama|se llama|called|de|d[ao]|com|con|with|atual|sigue siendo|mesmo|al mes|por mes|da|desde))*(?:\s*,)?\s+(?:o |a |el |la |the |da |do |com a |com o |con la |con |com |na |no |my |our )*$"
)


DIRECT_USE = re.compile(
    r"(?:ja )?(?:uso|usamos|use|we use|us[oa]mos) (?:o |a |el |la |the |um |uma |un |una |an? |so )*([a-z]+)"
)
NO_TOOL = frozenset("nada nothing nenhum nenhuma nao so muito tudo todo isso any mais pra para sim".split())
WEAK_CUE = re.compile(
    r"(?<!trabalho )(?<!trabajo )(?<!fechei )(?<!renovar )(?<!renovei )(?<!quedarnos )(?<!seguir )(?<!cerramos )(?<!fechamos )\b(?:con|com|on|tenho|tengo|cliente)\s+(?:o |a |el |la |the )?$"
)


OPENS_WITH_NAME = re.compile(
    rf"\s*(?:(?:o|a|el|la|the|O|A|El|La|The)\s+)?({PROPER_TOOL})(?=\s*(?:$|[,.;!\n(]|desde\b|since\b|há\b|hace\b|faz\b|for\b|mesmo\b|going\b|e\b|y\b|and\b))"
)


def _brand(text: str, plain: str, *, is_asked: bool) -> Place | None:
    """A proper name where a tool or supplier is expected."""
    for match in re.finditer(PROPER_TOOL, text):
        before = plain[: match.start()]
        if not before.strip() and not is_asked:
            continue
        if match.group()[0].isdigit() or text.isupper() or PAST.search(before) or NEGATED.search(before):
            continue
        if BRAND_CUES.search(before) and (is_asked or not WEAK_CUE.search(before)):
            return match.start(), match.end(), 0.75
        if is_asked and re.search(
            r"\b(?:con|com|na|no|d[ao]|in|on|en|with|have|tengo|tenho|temos|uso|o|a|el|la|pago|perdon,|digo,)\s+$",
            before,
        ):
            return match.start(), match.end(), 0.6
    if is_asked and (opening := OPENS_WITH_NAME.match(text)) and not text.isupper():
        word = level(opening.group(1)).split()[0]
        if not YES.match(word) and not NO.match(word) and word not in NO_TOOL and word not in FIRST_NAMES:
            return opening.start(1), opening.end(1), 0.6
    direct = DIRECT_USE.match(plain) if is_asked else None
    if direct and direct.group(1) not in NO_TOOL:
        return direct.start(1), direct.end(1), 0.55
    return None


def budgets(text: str, *, is_asked: bool, price_asked: bool) -> Iterator[Place]:
    """Money that is there for it, or is said not to be. Not what is paid, lost or earned today."""
    plain = level(text)
    if (no := MONEY_NO_MATTER.search(plain)) and is_asked:
        yield no.start(), no.end(), 0.8
        return
    priced = {(amount.start, amount.end) for amount in amounts(plain) if amount.sign != "free"}
    candidates: list[Place] = []
    percents = {share.start for share in shares(plain)}
    for number in numbers(plain)[:MOST_NUMBERS]:
        if number.start in percents or number.value < 1:
            continue
        money = any(start <= number.start < end for start, end in priced) or bool(
            re.search(
                r"\b(?:mil|milzao|k|mi|milhoes|million|grand|thousand|millones)$", plain[number.start : number.end]
            )
        )
        before, after = plain[: number.start], plain[number.end :]
        if re.match(
            r"\s*(?:pessoas|func\w*|anos|years|meses|dias|alunos|clientes|vezes|h\b|hs\b|:\d|/\d|horas|semanas|weeks|days|months|lojas|leads|contatos|users|people|personas|empleados|st\b|th\b|usuarios|obras|carros|placas|itens|parcelas|x\b(?! por))",
            after,
        ):
            continue
        if re.search(r"(?:\bdia|\bas|\blas|\bat|n[o°]|/)\s*$", before) and not money:
            continue
        if number.is_doubtful and not money:
            continue
        if counts_things(after):
            continue
        per = PER.match(after)
        cue = BUDGET_CUES.search(before[-40:]) or BUDGET_CUES.search(after[:26])
        now = (PAYS_NOW.search(before) or (LOSSES.search(plain) and not is_asked)) and not re.search(
            r"\b(?:ate|no maximo|up to|hasta|max|teto)\s+(?:\w+\s+)?$", before
        )
        if now or not (is_asked or price_asked or (money and cue) or (per and cue)):
            continue
        if not (money or per or is_asked or price_asked):
            continue
        start, end = _money_span(plain, number.start, number.end, priced)
        candidates.append((start, end, 0.85 if is_asked else 0.75 if money or per else 0.6))
    if candidates:
        first, last = candidates[0], candidates[-1]
        between = plain[first[1] : last[0]]
        if len(candidates) == 2 and re.fullmatch(r"\s*(?:e|a|ate|y|and|to|-|ou|or|o|hasta)\s*", between):
            yield first[0], last[1], first[2]
            return
        yield last if re.search(r"\b(?:ate|topo|mas|pero|but|no maximo|;)\b", between) else first
        return
    if (no := NO_MONEY.search(plain)) and (
        is_asked
        or price_asked
        or re.search(
            r"verba|orcament|grana|dinheiro|presupuest|plata|money|budget|cash|tostao|funds|dinero", no.group()
        )
    ):
        yield no.start(), no.end(), 0.75
        return
    if is_asked:
        clause = re.split(r"[,.;!?\n]", plain)[0]
        if (
            re.search(
                r"\b(?:nenhum\w*|nada|none|nothing|ninguno|zero|cero|metade|half|mitad|salarios?|depende)\b", clause
            )
            and len(clause.split()) <= 8
        ):
            word = re.search(
                r"\b(?:nenhum\w*|nada|none|nothing|ninguno|zero|cero|metade|half|mitad|(?:\w+ )?salarios? minimos?)\b",
                clause,
            )
            if word:
                yield word.start(), word.end(), 0.5


def counts_things(after: str) -> bool:
    """Whether the words after a number say that it counts something other than money. `after` is levelled."""
    counted = COUNTED.match(after)
    return counted is not None and not OF_MONEY.fullmatch(counted.group(1))


COUNTED = re.compile(r"\s+([a-z]{4,}(?:s|es))\b")  # "12 mil seguidores": how many, not how much
OF_MONEY = re.compile(
    r"reais|contos|pesos|pesitos|euros|dolares|dollars|bucks|soles|mangos|pilas|quetzales|bolivianos|guaranies|libras|pounds|mensais|mensuales|anuais|anuales|"
    r"disponiveis|disponibles|guardados|reservados|livres|menos|mais|pelas|pelos|nos|nas|tops"
)
PER = re.compile(
    r"\s*(?:reais |euros |contos |pesos |dolares )?(?:(?:por|/|al|a|per|no|each|cada) ?(?:mes|month|ano|year|semana|week)\b|mensa|"
    r"(?:por|per) (?:ha|hectare|hectarea|cabeca|aluno|alumno|student|vida|pessoa|persona|person|usuario|user|funcionario|empleado|employee|veiculo|vehiculo|vehicle|"
    r"unidade|unidad|unit|hora|hour|m2|metro|peca|pieza|aula|clase|class|sessao|sesion|session|visita|visit|lead|loja|tienda|store)\b)"
)
LOSSES = re.compile(
    r"\b(?:prejuizo|perd\w+|lost|lose|losing|multa|tuve que pagar|tivemos que pagar|paguei|pague|tiramos|sobrar|conserto|arreglo|guincho|se nos|cost us|custou|costo)\b"
)


def _money_span(plain: str, start: int, end: int, priced: set[tuple[int, int]]) -> tuple[int, int]:
    for first, last in priced:
        if first <= start < last:
            start, end = min(first, start), max(last, end)
    if (tail := MONEY_TAIL.match(plain[end:])) is not None:
        end += tail.end()
    head = RANGE.search(plain[:start])
    start = head.start() if head else start
    while plain[end - 1] == " ":
        end -= 1
    while plain[start] == " ":
        start += 1
    return start, end


ACCEPTS = re.compile(
    r"^\W*(?:(?:sim|cabe|fica|ta|esta|pode|claro|ok|fechado|tranquilo|beleza|consigo|da|serve|si|yes|yeah|sure|works|fine|perfect|perfeito|perfecto|vale|okay|that works|sounds good|great|dentro|combinado)\b)"
)


def accepts(text: str) -> Place | None:
    """Where a price that was named is said to be all right, or None."""
    plain = level(text)
    if (match := ACCEPTS.search(plain)) is None or re.search(r"\b(?:nao|mas|pero|but|caro|expensive|not|no)\b", plain):
        return None
    return match.start(), len(text.rstrip()), 0.7


def price_in(question: str) -> str:
    """The amount a question names, verbatim with its period; "" if none."""
    plain = level(question)
    priced = [amount for amount in amounts(plain) if amount.sign != "free"]
    if priced:
        start, end = _money_span(plain, priced[-1].start, priced[-1].end, set())
        return question[start:end].strip()
    found = [n for n in numbers(plain) if not n.is_doubtful]
    if not found:
        return ""
    start, end = _money_span(plain, found[-1].start, found[-1].end, set())
    return question[start:end].strip()


def times(text: str) -> list[tuple[int, int]]:
    """Every stretch of words that says when, trimmed of the prepositions at its ends."""
    plain = level(text)
    found = []
    for first, last in _runs(plain):
        start, end = _trimmed(plain, first, last)
        words = plain[start:end]
        if WEAK_TIME.fullmatch(words) and words not in ALONE_IS_TIME:
            continue
        if (
            re.match(r"\s*(?:de experiencia|no mercado|de mercado|atras|ago\b|%|mil\b|k\b|reais\b)", plain[end:])
            or (re.search(r"\bsegunda$", words) and SECOND.match(plain[end:]))
            or re.search(r"\b(?:ha|faz|hace|desde|for)\s+$", plain[:start])
            or re.match(r"(?:bom|boa|buen\w*|good)\s", plain[max(0, start - 5) : end])
        ):
            continue
        found.append((start, end))
    return found


SECOND = re.compile(
    r"\s*(?:via|loja|turma|unidade|vez|filial|opcao|parte|casa|mao|vinda|visita|proposta|etapa|fase|parcela|maquina|turno|mensagem)\b"
)


def _trimmed(plain: str, start: int, end: int) -> tuple[int, int]:
    while (word := re.match(r"[\w']+[\s,]+", plain[start:end])) and MEETING_TAIL.match(word.group().strip(" ,")):
        start += word.end()
    while end > start and plain[end - 1] in " ,":
        end -= 1
    return start, end


WEAK_TIME = re.compile(
    r"(?:ja|ya|now|agora|ahora|dias?|days?|hoje|mes|mas|anos?|horas?|tardes?|noches?|noites?|semanas?|manhas?|min|am|hs?|mar|set|ago|dom|sex|out|ter|seg|qui|qua|fall|obra|reforma|comida|almoco|lunch|mudanca|obras|ontem|ayer|sab|dec|may|sat)"
)
ALONE_IS_TIME = frozenset(("amanha", "manana", "hoje", "agora", "ahora", "now"))
CANCELS = re.compile(
    r"\b(?:cancel\w*|desmarc\w+|anul\w+|tira\w*|quit[ae]\w*|saca\w*|scrap|call off|take|remove|suspend\w*|desist\w+|nao precisa\w*|ya no|no vengan|no hace falta|nao vou poder|nao vai dar|no voy a poder|can't make|me salgo|da[r]? de baja|de de baja|nao rola|mudar|mover|move|push|trocar|cambiar|passar|reschedule|remarcar|reagendar|atras\w+|outro dia|otro dia|another day)\b"
)
PUTS = re.compile(
    r"\b(?:poe|pone\w*|ponla|ponlo|put|bota|coloca\w*|joga|marca\w*|agenda|make it|pass\w+ (?:ela |la )?pr?a\w*|para|pra|pro|por|to|instead|al|a las|as|pode ser|podria ser|puede ser|so consigo|tem que ser|que sea|has to be|could we do|at|no|na|el|depois d\w+|after|de noite|adianta\w*|melhor|qualquer|cualquier|any)\s+(?:o |a |el |la |las |los |the )?$"
)


def _runs(plain: str) -> Iterator[tuple[int, int]]:
    """Longest stretches of words of time that hold a day, a part of one, a date or an hour."""
    start = end = 0
    has_core = False
    before = ""
    for match in WHEN.finditer(plain):
        kind, words = match.lastgroup, match.group()
        breaks = kind == "other" or (kind == "mark" and words not in ",-/")
        if breaks:
            if has_core:
                yield start, end
            start = end = match.end()
            has_core, before = False, ""
            continue
        if not before:
            if kind == "mark":
                continue
            start = match.start()
        if kind in {"core", "clock"} or (kind == "number" and HOUR_BEFORE.search(before) and words[0].isdigit()):
            has_core, end = True, match.end()
        elif kind != "mark" and re.fullmatch(
            r"que vem|q vem|que viene|cedo|agora|mesmo horario|later|tarde|seguinte|siguiente|uteis|habiles", words
        ):
            end = match.end()
        before = f"{before} {words}"
    if has_core:
        yield start, end


REFUSES = re.compile(
    r"\b(?:nao (?:me )?(?:chama|mand|quero|autoriz|envi|compr)\w*|remov\w+|exclu\w+|apag\w+|delete|lgpd|gdpr|stop|unsubscribe|out of office|no (?:me )?(?:escriban|manden|llamen|quiero)|cancel\w*|desmarc\w*|anular|dados|contrat\w+ (?:gente|pessoa|alguem)|hire|atendente|humano|human|pessoa)\b"
)
SHORT_ANSWER = 9  # words; the whole of such an answer is what was said of the time
DEFERS = re.compile(
    r"\b(?:(?:so|somente|only|solo|recien) (?:em|no|na|depois|apos|em|in|after|en|despues)|me (?:procura|chama|liga)|quem sabe|hablame|llamame|buscame|escribeme|ping me|call me|reach out|check back|lo vemos|a gente (?:ve|conversa|fala)|deixa\w* (?:pra|para|passar)|vou esperar|esperar|dejemos(?:lo)? para|deixamos? pra|agora nao|ahora no|not now|hasta que|ate que|talvez|quiza\w*|tal vez|maybe|perhaps|probably|provavelmente|hoy no|hoje nao|not until|till|some ?time|looking at|mas para|pensando (?:em|para|pra)|thinking)\b"
)


def places_after(text: str, at: int) -> list[tuple[int, int]]:
    """Stretches of time that begin at or after a place, days and hours of the present left out."""
    plain = level(text)
    return [
        place
        for place in times(text)
        if place[0] >= at and not re.search(r"\b(?:hoje|hoy|today|agora|ahora|now|ja|ya)\b", plain[place[0] : place[1]])
    ]


def timelines(text: str, *, topics: frozenset[str]) -> Iterator[Place]:
    """When it is wanted, or that there is no hurry. Not a wish about the time of a meeting."""
    plain = level(text)
    is_asked = "timeline" in topics
    if (calm := NO_HURRY.search(plain)) and (
        is_asked or re.search(r"pressa|prisa|apuro|rush|hurry|urgen", calm.group())
    ):
        whens = [place for place in times(text) if place[0] >= calm.end()] if is_asked else []
        if whens:
            yield *whens[0], 0.6
        else:
            yield calm.start(), calm.end(), 0.8
        return
    hurry = HURRY.search(plain)
    if (defer := DEFERS.search(plain)) and places_after(text, defer.start()):
        yield *places_after(text, defer.start())[0], 0.7
        return
    about_meeting = bool(topics & {"preferred_times", "slots", "booked"}) or (
        bool(MEETS.search(plain)) and not is_asked
    )
    places = times(text)
    if is_asked:
        said_at = min([place[0] for place in places] + ([hurry.start()] if hurry else []), default=0)
        clause = _clause_at(text, said_at)
        short = 0 < len(clause.split()) <= SHORT_ANSWER
        if (
            (places or hurry)
            and short
            and not re.search(r"\b(?:mas|pero|but|nao|no|reuniao|reunion|call)\b", level(clause))
        ):
            at = text.index(clause)
            yield at, at + len(clause), 0.8
        elif places:
            last = re.search(r"\b(?:la pr?a|la para|quiza|talvez|ou seja)\b", plain)
            yield *(places[-1] if last else places[0]), 0.85
        elif hurry:
            yield hurry.start(), hurry.end(), 0.8
        else:
            clause = re.split(r"[,.;!?\n]", text)[0].strip()
            words = level(clause).split()
            if 0 < len(words) <= 7 and words[0] in {
                "quando",
                "cuando",
                "when",
                "depois",
                "antes",
                "after",
                "before",
                "assim",
                "so",
                "ate",
                "once",
                "apenas",
                "despues",
                "em",
                "in",
                "as",
            }:
                at = text.index(clause)
                yield at, at + len(clause), 0.6
        return
    if hurry and not VAGUE_HURRY.fullmatch(hurry.group()) and not REFUSES.search(plain):
        yield hurry.start(), hurry.end(), 0.7
        return
    if about_meeting or REFUSES.search(plain) or HAPPENED.search(plain):
        return
    for start, end in places:
        said = plain[start:end]
        if NO_DATE.fullmatch(said):
            continue
        if re.search(
            r"\b(?:por|al|a|per|cada|toda?s?|every|each|/)\s*(?:mes|dia|ano|semana|week|month|day|year)\b|diari|passad|pasad|last (?:week|month|year)|ontem|ayer|yesterday",
            plain[max(0, start - 6) : end],
        ):
            continue
        needs = NEEDS_BY.search(plain[max(0, start - 32) : start]) or re.match(
            r"(?:ate|antes|hasta|by|before|depois|despues|after|so em|only|ainda|em ate|within|daqui)", said
        )
        definite = re.search(
            r"\b(?:mes|semana|week|month|ano|year|fim|final|end|depois|antes|ate|hasta|by|before|after|dia|dias|days|natal|christmas|navidad|"
            + r"hoje|today|hoy|amanha|tomorrow|que vem|next|proxim\w+|q[1-4]|trimestre|quarter|semestre|janeiro|fevereiro|marco|abril|maio|junho|julho|agosto|setembro|outubro|novembro|dezembro|enero|febrero|marzo|mayo|junio|julio|septiembre|octubre|noviembre|diciembre|january|february|march|april|june|july|august|september|october|november|december|sexta|segunda|terca|quarta|quinta|sabado|fds|friday|monday|lunes|viernes|spring|summer|fall|winter|verao|carnaval|ferias|safra)\b",
            said,
        )
        if needs and definite:
            yield start, end, 0.6
            return


def _clause_at(text: str, at: int) -> str:
    """The sentence that holds a place of the text."""
    start = 0
    for piece in re.split(r"(?<=[.;!?\n])", text):
        if start <= at < start + len(piece):
            return piece.strip(" .;!?\n\t")
        start += len(piece)
    return ""


VAGUE_HURRY = re.compile(
    r"logo|yesterday|correndo|urgencia|right away|straight away|immediately|imediatamente|inmediatamente"
)
HAPPENED = re.compile(
    r"\b(?:perdi|perdemos|perdeu|perderam|foram|fizemos|venceu|morreram|morreu|tive|tivemos|tuve|tuvimos|perdimos|perdio|se fue|se fueron|lost|had to|was|were|gastei|gastamos|paguei|pagamos|pague|descobri|fechei|fechou|caiu|deixei|devolvi|levei|fui|ficamos|fiquei|missed|paid|spent|went|missed)\b"
)
NO_DATE = re.compile(
    r"(?:(?:ate|hasta) (?:de |la )?(?:madrugada|noite|noche)|ate (?:hoje|agora|meia noite|tarde|la)|hasta (?:hoy|ahora|tarde)|(?:em )?ate \d+ ?h(?:oras)?|antes|depois|despues|(?:no |el )?mesm[oa] (?:dia|hora)|mismo dia|same day|todo dia.*|every day)"
)
FINE = re.compile(
    r"\b(?:segundas?|tercas?|quartas?|quintas?|sextas?|sabados?|domingos?|seg|ter|qua|qui|sex|sab|dom|lunes|martes|miercoles|jueves|viernes|(?:mon|tues|wednes|thurs|fri|satur|sun)days?|mon|tue|wed|thu|fri|hoje|hoy|today|tonight|amanha|manana|tomorrow|manhas?|tardes?|noites?|noches?|mananas?|mornings?|afternoons?|evenings?|nights?|noon|lunch|almoco|almuerzo|mediodia|meio-dia|"
    r"semana que vem|proxima semana|semana|next week|this week|essa semana|esta semana|proxima|week|fds|finde|weekends?|dia \d+|cedo|cedinho|temprano|early|expediente|as \d+|\d+ ?(?:h|hs|hrs|am|pm|:\d\d)\w*|a las \w+|las \w+|\d+/\d+|depois d\w+ \d+|despues de \w+ \w+|after \w+|before \w+|antes d\w+ \w+|horas?|horario)\b"
)
LASTS = re.compile(
    r"(?:un[oa]s|uns|umas|some|tres|dois|dos|duas|cinco|dez|diez|vinte|trinta|\d+|uma?|una?|one|an?)\s+(?:min\w*|dias?|days?|semanas?|weeks?|meses|months?|anos?|years?)"
)
OPENS_AT = re.compile(
    r"\b(?:horario de (?:atendimento|funcionamento|atencion|trabalho)|atend(?:o|emos)|atendimento e|abrimos|funcionamos|office hours|opening hours)\b"
)


REFUSES_SLOTS = re.compile(
    r"\b(?:nenhum\w*|nem|esses|desses|nesses|ningun\w*|ni|esas|esos|none|neither|can't|nao (?:posso|consigo|da)|no puedo|imposible|prefiro|prefiero|prefer|tem (?:as|a|de)|so consigo)\b"
)


def is_offered(words: str, offered: str, *, refuses: bool) -> bool:
    """Whether a day or hour the lead names is one of the slots the question offers. A part of the day is, unless refused."""
    days = {name[:3] for name in re.findall(r"[a-z]{3,}", words) if WEEKDAY.match(name)}
    in_offer = set(re.findall(r"[a-z]{3}|\d+", offered))
    if days:
        return bool(days & in_offer)
    hours = {int(name) for name in re.findall(r"\d+", words)}
    offers = {int(name) for name in in_offer if name.isdigit()}
    if not hours:
        return not refuses
    return bool(hours & offers or {hour + 12 for hour in hours} & offers)


WEEKDAY = re.compile(r"seg|ter|qua|qui|sex|sab|dom|lun|mar|mie|jue|vie|mon|tue|wed|thu|fri|sat|sun")


def preferred_times(text: str, *, topics: frozenset[str], question: str = "") -> Iterator[Place]:
    """When the lead would meet or be called, other than an offered slot."""
    plain = level(text)
    if OPENS_AT.search(plain) or OPENS_AT.search(level(question)):
        return
    asked = bool(topics & {"preferred_times", "slots", "booked"})
    if not asked and not (
        MEETS.search(plain)
        and re.search(
            r"\b(?:reuniao|reunion|meeting|call|demo\w*|visita\w*|visit|agend\w+|marc(?:a|ar|amos|o)|ligar|liga|llam\w+|cita|vistoria|venir|vienen|consigo|reachable|encaix\w+|medir|conversar|remarc\w+|reagend\w+|reschedul\w+|horario\w*|come by|vengan|apresent\w+)\b",
            plain,
        )
    ):
        return
    if topics & {"timeline"} and not asked and not re.search(r"reuni|meeting|call|demo|visita|conversar", plain):
        return
    places = [
        place
        for place in times(text)
        if not re.search(
            r"\b(?:nao|no puedo|no me sirve|no va|not|nem|can't|instead of|em vez de|en vez de|ruim|menos a de|cancela a de|cancel|cancela la del|que antes|had|than)\s+(?:(?:posso|consigo|da|puedo|na|no|o|a|el|la|de|do|em|en|on|at|pode)\s+)*$",
            plain[max(0, place[0] - 30) : place[0]],
        )
    ]
    places = [
        place
        for place in places
        if not re.match(
            r"\s*(?:nao (?:posso|consigo|da)|ta ruim|esta ruim|no puedo|doesn't|can't|won't)", plain[place[1] :]
        )
    ]
    if (cancel := CANCELS.search(plain)) is not None:
        places = [place for place in places if PUTS.search(plain[: place[0]]) and place[0] > cancel.start()]
        places = [
            place for place in places if not re.search(r"\b(?:de|da|do|la del?|of)\s+(?:la |el )?$", plain[: place[0]])
        ]
    places = [
        place
        for place in places
        if not re.fullmatch(r"agora|ahora|now|hoje|hoy|today|ate amanha|amanha|bem na hora", plain[place[0] : place[1]])
        or (asked and "booked" not in topics)
    ]
    if "booked" in topics and re.search(
        r"\b(?:obrigad\w|thanks|gracias|confirmad\w|combinado|nos vemos|see you)\b", plain
    ):
        return
    places = [
        place
        for place in places
        if FINE.search(plain[max(0, place[0] - len("a las ")) : place[1]])
        and not LASTS.fullmatch(plain[place[0] : place[1]])
        and not NO_DATE.fullmatch(plain[place[0] : place[1]])
    ]
    if "slots" in topics:
        offered = level(question)
        refuses = bool(REFUSES_SLOTS.search(plain))
        places = [p for p in places if not is_offered(plain[p[0] : p[1]], offered, refuses=refuses)]
    if places:
        longest = [place for place in places if place[1] - place[0] > 4] or places
        yield *(longest[-1] if topics & {"booked", "slots"} else longest[0]), 0.75


def decides(text: str, *, is_asked: bool) -> Iterator[tuple[bool, int, int, float]]:
    """Whether the lead alone decides, as they say."""
    plain = level(text)
    other = OTHER_MUST.search(plain)
    alone = TRUE_ALONE.search(plain)
    if alone and (
        other is None
        or not re.search(r"\b(?:mas|pero|but|juntos|juntas|together|tambem|tambien|acima de|also|and i|e eu)\b", plain)
    ):
        short_me = re.fullmatch(
            r"(?:so|somente|apenas|solo|solamente|just|only) (?:eu|yo|me)(?: mesm[oa]| mism[oa])?|just me|only me|nobody else|no one else|by myself",
            alone.group(),
        )
        if not short_me or is_asked:
            yield True, alone.start(), alone.end(), 0.85
            return
    if other:
        yield False, other.start(), other.end(), 0.8
        return
    if not is_asked:
        return
    if someone := re.search(rf"\b{OTHERS}\b", plain):
        first_word = someone.group()
        if not re.search(
            r"\b(?:sou|soy|i'm|i am|como|as)\s+(?:[oa]\s+|the\s+|el\s+|la\s+|an?\s+)?(?:\w+\s)?$",
            plain[: someone.start()],
        ) or first_word not in {"dono", "dona", "proprietario", "owner", "dueno", "duena", "proprietaria"}:
            yield False, someone.start(), someone.end(), 0.7
            return
        yield True, someone.start(), someone.end(), 0.7
        return
    if yes := YES.search(plain):
        yield True, yes.start(), len(plain.rstrip()), 0.7
    elif no := NO.search(plain):
        yield False, no.start(), no.end(), 0.6
    elif me := re.search(r"\b(?:eu|yo|sozinh[oa]|sol[oa]|i do|me|myself|mine|minha|mia)\b", plain):
        yield True, me.start(), me.end(), 0.6
