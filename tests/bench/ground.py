"""Figures of the ground: making and migrating orgs, a page with one org and with a thousand, isolation under load.

python -m tests.bench.ground [orgs] [migrate] [pages] [isolation]      ORGS=1000 by default, at least 50
"""

import asyncio
import os
import random
import signal
import statistics
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

from tests.bench.harness import (
    backends,
    bench_database,
    cpu_seconds,
    heading,
    load,
    percentile,
    postmaster_cpu,
    private_mb,
    session_cookie,
    spread,
    web_server,
)

ORGS = int(os.environ.get("ORGS", "1000"))
COMMAND = "python -m tests.bench.ground"
CONNECTIONS = 16
ROUNDS = 5
REQUESTS = 1600

FLOOR_EVERY = 5  # orgs; between them the same tables are made by bare psycopg

MAKE = """
import os, sys, time
import django; django.setup()
import psycopg
from orgs.models import Org
from orgs.schemas import provision, stored
statements = stored("org").sql
bare = psycopg.connect(os.environ["DATABASE_URL"], autocommit=True)
first = Org.objects.filter(slug__startswith="bench-").count()
for n in range(first, int(sys.argv[1])):
    started = time.perf_counter()
    provision(Org(slug=f"bench-{n}", name=f"Bench {n}", name_folded=f"bench {n}"))
    print("org", time.perf_counter() - started, flush=True)
    if n % int(sys.argv[2]) == 0:
        started = time.perf_counter()
        with bare.transaction():
            bare.execute(f"CREATE SCHEMA floor_{n}")
            bare.execute(f"SET LOCAL search_path TO floor_{n}")
            bare.execute(statements)
        print("floor", time.perf_counter() - started, flush=True)
"""


def orgs() -> None:
    """1,000 orgs one after the other, by a process that is killed -9 in the middle and started again.

    Growth is the median of the last tenth over that of the first. Beside it stands the growth of a floor, the same
    tables made by bare psycopg in between: what the machine does to one it does to the other.
    """
    from django.db import connection

    from orgs import schemas as schemas_of
    from orgs.models import Org

    seconds: list[float] = []
    floor: list[float] = []
    for end in (ORGS // 2, ORGS):
        command = [sys.executable, "-c", MAKE, str(ORGS), str(FLOOR_EVERY)]
        child = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert child.stdout is not None
        for line in child.stdout:
            kind, took = line.split()
            (seconds if kind == "org" else floor).append(float(took))
            if len(seconds) == end < ORGS:
                time.sleep(0.1)  # the next org is being made
                child.send_signal(signal.SIGKILL)
                break
        child.wait()
    time.sleep(1)
    template = schemas_of.stored("org")
    assert template is not None
    tables = template.sql.count("CREATE TABLE ")
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_namespace WHERE nspname LIKE 'org\\_%%'")
        schemas = cursor.fetchone()[0]
        cursor.execute(
            "SELECT count(*) FROM (SELECT schemaname FROM pg_tables WHERE schemaname LIKE 'org\\_%%'"
            " GROUP BY 1 HAVING count(*) <> %s) odd",
            [tables],
        )
        odd = cursor.fetchone()[0]
    half_made = abs(schemas - Org.objects.count()) + odd
    heading(f"{ORGS} orgs of {tables} tables created", f"{COMMAND} orgs")
    print("| | each | p95 | last tenth / first tenth | half-made after kill -9 |\n|---|---|---|---|---|")
    for label, values, odd_ones in (("product", seconds, str(half_made)), ("bare psycopg in between", floor, "")):
        growth = f"{last_to_first(values):.2f}"
        print(f"| {label} | {spread(values, 's', 3)} | {percentile(values, 0.95):.3f} s | {growth} | {odd_ones} |")
    tenths = " · ".join(f"{ours:.3f}/{bare:.3f}" for ours, bare in zip(medians(seconds), medians(floor), strict=True))
    print(f"\nmedians by tenth, product/floor, in s: {tenths}")
    print(f"growth of the product against the floor's: {last_to_first(seconds) / last_to_first(floor):.2f}", flush=True)


def medians(values: Sequence[float]) -> list[float]:
    """The median of each tenth, in order."""
    bounds = [len(values) * part // 10 for part in range(11)]
    return [statistics.median(values[start:end]) for start, end in pairwise(bounds)]


def last_to_first(values: Sequence[float]) -> float:
    return medians(values)[-1] / medians(values)[0]


def migrate() -> None:
    """100 orgs that lack one column."""
    from django.db import connection

    from orgs import schemas
    from orgs.models import Org, SchemaVersion

    stored = schemas.stored("org")
    assert stored is not None
    older = [name for name in stored.migrations if name != "rehearsal.0002_colour"]
    sql = "\n".join(line for line in stored.sql.splitlines() if '"colour"' not in line)
    SchemaVersion.objects.create(name="org-former", version="former", migrations=older, sql=sql)
    took = []
    for _ in range(ROUNDS):
        some = list(Org.objects.order_by("pk")[:100])
        for org in some:
            connection.cursor().execute(f'ALTER TABLE "{org.schema_name}".rehearsal_note01 DROP COLUMN colour')
            connection.cursor().execute(
                f"DELETE FROM \"{org.schema_name}\".django_migrations WHERE name = '0002_colour'"
            )
        Org.objects.filter(pk__in=[org.pk for org in some]).update(schema_version="former")
        schemas._recorded.clear()
        started = time.perf_counter()
        report = schemas.migrate_orgs()
        took.append(time.perf_counter() - started)
        assert (report.migrated, report.failed) == (len(some), {}), report
    heading("migrate_orgs: 100 orgs, one added column", f"{COMMAND} migrate")
    print(f"| whole run, recording the SQL included |\n|---|\n| {spread(took, 's')} |", flush=True)


def pages() -> None:
    """CPU of one signed-in page with one org and with all of them at random."""
    from orgs.models import Membership, Org, Role
    from tests.cast import make_person

    person = make_person("bench")
    slugs = list(Org.objects.order_by("pk").values_list("slug", flat=True))
    Membership.objects.bulk_create(
        [Membership(org_id=pk, person=person, role=Role.OWNER) for pk in Org.objects.values_list("pk", flat=True)]
    )
    cookie = session_cookie(person)
    results: dict[str, list[float]] = {"one": [], "all": []}
    server_cpu: dict[str, list[float]] = {"one": [], "all": []}
    latency: dict[str, list[float]] = {"one": [], "all": []}
    most = 0.0
    with web_server() as (port, web):
        for number in range(ROUNDS + 1):
            for kind in ("one", "all"):

                def path(dice: random.Random, kind: str = kind) -> str:
                    return f"/o/{slugs[0] if kind == 'one' else dice.choice(slugs)}/rehearsal/"

                before, before_pg = cpu_seconds([web]), postmaster_cpu()
                done = load(
                    port, path, requests=REQUESTS, connections=CONNECTIONS, cookie=lambda _: cookie, seed=number
                )
                assert done.statuses == {200: REQUESTS}, done.statuses
                app = (cpu_seconds([web]) - before) / REQUESTS * 1000
                pg = (postmaster_cpu() - before_pg) / REQUESTS * 1000
                most = max([most, *map(private_mb, backends())])
                if number:  # the first round warms up
                    results[kind].append(app + pg)
                    server_cpu[kind].append(pg)
                    latency[kind].append(percentile(done.seconds, 0.5) * 1000)
    ratio = [many / one for one, many in zip(results["one"], results["all"], strict=True)]
    heading(f"A signed-in page over {CONNECTIONS} connections, 1 org and {len(slugs)} orgs", f"{COMMAND} pages")
    print("| | CPU-ms per page (web + PostgreSQL) | of it PostgreSQL | p50 ms |\n|---|---|---|---|")
    for kind, label in (("one", "1 org"), ("all", f"{len(slugs)} orgs at random")):
        print(f"| {label} | {spread(results[kind])} | {spread(server_cpu[kind])} | {spread(latency[kind], '', 0)} |")
    print(f"\nratio {spread(ratio)}; most private memory of a PostgreSQL backend {most:.0f} MB", flush=True)


def isolation() -> None:
    """10,000 requests in each way of holding connections, every eighth failing; and 10,000 units of async work."""
    from orgs.context import in_org
    from orgs.models import Membership, Org, Role
    from orgs.schemas import provision
    from tests.cast import make_person
    from tests.rehearsal.models import NOTES

    orgs = {}
    cookies = {}
    for slug in ("north", "south"):
        org = provision(Org(slug=slug, name=slug, name_folded=slug))
        Membership.objects.create(org=org, person=(person := make_person(slug)), role=Role.OWNER)
        cookies[slug] = session_cookie(person)
        with in_org(org):
            for model in NOTES[:8]:
                model._default_manager.bulk_create([model(pk=pk, title=f"of {slug}") for pk in range(1, 6)])
        orgs[slug] = org

    def path(dice: random.Random) -> str:
        return f"/o/{dice.choice(('north', 'south'))}/rehearsal/{'broken/' if dice.random() < 0.125 else ''}"

    def check(path: str, status: int, body: bytes) -> str:
        slug, other = ("north", "south") if "/north/" in path else ("south", "north")
        if f"of {other}".encode() in body:
            return f"{path} showed {other}"
        if status == 200 and body.count(f"of {slug}".encode()) != 40:
            return f"{path} showed {body.count(f'of {slug}'.encode())} rows"
        return "" if status in {200, 500} else f"{path} answered {status}"

    rows = []
    for label, environment in (
        ("8 threads, CONN_MAX_AGE 600", {}),
        ("8 threads, pool of 4", {"DATABASE_POOL": "4"}),
        ("8 threads, a new connection each", {"CONN_MAX_AGE": "0"}),
    ):
        with web_server(**environment) as (port, _):
            done = load(
                port,
                path,
                requests=10_000,
                connections=CONNECTIONS,
                cookie=lambda p: cookies[p.split("/")[2]],
                check=check,
            )
        rows.append(
            (label, sum(done.statuses.values()), done.statuses.get(500, 0), len(done.objections), done.objections[:2])
        )
    wrong, failed = asyncio.run(async_work(orgs))
    rows.append(("async tasks over 8 threads", 10_000, failed, wrong, []))
    heading("Rows of another org seen", f"{COMMAND} isolation")
    print("| how | requests | errors thrown in | foreign or missing rows |\n|---|---|---|---|")
    for label, count, errors, objections, examples in rows:
        print(f"| {label} | {count} | {errors} | {objections} {' '.join(examples)} |", flush=True)


async def async_work(orgs: Mapping[str, Any]) -> tuple[int, int]:
    """10,000 coroutines that each enter an org in one call given to a thread. Out: wrong answers, errors thrown in."""
    from concurrent.futures import ThreadPoolExecutor

    from django.db import IntegrityError, transaction

    from orgs.context import in_org
    from orgs.models import Org
    from tests.rehearsal.models import Note01

    loop = asyncio.get_running_loop()
    gate = asyncio.Semaphore(64)
    wrong = failed = 0

    def read(slug: str, break_it: bool) -> list[str]:
        org = orgs[slug]
        assert isinstance(org, Org)
        with in_org(org):
            if break_it:
                with transaction.atomic():
                    Note01.objects.create(pk=1, title="taken")
            return list(Note01.objects.values_list("title", flat=True))

    with ThreadPoolExecutor(8) as pool:

        async def unit(number: int) -> None:
            nonlocal wrong, failed
            slug = ("north", "south")[number % 2]
            async with gate:
                try:
                    titles = await loop.run_in_executor(pool, read, slug, number % 8 == 0)
                except IntegrityError:
                    failed += 1
                    return
                await asyncio.sleep(0)
                if titles != [f"of {slug}"] * 5:
                    wrong += 1

        await asyncio.gather(*(unit(number) for number in range(10_000)))
    return wrong, failed


def main() -> None:
    wanted = [globals()[name] for name in sys.argv[1:]] or [orgs, migrate, pages, isolation]
    needs_orgs = {migrate, pages} & set(wanted)
    with bench_database("bench_ground"):
        if needs_orgs and orgs not in wanted:
            subprocess.run([sys.executable, "-c", MAKE, str(ORGS), str(ORGS)], stdout=subprocess.DEVNULL, check=True)
        for measure in wanted:
            measure()


if __name__ == "__main__":
    main()
