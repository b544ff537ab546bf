"""Entering an org's schema and leaving it. The connection always ends up in public, where no org's table exists."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, cast
from weakref import WeakKeyDictionary

from django.conf import settings
from django.db import connection
from django.db.backends.base.base import BaseDatabaseWrapper

from orgs.models import Org


@contextmanager
def in_org(org: Org) -> Iterator[Org]:
    """Run the block in the org's schema, on this thread's connection; afterwards the one before, public at the bottom.

    Only in synchronous code: the schema belongs to the connection and the connection to the thread, so in a coroutine
    the whole block belongs inside one function given to a thread (HOTPATH 3 has the leak that the other way makes).
    """
    before = connection.tenant  # type: ignore[attr-defined]  # django-tenants' wrapper has it
    note_touched(org)
    connection.set_tenant(org)  # type: ignore[attr-defined]
    try:
        yield org
    finally:
        connection.set_tenant(before)  # type: ignore[attr-defined]


def current_org() -> Org:
    """The org whose schema the connection is on. Call it inside the org."""
    return cast(Org, connection.tenant)  # type: ignore[attr-defined]


def note_touched(org: Org) -> None:
    """Count the org towards what this connection's backend keeps in memory (about 0.5 MB per org; BOOT 2)."""
    connection.ensure_connection()
    touched_orgs(connection).add(org.pk)


def touched_orgs(wrapper: BaseDatabaseWrapper) -> set[int]:
    """Orgs the present server connection has touched, in whichever thread: a pool hands it on."""
    return _touched.setdefault(wrapper.connection, set())


_touched: WeakKeyDictionary[Any, set[int]] = WeakKeyDictionary()


def recycle_connection() -> bool:
    """Close the connection once its backend has touched CONNECTION_ORG_LIMIT orgs. Call between units of work.

    Out: True when it was closed. Inside a transaction nothing happens.
    """
    if connection.connection is None or connection.in_atomic_block:
        return False
    if len(touched_orgs(connection)) < settings.CONNECTION_ORG_LIMIT:
        return False
    discard_connection()
    return True


def discard_connection() -> None:
    """End the connection, pooled or not: the server forgets its memory, its locks and its settings."""
    if connection.connection is not None:
        connection.connection.close()  # a pool replaces what comes back closed
    connection.close()


def each_org() -> Iterator[Org]:
    """Every org, by id, in keyset pages of 200; enter each with `in_org`. Between two the connection may be renewed."""
    last = 0
    while page := list(Org.objects.filter(pk__gt=last).order_by("pk")[:200]):
        for org in page:
            yield org
            recycle_connection()
        last = page[-1].pk
