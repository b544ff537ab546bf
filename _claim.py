import os, sys, time
os.environ |= {"PROMETHEUS_MULTIPROC_DIR": "/tmp/perf-prom", "LOG_JSON":"true"}
sys.path.insert(0, os.getcwd())
from tests.bench.harness import bench_database
with bench_database("bench_claim", settings="tests.bench.settings"):
    from django.db import connection, transaction
    from orgs.models import Due, Want
    from orgs.models import queue
    from sdr.lib import jobs
    from datetime import timedelta
    wants = [Want(k.name, k.slots, k.share) for k in jobs.registry.kinds.values()]
    print(len(wants), "kinds")
    for o in range(1,6):
        for i in range(6): Due.objects.want(o, "turn", f"{i}", at=None)
    with transaction.atomic(), connection.cursor() as c:
        v={"kinds": [w.kind for w in wants], "slots": [w.slots for w in wants],
                "shares": [w.share for w in wants], "lease": 15.0, "after": 0, "ring": 64, "token": "00000000-0000-0000-0000-000000000001"}
        for _ in range(3):
            c.execute("EXPLAIN (ANALYZE, SUMMARY) "+queue.CLAIM, v)
            rows=[r[0] for r in c.fetchall()]
            print([r for r in rows if "Time" in r][-2:])
        c.execute("EXPLAIN (ANALYZE, SUMMARY) "+queue.FINISH, {"ids":[1],"tokens":["00000000-0000-0000-0000-000000000001"],"generations":[1]})
        print([r[0] for r in c.fetchall() if "Time" in r[0]][-2:])
    t=time.perf_counter()
    for _ in range(100): Due.objects.claim(wants, lease=timedelta(seconds=15))
    print("claim ms wall", (time.perf_counter()-t)*10)
