"""The floor of `tests.bench.ack`: as little as can be called "stored before it is answered".

A bare ASGI application: reads the body, inserts it in a transaction of its own through a pool of 16 connections,
answers 200. No account, no signature, no JSON, no log, no metric.
"""

import os
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from psycopg_pool import AsyncConnectionPool

CONNECTIONS = 16
TABLE = "CREATE TABLE public.bench_floor (id bigserial PRIMARY KEY, key text UNIQUE NOT NULL, body text NOT NULL)"
INSERT = "INSERT INTO public.bench_floor (key, body) VALUES (%s, %s) ON CONFLICT (key) DO NOTHING"
Call = Callable[..., Awaitable[Any]]

pool = AsyncConnectionPool(
    os.environ["DATABASE_URL"], min_size=CONNECTIONS, max_size=CONNECTIONS, open=False, kwargs={"autocommit": True}
)


async def application(scope: MutableMapping[str, Any], receive: Call, send: Call) -> None:
    if scope["type"] == "lifespan":
        await receive()
        await pool.open(wait=True)
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await pool.close()
        await send({"type": "lifespan.shutdown.complete"})
        return
    body = b""
    while True:
        message = await receive()
        body += message.get("body", b"")
        if not message.get("more_body", False):
            break
    if scope["method"] == "POST":
        async with pool.connection() as database:
            await database.execute(INSERT, [scope["path"], body.decode()], prepare=True)
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"0")]})
    await send({"type": "http.response.body", "body": b""})
