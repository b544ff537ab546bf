"""How many answers a turn gives per stage: two small models over `stages.views`, fitted on what the stage head says of
files it has not read. Development only.

Segments say their answers one by one; a conversation only says how many there are in all. Its turns are given the most
likely counts that add up to that, again and again until they settle.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from conversations.playbook import evaluation, stages
from conversations.playbook.model import Model
from conversations.playbook.training import corpus, fit
from conversations.playbook.training.corpus import Example
from conversations.qualification import STAGES

Turn = tuple[tuple[float, ...], int]  # what is weighed for one stage of a turn, and how many answers it gives
ROUNDS = 4
MOST_OF_A_TURN = 2  # answers a stage
NAMES = ("one", "two")
CONVERSATIONS = "examples"


def counted(files: Mapping[str, Sequence[Example]], written: Sequence[Example]) -> dict[str, list[Turn]]:
    """File -> its turns, each file as a model sees it that has not read it. Conversations are left out."""
    told: dict[str, list[Turn]] = {}
    for file, rows in files.items():
        labelled = [row for row in rows if row.answers is not None]
        if labelled:
            told[file] = seen(labelled, without(file, files, written))
    return told


def without(file: str, files: Mapping[str, Sequence[Example]], written: Sequence[Example]) -> Model:
    """The stage head, fitted on everything but `file`."""
    others = [row for other, rows in files.items() if other != file for row in rows]
    return fit.fit([row for row in (*others, *written) if "stage" in row.labels | row.implied], heads=["stage"])


def seen(rows: Iterable[Example], model: Model) -> list[Turn]:
    """Rows as `model` sees them, with the counts of their labels."""
    turns: list[Turn] = []
    for row in rows:
        wanted = Counter(row.answers)
        turns += [
            (view.features, min(wanted[stage], MOST_OF_A_TURN))
            for stage, view in stages.views(row.text, row.question, model).items()
        ]
    return turns


Conversation = dict[str, tuple[list[tuple[float, ...]], int]]  # stage -> its turns, and answers in all


def conversations(model: Model) -> dict[str, Conversation]:
    """Id -> what `model` sees of each turn, and the answers there are in all."""
    found: dict[str, Conversation] = {}
    for row in corpus.rows(CONVERSATIONS):
        views = [stages.views(text, question, model) for question, text in evaluation.turns(row["messages"])]
        found[row["id"]] = {
            str(stage): ([view[str(stage)].features for view in views], row["expect"]["answers"].get(stage, 0))
            for stage in STAGES
        }
    return found


def fitted(turns: Sequence[Turn], held: Iterable[Conversation] = ()) -> dict[str, tuple[float, ...]]:
    """Weights and bias for `Model.counting`, from turns with counts and from conversations with sums of them."""
    weights = _weights(turns)
    parts = [part for conversation in held for part in conversation.values()]
    for _ in range(ROUNDS if parts else 0):
        guessed = [turn for views, total in parts for turn in _shared(views, total, weights)]
        weights = _weights([*turns, *guessed])
    return weights


def _weights(turns: Sequence[Turn]) -> dict[str, tuple[float, ...]]:
    features = np.array([view for view, _ in turns])
    counts = np.array([count for _, count in turns])
    scaler = StandardScaler().fit(features)
    scales: NDArray[np.float64] = np.where(scaler.scale_ > 0, scaler.scale_, 1.0)
    found: dict[str, tuple[float, ...]] = {}
    for number, name in enumerate(NAMES, start=1):
        logistic = LogisticRegression(max_iter=500).fit(scaler.transform(features), counts >= number)
        plain = logistic.coef_[0] / scales
        bias = float(logistic.intercept_[0] - plain @ scaler.mean_)
        found[name] = (*(round(float(value), 5) for value in plain), round(bias, 5))
    return found


def _shared(views: Sequence[tuple[float, ...]], total: int, weights: dict[str, tuple[float, ...]]) -> list[Turn]:
    """The most likely counts of the turns that add up to `total` (or come closest from below)."""
    model = Model(
        {},
        weights=np.zeros((0, 0), dtype=np.int8),
        scales=np.zeros(0, dtype=np.float32),
        biases=np.zeros(0, dtype=np.float32),
        rarity=np.zeros(0, dtype=np.float16),
        thresholds={},
        counting=weights,
    )
    best: dict[int, tuple[float, list[int]]] = {0: (0.0, [])}
    for view in views:
        one = model.chance_of("one", view)
        two = min(model.chance_of("two", view), 0.95 * one)
        chances = np.log(np.clip([1.0 - one, one - two, two], 1e-4, 1.0))
        reached: dict[int, tuple[float, list[int]]] = {}
        for sum_before, (likely, counts) in best.items():
            for count in range(min(MOST_OF_A_TURN, total - sum_before) + 1):
                option = (likely + float(chances[count]), [*counts, count])
                if option[0] > reached.get(sum_before + count, (-np.inf, []))[0]:
                    reached[sum_before + count] = option
        best = reached
    return list(zip(views, best[max(best)][1], strict=True))
