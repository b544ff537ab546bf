"""What the web server runs: a small router on the event loop, with Django behind a bridge of threads.

    uvicorn sdr.asgi:application --no-proxy-headers --no-access-log

Django's whole request cycle is synchronous and stays so: its own ASGI handler costs three to four times the CPU
(DESIGN 1). What must live on the event loop (event streams, MCP, the webhook) is entered in ASYNC_ROUTES as
(path prefix, ASGI application) and never reaches Django's middleware.

Environment: WEB_THREADS (8), WEB_WAITING (64); the limits on bodies and trusted proxies are settings. uvicorn's own
proxy handling must stay off: it trusts whoever connects from the same machine.
"""

from collections.abc import Awaitable, Callable

from django.conf import settings
from django.db import connections
from django.utils.module_loading import import_string

from sdr.bridge import Bridge, Receive, Scope, Send
from sdr.env import envint
from sdr.wsgi import application as django_application

ASGIApplication = Callable[[Scope, Receive, Send], Awaitable[None]]

LIVE_PATH = "/health/live"
ALIVE = b'{"status": "ok", "checks": {}}'  # as sdr.health answers it
# By dotted path: it needs the app registry, which importing Django's application above has filled.
whatsapp = import_string("integrations.whatsapp.webhook.door")
streams = import_string("conversations.streams.streams")

bridge = Bridge(
    django_application,
    threads=envint("WEB_THREADS", 8, minimum=1, maximum=64),
    waiting=envint("WEB_WAITING", 64, minimum=0),
    max_body_bytes=settings.MAX_BODY_BYTES,
    trusted_proxies=settings.TRUSTED_PROXIES,
    on_thread_exit=connections.close_all,
)


async def application(scope: Scope, receive: Receive, send: Send) -> None:
    """The ASGI callable: lifespan, http; a WebSocket is refused."""
    if scope["type"] == "lifespan":
        await _live(receive, send)
    elif scope["type"] == "websocket":
        await send({"type": "websocket.close", "code": 1000})
    else:
        await _route(scope["path"])(scope, receive, send)


def _route(path: str) -> ASGIApplication:
    for prefix, async_application in ASYNC_ROUTES:
        if path.startswith(prefix):
            return async_application
    return bridge


async def _live(receive: Receive, send: Send) -> None:
    while True:
        message = await receive()
        if message["type"] == "lifespan.startup":
            await send({"type": "lifespan.startup.complete"})
        elif message["type"] == "lifespan.shutdown":
            await streams.close()
            await whatsapp.close()
            await bridge.close()
            await send({"type": "lifespan.shutdown.complete"})
            return


async def _answer_live(scope: Scope, receive: Receive, send: Send) -> None:
    """`/health/live` without a thread: a process whose threads are all busy is alive, and killing it helps nobody."""
    if scope["path"].rstrip("/") != LIVE_PATH or scope["method"] not in {"GET", "HEAD"}:
        await bridge(scope, receive, send)
        return
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(ALIVE)).encode()),
        (b"cache-control", b"no-store"),
    ]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": ALIVE if scope["method"] == "GET" else b""})


ASYNC_ROUTES: list[tuple[str, ASGIApplication]] = [
    (LIVE_PATH, _answer_live),
    ("/hooks/whatsapp/", whatsapp),
    ("/live/", streams),
]
