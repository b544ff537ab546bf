"""The process that works shifts: what is due for all orgs, from webhooks to replies."""

import ctypes
import logging
import os
import sys
import time
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
END_SECONDS = 5.0  # for processes that were killed to be gone
PR_SET_CHILD_SUBREAPER = 36  # <linux/prctl.h>
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
    adopt_orphans()
    watch = shift_cluster.Watch(Conf.WORKERS)
    while not shift_cluster.is_stopping():
        is_alive = cluster.sentinel.is_alive()
        if not is_alive or watch.look() is Finding.DEAD:
            logger.error("the shifts are started over", extra={"reason": "silent" if is_alive else "sentinel_gone"})
            end_family()
            connection.close()
            begin_anew()
        cluster.sentinel.join(LOOK_SECONDS)


def adopt_orphans() -> None:
    """Workers whose sentinel is gone become our children (prctl(2)), whenever they were born, so we can end them."""
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def end_family() -> None:
    """Kill all that descend from this process, the sentinel first: it would replace its workers."""
    me = psutil.Process()
    end = time.monotonic() + END_SECONDS
    while (family := me.children() + me.children(recursive=True)) and time.monotonic() < end:
        for process in family:
            with suppress(psutil.NoSuchProcess):
                process.kill()
        psutil.wait_procs(family, timeout=max(0.0, end - time.monotonic()))


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
