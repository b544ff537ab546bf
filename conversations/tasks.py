"""The kinds of late work this app has: three lines each, the verbs are elsewhere."""

from datetime import timedelta

from conversations import invariants, links, media, sending, turns
from sdr.lib import jobs


@jobs.kind("turn", slots=64, share=32, policy=jobs.Policy(limit=timedelta(seconds=150)))
async def turn(work: jobs.Work) -> None:
    await turns.take(int(work.ref), work.run)


@jobs.kind("send", slots=64, share=32, policy=jobs.Policy(limit=timedelta(seconds=120)))
async def send(work: jobs.Work) -> None:
    await sending.send_all(int(work.ref), work.run)


@jobs.kind("reconcile", slots=8, share=4, policy=jobs.Policy(limit=timedelta(seconds=60)))
def reconcile(work: jobs.Work) -> None:
    sending.reconcile(int(work.ref))


@jobs.kind("wake", slots=4, share=2)
def wake(work: jobs.Work) -> None:
    sending.wake(int(work.ref))


@jobs.kind("look", slots=4, share=2, policy=jobs.Policy(limit=timedelta(seconds=30)))
def look(work: jobs.Work) -> None:
    links.look(int(work.ref))


@jobs.kind("alert", slots=2, share=1)
def alert(work: jobs.Work) -> None:
    links.alert(int(work.ref))


@jobs.kind("media", slots=3, share=2, policy=jobs.Policy(limit=timedelta(seconds=90), attempts=media.TRIES + 2))
def fetch_media(work: jobs.Work) -> None:
    media.fetch(int(work.ref), attempt=work.attempt)


def watch_invariants() -> dict[str, int]:
    """Scheduled every five minutes."""
    return invariants.watch()
