"""The product's long waits, made short for a run of minutes: the one place that changes them.

Only proportions matter to what the run proves, and they stay: a lease outlives several renewals, a call ends well
before its verdict, and a frozen process thaws before the verdict about its send (else no program could tell, see
`conversations.sending`). Some seeds are played at the product's own pace all the same.
"""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

LOOK_SLACK = timedelta(seconds=0.6)  # how late the keeper may wake somebody


@dataclass(frozen=True)
class Pace:
    """How long things take. `past_lease`: how much longer than the lease the long freezes last, at most."""

    name: str
    lease: timedelta
    renew_every: timedelta
    fresh: timedelta
    call: timedelta
    verdict_after: timedelta
    verdict_latest: timedelta
    look_every: timedelta
    pause: timedelta
    closed_pause: timedelta
    shift: timedelta
    past_lease: timedelta
    hit_seconds: float  # between two armed failpoints; more of them, and rows die of tries that were all cut short
    strike_seconds: tuple[float, float]  # between two blows from outside

    @property
    def longest_freeze(self) -> timedelta:
        return self.lease + self.past_lease


QUICK = Pace(
    "quick", lease=timedelta(seconds=4), renew_every=timedelta(seconds=1), fresh=timedelta(seconds=2),
    call=timedelta(seconds=4), verdict_after=timedelta(seconds=16), verdict_latest=timedelta(minutes=10),
    look_every=timedelta(seconds=2), pause=timedelta(seconds=1), closed_pause=timedelta(seconds=2),
    shift=timedelta(seconds=15), past_lease=timedelta(seconds=2), hit_seconds=2.0, strike_seconds=(4.0, 10.0),
)  # fmt: skip
PRODUCTS_OWN = Pace(
    "own", lease=timedelta(seconds=15), renew_every=timedelta(seconds=5), fresh=timedelta(seconds=3),
    call=timedelta(seconds=30), verdict_after=timedelta(seconds=120), verdict_latest=timedelta(minutes=30),
    look_every=timedelta(seconds=15), pause=timedelta(seconds=10), closed_pause=timedelta(seconds=30),
    shift=timedelta(seconds=45), past_lease=timedelta(seconds=7), hit_seconds=5.0, strike_seconds=(10.0, 30.0),
)  # fmt: skip
PACES = {pace.name: pace for pace in (QUICK, PRODUCTS_OWN)}


def set_waits(pace: Pace) -> None:
    """Give this process those waits. Raises AttributeError when the product has no such wait any more."""
    from conversations import intake, sending
    from integrations.whatsapp import client
    from sdr.lib import jobs
    from sdr.lib.http import Timeout

    if pace.verdict_after <= pace.fresh + pace.longest_freeze + LOOK_SLACK + pace.call:
        raise ValueError("nobody could tell what became of a send that was frozen")
    if pace is PRODUCTS_OWN:
        return
    change(sending, CALL_TIMEOUT=pace.call, FRESH=pace.fresh, VERDICT_AFTER=pace.verdict_after)
    change(intake, VERDICT_LATEST=pace.verdict_latest)
    change(sending, VERDICT_LATEST=pace.verdict_latest, LOOK_EVERY=pace.look_every)
    change(sending, PAUSE=pace.pause, CLOSED_PAUSE=pace.closed_pause)
    seconds = pace.call.total_seconds()
    change(client, SEND=Timeout(connect=seconds / 2, read=seconds, total=seconds))
    change(jobs, LEASE=pace.lease, RENEW_EVERY=pace.renew_every)


def change(module: Any, **constants: object) -> None:
    for name, value in constants.items():
        getattr(module, name)
        setattr(module, name, value)
