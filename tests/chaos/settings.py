"""Settings of the chaos run: those of tests, and a brain whose every answer names what it answers."""

import os

from tests.settings import *  # noqa: F403
from tests.settings import SDR_GAP_SECONDS

GAP_SECONDS = {"quick": 20, "own": SDR_GAP_SECONDS}  # between two looks for what was swallowed

SDR_GAP_SECONDS = GAP_SECONDS[os.environ.get("CHAOS_PACE", "quick")]
BRAIN = "UnderstandingBrain" if os.environ.get("CHAOS_INFORMED") else "NamingBrain"
SDR_BRAINS = {"playbook": f"tests.chaos.brain.{BRAIN}"}
