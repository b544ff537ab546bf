"""python -m tests.chaos     CHAOS_MESSAGES=600 CHAOS_CONVERSATIONS=60 CHAOS_SEEDS=1 by default

CHAOS_SEEDS is how many, CHAOS_SEED the first of them (1), CHAOS_RATE messages a second (8), CHAOS_FAILPOINT_RATE the
probability at each failpoint (0.0015), CHAOS_BUG a mistake of `tests.chaos.bugs` to put back: then the run is good
when it finds something, and exits with 1 otherwise. CHAOS_STATE names the cluster's directory in .state, for a second
run at the same time. Waits are shortened by `tests.chaos.pace`.
"""

import os
import sys

from tests.chaos.play import Outcome, Plan, play

SHOWN = 8  # of each sort


def main() -> int:
    first = int(os.environ.get("CHAOS_SEED", "1"))
    bug = os.environ.get("CHAOS_BUG", "")
    outcomes: list[Outcome] = []
    for seed in range(first, first + int(os.environ.get("CHAOS_SEEDS", "1"))):
        plan = Plan(
            seed=seed,
            messages=int(os.environ.get("CHAOS_MESSAGES", "600")),
            conversations=int(os.environ.get("CHAOS_CONVERSATIONS", "60")),
            per_second=float(os.environ.get("CHAOS_RATE", "8")),
            rate=float(os.environ.get("CHAOS_FAILPOINT_RATE", "0.0015")),
            bug=bug,
            has_snapshot=len(outcomes) == 1,
        )
        outcomes.append(play(plan))
        outcomes[-1].load = os.getloadavg()[0]
        tell(outcomes[-1])
    table(outcomes)
    if bug:
        caught = [outcome for outcome in outcomes if not outcome.verdict.is_good]
        print(f"\n{bug}: caught by {len(caught)} of {len(outcomes)} runs")
        return 0 if caught else 1
    return 0 if all(outcome.verdict.is_good for outcome in outcomes) else 1


def tell(outcome: Outcome) -> None:
    """What was done to it, and every sort of finding."""
    verdict = outcome.verdict
    print(f"\nseed {outcome.plan.seed}: {outcome.hits}; failpoints {outcome.points}")
    for name in ("lost", "twice", "untrue", "left", "parked", "dead"):
        found = getattr(verdict, name)
        for sentence in found[:SHOWN]:
            print(f"  {name}: {sentence}")
        if len(found) > SHOWN:
            print(f"  {name}: … and {len(found) - SHOWN} more")
    if verdict.explained:
        print(f"  not answered, with a reason: {dict(verdict.explained)}", flush=True)


def table(outcomes: list[Outcome]) -> None:
    print(
        "\n| seed | messages | acknowledged | swallowed | replies | kills | freezes | lost | twice | untrue | left"
        " | parked | dead | seconds | load |\n" + "|---" * 15 + "|"
    )
    for outcome in outcomes:
        verdict = outcome.verdict
        print(
            f"| {outcome.plan.seed} | {outcome.plan.messages} | {outcome.acknowledged} | {outcome.swallowed}"
            f" | {verdict.replies} | {outcome.kills} | {outcome.freezes} | {len(verdict.lost)} | {len(verdict.twice)}"
            f" | {len(verdict.untrue)} | {len(verdict.left)} | {len(verdict.parked)} | {len(verdict.dead)}"
            f" | {outcome.seconds:.0f} | {outcome.load:.1f} |",
            flush=True,
        )


if __name__ == "__main__":
    sys.exit(main())
