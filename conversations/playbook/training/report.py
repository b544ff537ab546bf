"""How well unread files are understood: every file is predicted by a model that has not seen it.

`python -m conversations.playbook.training.report [FILE …]`. What counts answers is fitted on the turns of other files and,
for the conversations, on the other half of them. The thresholds of wishes and signals are the shipped ones.
"""

import sys
from collections.abc import Iterator, Mapping, Sequence

from conversations.playbook import evaluation
from conversations.playbook.model import Model
from conversations.playbook.model import model as shipped
from conversations.playbook.training import corpus, counting, fit, phrases, spans
from conversations.playbook.training.corpus import Example


def main(asked: Sequence[str]) -> int:
    """Print a report per file."""
    files = {file: corpus.examples(file) for file in corpus.FILES} | corpus.lines()
    written = phrases.examples()
    turns = counting.counted(files, written)
    held = counting.conversations(counting.without(counting.CONVERSATIONS, files, written))
    for file in asked or corpus.FILES:
        fitted = _without(file, files, written)
        others = [turn for other, told in turns.items() if other != file for turn in told]
        report = evaluation.Report()
        for rows, known in _parts(file, held):
            reader = _counting(fitted, counting.fitted(others, known.values()))
            for row in rows:
                report.add(row, evaluation.predict(row, model=reader))
        sys.stdout.write("\n".join((f"=== {file}", *report.lines(), "")))
        sys.stdout.flush()
    return 0


def _without(file: str, files: Mapping[str, Sequence[Example]], written: Sequence[Example]) -> Model:
    others = [row for other, rows in files.items() if other != file for row in rows]
    fitted = fit.fit([*others, *written], thresholds=shipped().thresholds)
    fitted.spans = spans.fit(spans.told(files, without=file))
    return fitted


def _parts(
    file: str, held: Mapping[str, counting.Conversation]
) -> Iterator[tuple[list[evaluation.Row], Mapping[str, counting.Conversation]]]:
    """Rows to predict, and the conversations that may be known meanwhile: the other half for conversations, else all."""
    rows = corpus.rows(file)
    if file != counting.CONVERSATIONS:
        yield list(rows), held
        return
    for half in (0, 1):
        mine = rows[half::2]
        ids = {row["id"] for row in mine}
        yield list(mine), {number: known for number, known in held.items() if number not in ids}


def _counting(fitted: Model, weights: Mapping[str, Sequence[float]]) -> Model:
    weights8, scales, biases, rarity = fitted.arrays()
    return Model(
        fitted.heads,
        weights=weights8,
        scales=scales,
        biases=biases,
        rarity=rarity,
        thresholds=fitted.thresholds,
        counting=weights,
        spans=fitted.spans,
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
