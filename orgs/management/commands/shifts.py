"""The process that works shifts: what is due for all orgs, from webhooks to replies."""

import os
import sys
from typing import Any

from django.core.management.base import BaseCommand
from django_q.cluster import Cluster
from django_q.signals import post_spawn

from orgs import shift_cluster

NAME = "Q_CLUSTER_NAME"  # django-q2 reads it once, when it is imported


class Command(BaseCommand):
    help = "Do what is due, such as reading webhooks, the AI's turns and sending, until told to stop (SIGTERM, SIGINT)."

    def handle(self, *args: Any, **options: Any) -> None:
        if os.environ.get(NAME) != shift_cluster.QUEUE:
            sys.stdout.flush()
            sys.stderr.flush()
            os.execve(sys.executable, sys.orig_argv, os.environ | {NAME: shift_cluster.QUEUE})  # noqa: S606
        post_spawn.connect(call_shift)
        ShiftCluster().start()


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
