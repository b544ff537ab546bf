"""The little words of the offline brain in another manner than the consultative one of `wording` (PRODUCT 2, tone).

What is said stays the same, and so does what must be recognised later (ends, handoffs): only greetings and words on what
was told differ. A key that is missing here is said as in `wording.SAY`.
"""

from collections.abc import Mapping, Sequence

Ways = Mapping[str, Sequence[str]]

TONES: Mapping[str, Mapping[str, Ways]] = {
    "professional": {
        "pt-br": {
            "hello": ("Olá{name}. Agradecemos o contato.", "Olá{name}. Obrigado pela mensagem."),
            "welcome": (
                "Para orientar você corretamente, preciso antes de algumas informações.",
                "Para indicar o mais adequado, gostaria primeiro de entender o seu caso.",
            ),
            "met": ("Muito prazer, {name}.", "Obrigado, {name}."),
            "going_on": ("Perfeitamente, seguimos por aqui.",),
            "no_matter": ("Sem problema.", "Não há problema."),
            "ack": ("Compreendo.", "Certo.", "Anotado.", "Entendido."),
            "ack_problem": (
                "Compreendo a dificuldade.",
                "Entendo como isso afeta a operação.",
                "Compreendo o incômodo.",
            ),
            "ack_cost": ("Compreendo, é um impacto relevante.", "Entendo, o efeito é considerável."),
            "ack_payoff": ("Compreendo o que você procura.", "Entendido, faz sentido."),
        },
        "en": {
            "hello": ("Hello{name}. Thank you for getting in touch.", "Hello{name}. Thank you for your message."),
            "welcome": (
                "To advise you properly, I need some information first.",
                "To point you to what fits, I would first like to understand your case.",
            ),
            "met": ("A pleasure, {name}.", "Thank you, {name}."),
            "going_on": ("Certainly, we continue here.",),
            "no_matter": ("That is no problem.", "No problem at all."),
            "ack": ("I understand.", "Noted.", "Understood.", "Certainly."),
            "ack_problem": ("I understand the difficulty.", "I see how that affects your work."),
            "ack_cost": ("I understand, that is a considerable effect.", "I see, that weighs on the results."),
            "ack_payoff": ("I understand what you are looking for.", "Understood, that makes sense."),
        },
        "es": {
            "hello": ("Hola{name}. Agradecemos su contacto.", "Hola{name}. Gracias por su mensaje."),
            "welcome": (
                "Para orientarle bien, necesito antes algunos datos.",
                "Para indicarle lo adecuado, quisiera primero entender su caso.",
            ),
            "met": ("Mucho gusto, {name}.", "Gracias, {name}."),
            "going_on": ("Perfectamente, seguimos por aquí.",),
            "no_matter": ("No hay problema.", "No hay inconveniente."),
            "ack": ("Comprendo.", "Entendido.", "Tomo nota.", "Correcto."),
            "ack_problem": ("Comprendo la dificultad.", "Entiendo cómo afecta eso al trabajo."),
            "ack_cost": ("Comprendo, es un impacto considerable.", "Entiendo, el efecto es importante."),
            "ack_payoff": ("Comprendo lo que busca.", "Entendido, tiene sentido."),
        },
    },
    "friendly": {
        "pt-br": {
            "hello": ("Oi{name}, que bom te ver por aqui!", "Oie{name}, tudo bem?"),
            "welcome": (
                "Que legal você chamar a gente! Me conta um pouquinho, que eu te explico direitinho.",
                "Adorei seu interesse! Me conta um pouquinho do que você precisa.",
            ),
            "met": ("Que prazer, {name}!", "Legal te conhecer, {name}!"),
            "going_on": ("Fechou, seguimos por aqui!",),
            "no_matter": ("Tranquilo, sem problema!", "Fica tranquilo!", "Imagina, sem pressa!"),
            "ack": ("Ah, entendi!", "Legal!", "Tá certo!", "Saquei!"),
            "ack_problem": ("Poxa, ninguém merece.", "Nossa, imagino como é chato.", "Puxa, sei como é."),
            "ack_cost": ("Caramba, pesa mesmo.", "Puxa, imagino o aperto."),
            "ack_payoff": ("Ah, que legal!", "Adorei, faz todo sentido!"),
        },
        "en": {
            "hello": ("Hey{name}, so nice to hear from you!", "Hi{name}, lovely that you wrote!"),
            "welcome": (
                "So nice that you wrote! Tell me a little about it, and I'll gladly explain.",
                "Lovely to see your interest! Tell me a bit about what you need.",
            ),
            "met": ("So nice to meet you, {name}!", "Lovely, {name}, thanks!"),
            "going_on": ("Cool, we go on here!",),
            "no_matter": ("No worries at all!", "All good, no rush!"),
            "ack": ("Oh, I see!", "Nice!", "Sure thing!", "Gotcha!"),
            "ack_problem": ("Oh no, that's no fun.", "Oh dear, I know how that feels."),
            "ack_cost": ("Wow, that really adds up.", "Oh, that hurts, I can imagine."),
            "ack_payoff": ("Oh, that's nice!", "Love it, that makes sense!"),
        },
        "es": {
            "hello": ("¡Hola{name}, qué lindo leerte!", "¡Hola{name}, qué gusto!"),
            "welcome": (
                "¡Qué lindo que escribiste! Cuéntame un poquito y te explico con gusto.",
                "¡Me encanta tu interés! Cuéntame un poquito de lo que necesitas.",
            ),
            "met": ("¡Qué gusto, {name}!", "¡Un placer, {name}!"),
            "going_on": ("¡Dale, seguimos por aquí!",),
            "no_matter": ("¡Tranquilo, no pasa nada!", "¡Sin problema!"),
            "ack": ("¡Ah, ya veo!", "¡Genial!", "¡Claro que sí!", "¡Ya entiendo!"),
            "ack_problem": ("Uy, qué fastidio.", "Ay, me imagino lo pesado que es."),
            "ack_cost": ("Uy, eso sí que pesa.", "Vaya, me imagino."),
            "ack_payoff": ("¡Ah, qué bien!", "¡Me encanta, tiene todo el sentido!"),
        },
    },
    "energetic": {
        "pt-br": {
            "hello": ("Oi{name}! Bora conversar!", "Olá{name}! Que alegria falar com você!"),
            "welcome": (
                "Show que você chamou! Me conta rapidinho o seu caso e bora resolver!",
                "Que ótimo ter você aqui! Me conta o principal e a gente já avança!",
            ),
            "met": ("Prazer enorme, {name}!", "Show, {name}!"),
            "going_on": ("Show, bora seguir por aqui!",),
            "no_matter": ("Sem problema nenhum!", "Tranquilo, bora em frente!"),
            "ack": ("Show!", "Perfeito!", "Boa!", "Maravilha!"),
            "ack_problem": ("Opa, isso atrapalha demais!", "Eita, isso precisa mudar!"),
            "ack_cost": ("Uau, isso pesa demais!", "Eita, dá para fazer muito com isso!"),
            "ack_payoff": ("Excelente, é isso aí!", "Show, adorei a visão!"),
        },
        "en": {
            "hello": ("Hi{name}! Great to have you here!", "Hello{name}! Let's get going!"),
            "welcome": (
                "Awesome that you wrote! Give me the main points and let's get going!",
                "Great to have you here! Tell me the main thing and we move right ahead!",
            ),
            "met": ("Fantastic to meet you, {name}!", "Great, {name}!"),
            "going_on": ("Great, let's keep going!",),
            "no_matter": ("No problem at all!", "All good, let's move on!"),
            "ack": ("Great!", "Perfect!", "Awesome!", "Super!"),
            "ack_problem": ("Wow, that gets in the way!", "Ouch, time for a change!"),
            "ack_cost": ("Wow, that weighs a lot!", "Ouch, that is a lot!"),
            "ack_payoff": ("Excellent, that's the spirit!", "Great vision!"),
        },
        "es": {
            "hello": ("¡Hola{name}! ¡Qué bueno tenerte aquí!", "¡Hola{name}! ¡Vamos a conversar!"),
            "welcome": (
                "¡Qué bueno que escribiste! ¡Cuéntame lo principal y avanzamos ya!",
                "¡Excelente tenerte aquí! ¡Cuéntame tu caso y vamos con todo!",
            ),
            "met": ("¡Un gustazo, {name}!", "¡Genial, {name}!"),
            "going_on": ("¡Genial, sigamos!",),
            "no_matter": ("¡Ningún problema!", "¡Tranquilo, vamos adelante!"),
            "ack": ("¡Genial!", "¡Perfecto!", "¡Muy bien!", "¡Excelente!"),
            "ack_problem": ("¡Uy, eso complica mucho!", "¡Vaya, hay que cambiar eso!"),
            "ack_cost": ("¡Vaya, eso pesa muchísimo!", "¡Uf, es mucho!"),
            "ack_payoff": ("¡Excelente, así se habla!", "¡Genial, me encanta!"),
        },
    },
}


def ways(tone: str, language: str, key: str) -> Sequence[str]:
    """How a tone says a thing in a language, empty where it says it as everybody does."""
    return TONES.get(tone, {}).get(language, {}).get(key, ())
