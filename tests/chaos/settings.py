"""Settings of the chaos run: those of tests, and a brain whose every answer names what it answers."""

from tests.settings import *  # noqa: F403

SDR_BRAINS = {"echo": "tests.chaos.brain.NamingBrain"}
