"""Let leads who never lived hold whole conversations, and say how far each kind came."""

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from argparse import ArgumentParser
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from conversations.simulation import counts, personas, rehearsal
from conversations.simulation.counts import Talk
from integrations.whatsapp import crowd
from sdr.lib.errors import PortError

LEADS = 60
READY_SECONDS = 180.0
STOP_SECONDS = 40.0
LOOK_SECONDS = 0.5
COLUMNS = {
    "n": "n", "engaged": "engaged", "spin_completion": "SPIN", "turns": "turns", "repeated_questions": "repeated",
    "loops": "loops", "unsupported_claims": "unsupported", "held_back_by_guards": "held back",
    "ends_politely": "polite end", "opt_outs_honoured": "opt-outs", "unanswered": "unanswered",
}  # fmt: skip


class Command(BaseCommand):
    help = (
        "Let simulated leads (30 % of them terse, hostile, off topic, price-first or silent) talk to the AI over the "
        "webhook of the running demo; without one, an installation is started for them and stopped again."
    )
    requires_system_checks: list[str] = []  # it may have no database of its own

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--n", type=int, default=LEADS, help=f"how many leads ({LEADS})")
        parser.add_argument("--language", choices=personas.LANGUAGES, default="", help="all of them in one language")
        parser.add_argument("--seed", type=int, default=1, help="the same leads again (1)")
        parser.add_argument("--json", action="store_true", dest="as_json", help="the report as JSON and nothing else")
        parser.add_argument("--in-process", action="store_true", help="the brain alone: no webhook, no rows, seconds")
        parser.add_argument("--show", type=int, default=0, metavar="K", help="print the first K conversations as well")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["n"] < 1:
            raise CommandError("--n must be at least 1.")
        if settings.ENVIRONMENT not in {"development", "test"}:
            raise CommandError("Simulated leads are for development: they would be counted as leads here.")
        if options["in_process"]:
            self.report(*rehearse(options), options)
        elif crowd.is_running():
            self.report(*over_webhook(options), options)
        else:
            with installation() as environment:
                status = subprocess.run(command_line(options), env=environment, check=False).returncode
            if status:
                raise CommandError("The conversations could not be held; the reason stands above.", returncode=status)

    def report(self, talks: list[Talk], extra: dict[str, Any], options: dict[str, Any]) -> None:
        found = {"seed": options["seed"], **counts.report(talks), **extra, "misses": misses(talks)}
        if options["as_json"]:
            self.stdout.write(json.dumps(found, ensure_ascii=False))
            return
        self.stdout.write("| | " + " | ".join(COLUMNS.values()) + " |\n|---" * 1 + "|---" * len(COLUMNS) + "|")
        rows = {"all": found["all"], **found["kinds"], **found["languages"]}
        for name, figures in rows.items():
            cells = ["" if figures[key] is None else str(figures[key]) for key in COLUMNS]
            self.stdout.write(f"| {name} | " + " | ".join(cells) + " |")
        for name, value in extra.items():
            self.stdout.write(f"{name}: {value}")
        for miss in found["misses"]:
            self.stdout.write(miss)
        for talk in talks[: options["show"]]:
            self.stdout.write("\n".join(transcript(talk)))


def rehearse(options: dict[str, Any]) -> tuple[list[Talk], dict[str, Any]]:
    """In this process: the conversations, and what a reply costs."""
    leads = personas.crowd(options["n"], seed=options["seed"], language=options["language"])
    rehearsal.talk(leads[0])  # loads the weights
    leads = personas.crowd(options["n"], seed=options["seed"], language=options["language"])
    began = time.process_time()
    talks = [rehearsal.talk(lead) for lead in leads]
    spent = time.process_time() - began
    replies = sum(len(talk.of("ai")) for talk in talks)
    return talks, {"cpu_ms_per_message": round(spent * 1000 / max(1, replies), 1)}


def over_webhook(options: dict[str, Any]) -> tuple[list[Talk], dict[str, Any]]:
    """Through the running installation: the conversations, and how long it took to answer."""
    leads = personas.crowd(options["n"], seed=options["seed"], language=options["language"])
    began = time.monotonic()
    try:
        talks, waits = crowd.hold(leads)
    except PortError as error:
        raise CommandError(str(error)) from error
    return talks, {
        "seconds": round(time.monotonic() - began),
        "decision_ms_p50": percentile(waits.decided, 0.5),
        "decision_ms_p95": percentile(waits.decided, 0.95),
    }


def percentile(values: list[int], share: float) -> int | None:
    return sorted(values)[min(len(values) - 1, int(len(values) * share))] if values else None


def misses(talks: list[Talk]) -> list[str]:
    """What should not have happened, with the words."""
    found = []
    for talk in talks:
        wrong = {
            "repeated": talk.repeated, "loop": talk.loops, "unsupported": talk.unsupported, "held back": talk.guarded,
        }  # fmt: skip
        found += [f"{talk.kind} {talk.number}: {what}: {words}" for what, words in wrong.items() if words]
        if not talk.answered:
            found.append(f"{talk.kind} {talk.number}: not answered: {talk.lines[-1].text if talk.lines else ''}")
        if talk.kind is personas.Kind.COOPERATIVE and not talk.is_complete:
            found.append(f"{talk.kind} {talk.number}: score {talk.score}, complete: {', '.join(talk.complete) or '-'}")
    return found


def transcript(talk: Talk) -> Iterator[str]:
    yield f"\n{talk.number} {talk.kind}, {talk.language}, {talk.company.name}: score {talk.score}"
    for line in talk.lines:
        yield f"  {'lead' if line.author == 'lead' else '  we'}: {line.text}"


def command_line(options: dict[str, Any]) -> list[str]:
    """This command again, for the installation that was started for it."""
    line = [sys.executable, "manage.py", "simulate_leads", f"--n={options['n']}", f"--seed={options['seed']}"]
    line += [f"--show={options['show']}", *(["--json"] if options["as_json"] else [])]
    return [*line, f"--language={options['language']}"] if options["language"] else line


@contextmanager
def installation() -> Iterator[dict[str, str]]:
    """A demo with a folder and ports of its own, stopped afterwards. Out: the environment that commands need."""
    with tempfile.TemporaryDirectory(prefix="simulated-", ignore_cleanup_errors=True) as state:
        port = free_port()
        address = f"http://127.0.0.1:{port}"
        kept = {name: value for name, value in os.environ.items() if name not in {"DATABASE_URL", "TEST_DATABASE"}}
        environment = kept | {
            "ENVIRONMENT": "development", "DJANGO_SETTINGS_MODULE": "sdr.settings", "STATE_DIR": state,
            "PORT": str(port), "SITE_URL": address, "WEBHOOK_BASE_URL": address, "SDR_PACING": "false",
            "STANDIN_PORT": str(free_port()), "WEB_PROCESSES": "1",
        }  # fmt: skip
        environment["STANDIN_URL"] = f"http://127.0.0.1:{environment['STANDIN_PORT']}"
        with (Path(state) / "demo.log").open("wb") as log:
            demo = subprocess.Popen(
                [sys.executable, "-m", "sdr.local.supervisor", "demo"], env=environment, stdout=log, stderr=log
            )
            try:
                await_ready(demo, address, Path(state))
                yield environment
            finally:
                demo.send_signal(signal.SIGTERM)
                try:
                    demo.wait(STOP_SECONDS)
                except subprocess.TimeoutExpired:
                    demo.kill()
                    demo.wait()


def await_ready(demo: "subprocess.Popen[bytes]", address: str, state: Path) -> None:
    until = time.monotonic() + READY_SECONDS
    while time.monotonic() < until and demo.poll() is None:
        try:
            with urllib.request.urlopen(f"{address}/health/ready", timeout=5) as answer:  # noqa: S310  # our own
                if answer.status == 200:
                    return
        except (urllib.error.URLError, OSError):
            time.sleep(LOOK_SECONDS)
    tail = (state / "demo.log").read_text(errors="replace")[-2_000:]
    raise CommandError(f"No installation could be started:\n{tail}")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
