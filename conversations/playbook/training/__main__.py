"""Fit the weights that ship, from everything there is: `make train` (some minutes, one core).

Thresholds and the counting of answers are set by leaving one file out at a time, so that they are those of authors the
model has not read.
"""

import sys
from collections.abc import Sequence

from conversations.playbook import model as playbook_model
from conversations.playbook.training import corpus, counting, fit, phrases, spans


def main() -> int:
    """Fit, set the thresholds, write the weights, say how large they are."""
    files = {file: corpus.examples(file) for file in corpus.FILES} | corpus.lines()
    written = phrases.examples()
    turns = [turn for told in counting.counted(files, written).values() for turn in told]
    held = counting.conversations(counting.without(counting.CONVERSATIONS, files, written))
    thresholds = fit.thresholds(files, written)
    everything: Sequence[corpus.Example] = [*(row for rows in files.values() for row in rows), *written]
    counted = counting.fitted(turns, held.values())
    facts_size = spans.fit(spans.told(files)).save()
    size = fit.save(fit.fit(everything, thresholds=thresholds, counting=counted), playbook_model.WEIGHTS)
    sys.stdout.write(f"{len(everything)} rows, {size / 1e6:.1f} + {facts_size / 1e6:.1f} MB, thresholds {thresholds}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
