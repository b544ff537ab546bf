"""What may go wrong at the stand-in, switched by tests and by the control API. The same seed gives the same faults.

A decision is a hash of the seed, the fault's name, the thing it is about and how often that was asked, never the order
in which concurrent calls happen to arrive: ten seeds are ten repeatable runs.
"""

import hashlib
from collections import Counter
from dataclasses import dataclass, field
from enum import StrEnum


class SendFault(StrEnum):
    """How one call of `/message/…` goes wrong (evolution.md 6.1, the table of outcomes)."""

    NONE = "none"
    CONNECTION_CLOSED = "connection_closed"  # 500 before the send stage: nothing sent
    HANG_BEFORE = "hang_before"  # no answer, nothing sent
    HANG_AFTER = "hang_after"  # no answer, but the lead has it
    ERROR_AFTER = "error_after"  # 400 with an error string, but the lead has it
    REJECTED = "rejected"  # 201, then `messages.update` ERROR; the lead has nothing
    META_ERROR = "meta_error"  # WHATSAPP-BUSINESS: 201 with Meta's error object, nothing sent


@dataclass
class Faults:
    """Rates are probabilities between 0 and 1; `…_seconds` are real seconds, not scaled.

    `next_sends` are used up, first to last, before any rate counts; so many as `swallow_next` webhooks are dropped.
    `swallow_events` limits both kinds of swallowing and duplicating to these events; empty means all.
    `disorder_seconds`: each webhook waits between 0 and this. `token_age_seconds` mints older JWTs, as of late retries.
    """

    seed: int = 0
    fail_rate: float = 0.0
    hang_rate: float = 0.0
    hang_before_rate: float = 0.0
    error_after_rate: float = 0.0
    reject_rate: float = 0.0
    swallow_rate: float = 0.0
    swallow_next: int = 0
    swallow_events: tuple[str, ...] = ()
    duplicate_rate: float = 0.0  # emitted twice: same data, another date_time
    repeat_rate: float = 0.0  # delivered twice, byte for byte, although we answered 200
    delay_seconds: float = 0.0
    disorder_seconds: float = 0.0
    answer_delay_seconds: float = 0.0
    hang_seconds: float = 600.0
    token_age_seconds: int = 0
    media_expired: bool = False
    unstable_order: bool = False  # rows of one second stand the other way round on every second page
    next_sends: list[SendFault] = field(default_factory=list)
    asked: Counter[tuple[str, ...]] = field(default_factory=Counter, repr=False)

    def for_send(self, *about: str) -> SendFault:
        """What happens to this send; `about` names it (instance, chat, text)."""
        if self.next_sends:
            return self.next_sends.pop(0)
        chance = self.roll("send", *about)
        for fault, rate in (
            (SendFault.CONNECTION_CLOSED, self.fail_rate),
            (SendFault.HANG_AFTER, self.hang_rate),
            (SendFault.HANG_BEFORE, self.hang_before_rate),
            (SendFault.ERROR_AFTER, self.error_after_rate),
            (SendFault.REJECTED, self.reject_rate),
        ):
            if chance < rate:
                return fault
            chance -= rate
        return SendFault.NONE

    def swallows(self, event: str, *about: str) -> bool:
        """Whether this webhook is lost without a single attempt."""
        if not self.concerns(event):
            return False
        if self.swallow_next > 0:
            self.swallow_next -= 1
            return True
        return self.roll("swallow", event, *about) < self.swallow_rate

    def happens(self, name: str, rate: float, *about: str) -> bool:
        """Whether a fault of this name and rate hits the thing named by `about`."""
        return rate > 0 and self.roll(name, *about) < rate

    def concerns(self, event: str) -> bool:
        return not self.swallow_events or event in self.swallow_events

    def roll(self, name: str, *about: str) -> float:
        """A number in [0, 1) that depends on the seed, the name, the thing and how often this was asked before."""
        key = (name, *about)
        self.asked[key] += 1
        text = "\x1f".join((str(self.seed), str(self.asked[key]), *key))
        digest = hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest()
        return int.from_bytes(digest) / 2**64
