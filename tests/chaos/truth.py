"""What must be true once all is quiet, judged from plain data: what phones got, what was acknowledged, what is stored.

A Verdict holds one Violation for each thing that must not be; none is what the run is for. `parked` and `dead` are
allowed within bounds and shown: a person decides about those.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

PARKED_SHARE = 0.005
LEAST_PARKED = 1  # so that one among a few hundred replies is no violation
PARKED = frozenset({"unknown", "failed"})
OVER = frozenset({"sent", "cancelled", *PARKED})
BACK_WITHIN_SECONDS = 600.0
INVARIANT = "invariant"  # kinds of violations of `conversations.invariants` begin with it


class Kind(StrEnum):
    """What may be wrong. Besides these: `INVARIANT` and the invariant's name."""

    NEVER_STORED = "never stored"
    STORED_TWICE = "stored twice"
    NOT_BACK = "not back"
    BACK_LATE = "back late"
    UNANSWERED = "unanswered"
    ANSWERED_TWICE = "answered twice"
    SAID_NOTHING = "said nothing"
    WRITTEN_BY_FORMER_TAKER = "written by the former taker"
    TWICE_ON_PHONE = "twice on the phone"
    SENT_TO_NOBODY = "sent to nobody"
    SENT_UNNOTICED = "sent unnoticed"
    CLAIMED_AFTER_TAKEOVER = "claimed after a takeover"
    FOUND_WITHOUT_TURN = "found without a turn"
    FOUND_NOWHERE = "found nowhere"
    STILL_UNDER_WAY = "still under way"
    STILL_DUE = "still due"


LOST = frozenset({Kind.NEVER_STORED, Kind.NOT_BACK, Kind.BACK_LATE, Kind.UNANSWERED})
TWICE = frozenset({Kind.STORED_TWICE, Kind.ANSWERED_TWICE, Kind.TWICE_ON_PHONE})


@dataclass(frozen=True)
class Violation:
    """One thing that must not be: its kind, and a sentence that names it."""

    kind: str
    sentence: str


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
    created_at: float = 0.0


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
class Finding:
    """Something understood: a row of evidence, from the words `quote` of that message, written by that turn."""

    chat: tuple[int, int]
    sort: str
    quote: str
    message_id: int | None
    turn_id: int | None


@dataclass(frozen=True)
class Got:
    """A message of ours on a lead's phone."""

    id: str
    instance: str
    phone: str
    text: str


@dataclass
class Evidence:
    """Everything the judgement needs. `acknowledged`: ids answered 200; `written`: (org, turn, token that wrote it).

    `said`: id → epoch seconds of everything leads wrote, acknowledged or not. `must_come_back`: whether what was never
    acknowledged is to be found by reading the chats.
    """

    acknowledged: set[str] = field(default_factory=set)
    said: dict[str, float] = field(default_factory=dict)
    must_come_back: bool = True
    messages: list[Stored] = field(default_factory=list)
    moves: list[Move] = field(default_factory=list)
    phones: list[Got] = field(default_factory=list)
    takeovers: list[Takeover] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    withdrawn: set[tuple[int, int]] = field(default_factory=set)  # (org, message) cancelled by a takeover's commit
    written: list[tuple[int, int, str]] = field(default_factory=list)
    due: list[str] = field(default_factory=list)
    dead: list[str] = field(default_factory=list)
    invariants: Mapping[str, int] = field(default_factory=dict)


@dataclass
class Verdict:
    """`back_seconds`: for each message nobody acknowledged, how long after it was written it was stored."""

    violations: list[Violation] = field(default_factory=list)
    parked: list[str] = field(default_factory=list)
    dead: list[str] = field(default_factory=list)
    explained: Counter[str] = field(default_factory=Counter)  # acknowledged, not answered, and why
    replies: int = 0
    understood: Counter[str] = field(default_factory=Counter)  # rows of evidence, by sort
    back_seconds: list[float] = field(default_factory=list)

    def add(self, kind: str, sentence: str) -> None:
        self.violations.append(Violation(kind, sentence))

    @property
    def kinds(self) -> Counter[str]:
        return Counter(violation.kind for violation in self.violations)

    @property
    def lost(self) -> int:
        return sum(violation.kind in LOST for violation in self.violations)

    @property
    def twice(self) -> int:
        return sum(violation.kind in TWICE for violation in self.violations)

    @property
    def untrue(self) -> int:
        """Neither lost nor twice, and wrong all the same."""
        return len(self.violations) - self.lost - self.twice

    @property
    def too_many_parked(self) -> bool:
        return len(self.parked) > max(LEAST_PARKED, PARKED_SHARE * self.replies)

    @property
    def is_good(self) -> bool:
        return not self.violations and not self.too_many_parked


def judge(evidence: Evidence) -> Verdict:
    verdict = Verdict()
    judge_arrivals(evidence, verdict)
    judge_turns(evidence, verdict)
    judge_phones(evidence, verdict)
    judge_ownership(evidence, verdict)
    judge_findings(evidence, verdict)
    for sentence in evidence.due:
        verdict.add(Kind.STILL_DUE, sentence)
    for name, count in evidence.invariants.items():
        if count:
            verdict.add(f"{INVARIANT} {name}", f"{name}: {count}")
    verdict.dead = list(evidence.dead)
    return verdict


def judge_arrivals(evidence: Evidence, verdict: Verdict) -> None:
    """Acknowledged means stored, once, and covered by a turn or by a reason; what was not comes back by itself."""
    stored: dict[str, list[Stored]] = defaultdict(list)
    for message in evidence.messages:
        if message.author == "lead" and message.provider_id:
            stored[message.provider_id].append(message)
    moves, answers = by_chat(evidence.moves), by_chat(answering(evidence))
    for provider_id in sorted(evidence.acknowledged | set(evidence.said)):
        found = stored[provider_id]
        if not found and provider_id in evidence.acknowledged:
            verdict.add(Kind.NEVER_STORED, f"{provider_id} was acknowledged and is not stored")
        elif not found and evidence.must_come_back:
            verdict.add(Kind.NOT_BACK, f"{provider_id} was swallowed and never came back")
        if len(found) > 1:
            verdict.add(Kind.STORED_TWICE, f"{provider_id} is stored {len(found)} times")
        for message in found:
            if provider_id not in evidence.acknowledged:
                judge_return(message, evidence.said[provider_id], verdict)
            why = reason_for_silence(message, answers[message.chat], moves[message.chat])
            if why is None:
                verdict.add(
                    Kind.UNANSWERED, f"“{message.text}” (seq {message.seq} of {message.chat}) was never answered"
                )
            elif why:
                verdict.explained[why] += 1


def judge_return(message: Stored, said_at: float, verdict: Verdict) -> None:
    """Nobody acknowledged it, and still it is here: how long it took."""
    seconds = message.created_at - said_at
    verdict.back_seconds.append(seconds)
    if seconds > BACK_WITHIN_SECONDS:
        verdict.add(Kind.BACK_LATE, f"“{message.text}” came back after {seconds:.0f} s")


def answering(evidence: Evidence) -> list[Move]:
    """Applied turns whose words were not all withdrawn: what those had answered is to be answered by another."""
    told = {(message.chat[0], message.turn_id): False for message in evidence.messages if message.author == "ai"}
    for message in evidence.messages:
        if message.author == "ai" and message.state != "cancelled":
            told[message.chat[0], message.turn_id] = True
    return [move for move in evidence.moves if move.state == "applied" and told.get((move.chat[0], move.id), True)]


def reason_for_silence(message: Stored, answers: Sequence[Move], moves: Sequence[Move]) -> str | None:
    """ "" for an answered message, the recorded reason for one that is not, None without any."""
    if any(move.up_to >= message.seq for move in answers):
        return ""
    if message.is_backlog:
        return "backlog"
    skipped = [move.reason for move in moves if move.state in {"skipped", "failed"} and move.up_to >= message.seq]
    return skipped[0] if skipped else None


def judge_turns(evidence: Evidence, verdict: Verdict) -> None:
    """Each turn that answers says something, answers what no other does, and was written by its last taker."""
    arrivals: dict[tuple[int, int], list[int]] = defaultdict(list)
    outgoing = {(message.chat[0], message.turn_id) for message in evidence.messages if message.author == "ai"}
    for message in evidence.messages:
        if message.author == "lead":
            arrivals[message.chat].append(message.seq)
    for chat, moves in by_chat(answering(evidence)).items():
        before = 0
        for move in sorted(moves, key=lambda one: one.up_to):
            if not any(before < seq <= move.up_to for seq in arrivals[chat]):
                verdict.add(Kind.ANSWERED_TWICE, f"turn {move.id} of {chat} answers what was answered")
            if (chat[0], move.id) not in outgoing:
                verdict.add(Kind.SAID_NOTHING, f"turn {move.id} of {chat} was applied and says nothing")
            before = move.up_to
    tokens = {(move.chat[0], move.id): move.token for move in evidence.moves}
    for org_id, turn_id, token in evidence.written:
        if tokens.get((org_id, turn_id), token) != token:
            verdict.add(
                Kind.WRITTEN_BY_FORMER_TAKER, f"turn {turn_id} of org {org_id} was written by somebody who had lost it"
            )


def judge_phones(evidence: Evidence, verdict: Verdict) -> None:
    """What phones show is what is SENT, each text once; what is neither sent nor withdrawn is parked."""
    for (instance, phone, text), count in Counter(
        (got.instance, got.phone, got.text) for got in evidence.phones
    ).items():
        if count > 1:
            verdict.add(Kind.TWICE_ON_PHONE, f"“{text}” is {count} times on {phone} ({instance})")
    ours = [message for message in evidence.messages if message.author == "ai"]
    verdict.replies = len(ours)
    bound = {message.provider_id: message for message in ours if message.provider_id}
    states: dict[tuple[str, str, str], set[str]] = defaultdict(set)
    for message in ours:
        states[message.instance, message.phone, message.text].add(message.state)
    on_phones = {got.id for got in evidence.phones}
    for message in ours:
        if message.state not in OVER:
            verdict.add(Kind.STILL_UNDER_WAY, f"“{message.text}” is still {message.state}")
        elif message.state == "sent" and message.provider_id not in on_phones:
            verdict.add(Kind.SENT_TO_NOBODY, f"“{message.text}” is marked sent and on no phone")
        elif message.state in PARKED:
            verdict.parked.append(f"“{message.text}” is {message.state}: {message.failure}")
    for got in evidence.phones:
        if got.id in bound:
            continue
        found = states[got.instance, got.phone, got.text]
        if not found & {"unknown", "sent"}:  # a second copy of one sent is counted above
            told = " and ".join(sorted(found)) or "unheard of"
            verdict.add(Kind.SENT_UNNOTICED, f"“{got.text}” is on {got.phone} and in the database {told}")


def judge_ownership(evidence: Evidence, verdict: Verdict) -> None:
    """Nothing the AI wrote before a takeover was claimed after it; what one withdrew stayed withdrawn."""
    ours: dict[tuple[int, int], list[Stored]] = defaultdict(list)
    for message in evidence.messages:
        if (message.chat[0], message.id) in evidence.withdrawn and message.state != "cancelled":
            verdict.add(
                Kind.CLAIMED_AFTER_TAKEOVER, f"“{message.text}” was withdrawn by a takeover and is {message.state}"
            )
        if message.author == "ai" and message.claimed_at is not None and message.state != "cancelled":
            ours[message.chat].append(message)
    for takeover in evidence.takeovers:
        for message in ours[takeover.chat]:
            if message.epoch < takeover.epoch and (message.claimed_at or 0) > takeover.at:
                verdict.add(Kind.CLAIMED_AFTER_TAKEOVER, f"“{message.text}” was claimed after a person had taken over")


def judge_findings(evidence: Evidence, verdict: Verdict) -> None:
    """What was understood stands in a message of that chat, and was written with the turn that covers it."""
    said = {(message.chat, message.id): message for message in evidence.messages if message.author == "lead"}
    written = {(move.chat, move.id): move for move in evidence.moves if move.state == "applied"}
    for one in evidence.findings:
        verdict.understood[one.sort] += 1
        message, move = said.get((one.chat, one.message_id or 0)), written.get((one.chat, one.turn_id or 0))
        if message is None or one.quote not in message.text:
            verdict.add(Kind.FOUND_NOWHERE, f"no lead of {one.chat} has said “{one.quote}”, of which is a {one.sort}")
        elif move is None or move.up_to < message.seq:
            verdict.add(
                Kind.FOUND_WITHOUT_TURN, f"a {one.sort} of {one.chat} is there (“{one.quote}”), and no turn wrote it"
            )


def by_chat(moves: Iterable[Move]) -> dict[tuple[int, int], list[Move]]:
    found: dict[tuple[int, int], list[Move]] = defaultdict(list)
    for move in moves:
        found[move.chat].append(move)
    return found
