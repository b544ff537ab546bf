"""What the offline brain says to leads, in their language: several ways to say each thing, and SPIN questions to fall
back on where an org has written none. `{braces}` are filled by `say`.
"""

import hashlib
from collections.abc import Mapping, Sequence

LANGUAGES = ("pt-br", "en", "es")

SAY: Mapping[str, Mapping[str, Sequence[str]]] = {
    "pt-br": {
        "hello": ("Oi{name}!", "Olá{name}!", "Oi{name}, tudo bem?"),
        "ack": ("Entendi.", "Certo, anotei aqui.", "Faz sentido.", "Obrigado por contar.", "Ok, ficou claro."),
        "ack_problem": ("Puxa, entendo.", "Imagino como isso atrapalha.", "Isso pesa no dia a dia mesmo."),
        "ack_payoff": (
            "Ótimo, é esse o caminho.",
            "Boa, isso ajuda a ver o ganho.",
            "Perfeito, entendi o que você busca.",
        ),
        "unknown": (
            "Essa eu não tenho aqui e não quero te passar nada errado: vou deixar anotado para a equipe confirmar.",
            "Não tenho essa informação comigo; prefiro que a equipe confirme a te dizer algo errado.",
        ),
        "objection": ("Entendo sua preocupação.", "É justo pensar nisso.", "Faz sentido você pesar isso."),
        "human": ("Claro! Já avisei a equipe, e uma pessoa continua com você por aqui{back}.",),
        "human_again": ("A equipe já foi avisada, e uma pessoa responde por aqui{back}.",),
        "back": (", a partir de {when}",),
        "confirm_opt_out": ("Só para eu acertar: você prefere não receber mais mensagens nossas?",),
        "confirm_human": ("Só para confirmar: você quer falar com uma pessoa da equipe?",),
        "opted_out": ("Tudo certo, você não recebe mais mensagens nossas. Se mudar de ideia, é só escrever.",),
        "not_interested": (
            "Sem problema, obrigado por avisar. Se um dia precisar, estamos por aqui.",
            "Tudo bem, agradeço a sinceridade. Fico à disposição se mudar algo por aí.",
        ),
        "off_topic": (
            "Por aqui consigo ajudar só com o que {business} oferece. Se for outro assunto, deixo anotado para a equipe.",
            "Esse assunto foge do que eu cuido aqui, que é o que {business} oferece. Se quiser falar disso, sigo à disposição.",
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
        "assistant": ("Sou um assistente virtual da equipe {company}. Se preferir uma pessoa, é só pedir.",),
        "thanks": ("Eu que agradeço! Se precisar, é só chamar.", "Imagina! Estou por aqui."),
        "satisfaction": ("Para fechar: de 1 a 5, que nota você dá para este atendimento?",),
        "rated": ("Obrigado pela nota!",),
        "again": ("Que bom falar com você de novo.",),
        "price_later": ("O valor varia conforme o caso, e quero passar o certo.",),
    },
    "en": {
        "hello": ("Hi{name}!", "Hello{name}!", "Hi{name}, how are you?"),
        "ack": ("Got it.", "Noted, thank you.", "That makes sense.", "Thanks for sharing that.", "Okay, that's clear."),
        "ack_problem": (
            "I see, that's a pain.",
            "I can imagine how that gets in the way.",
            "That does weigh on the day.",
        ),
        "ack_payoff": (
            "Great, that's the direction.",
            "Good, that shows the gain.",
            "Perfect, I see what you're after.",
        ),
        "unknown": (
            "I don't have that here and don't want to tell you anything wrong: I'll note it for the team to confirm.",
            "I don't have that information; I'd rather have the team confirm it than guess.",
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
        "assistant": ("I'm a virtual assistant of the {company} team. To talk to a person instead, just ask.",),
        "thanks": ("You're welcome! I'm here if you need anything.", "My pleasure, just write any time."),
        "satisfaction": ("To close: from 1 to 5, how would you rate this conversation?",),
        "rated": ("Thank you for the rating!",),
        "again": ("Good to talk to you again.",),
        "price_later": ("The price depends on your case, and I want to give you the right one.",),
    },
    "es": {
        "hello": ("¡Hola{name}!", "¡Hola{name}! ¿Cómo estás?", "¡Hola{name}, qué gusto!"),
        "ack": ("Entiendo.", "Anotado.", "Tiene sentido.", "Gracias por contarme.", "Perfecto, queda claro."),
        "ack_problem": ("Vaya, te entiendo.", "Imagino cuánto complica eso.", "Eso pesa en el día a día."),
        "ack_payoff": ("Muy bien, por ahí va.", "Bien, eso muestra la ganancia.", "Perfecto, entiendo lo que buscas."),
        "unknown": (
            "Ese dato no lo tengo aquí y no quiero decirte algo equivocado: lo dejo anotado para que el equipo lo confirme.",
            "No tengo esa información; prefiero que el equipo la confirme antes que adivinar.",
        ),
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
            "Ese tema no es lo mío, que es lo que ofrece {business}. Si quieres hablar de eso, sigo a disposición.",
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
        "assistant": ("Soy un asistente virtual del equipo {company}. Si prefieres una persona, solo dímelo.",),
        "thanks": ("¡Gracias a ti! Cualquier cosa, aquí estoy.", "¡Un gusto! Escríbeme cuando quieras."),
        "satisfaction": ("Para cerrar: del 1 al 5, ¿qué nota le das a esta atención?",),
        "rated": ("¡Gracias por la nota!",),
        "again": ("Qué bueno hablar contigo de nuevo.",),
        "price_later": ("El precio depende de tu caso, y quiero darte el correcto.",),
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
        "fact:name": ("Como posso te chamar?",),
        "fact:company": ("Qual é o nome da empresa?",),
        "fact:timeline": ("Para quando vocês pensam em resolver isso?",),
        "fact:decision_maker": ("Quem mais participa dessa decisão?",),
        "fact:budget": ("Existe um valor previsto para isso?",),
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
        "fact:name": ("What should I call you?",),
        "fact:company": ("What is the company's name?",),
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
        "fact:name": ("¿Cómo te llamas?",),
        "fact:company": ("¿Cuál es el nombre de la empresa?",),
        "fact:timeline": ("¿Para cuándo piensan resolverlo?",),
        "fact:decision_maker": ("¿Quién más participa en la decisión?",),
        "fact:budget": ("¿Ya tienen un monto en mente para esto?",),
    },
}


def say(language: str, key: str, *, seed: str, avoid: Sequence[str] = (), **filled: str) -> str:
    """One way to say it, chosen by `seed` so that a retaken turn says the same; not one of `avoid` if there is another.

    In: `language` one of LANGUAGES (others are answered in Portuguese), `filled` the values of the braces.
    """
    ways = [way.format(**{"name": "", "back": "", **filled}) for way in SAY.get(language, SAY["pt-br"])[key]]
    fresh = [way for way in ways if way not in avoid] or ways
    return fresh[int(hashlib.sha256(f"{key}:{seed}".encode()).hexdigest(), 16) % len(fresh)]


def questions(language: str, about: str) -> Sequence[str]:
    """Our own questions for a stage or "fact:<key>", in order."""
    return QUESTIONS.get(language, QUESTIONS["pt-br"]).get(about, ())
