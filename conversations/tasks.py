"""The kinds of late work this app has: three lines each, the verbs are elsewhere."""

from datetime import timedelta

from conversations import (
    assignment,
    digests,
    erasure,
    follow_ups,
    gaps,
    invariants,
    learning,
    lifecycle,
    links,
    media,
    news,
    sending,
    transcripts,
    turns,
)
from orgs import notifications
from sdr.lib import jobs


def turn_died(work: jobs.Work, reason: str) -> None:
    turns.died(int(work.ref), reason)


@jobs.kind("turn", slots=64, share=32, policy=jobs.Policy(limit=timedelta(seconds=150)), on_dead=turn_died)
async def turn(work: jobs.Work) -> None:
    await turns.take(int(work.ref), work.run)


def send_died(work: jobs.Work, reason: str) -> None:
    sending.died(int(work.ref), reason)


@jobs.kind("send", slots=64, share=32, policy=jobs.Policy(limit=timedelta(seconds=120)), on_dead=send_died)
async def send(work: jobs.Work) -> None:
    await sending.send_all(int(work.ref), work)


def reconcile_died(work: jobs.Work, reason: str) -> None:
    sending.reconciliation_died(int(work.ref), reason)


@jobs.kind("reconcile", slots=32, share=16, policy=jobs.Policy(limit=timedelta(seconds=60)), on_dead=reconcile_died)
async def reconcile(work: jobs.Work) -> None:
    await sending.reconcile(int(work.ref), work)


@jobs.kind("tend", slots=4, share=2, policy=jobs.Policy(limit=timedelta(seconds=30)))
def tend(work: jobs.Work) -> None:
    lifecycle.tend(int(work.ref))


@jobs.kind("wake", slots=4, share=2)
def wake(work: jobs.Work) -> None:
    sending.wake(int(work.ref))


@jobs.kind(follow_ups.KIND, slots=8, share=4, policy=jobs.Policy(limit=timedelta(seconds=30)))
def follow_up(work: jobs.Work) -> None:
    follow_ups.look(int(work.ref))


@jobs.kind("look", slots=16, share=8, policy=jobs.Policy(limit=timedelta(seconds=30)))
async def look(work: jobs.Work) -> None:
    await jobs.follow(links.look(int(work.ref)), work)


@jobs.kind(gaps.KIND, slots=4, share=2, policy=jobs.Policy(limit=timedelta(seconds=120), attempts=20))
async def look_for_gaps(work: jobs.Work) -> None:
    await gaps.look(int(work.ref), work)


@jobs.kind("alert", slots=2, share=1)
def alert(work: jobs.Work) -> None:
    links.alert(int(work.ref))


def media_died(work: jobs.Work, reason: str) -> None:
    media.died(int(work.ref), reason)


@jobs.kind(
    "media", slots=3, share=2, policy=jobs.Policy(limit=timedelta(seconds=90), attempts=media.TRIES + 2),
    on_dead=media_died,
)  # fmt: skip
async def fetch_media(work: jobs.Work) -> None:
    await jobs.follow(media.fetch(int(work.ref), attempt=work.attempt), work)


def document_died(work: jobs.Work, reason: str) -> None:
    learning.died(int(work.ref), reason)


@jobs.kind(
    learning.KIND, slots=2, share=1, policy=jobs.Policy(limit=timedelta(seconds=90), attempts=learning.TRIES),
    on_dead=document_died,
)  # fmt: skip
async def read_document(work: jobs.Work) -> None:
    await learning.read(int(work.ref), work)


def transcribe_died(work: jobs.Work, reason: str) -> None:
    transcripts.died(int(work.ref), reason)


@jobs.kind(
    transcripts.KIND, slots=16, share=8, on_dead=transcribe_died,
    policy=jobs.Policy(
        limit=timedelta(seconds=90), attempts=transcripts.TRIES + 2, longest_pause=timedelta(seconds=20)
    ),
)  # fmt: skip
async def transcribe(work: jobs.Work) -> None:
    await transcripts.transcribe(int(work.ref), work, attempt=work.attempt)


@jobs.kind(notifications.KIND, slots=4, share=2, policy=jobs.Policy(limit=timedelta(seconds=30)))
async def notify(work: jobs.Work) -> None:
    await news.send(work.ref, work)


@jobs.kind(digests.KIND, slots=2, share=1, policy=jobs.Policy(limit=timedelta(seconds=60)))
def digest(work: jobs.Work) -> None:
    digests.send(int(work.ref))


@jobs.kind(assignment.KIND, slots=4, share=2, policy=jobs.Policy(limit=timedelta(seconds=30)))
def reassign(work: jobs.Work) -> None:
    assignment.look(int(work.ref), work.row.context)


@jobs.kind(erasure.KIND, slots=2, share=1)
def erase_files(work: jobs.Work) -> None:
    erasure.erase_files(work.row.context.get("paths", []))


def ensure_gap_looks() -> int:
    """Scheduled every two minutes."""
    return gaps.ensure()


def call_digests() -> int:
    """Scheduled every five minutes."""
    return digests.call()


def watch_invariants() -> dict[str, int]:
    """Scheduled every five minutes."""
    return invariants.watch()
