"""Settings of the measuring programs: those of tests, a brain that takes a second, and numbers without pacing."""

from tests.settings import *  # noqa: F403
from tests.settings import INSTALLED_APPS

INSTALLED_APPS = [*INSTALLED_APPS, "tests.bench.apps.BenchConfig"]
SDR_BRAINS = {"playbook": "tests.bench.brain.SlowBrain"}
SDR_PACING = False
