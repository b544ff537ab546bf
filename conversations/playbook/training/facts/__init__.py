"""Facts as people tell them, written for `playbook.spans`: in the format of `phrases`, with the words of a fact marked.

`$name = a | b` is a list to draw from, `{one|another}` are alternatives, `<key:words>` are the words of a fact, and
`? a | b` are the agent's questions before. What a phrase does not mark teaches that it is no fact.
"""

import random
import re
from collections.abc import Iterator
from pathlib import Path

from conversations.playbook.training import phrases
from conversations.playbook.training.corpus import known_runs, runs

HERE = Path(__file__).parent
LIST = re.compile(r"\$([a-z]+)")
CHOICE = re.compile(r"\{([^{}]*)\}")
FACT = re.compile(r"<([a-z_]+):([^<>]*)>")
DRAWS_PER_PHRASE = 20
SEED = 20_261_123
Telling = tuple[str, str, dict[str, str]]  # text, question before, facts: key -> words


def drawn(*, draws: int = DRAWS_PER_PHRASE) -> list[Telling]:
    """Every phrase drawn up to `draws` times; the same rows on every run, none with five words of an evaluation file."""
    known = known_runs()
    dice = random.Random(SEED)  # noqa: S311  reproducible data, no secret
    made: dict[tuple[str, str], Telling] = {}
    for path in sorted(HERE.glob("*.txt")):
        for questions, phrase, lists in _phrases(path):
            for _ in range(draws):
                marked = _draw(phrase, lists, dice)
                facts = {key: words.strip() for key, words in FACT.findall(marked)}
                text = re.sub(r"\s{2,}", " ", FACT.sub(lambda match: match.group(2), marked)).strip()
                text = phrases.roughened(text, path.stem, dice)
                question = dice.choice(questions)
                question = "" if question == "-" else question
                if any(run in known for run in (*runs(text), *runs(question))):
                    continue
                made.setdefault((text, question), (text, question, facts))
    return list(made.values())


def _phrases(path: Path) -> Iterator[tuple[list[str], str, dict[str, list[str]]]]:
    questions, lists = ["-"], dict[str, list[str]]()
    for raw in path.read_text(encoding="utf-8").splitlines():
        line = raw.strip()
        if not line or line.startswith("#"):
            continue
        if line.startswith("$") and " = " in line:
            name, words = line[1:].split(" = ", 1)
            lists[name] = [word.strip() for word in words.split("|")]
        elif line.startswith("? "):
            questions = [part.strip() for part in line[2:].split("|")]
        else:
            yield questions, line, lists


def _draw(phrase: str, lists: dict[str, list[str]], dice: random.Random) -> str:
    while CHOICE.search(phrase):
        phrase = CHOICE.sub(lambda match: dice.choice(match.group(1).split("|")), phrase)
    phrase = LIST.sub(lambda match: dice.choice(lists[match.group(1)]), phrase)
    phrase = re.sub(r":\s+", ":", phrase)
    return re.sub(r"\s+([,.!?])", r"\1", re.sub(r"\s{2,}", " ", phrase)).strip()
