"""Really deleting orgs whose grace is over: files, schema, rows. The audit log remains.

Files go first and outside the transaction: deleting them twice is harmless, and since nobody can take a deletion back
once the grace is over (Org.cancel_deletion), no crash leaves an org that is open and has lost its files.
"""

import logging
from datetime import datetime

from django.core.files.storage import Storage, default_storage
from django.db import transaction
from django.utils import timezone

from orgs import schemas
from orgs.audit import Action, record
from orgs.models import Org

logger = logging.getLogger(__name__)


def purge(now: datetime | None = None) -> list[str]:
    """Delete every org that is due at `now`. One that fails is logged and tried by the next run.

    Out: the addresses of the orgs that are gone. Call outside of transactions: it may talk to a file store.
    """
    now = now or timezone.now()
    gone = []
    for org in Org.objects.due_for_deletion(now).order_by("pk"):
        try:
            if purge_org(org, now=now):
                gone.append(org.slug)
        except Exception:  # each kind of storage fails in its own way, and the other orgs are due as well
            logger.exception("org_not_purged", extra={"org": org.pk})
    return gone


def purge_org(org: Org, *, now: datetime) -> bool:
    """Delete one org that is still due. False when it is not due any more."""
    if not Org.objects.due_for_deletion(now).filter(pk=org.pk).exists():
        return False
    delete_files(default_storage, org.media_folder)
    with transaction.atomic():
        due = Org.objects.due_for_deletion(now).select_for_update().filter(pk=org.pk).first()
        if due is None:
            return False
        record(Action.ORG_DELETED, org=due, target=f"org:{due.pk}", data={"schema": due.schema_name})
        schemas.drop(due)
    return True


def delete_files(storage: Storage, folder: str) -> None:
    """Delete a folder of the storage with all that is in it; one that is not there is fine."""
    try:
        folders, files = storage.listdir(folder)
    except FileNotFoundError:
        return
    for name in files:
        storage.delete(f"{folder}/{name}")
    for name in folders:
        delete_files(storage, f"{folder}/{name}")
    storage.delete(folder)  # a directory on a disk; in an object store there is none, and deleting nothing is no error
