"""Phrases written for training: how people say a thing, with ways of saying it in braces.

A file is `<language>_<what>.txt`. `[label]` opens a group; `? a | b` names the agent's questions that may stand before
(`-` none, `~` any of the language's general ones) until the next group or `?` line; every other line is a phrase with
`{one|another}` alternatives. Each phrase is drawn several times, roughened the way people type on a phone.
"""

import random
import re
from collections.abc import Iterator
from pathlib import Path

from conversations.playbook.text import fold
from conversations.playbook.training.corpus import Example, known_runs, runs

HERE = Path(__file__).parent
NAMES = {"pt": "pt-BR", "en": "en", "es": "es"}
CHOICE = re.compile(r"\{([^{}]*)\}")
STAGES = ("situation", "problem", "implication", "need_payoff")
SIGNALS = ("budget", "urgency", "decision_maker")
DRAWS_PER_PHRASE = 14
STRONG = frozenset({"opt_out", "wants_human"})  # whatever else is said with them, they win
WITH_SMALL_TALK = 0.2  # of their drawings come with another sentence
WEIGHT = 0.25  # of a drawing, against a row of a file: 0.5 leaves 2 points of the stages on unread lines
SEED = 20_261_122

GENERAL = {
    "pt": (
        *(
            "Oi! Como posso te ajudar?",
            "Como vocês fazem hoje?",
            "Qual o maior problema?",
            "Quanto isso custa pra vocês?",
        ),
        *("Resolvido isso, muda o quê?", "Posso perguntar?", "Qual seu nome?", "Conseguiu ver a proposta?"),
        *("Time de quantos?", "Quem decide?", "Já usam algum sistema?", "Quer saber mais?"),
        *("Já pensou em valores?", "Qual ferramenta?", "Para quando?", "E aí, o que achou?"),
    ),
    "en": (
        *("Hi there!", "How is it done today?", "Biggest problem?", "The cost of it?"),
        *("Once solved, what changes?", "May I ask?", "What's your name?", "Did you see the quote?"),
        *("Team size?", "Who decides?", "Do you use any software?", "Want to know more?"),
        *("Any budget?", "By when?", "Your name, please?"),
    ),
    "es": (
        *("¡Hola! Cuéntame.", "¿Cómo lo hacen hoy?", "¿El mayor problema?", "¿Cuánto les cuesta eso?"),
        *("Resuelto eso, ¿qué cambia?", "¿Puedo preguntar?", "¿Cómo te llamas?", "¿Viste la propuesta?"),
        *("¿Equipo de cuántos?", "¿Quién decide?", "¿Usan algún sistema?", "¿Quieres saber más?"),
        *("¿Algún presupuesto?", "¿Para cuándo?", "¿Con quién hablo?"),
    ),
}
BEFORE = {
    "pt": (
        "oi, ",
        "bom dia, ",
        "olha, ",
        "cara, ",
        "então, ",
        "moça, ",
        "ei, ",
        "amigo, ",
        "boa tarde. ",
        "ah, ",
        "bom, ",
    ),
    "en": ("hi, ", "hey ", "look, ", "well, ", "ok so ", "good morning, ", "ugh, ", "honestly "),
    "es": ("hola, ", "mire, ", "oye, ", "buenas, ", "bueno, ", "pues ", "mira, ", "disculpa, ", "la verdad "),
}
AFTER = {
    "pt": (
        " rs",
        " kkk",
        " pfv",
        " por favor",
        " tá",
        " viu",
        " né",
        " ok?",
        " 🙏",
        " 😡",
        " obrigada",
        "..",
        " hein",
        " mesmo",
    ),
    "en": (" lol", " please", " pls", " ok?", " thanks", " 🙏", "..", " tbh", " man"),
    "es": (" jaja", " por favor", " porfa", " ok?", " gracias", " 🙏", "..", " eh", " sí?"),
}
SHORT = {
    "pt": (
        *(
            ("você", "vc"),
            ("vocês", "vcs"),
            ("não", "n"),
            ("não", "nao"),
            ("que", "q"),
            ("porque", "pq"),
            ("quero", "qro"),
        ),
        *(
            ("mensagem", "msg"),
            ("também", "tb"),
            ("para", "pra"),
            ("estou", "to"),
            ("está", "ta"),
            ("por favor", "pfv"),
        ),
        *(("hoje", "hj"), ("muito", "mto"), ("número", "nº")),
    ),
    "en": (
        *(("you", "u"), ("please", "pls"), ("don't", "dont"), ("I'm", "im"), ("your", "ur"), ("can't", "cant")),
        *(("want to", "wanna"),),
    ),
    "es": (
        *(("que", "q"), ("por favor", "x favor"), ("porque", "xq"), ("quiero", "kiero"), ("también", "tmb")),
        *(("mensajes", "msjs"),),
    ),
}


def examples(*, draws: int = DRAWS_PER_PHRASE) -> list[Example]:
    """Every phrase drawn up to `draws` times; the same rows on every run.

    A drawing that happens to say five words in a row as an evaluation file does is left out, so that no figure owes
    anything to a twin of its own row.
    """
    known = known_runs()
    small_talk = _small_talk(dice := random.Random(SEED))  # noqa: S311  reproducible data, no secret
    made: dict[tuple[str, str, str], Example] = {}
    for path in sorted(HERE.glob("*.txt")):
        language = path.name.split("_", 1)[0]
        for label, questions, phrase in _phrases(path):
            for _ in range(min(draws, 2 * _ways(phrase) + 2)):
                text = _draw(phrase, dice)
                if label in STRONG and dice.random() < WITH_SMALL_TALK:
                    text = _join(dice.choice(small_talk[language]), text, dice)
                text = roughened(text, language, dice)
                question = dice.choice(questions)
                question = {"-": "", "~": dice.choice(GENERAL[language])}.get(question, question)
                question = _draw(question, dice)
                if any(run in known for run in (*runs(text), *runs(question))):
                    continue
                example = Example(
                    path.stem, "", NAMES[language], question, text, _labels(label, language), weight=WEIGHT
                )
                made.setdefault((label, fold(text), question), example)
    return list(made.values())


def _small_talk(dice: random.Random) -> dict[str, list[str]]:
    """Sentences of weaker intents, by language."""
    said: dict[str, list[str]] = {}
    for path in sorted(HERE.glob("*.txt")):
        for label, _, phrase in _phrases(path):
            if label in ("answer", "thanks", "not_interested", "objection", "greeting"):
                said.setdefault(path.name.split("_", 1)[0], []).append(_draw(phrase, dice))
    return said


def _join(first: str, second: str, dice: random.Random) -> str:
    if dice.random() < 0.5:
        first, second = second, first
    return first.rstrip(".!, ") + dice.choice((". ", ", ", "\n", " ")) + second


def _phrases(path: Path) -> Iterator[tuple[str, list[str], str]]:
    label, questions = "", ["-"]
    for raw in path.read_text(encoding="utf-8").splitlines():
        line = raw.strip()
        if not line or line.startswith("#"):
            continue
        if line.startswith("["):
            label, questions = line[1:-1], ["-"]
        elif line.startswith("? "):
            questions = [part.strip() for part in re.split(r"\|(?![^{]*\})", line[2:])]
        else:
            yield label, questions, line


def _ways(phrase: str) -> int:
    ways = 1
    for choice in CHOICE.findall(phrase):
        ways *= choice.count("|") + 1
    return ways


def _draw(phrase: str, dice: random.Random) -> str:
    drawn = CHOICE.sub(lambda match: dice.choice(match.group(1).split("|")), phrase)
    return re.sub(r"\s+([,.!?])", r"\1", re.sub(r"\s{2,}", " ", drawn)).strip()


def roughened(text: str, language: str, dice: random.Random) -> str:
    """As typed on a phone: shortened words, slips, something before or after. `language`: `pt`, `en` or `es`."""
    if dice.random() < 0.25:
        text = dice.choice(BEFORE[language]) + text
    if dice.random() < 0.2:
        text = text.rstrip("?!. ") + dice.choice(AFTER[language])
    for whole, short in SHORT[language]:
        if dice.random() < 0.3:
            text = re.sub(rf"(?<!\w){re.escape(whole)}(?!\w)", short, text)
    if dice.random() < 0.12 and len(text) > 8:
        place = dice.randrange(1, len(text) - 2)
        if text[place].isalpha() and text[place + 1].isalpha():
            swap = text[place + 1] + text[place] if dice.random() < 0.5 else text[place]
            text = text[:place] + swap + text[place + 2 :]
    if dice.random() < 0.3:
        text = text.rstrip("?!. ")
    if dice.random() < 0.06:
        text = text.upper()
    return text


def _labels(label: str, language: str) -> dict[str, str]:
    """`[opt_out]` names an intent; `[stage situation]`, `[stage none]` what it gives; `+budget` adds a signal."""
    words = label.split()
    labels = {"language": NAMES[language]}
    if words[0] != "stage":
        labels["intent"] = words[0]
        for wish in ("opt_out", "wants_human"):
            labels[wish] = "yes" if words[0] == wish else "no"
        if words[0] not in ("answer", "objection", "question", "off_topic"):
            labels["stage"] = "none"
        return labels
    labels["stage"] = words[1]
    for signal in SIGNALS:
        labels[signal] = "yes" if f"+{signal}" in words else "no"
    if words[1] != "none":
        labels |= {"opt_out": "no", "wants_human": "no", "intent": "answer"}
    elif any(word.startswith("+") for word in words):
        labels |= {"opt_out": "no", "wants_human": "no"}
    return labels


def pieces(line: str) -> list[str]:
    """What stands in a row in a line of a phrase file: cut at braces and bars."""
    return re.split(r"[{}|]", line)
