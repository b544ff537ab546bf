"""Late work of orgs that is no part of a conversation: plain django-q2 tasks, and schedules that start some of them."""

import socket
from dataclasses import dataclass
from datetime import timedelta

from django.conf import settings
from django.db import connection
from django.utils import timezone
from django_q.models import Schedule, Task

from orgs import backlog, deletion, departure, mail, notifications, ratelimit, sessions, shift_cluster
from orgs.models import Due, Heartbeat

FAILURES_KEPT_FOR = timedelta(days=30)
HEARTBEATS_KEPT_FOR = timedelta(days=7)  # a machine that has said nothing for so long is gone


@dataclass(frozen=True)
class Repeat:
    """A task that runs again and again: `func` by dotted path, every `minutes`."""

    name: str
    func: str
    minutes: int


REPEATS = (
    Repeat("worker: heartbeat", "orgs.tasks.beat", 1),
    Repeat("shifts: call", "orgs.tasks.call_shift", 1),
    Repeat("queue: move", "orgs.tasks.move_later", 1),
    Repeat("queue: measure", "orgs.tasks.measure_queue", 1),
    Repeat("mail: sweep", "orgs.tasks.sweep_mail", 1),
    Repeat("mail: prune", "orgs.tasks.prune_mail", 60),
    Repeat("sessions: prune", "orgs.tasks.prune_sessions", 60),
    Repeat("cache: prune", "orgs.tasks.prune_cache", 60),
    Repeat("jobs: prune", "orgs.tasks.prune_jobs", 24 * 60),
    Repeat("people: prune", "orgs.tasks.prune_people", 24 * 60),
    Repeat("rate limits: prune", "orgs.tasks.prune_rate_limits", 60),
    Repeat("orgs: purge", "orgs.tasks.purge_orgs", 60),
    Repeat("integrations: prune", "integrations.tasks.prune", 60),
    Repeat("numbers: look", "conversations.links.look_at_all", 1),
    Repeat("conversations: gaps", "conversations.tasks.ensure_gap_looks", 2),
    Repeat("notifications: prune", "orgs.tasks.prune_notifications", 60),
    Repeat("conversations: digests", "conversations.tasks.call_digests", 5),
    Repeat("conversations: invariants", "conversations.tasks.watch_invariants", 5),
)


def ensure_schedules() -> None:
    """Make the schedules what REPEATS says. Safe to repeat; called under the lock of `prepare_database`."""
    for repeat in REPEATS:
        Schedule.objects.update_or_create(
            name=repeat.name,
            defaults={"func": repeat.func, "schedule_type": Schedule.MINUTES, "minutes": repeat.minutes, "repeats": -1},
        )


def beat() -> None:
    """Sign of life: this machine's workers take tasks from the queue and finish them."""
    Heartbeat.objects.update_or_create(
        name=f"worker@{socket.gethostname()}"[:120], defaults={"kind": "worker", "beat_at": timezone.now()}
    )


def shift() -> int:
    """Work a shift: runs in the cluster of `manage.py shifts`."""
    return shift_cluster.work()


def call_shift() -> None:
    shift_cluster.call_if_none_waits()


def move_later() -> None:
    """Bring back what is near again, and put away what is far."""
    while Due.objects.move():
        pass


def measure_queue() -> None:
    backlog.measure()


def send_mail(pk: int) -> None:
    mail.deliver(pk)


def sweep_mail() -> None:
    mail.sweep()


def prune_mail() -> None:
    mail.prune()


def prune_notifications() -> None:
    notifications.prune()


def prune_rate_limits() -> None:
    ratelimit.prune()


def prune_sessions() -> None:
    sessions.prune()


def prune_cache() -> None:
    """Delete what has expired; Django does so only once the cache is full."""
    table = connection.ops.quote_name(str(settings.CACHES["default"]["LOCATION"]))
    with connection.cursor() as cursor:
        cursor.execute(f"DELETE FROM public.{table} WHERE expires < now()")  # noqa: S608  # our name


def prune_jobs() -> None:
    """Delete old records of failed tasks, and the signs of life of machines that are gone."""
    now = timezone.now()
    Task.objects.filter(stopped__lt=now - FAILURES_KEPT_FOR).delete()
    Heartbeat.objects.filter(beat_at__lt=now - HEARTBEATS_KEPT_FOR).delete()


def purge_orgs() -> None:
    """Drop the orgs whose grace is over."""
    deletion.purge()


def prune_people() -> None:
    departure.forget_unconfirmed()
