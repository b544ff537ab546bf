"""Tests that commit, many to one copy of the database: what they leave behind is deleted after each."""

from collections.abc import Iterator
from typing import Any

import pytest

from conversations.models import Number
from integrations.models import Quarantine
from orgs.context import in_org
from orgs.models import ChannelAddress, Due, Org, Received
from tests import databases


@pytest.fixture(scope="module")
def committed_module(django_db_setup: None, django_db_blocker: Any) -> Iterator[None]:
    """The tests of this module commit for real; the database is put back after the last one."""
    with django_db_blocker.unblock():
        yield
        databases.restore()


@pytest.fixture
def shared(committed_module: None) -> Iterator[None]:
    """The test commits webhooks and what becomes of them in quarantine; all of it is deleted afterwards.

    One that changes a table or leaves more behind uses `committed`.
    """
    yield
    Received.objects.all().delete()
    Due.objects.all().delete()
    ChannelAddress.objects.all().delete()
    for org in Org.objects.all():
        with in_org(org):
            Quarantine.objects.all().delete()
            Number.objects.all().delete()
