"""The product's long waits, made short for a run of minutes: the one place that changes them.

Only proportions matter to what the run proves, and they stay: a lease outlives several renewals, a call ends well
before its verdict, and a frozen process thaws before the verdict about its send (else no program could tell, see
`conversations.sending`).
"""

from datetime import timedelta

LEASE = timedelta(seconds=4)  # instead of 15
RENEW_EVERY = timedelta(seconds=1)  # instead of 5
FRESH = timedelta(seconds=2)  # instead of 3
CALL_SECONDS = 4.0  # instead of 30
LONGEST_FREEZE = LEASE * 1.5
VERDICT_AFTER = timedelta(seconds=16)  # instead of 110; more than FRESH + LONGEST_FREEZE + CALL_SECONDS
VERDICT_LATEST = timedelta(seconds=90)  # instead of 30 minutes
LOOK_EVERY = timedelta(seconds=2)  # instead of 15
PAUSE = timedelta(seconds=1)  # instead of 10
CLOSED_PAUSE = timedelta(seconds=2)  # instead of 30
SHIFT = timedelta(seconds=15)  # instead of 45


def quicken() -> None:
    """Shorten the waits of this process."""
    from conversations import sending
    from integrations.whatsapp import client
    from sdr.lib import jobs
    from sdr.lib.http import Timeout

    sending.CALL_TIMEOUT = timedelta(seconds=CALL_SECONDS)
    sending.FRESH, sending.VERDICT_AFTER, sending.VERDICT_LATEST = FRESH, VERDICT_AFTER, VERDICT_LATEST
    sending.LOOK_EVERY, sending.PAUSE, sending.CLOSED_PAUSE = LOOK_EVERY, PAUSE, CLOSED_PAUSE
    client.SEND = Timeout(connect=2.0, read=CALL_SECONDS, total=CALL_SECONDS)
    jobs.LEASE, jobs.RENEW_EVERY = LEASE, RENEW_EVERY
