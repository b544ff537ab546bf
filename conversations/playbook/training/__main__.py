"""Fit the weights that ship, from everything there is: `make train` (about a minute, one core).

Thresholds are set by leaving one file out at a time, so that they are those of authors the model has not read.
"""

import sys
from collections.abc import Sequence

from conversations.playbook import model as playbook_model
from conversations.playbook.training import corpus, fit, phrases


def main() -> int:
    """Fit, set the thresholds, write the weights, say how large they are."""
    files = {file: corpus.examples(file) for file in corpus.FILES}
    written = phrases.examples()
    thresholds = fit.thresholds(files, written)
    everything: Sequence[corpus.Example] = [*(row for rows in files.values() for row in rows), *written]
    size = fit.save(fit.fit(everything, thresholds=thresholds), playbook_model.WEIGHTS)
    sys.stdout.write(f"{len(everything)} rows, {size / 1e6:.1f} MB, thresholds {thresholds}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
