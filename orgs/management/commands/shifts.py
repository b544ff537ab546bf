"""The process that works shifts: what is due for all orgs, from webhooks to replies."""

import logging
import os
import sys
from contextlib import suppress
from typing import Any

import psutil
from django.core.management.base import BaseCommand
from django.db import connection
from django_q.cluster import Cluster
from django_q.conf import Conf
from django_q.signals import post_spawn

from orgs import shift_cluster
from orgs.shift_cluster import Finding

LOOK_SECONDS = 1.0
NAME = "Q_CLUSTER_NAME"  # django-q2 reads it once, when it is imported
logger = logging.getLogger("sdr.shifts")


class Command(BaseCommand):
    help = "Do what is due, such as reading webhooks, the AI's turns and sending, until told to stop (SIGTERM, SIGINT)."

    def handle(self, *args: Any, **options: Any) -> None:
        if os.environ.get(NAME) != shift_cluster.QUEUE:
            begin_anew()
        post_spawn.connect(call_shift)
        cluster = ShiftCluster()
        cluster.start()
        look_after(cluster)


def look_after(cluster: "ShiftCluster") -> None:
    """Until it is told to stop; a cluster that does not work any more is ended, and begun anew in this process."""
    watch = shift_cluster.Watch(Conf.WORKERS)
    family: list[psutil.Process] = []
    while not shift_cluster.is_stopping():
        is_alive = cluster.sentinel.is_alive()
        if is_alive:
            family = psutil.Process().children(recursive=True)
        if not is_alive or watch.look() is Finding.DEAD:
            logger.error("the shifts are started over", extra={"reason": "silent" if is_alive else "sentinel_gone"})
            for process in family:  # also those whose parent is gone
                with suppress(psutil.NoSuchProcess):
                    process.kill()
            connection.close()
            begin_anew()
        cluster.sentinel.join(LOOK_SECONDS)


def begin_anew() -> None:
    """The same command from the start, in this process; never returns."""
    sys.stdout.flush()
    sys.stderr.flush()
    os.execve(sys.executable, sys.orig_argv, os.environ | {NAME: shift_cluster.QUEUE})  # noqa: S606


class ShiftCluster(Cluster):  # type: ignore[misc]  # django-q2 has no types
    """django-q2's cluster waits for running tasks when it stops; ours are told to end."""

    def stop(self) -> bool:
        """Stop; what runs has `orgs.shifts`' grace to end, and is given back to the queue otherwise."""
        shift_cluster.stop()
        stopped: bool = super().stop()
        return stopped


def call_shift(**_: object) -> None:
    """A worker was born. Should the database be away, it dies of it and the next is born."""
    shift_cluster.call()
