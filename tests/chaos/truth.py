"""What must be true once all is quiet, judged from plain data: what phones got, what was acknowledged, what is stored.

Each list of a Verdict holds sentences, one per violation; empty lists are what the run is for. `parked` and `dead` are
allowed and shown: a person decides about those.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

PARKED_SHARE = 0.005
LEAST_PARKED = 1  # so that one among a few hundred replies is no violation
PARKED = frozenset({"unknown", "failed"})
OVER = frozenset({"sent", "cancelled", *PARKED})


@dataclass(frozen=True)
class Stored:
    """A message of the database. `chat`: org and conversation; `phone`: the lead's digits; `claimed_at`: epoch s."""

    id: int
    chat: tuple[int, int]
    seq: int
    author: str
    state: str
    text: str
    instance: str
    phone: str
    provider_id: str | None = None
    failure: str = ""
    turn_id: int | None = None
    is_backlog: bool = False
    epoch: int = 0
    claimed_at: float | None = None


@dataclass(frozen=True)
class Move:
    """A turn of the database."""

    id: int
    chat: tuple[int, int]
    up_to: int
    state: str
    reason: str = ""
    token: str = ""


@dataclass(frozen=True)
class Takeover:
    """From `at` (epoch seconds, noted under the lock) nothing of an older epoch may be claimed in that chat."""

    chat: tuple[int, int]
    epoch: int
    at: float


@dataclass(frozen=True)
class Got:
    """A message of ours on a lead's phone."""

    id: str
    instance: str
    phone: str
    text: str


@dataclass
class Evidence:
    """Everything the judgement needs. `acknowledged`: ids answered 200; `written`: (org, turn, token that wrote it)."""

    acknowledged: set[str] = field(default_factory=set)
    messages: list[Stored] = field(default_factory=list)
    moves: list[Move] = field(default_factory=list)
    phones: list[Got] = field(default_factory=list)
    takeovers: list[Takeover] = field(default_factory=list)
    written: list[tuple[int, int, str]] = field(default_factory=list)
    due: list[str] = field(default_factory=list)
    dead: list[str] = field(default_factory=list)
    invariants: Mapping[str, int] = field(default_factory=dict)


@dataclass
class Verdict:
    lost: list[str] = field(default_factory=list)
    twice: list[str] = field(default_factory=list)
    untrue: list[str] = field(
        default_factory=list
    )  # the database and the phones disagree, or who may write did not hold
    left: list[str] = field(default_factory=list)  # work nobody does
    parked: list[str] = field(default_factory=list)
    dead: list[str] = field(default_factory=list)
    explained: Counter[str] = field(default_factory=Counter)  # acknowledged, not answered, and why
    replies: int = 0

    @property
    def too_many_parked(self) -> bool:
        return len(self.parked) > max(LEAST_PARKED, PARKED_SHARE * self.replies)

    @property
    def is_good(self) -> bool:
        return not (self.lost or self.twice or self.untrue or self.left or self.too_many_parked)


def judge(evidence: Evidence) -> Verdict:
    verdict = Verdict()
    judge_arrivals(evidence, verdict)
    judge_turns(evidence, verdict)
    judge_phones(evidence, verdict)
    judge_ownership(evidence, verdict)
    verdict.left += evidence.due
    verdict.left += [f"invariant {name}: {count}" for name, count in evidence.invariants.items() if count]
    verdict.dead = list(evidence.dead)
    return verdict


def judge_arrivals(evidence: Evidence, verdict: Verdict) -> None:
    """Acknowledged means stored, once, and covered by a turn or by a reason."""
    stored: dict[str, list[Stored]] = defaultdict(list)
    for message in evidence.messages:
        if message.author == "lead" and message.provider_id:
            stored[message.provider_id].append(message)
    moves = by_chat(evidence.moves)
    for provider_id in sorted(evidence.acknowledged):
        found = stored[provider_id]
        if not found:
            verdict.lost.append(f"{provider_id} was acknowledged and is not stored")
        if len(found) > 1:
            verdict.twice.append(f"{provider_id} is stored {len(found)} times")
        for message in found:
            why = reason_for_silence(message, moves[message.chat])
            if why is None:
                verdict.lost.append(f"“{message.text}” (seq {message.seq} of {message.chat}) was never answered")
            elif why:
                verdict.explained[why] += 1


def reason_for_silence(message: Stored, moves: Sequence[Move]) -> str | None:
    """ "" for an answered message, the recorded reason for one that is not, None without any."""
    if any(move.state == "applied" and move.up_to >= message.seq for move in moves):
        return ""
    if message.is_backlog:
        return "backlog"
    skipped = [move.reason for move in moves if move.state == "skipped" and move.up_to >= message.seq]
    return skipped[0] if skipped else None


def judge_turns(evidence: Evidence, verdict: Verdict) -> None:
    """Each applied turn answers something no other answers, says something, and was written by its last taker."""
    arrivals: dict[tuple[int, int], list[int]] = defaultdict(list)
    outgoing: Counter[tuple[int, int | None]] = Counter()
    for message in evidence.messages:
        if message.author == "lead":
            arrivals[message.chat].append(message.seq)
        elif message.author == "ai":
            outgoing[message.chat[0], message.turn_id] += 1
    for chat, moves in by_chat(evidence.moves).items():
        before = 0
        for move in sorted((one for one in moves if one.state == "applied"), key=lambda one: one.up_to):
            if not any(before < seq <= move.up_to for seq in arrivals[chat]):
                verdict.twice.append(f"turn {move.id} of {chat} answers what was answered")
            if not outgoing[chat[0], move.id]:
                verdict.untrue.append(f"turn {move.id} of {chat} was applied and says nothing")
            before = move.up_to
    tokens = {(move.chat[0], move.id): move.token for move in evidence.moves}
    for org_id, turn_id, token in evidence.written:
        if tokens.get((org_id, turn_id), token) != token:
            verdict.untrue.append(f"turn {turn_id} of org {org_id} was written by somebody who had lost it")


def judge_phones(evidence: Evidence, verdict: Verdict) -> None:
    """What phones show is what is SENT, each text once; what is neither sent nor withdrawn is parked."""
    for (instance, phone, text), count in Counter(
        (got.instance, got.phone, got.text) for got in evidence.phones
    ).items():
        if count > 1:
            verdict.twice.append(f"“{text}” is {count} times on {phone} ({instance})")
    ours = [message for message in evidence.messages if message.author == "ai"]
    verdict.replies = len(ours)
    bound = {message.provider_id: message for message in ours if message.provider_id}
    states = {(message.instance, message.phone, message.text): message.state for message in ours}
    on_phones = {got.id for got in evidence.phones}
    for message in ours:
        if message.state not in OVER:
            verdict.left.append(f"“{message.text}” is still {message.state}")
        elif message.state == "sent" and message.provider_id not in on_phones:
            verdict.untrue.append(f"“{message.text}” is marked sent and on no phone")
        elif message.state in PARKED:
            verdict.parked.append(f"“{message.text}” is {message.state}: {message.failure}")
    for got in evidence.phones:
        if got.id in bound:
            continue
        state = states.get((got.instance, got.phone, got.text), "unheard of")
        if state not in {"unknown", "sent"}:  # a second copy of one sent is counted above
            verdict.untrue.append(f"“{got.text}” is on {got.phone} and in the database {state}")


def judge_ownership(evidence: Evidence, verdict: Verdict) -> None:
    """Nothing the AI wrote before a takeover was claimed after it."""
    ours: dict[tuple[int, int], list[Stored]] = defaultdict(list)
    for message in evidence.messages:
        if message.author == "ai" and message.claimed_at is not None and message.state != "cancelled":
            ours[message.chat].append(message)
    for takeover in evidence.takeovers:
        for message in ours[takeover.chat]:
            if message.epoch < takeover.epoch and (message.claimed_at or 0) > takeover.at:
                verdict.untrue.append(f"“{message.text}” was claimed after a person had taken over")


def by_chat(moves: Iterable[Move]) -> dict[tuple[int, int], list[Move]]:
    found: dict[tuple[int, int], list[Move]] = defaultdict(list)
    for move in moves:
        found[move.chat].append(move)
    return found
