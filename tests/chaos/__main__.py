"""python -m tests.chaos: leads write, everything dies; then their phones and the database are compared.

Without options one small seed. `--full` is what issue and documentation state: 10,000 messages in 500 conversations,
ten seeds; the second of several seeds keeps a snapshot open, the third is played at the product's own pace (lease of
15 s, calls of 30 s, verdicts after 2 min), the others with waits shortened by `tests.chaos.pace`. Batching and cooldown
are a second each. `--bug NAME` puts back a mistake of `tests.chaos.bugs`, `--bugs` one after the other, three
seeds at most, until one finds the violation that the mistake causes (`--focus NAME` plays the same with the right
code). With `--informed` leads tell of themselves and the brain understands as the playbook does, so that evidence is
written. Exits with 1 when a run was not good.
CHAOS_STATE names the cluster's directory in .state, for a second run at the same time.
"""

import argparse
import os
import statistics
import sys
from collections import Counter

from tests.chaos.bugs import BUGS
from tests.chaos.failpoints import POINTS
from tests.chaos.pace import PACES, QUICK
from tests.chaos.play import Outcome, Plan, play

SHOWN = 8  # of each kind
BUG_SEEDS = 3  # at most, until a mistake is caught: whether it shows depends on where processes are frozen
SIZES = {False: (600, 60, 1, 15.0), True: (10_000, 500, 10, 28.0)}  # messages, conversations, seeds, a second


def main() -> int:
    options = read_options()
    bugs = tuple(BUGS) if options.bugs else (options.bug,)
    outcomes: list[Outcome] = []
    for bug in bugs:
        for number, seed in enumerate(range(options.seed, options.seed + options.seeds)):
            plan = Plan(
                seed=seed,
                messages=options.messages,
                conversations=options.conversations,
                per_second=options.rate,
                pace=PACES[options.pace or ("own" if number == 2 and not bug else QUICK.name)],
                bug=bug,
                focus=BUGS[bug or options.focus].points if bug or options.focus else (),
                has_snapshot=options.snapshot or (number == 1 and not bug),
                is_informed=options.informed,
            )
            outcomes.append(play(plan))
            outcomes[-1].load = os.getloadavg()[0]
            tell(outcomes[-1])
            if bug and causes_found(outcomes[-1]):
                break
    table(outcomes)
    if any(bugs):
        return bug_table(outcomes)
    return 0 if all(outcome.verdict.is_good for outcome in outcomes) else 1


def read_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser("python -m tests.chaos", description=__doc__)
    parser.add_argument("--full", action="store_true")
    parser.add_argument("--messages", type=int)
    parser.add_argument("--conversations", type=int)
    parser.add_argument("--seeds", type=int, help="how many")
    parser.add_argument("--seed", type=int, default=1, help="the first")
    parser.add_argument("--rate", type=float, help="messages a second")
    parser.add_argument("--pace", choices=sorted(PACES), help="of all seeds")
    parser.add_argument("--snapshot", action="store_true", help="kept open in all seeds")
    parser.add_argument("--informed", action="store_true", help="leads tell of themselves")
    parser.add_argument("--bug", choices=sorted(BUGS), default="")
    parser.add_argument("--focus", choices=sorted(BUGS), default="", help="freeze where this mistake would show")
    parser.add_argument("--bugs", action="store_true")
    options = parser.parse_args()
    for name, size in zip(("messages", "conversations", "seeds", "rate"), SIZES[options.full], strict=True):
        if getattr(options, name) is None:
            setattr(options, name, BUG_SEEDS if name == "seeds" and (options.bug or options.bugs) else size)
    return options


def tell(outcome: Outcome) -> None:
    """What was done to it, and every kind of finding."""
    verdict, plan = outcome.verdict, outcome.plan
    print(f"\nseed {plan.seed}{' ' + plan.bug if plan.bug else ''} at the pace “{plan.pace.name}”: {outcome.hits}")
    print(f"  failpoints: {points_told([outcome])}")
    if outcome.snapshot_seconds:
        print(f"  a snapshot was open for {outcome.snapshot_seconds:.0f} s")
    for kind, found in sorted(verdict.kinds.items()):
        sentences = [violation.sentence for violation in verdict.violations if violation.kind == kind]
        for sentence in sentences[:SHOWN]:
            print(f"  {kind}: {sentence}")
        if found > SHOWN:
            print(f"  {kind}: … and {found - SHOWN} more")
    for name in ("parked", "dead"):
        for sentence in getattr(verdict, name)[:SHOWN]:
            print(f"  {name}: {sentence}")
    if verdict.understood:
        print(f"  understood: {dict(verdict.understood)}")
    if verdict.explained:
        print(f"  not answered, with a reason: {dict(verdict.explained)}", flush=True)


def points_told(outcomes: list[Outcome]) -> str:
    """How many failpoints were hit, and by their names those that were not."""
    hit = set().union(*(outcome.points_hit for outcome in outcomes))
    both = set.intersection(
        *(
            {point.partition(" ")[2] for outcome in outcomes for point in outcome.points if point.startswith(signal)}
            for signal in ("SIGKILL", "SIGSTOP")
        )
    )
    missed = [point for point in POINTS if point not in hit]
    told = f"{len(hit)} of {len(POINTS)} hit, {len(both)} by kill and by freeze"
    return f"{told}; not: {', '.join(missed)}" if missed else told


def table(outcomes: list[Outcome]) -> None:
    columns = (
        "seed", "pace", "messages", "acked", "swallowed + lost retries", "back (p95 s)", "replies", "twice", "lost",
        "untrue", "parked", "dead", "kills", "freezes (past lease)", "restarts", "failpoints", "minutes", "load",
    )  # fmt: skip
    print("\n| " + " | ".join(columns) + " |\n" + "|---" * len(columns) + "|")
    for outcome in outcomes:
        verdict, plan = outcome.verdict, outcome.plan
        cells = (
            plan.seed, plan.pace.name, plan.messages, outcome.acknowledged,
            f"{outcome.swallowed} + {outcome.lost_retries}", back(outcome), verdict.replies, verdict.twice,
            verdict.lost, verdict.untrue, len(verdict.parked), len(verdict.dead), outcome.kills,
            f"{outcome.stops} ({outcome.past_lease})", outcome.restarts, f"{len(outcome.points_hit)}/{len(POINTS)}",
            f"{outcome.seconds / 60:.1f}", f"{outcome.load:.1f}",
        )  # fmt: skip
        print("| " + " | ".join(map(str, cells)) + " |", flush=True)
    if len(outcomes) > 1:
        print(f"\nfailpoints over all: {points_told(outcomes)}")


def back(outcome: Outcome) -> str:
    seconds = outcome.verdict.back_seconds
    if len(seconds) < 2:
        return f"{len(seconds)}"
    return f"{len(seconds)} ({statistics.quantiles(seconds, n=20)[-1]:.0f})"


def bug_table(outcomes: list[Outcome]) -> int:
    """By mistake: whether the violation was found that it causes. Out: the exit status."""
    caught: dict[str, bool] = {}
    print("\n| mistake | seed | caught by | found besides |\n|---|---|---|---|")
    for outcome in outcomes:
        bug, kinds, caused = outcome.plan.bug, outcome.verdict.kinds, causes_found(outcome)
        caught[bug] = caught.get(bug, False) or bool(caused)
        print(f"| {bug} | {outcome.plan.seed} | {told(caused) or '**not caught**'} | {told(kinds - caused)} |")
    return 0 if all(caught.values()) else 1


def causes_found(outcome: Outcome) -> Counter[str]:
    """Of the violations found, those that the mistake in this run causes."""
    kinds = outcome.verdict.kinds
    return Counter({kind: n for kind, n in kinds.items() if kind in BUGS[outcome.plan.bug].causes})


def told(kinds: Counter[str]) -> str:
    return ", ".join(f"{kind}: {n}" for kind, n in kinds.items())


if __name__ == "__main__":
    sys.exit(main())
