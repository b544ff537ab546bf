"""Budget, urgency and decision maker in a lead's words (evals/README, "Signals"). Pure."""

from dataclasses import dataclass

from conversations.playbook.model import Model
from conversations.playbook.text import sentences

SIGNALS = ("budget", "urgency", "decision_maker")


@dataclass(frozen=True)
class SignalSpan:
    """A true signal and the verbatim words that give it, with their place in the text."""

    signal: str
    start: int
    end: int
    text: str
    confidence: float


def signals(text: str, question: str, model: Model) -> list[SignalSpan]:
    """The signals a text gives, each with its clearest sentence."""
    best: dict[str, SignalSpan] = {}
    for sentence in sentences(text):
        scores = model.scores(sentence.text, question)
        for signal in SIGNALS:
            sure = scores[signal]["yes"]
            if sure < model.thresholds.get(signal, 0.5) or (signal in best and best[signal].confidence >= sure):
                continue
            best[signal] = SignalSpan(signal, sentence.start, sentence.end, sentence.text, sure)
    return [best[signal] for signal in SIGNALS if signal in best]
