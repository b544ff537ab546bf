"""What the offline brain says to leads, in their language: several ways to say each thing, and SPIN questions to fall
back on where an org has written none. `{braces}` are filled by `say`.
"""

import hashlib
from collections.abc import Mapping, Sequence
from functools import lru_cache

from conversations.playbook import tones
from conversations.ports import Context

LANGUAGES = ("pt-br", "en", "es")

SAY: Mapping[str, Mapping[str, Sequence[str]]] = {
    "pt-br": {
        "hello": ("Oi{name}!", "Olá{name}!"),
        "disclosure": (
            "Olá! Você está falando com a assistente virtual {company}. Se preferir falar com uma pessoa, é só pedir.",
        ),
        "welcome": (
            "Que bom que você escreveu! Me conta um pouco para eu te explicar direito.",
            "Legal seu interesse! Para eu te explicar do jeito certo, me ajuda com uma coisa.",
        ),
        "met": ("Prazer, {name}!", "Obrigado, {name}!"),
        "going_on": ("Combinado, seguimos por aqui.", "Tá certo, continuo por aqui."),
        "no_matter": ("Sem problema.", "Tranquilo.", "Tudo bem, sem pressa."),
        "noted": (
            "Perfeito, deixo avisado para a equipe.",
            "Certo, a equipe recebe isso junto com o que você já contou.",
        ),
        "waiting": ("Combinado! Se surgir algo, me chama aqui.", "Fechado! Estou por aqui se precisar."),
        "ack": ("Entendi.", "Certo.", "Ah, sim.", "Tá.", "Entendido."),
        "ack_problem": (
            "Puxa, entendo.",
            "Imagino como isso atrapalha.",
            "É, isso cansa.",
            "Poxa, que chato.",
            "Dá para entender o incômodo.",
        ),
        "ack_cost": ("Nossa, isso pesa.", "Entendo, não é pouca coisa.", "Poxa, imagino.", "É, acaba saindo caro."),
        "ack_payoff": (
            "Que bom saber disso.",
            "Faz todo sentido.",
            "Perfeito, entendi o que você busca.",
        ),
        "unknown": (
            "Essa eu não tenho aqui e não quero te passar nada errado: vou deixar anotado para a equipe confirmar.",
            "Não tenho essa informação comigo; prefiro que a equipe confirme a te dizer algo errado.",
            "Boa pergunta; para não errar, deixo a equipe te responder essa por aqui.",
        ),
        "unknown_too": (
            "Essa também deixo com a equipe.",
            "Anotei essa junto com as outras.",
            "Mais uma para a equipe confirmar.",
            "Essa vai na mesma lista para a equipe.",
        ),
        "why_ask": ("Pergunto para te indicar o que faz sentido para você.", "É para te explicar só o que te serve."),
        "objection": ("Entendo sua preocupação.", "É justo pensar nisso.", "Faz sentido você pesar isso."),
        "human": ("Claro! Já avisei a equipe, e uma pessoa continua com você por aqui{back}.",),
        "human_again": ("A equipe já foi avisada, e uma pessoa responde por aqui{back}.",),
        "back": (", a partir de {when}",),
        "confirm_opt_out": ("Só para eu acertar: você prefere não receber mais mensagens nossas?",),
        "confirm_human": ("Só para confirmar: você quer falar com uma pessoa da equipe?",),
        "opted_out": ("Tudo certo, você não recebe mais mensagens nossas. Se mudar de ideia, é só escrever.",),
        "not_interested": (
            "Sem problema, obrigado por avisar. Se precisar mais para frente, estamos por aqui.",
            "Tudo bem, agradeço a sinceridade. Fico à disposição se mudar algo por aí.",
        ),
        "off_topic": (
            "Por aqui consigo ajudar só com o que a gente oferece. Se for outro assunto, deixo anotado para a equipe.",
            "Desse assunto eu não entendo, só do que a {business} faz. Se quiser falar disso, sigo por aqui.",
        ),
        "hostile": ("Desculpe se incomodei. Vou parar por aqui, e a equipe fica à disposição se precisar.",),
        "meeting": (
            "Ótimo! Uma pessoa da equipe combina o melhor horário com você por aqui{back}.",
            "Combinado, a equipe acerta o horário com você por aqui{back}.",
        ),
        "qualified": (
            "Pelo que você contou, vale uma conversa com nosso time. Uma pessoa combina o horário com você por aqui{back}.",
        ),
        "wrap_up": ("Obrigado por tudo que contou. Vou passar para a equipe, que segue com você por aqui{back}.",),
        "unreadable": ("Recebi seu arquivo, mas não consegui abrir aqui. Pode me contar em texto?",),
        "voice_unreadable": ("Recebi seu áudio, mas não consegui ouvir agora. Pode me escrever em poucas palavras?",),
        "voice_unclear": ("Recebi seu áudio, mas não deu para entender. Pode gravar de novo ou escrever para mim?",),
        "voice_later": ("Recebi seu áudio e ainda estou ouvindo. Se preferir, me escreve em poucas palavras.",),
        "assistant": ("Sou um assistente virtual da equipe {company}. Se preferir uma pessoa, é só pedir.",),
        "thanks": ("Eu que agradeço! Se precisar, é só chamar.", "Imagina! Estou por aqui."),
        "satisfaction": ("Para fechar: de 1 a 5, que nota você dá para este atendimento?",),
        "rated": ("Obrigado pela nota!",),
        "again": ("Que bom falar com você de novo.",),
        "price_later": (
            "O valor depende do seu caso, então prefiro não chutar: me conta um pouco e a equipe te passa o certo.",
            "Não tenho um valor fechado comigo porque depende do caso, e quero que você receba o certo.",
        ),
        "price_again": ("Os valores são estes:", "Sim, fica assim:"),
        "price_team": (
            "Entendo querer o valor logo. Já deixei pedido para a equipe te passar por aqui{back}.",
            "Justo. Quem passa o valor é a equipe, e ela já sabe que você pediu.",
        ),
    },
    "en": {
        "hello": ("Hi{name}!", "Hello{name}!"),
        "disclosure": ("Hi! I'm the virtual assistant of {company}. If you would rather talk to a person, just ask.",),
        "welcome": (
            "Glad you wrote! Tell me a little first, so that I can explain it properly.",
            "Thanks for your interest! To explain what fits you, let me ask you one thing.",
        ),
        "met": ("Nice to meet you, {name}!", "Thanks, {name}!"),
        "going_on": ("Sure, we go on here.", "All right, let's carry on here."),
        "no_matter": ("No problem.", "That's fine.", "No worries."),
        "noted": ("Perfect, I'll let the team know.", "Okay, the team gets that along with what you told me."),
        "waiting": ("Great! Just write here if anything comes up.", "Perfect! I'm here if you need me."),
        "ack": ("Got it.", "I see.", "Okay.", "Right.", "Makes sense.", "Understood."),
        "ack_problem": (
            "That sounds tiring.",
            "I can imagine how that gets in the way.",
            "Ouch, I see.",
            "I can see why that bothers you.",
        ),
        "ack_cost": ("That's a lot.", "I see, that's no small thing.", "That does add up.", "Ouch, I can imagine."),
        "ack_payoff": (
            "Good to know.",
            "That makes a lot of sense.",
            "Perfect, I see what you're after.",
        ),
        "unknown": (
            "I don't have that here and don't want to tell you anything wrong: I'll note it for the team to confirm.",
            "I don't have that information; I'd rather have the team confirm it than guess.",
            "Good question; to get it right, I'll let the team answer that one here.",
        ),
        "unknown_too": (
            "I'll leave that one to the team as well.",
            "Noted with the others.",
            "One more for the team to confirm.",
            "That goes on the same list for the team.",
        ),
        "why_ask": (
            "I ask so that I can point you to what makes sense for you.",
            "Just to explain only what is of use to you.",
        ),
        "objection": ("I understand the concern.", "Fair point.", "It makes sense to weigh that."),
        "human": ("Of course! I've told the team, and a person will go on with you here{back}.",),
        "human_again": ("The team knows, and a person will answer you here{back}.",),
        "back": (", from {when}",),
        "confirm_opt_out": ("Just to be sure: should we send you no further messages?",),
        "confirm_human": ("Just to confirm: would you like to talk to a person from the team?",),
        "opted_out": ("All right, you won't get any more messages from us. If you change your mind, just write.",),
        "not_interested": (
            "No problem, thanks for telling me. If you ever need it, we're here.",
            "That's fine, I appreciate the honesty. I'm here if anything changes.",
        ),
        "off_topic": (
            "I can only help with what {business} offers here. If it is about something else, I'll leave a note for the team.",
            "That is outside what I look after, which is what {business} offers. If you'd like to talk about that, I'm here.",
        ),
        "hostile": ("Sorry for the bother. I'll stop here, and the team is available if you need it.",),
        "meeting": (
            "Great! Someone from the team will arrange the best time with you here{back}.",
            "Agreed, the team will settle the time with you here{back}.",
        ),
        "qualified": (
            "From what you told me, a talk with our team is worth it. Someone will arrange the time with you here{back}.",
        ),
        "wrap_up": ("Thanks for everything you shared. I'll pass it to the team, who will go on with you here{back}.",),
        "unreadable": ("I got your file but could not open it here. Could you tell me in a few words?",),
        "voice_unreadable": (
            "I got your voice note but could not listen to it now. Could you write it in a few words?",
        ),
        "voice_unclear": ("I got your voice note but could not make it out. Could you record it again or write it?",),
        "voice_later": ("I got your voice note and am still listening. If you prefer, write it in a few words.",),
        "assistant": ("I'm a virtual assistant of the {company} team. To talk to a person instead, just ask.",),
        "thanks": ("You're welcome! I'm here if you need anything.", "My pleasure, just write any time."),
        "satisfaction": ("To close: from 1 to 5, how would you rate this conversation?",),
        "rated": ("Thank you for the rating!",),
        "again": ("Good to talk to you again.",),
        "price_later": (
            "The price depends on your case, so I'd rather not guess: tell me a little and the team gives you the right one.",
            "I don't have one fixed price because it depends on the case, and I want you to get the right one.",
        ),
        "price_again": ("These are the prices:", "Yes, here they are:"),
        "price_team": (
            "I understand wanting the price first. I've asked the team to give it to you here{back}.",
            "Fair enough. The team gives the price, and I've noted your request{back}.",
        ),
    },
    "es": {
        "hello": ("¡Hola{name}!", "¡Hola{name}, qué gusto!"),
        "disclosure": (
            "¡Hola! Soy la asistente virtual de {company}. Si prefieres hablar con una persona, solo dímelo.",
        ),
        "welcome": (
            "¡Qué bueno que escribiste! Cuéntame un poco para explicarte bien.",
            "¡Gracias por tu interés! Para explicarte lo que te sirve, ayúdame con una cosa.",
        ),
        "met": ("¡Mucho gusto, {name}!", "¡Gracias, {name}!"),
        "going_on": ("De acuerdo, seguimos por aquí.", "Perfecto, continúo por aquí."),
        "no_matter": ("No hay problema.", "Tranquilo, no pasa nada.", "Está bien."),
        "noted": (
            "Perfecto, se lo dejo avisado al equipo.",
            "De acuerdo, el equipo lo recibe junto con lo que ya contaste.",
        ),
        "waiting": (
            "¡De acuerdo! Cualquier cosa, escríbeme por aquí.",
            "¡Listo! Cualquier duda, me escribes por aquí.",
        ),
        "ack": ("Entiendo.", "De acuerdo.", "Ah, ya veo.", "Bien.", "Perfecto.", "Claro."),
        "ack_problem": ("Vaya, te entiendo.", "Imagino cuánto complica eso.", "Uf, eso cansa.", "Claro, es molesto."),
        "ack_cost": ("Uf, eso pesa.", "Entiendo, no es poca cosa.", "Vaya, me imagino.", "Claro, se acumula."),
        "ack_payoff": ("Qué bueno saberlo.", "Tiene todo el sentido.", "Perfecto, entiendo lo que buscas."),
        "unknown": (
            "Ese dato no lo tengo aquí y no quiero decirte algo equivocado: lo dejo anotado para que el equipo lo confirme.",
            "No tengo esa información; prefiero que el equipo la confirme antes que adivinar.",
            "Buena pregunta; para no equivocarme, dejo que el equipo te la responda por aquí.",
        ),
        "unknown_too": (
            "Esa también la dejo con el equipo.",
            "La anoté junto con las otras.",
            "Una más para que el equipo confirme.",
            "Esa va en la misma lista para el equipo.",
        ),
        "why_ask": ("Pregunto para indicarte lo que te conviene.", "Es para explicarte solo lo que te sirve."),
        "objection": ("Entiendo tu preocupación.", "Es razonable pensarlo.", "Tiene sentido que lo evalúes."),
        "human": ("¡Claro! Ya avisé al equipo, y una persona sigue contigo por aquí{back}.",),
        "human_again": ("El equipo ya está avisado, y una persona te responde por aquí{back}.",),
        "back": (", desde {when}",),
        "confirm_opt_out": ("Solo para estar seguro: ¿prefieres no recibir más mensajes nuestros?",),
        "confirm_human": ("Solo para confirmar: ¿quieres hablar con una persona del equipo?",),
        "opted_out": ("Listo, no recibes más mensajes nuestros. Si cambias de idea, solo escribe.",),
        "not_interested": (
            "No hay problema, gracias por avisar. Si algún día lo necesitas, aquí estamos.",
            "Está bien, agradezco la sinceridad. Quedo a disposición si algo cambia.",
        ),
        "off_topic": (
            "Por aquí solo puedo ayudar con lo que ofrece {business}. Si es otro asunto, lo dejo anotado para el equipo.",
            "Ese tema se me escapa: aquí cuido lo que ofrece {business}, y de eso hablamos cuando quieras.",
        ),
        "hostile": ("Disculpa la molestia. Lo dejo aquí, y el equipo queda a disposición si lo necesitas.",),
        "meeting": (
            "¡Excelente! Una persona del equipo acuerda contigo el mejor horario por aquí{back}.",
            "De acuerdo, el equipo coordina el horario contigo por aquí{back}.",
        ),
        "qualified": (
            "Por lo que contaste, vale la pena hablar con nuestro equipo. Una persona acuerda el horario contigo por aquí{back}.",
        ),
        "wrap_up": ("Gracias por todo lo que contaste. Lo paso al equipo, que sigue contigo por aquí{back}.",),
        "unreadable": ("Recibí tu archivo, pero no pude abrirlo aquí. ¿Me lo cuentas en texto?",),
        "voice_unreadable": ("Recibí tu audio, pero ahora no pude escucharlo. ¿Me lo escribes en pocas palabras?",),
        "voice_unclear": ("Recibí tu audio, pero no logré entenderlo. ¿Lo grabas de nuevo o me lo escribes?",),
        "voice_later": ("Recibí tu audio y todavía lo estoy escuchando. También me lo puedes escribir por aquí.",),
        "assistant": ("Soy un asistente virtual del equipo {company}. Si prefieres una persona, solo dímelo.",),
        "thanks": ("¡Gracias a ti! Cualquier cosa, aquí estoy.", "¡Un gusto! Escríbeme cuando quieras."),
        "satisfaction": ("Para cerrar: del 1 al 5, ¿qué nota le das a esta atención?",),
        "rated": ("¡Gracias por la nota!",),
        "again": ("Qué bueno hablar contigo de nuevo.",),
        "price_later": (
            "El precio depende de tu caso y prefiero no adivinar: cuéntame un poco y el equipo te da el correcto.",
            "No tengo un precio cerrado porque depende del caso, y quiero que recibas el correcto.",
        ),
        "price_again": ("Los precios son estos:", "Sí, queda así:"),
        "price_team": (
            "Entiendo que quieras el precio primero. Ya pedí al equipo que te lo pase por aquí{back}.",
            "Es justo. El precio lo da el equipo, y ya dejé anotado tu pedido{back}.",
        ),
    },
}

QUESTIONS: Mapping[str, Mapping[str, Sequence[str]]] = {
    "pt-br": {
        "situation": (
            "Como vocês cuidam disso hoje?",
            "Quantas pessoas participam disso no dia a dia?",
            "Que ferramenta ou fornecedor vocês usam agora?",
            "Mais ou menos qual é o volume por mês?",
        ),
        "problem": (
            "O que mais atrapalha nesse jeito de fazer?",
            "Onde costuma dar errado ou atrasar?",
            "Tem algo mais que te incomoda nisso?",
        ),
        "implication": (
            "E o que isso acaba custando: dinheiro, clientes, tempo?",
            "Quando isso acontece, que efeito tem no resto da operação?",
            "Já perderam alguma oportunidade por causa disso?",
        ),
        "need_payoff": (
            "Se isso estivesse resolvido, o que mudaria para vocês?",
            "O que seria mais valioso: ganhar tempo, vender mais ou errar menos?",
            "Que resultado faria valer a pena?",
        ),
        "any:situation": (
            "Como isso funciona para você hoje?",
            "Há quanto tempo está desse jeito?",
            "O que você já tentou até agora?",
        ),
        "any:problem": (
            "O que mais te atrapalha nisso?",
            "O que costuma dar errado?",
            "Tem mais alguma coisa que atrapalha?",
        ),
        "any:implication": (
            "E o que isso acaba te custando: dinheiro, tempo, sossego?",
            "Do que você acaba abrindo mão por causa disso?",
            "Se continuar assim, o que acontece?",
        ),
        "any:need_payoff": (
            "Resolvendo isso, o que muda para você?",
            "O que valeria mais: economizar, ganhar tempo ou ter sossego?",
            "Que resultado faria valer a pena?",
        ),
        "easier:situation": ("É algo do dia a dia ou só de vez em quando?",),
        "easier:problem": ("Se pudesse mudar uma coisa só nisso, o que seria?",),
        "easier:implication": ("Isso toma mais tempo ou mais dinheiro?",),
        "easier:need_payoff": ("Seria mais um alívio na rotina ou no bolso?",),
        "fact:name": ("Como posso te chamar?",),
        "fact:company": ("Qual é o nome da empresa?",),
        "fact:timeline": ("Para quando você gostaria de resolver isso?",),
        "fact:decision_maker": ("Quem mais participa dessa decisão?",),
        "fact:budget": ("Que orçamento você pensou para isso?",),
    },
    "en": {
        "situation": (
            "How do you handle this today?",
            "How many people are involved day to day?",
            "What tool or supplier do you use now?",
            "Roughly what volume do you have a month?",
        ),
        "problem": (
            "What gets in the way most with that?",
            "Where does it usually go wrong or run late?",
            "Is there anything else about it that bothers you?",
        ),
        "implication": (
            "And what does that end up costing: money, customers, time?",
            "When that happens, what does it do to the rest of the operation?",
            "Have you lost an opportunity because of it?",
        ),
        "need_payoff": (
            "With that solved, what would be different for you?",
            "What would be worth most: saving time, selling more or fewer mistakes?",
            "What result would make it worthwhile?",
        ),
        "any:situation": (
            "How does that work for you today?",
            "How long has it been like that?",
            "What have you tried so far?",
        ),
        "any:problem": (
            "What bothers you most about it?",
            "What tends to go wrong?",
            "Anything else that gets in the way?",
        ),
        "any:implication": (
            "And what does it cost you in the end: money, time, peace of mind?",
            "What do you give up because of it?",
            "If it stays like this, what happens?",
        ),
        "any:need_payoff": (
            "With that solved, what changes for you?",
            "What would matter most: saving money, saving time or peace of mind?",
            "What result would make it worthwhile?",
        ),
        "easier:situation": ("Is it an everyday thing or only now and then?",),
        "easier:problem": ("If you could change just one thing about it, which one?",),
        "easier:implication": ("Does it take more of your time or of your money?",),
        "easier:need_payoff": ("Would it be more of a relief for your routine or for your wallet?",),
        "fact:name": ("What should I call you?",),
        "fact:company": ("What's your company name?",),
        "fact:timeline": ("By when would you like this solved?",),
        "fact:decision_maker": ("Who else takes part in the decision?",),
        "fact:budget": ("Do you already have a figure in mind for this?",),
    },
    "es": {
        "situation": (
            "¿Cómo manejan eso hoy?",
            "¿Cuántas personas participan en el día a día?",
            "¿Qué herramienta o proveedor usan ahora?",
            "¿Qué volumen tienen por mes, más o menos?",
        ),
        "problem": (
            "¿Qué complica más en esa forma de trabajar?",
            "¿Dónde suele fallar o atrasarse?",
            "¿Hay algo más que te moleste de eso?",
        ),
        "implication": (
            "¿Y cuánto termina costando eso: dinero, clientes, tiempo?",
            "Cuando pasa, ¿qué efecto tiene en el resto de la operación?",
            "¿Han perdido alguna oportunidad por eso?",
        ),
        "need_payoff": (
            "Si eso estuviera resuelto, ¿qué cambiaría para ustedes?",
            "¿Qué valdría más: ganar tiempo, vender más o equivocarse menos?",
            "¿Qué resultado haría que valga la pena?",
        ),
        "any:situation": (
            "¿Cómo funciona eso para ti hoy?",
            "¿Hace cuánto que es así?",
            "¿Qué has probado hasta ahora?",
        ),
        "any:problem": (
            "¿Qué te molesta más de eso?",
            "¿Qué suele salir mal?",
            "¿Hay otra cosa que complique?",
        ),
        "any:implication": (
            "¿Y qué te termina costando: dinero, tiempo, tranquilidad?",
            "¿Qué dejas de hacer por eso?",
            "Si sigue así, ¿qué pasa?",
        ),
        "any:need_payoff": (
            "Con eso resuelto, ¿qué cambia para ti?",
            "¿Qué valdría más: ahorrar, ganar tiempo o estar tranquilo?",
            "¿Qué resultado haría que valga la pena?",
        ),
        "easier:situation": ("¿Es algo de todos los días o solo a veces?",),
        "easier:problem": ("Si pudieras cambiar una sola cosa de eso, ¿cuál sería?",),
        "easier:implication": ("¿Te quita más tiempo o más dinero?",),
        "easier:need_payoff": ("¿Sería un alivio más para la rutina o para el bolsillo?",),
        "fact:name": ("¿Cómo te llamas?",),
        "fact:company": ("¿Cuál es el nombre de la empresa?",),
        "fact:timeline": ("¿Para cuándo te gustaría resolverlo?",),
        "fact:decision_maker": ("¿Quién más participa en la decisión?",),
        "fact:budget": ("¿Ya tienen un monto en mente para esto?",),
    },
}


def say(language: str, key: str, *, seed: str, avoid: Sequence[str] = (), tone: str = "", **filled: str) -> str:
    """One way to say it, chosen by `seed` so that a retaken turn says the same; if it can, none that `avoid` has in it.

    In: `language` one of LANGUAGES (others are answered in Portuguese), `tone` one of `tones.TONES` (others are said
    as here), `filled` the values of the braces.
    """
    language = language if language in SAY else "pt-br"
    chosen = tones.ways(tone, language, key) or SAY[language][key]
    ways = [way.format(**{"name": "", "back": "", **filled}) for way in chosen]
    fresh = [way for way in ways if not any(way in text for text in avoid)] or ways
    return fresh[pick(f"{key}:{seed}", len(fresh))]


def pick(seed: str, ways: int) -> int:
    """A number below `ways`, always the same for a seed."""
    return int(hashlib.sha256(seed.encode()).hexdigest(), 16) % ways


def disclosure(context: Context, language: str) -> str:
    """Who speaks, for the first reply: the org's own words where they are in the lead's language, else ours; "" if off.

    In: `language` the lead is answered in.
    """
    if not context.disclosure or language == context.language:
        return context.disclosure
    company = context.company or context.persona.name
    return say(language, "disclosure", seed="", company=company) if company else ""


def questions(language: str, about: str) -> Sequence[str]:
    """Our own questions for a stage or "fact:<key>", in order."""
    return QUESTIONS.get(language, QUESTIONS["pt-br"]).get(about, ())


@lru_cache(maxsize=len(LANGUAGES))
def fixed(language: str) -> tuple[str, ...]:
    """Everything `say` says in a language as it stands, without braces; of Portuguese where there is no such language."""
    spoken = language if language in SAY else "pt-br"
    said = [SAY[spoken], *(tone[spoken] for tone in tones.TONES.values() if spoken in tone)]
    return tuple(way for ways_of in said for ways in ways_of.values() for way in ways if "{" not in way)
