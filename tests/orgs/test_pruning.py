"""Tables that grow by themselves are kept small, and nothing that still counts is lost."""

from datetime import timedelta

from allauth.usersessions.models import UserSession
from django.contrib.sessions.models import Session
from django.core.cache import cache
from django.db import connection
from django.test import Client
from django.utils import timezone
from django_q.models import Task

from orgs import sessions, tasks
from orgs.models import Heartbeat, Person
from tests.orgs.test_signin import sign_in_by_form


def cached() -> set[str]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT cache_key FROM public.orgs_cache")
        return {row[0].rpartition(":")[2] for row in cursor.fetchall()}


def test_it_deletes_sessions_that_are_over(ana: Person, beto: Person) -> None:
    here, there = Client(), Client()
    sign_in_by_form(here, ana)
    sign_in_by_form(there, beto)
    Session.objects.filter(pk=there.session.session_key).update(expire_date=timezone.now() - timedelta(seconds=1))
    UserSession.objects.update(last_seen_at=timezone.now() - timedelta(days=2))
    assert sessions.prune() == 2
    assert not Session.objects.filter(expire_date__lt=timezone.now()).exists()
    assert list(UserSession.objects.values_list("user_id", flat=True)) == [ana.pk]
    assert here.get("/o/acme/").status_code == 200


def test_it_leaves_an_entry_whose_session_is_being_made(ana: Person) -> None:
    UserSession.objects.create(user=ana, session_key="x" * 32, ip="127.0.0.1", user_agent="", data={})
    assert sessions.prune() == 0


def test_it_deletes_what_has_expired_in_the_cache(db: None) -> None:
    cache.clear()
    cache.set("old", 1, timeout=60)
    cache.set("young", 1, timeout=60)
    with connection.cursor() as cursor:
        cursor.execute("UPDATE public.orgs_cache SET expires = now() - interval '1 s' WHERE cache_key LIKE '%%:old'")
    tasks.prune_cache()
    assert cached() == {"young"}


def test_a_busy_cache_keeps_what_has_not_expired(db: None) -> None:
    """Codes already used stand there: forgotten early, they could be used once more."""
    cache.clear()
    assert cache.add("a-used-code", True, timeout=60)
    for number in range(310):
        cache.add(f"b-{number}", True, timeout=60)
    assert not cache.add("a-used-code", True, timeout=60)


def test_it_deletes_old_failures_and_the_signs_of_life_of_machines_that_are_gone(db: None) -> None:
    now = timezone.now()
    for name, days in (("old", 31), ("young", 29)):
        at = now - timedelta(days=days)
        Task.objects.create(id=name, name=name, func="f", started=at, stopped=at, success=False)
        Heartbeat.objects.create(name=f"worker@{name}", kind="worker", beat_at=now - timedelta(days=days - 23))
    tasks.prune_jobs()
    assert list(Task.objects.values_list("name", flat=True)) == ["young"]
    assert list(Heartbeat.objects.values_list("name", flat=True)) == ["worker@young"]
