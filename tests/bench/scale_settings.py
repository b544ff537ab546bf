"""Settings of `scale`: those of the other programs, with a brain and a way to WhatsApp that answer at once."""

from tests.bench.settings import *  # noqa: F403

SDR_BRAINS = {"playbook": "tests.bench.brain.InstantBrain"}
SDR_TRANSPORT = "tests.bench.brain.for_number"
