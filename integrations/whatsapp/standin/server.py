"""The stand-in as a server: in a thread for tests, in a process for the demo."""

import asyncio
import signal
import socket
import threading
import time
from collections.abc import Callable, Coroutine
from types import TracebackType
from typing import Any, Self, TypeVar

import uvicorn
from starlette.requests import Request
from starlette.types import Receive, Scope, Send

from integrations.whatsapp.standin import api, control
from integrations.whatsapp.standin.evolution import Evolution, Instance, Options
from integrations.whatsapp.standin.faults import Faults
from integrations.whatsapp.standin.phones import Addressing, Lead, PhoneMessage, Whatsapp
from integrations.whatsapp.standin.webhooks import Delivery, RetryPolicy

T = TypeVar("T")
START_SECONDS = 10.0
CALL_SECONDS = 300.0  # a machine under load may leave its thread waiting for minutes
SETTLE_SECONDS = 30.0
HOST = "127.0.0.1"


class Standin:
    """`with Standin() as evolution:` an Evolution API with WhatsApp behind it, on a free loopback port.

    `url` and `api_key` are for our client. `whatsapp` is the truth, `webhooks` what became of each event, `faults` what
    goes wrong (set its fields at any time). Methods may be called from any thread; each returns when its part is done.
    """

    def __init__(
        self,
        options: Options | None = None,
        *,
        faults: Faults | None = None,
        policy: RetryPolicy | None = None,
        port: int = 0,
        host: str = HOST,
    ) -> None:
        self.options = options or Options()
        self.socket = socket.create_server((host, port))
        self.url = f"http://{host}:{self.socket.getsockname()[1]}"
        self.options.server_url = self.options.server_url or self.url
        self.evolution = Evolution(self.options, faults=faults, policy=policy)
        self.server = uvicorn.Server(
            uvicorn.Config(
                self.app,
                log_level="critical",
                access_log=False,
                lifespan="off",
                interface="asgi3",
                timeout_graceful_shutdown=0,
                loop="asyncio",
            )
        )
        self.thread: threading.Thread | None = None
        self.loop: asyncio.AbstractEventLoop | None = None

    async def app(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        door = control if request.url.path.startswith("/_control/") else api
        response = await door.handle(self.evolution, request)
        await response(scope, receive, send)

    async def serve(self) -> None:
        """Runs until the server is told to stop."""
        self.loop = asyncio.get_running_loop()
        await self.evolution.start()
        try:
            await self.server.serve(sockets=[self.socket])
        finally:
            await self.evolution.stop()

    def __enter__(self) -> Self:
        self.thread = threading.Thread(target=lambda: asyncio.run(self.serve()), name="standin", daemon=True)
        self.thread.start()
        deadline = time.monotonic() + START_SECONDS
        while not self.server.started:
            if not self.thread.is_alive() or time.monotonic() > deadline:
                raise RuntimeError("The stand-in did not start.")
            time.sleep(0.005)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.server.should_exit = True
        if self.thread:
            self.thread.join(SETTLE_SECONDS)
        self.socket.close()

    @property
    def api_key(self) -> str:
        return self.options.api_key

    @property
    def control_token(self) -> str:
        return self.options.control_token

    @property
    def faults(self) -> Faults:
        return self.evolution.faults

    @property
    def whatsapp(self) -> Whatsapp:
        return self.evolution.whatsapp

    @property
    def webhooks(self) -> list[Delivery]:
        """Everything emitted so far, in that order."""
        return list(self.evolution.webhooks.log)

    def instance(self, name: str) -> Instance:
        """KeyError when there is none of this name."""
        return self.evolution.instances[name]

    def do(self, work: Callable[[], T]) -> T:
        """Runs a function on the stand-in's own loop."""

        async def there() -> T:
            return work()

        return self.wait(there())

    def wait(self, work: Coroutine[Any, Any, T]) -> T:
        if self.loop is None:
            raise RuntimeError("The stand-in is not running.")
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(CALL_SECONDS)

    def lead(self, phone: str, *, name: str = "", addressing: Addressing | None = None, device: str = "") -> Lead:
        """The lead with this phone (digits), made on first sight."""
        return self.do(lambda: self.whatsapp.lead(phone, name=name, addressing=addressing, device=device))

    def act(self, instance: str, phone: str, action: str = "text", **fields: Any) -> PhoneMessage | None:
        """What a person does in the chat; see `Evolution.act` for the actions and their fields."""
        return self.do(lambda: self.evolution.act(instance, phone, action, fields))

    def says(self, instance: str, phone: str, *texts: str) -> list[PhoneMessage]:
        """The lead writes these texts, one right after the other."""
        return [message for text in texts if (message := self.act(instance, phone, "text", text=text))]

    def pair(self, instance: str, number: str, *, profile_name: str = "") -> None:
        """A phone with this number scans the QR code."""
        self.do(lambda: self.evolution.pair(self.instance(instance), number, profile_name=profile_name))

    def drop(self, instance: str) -> None:
        """The connection breaks and stays `connecting` until `restore`."""
        self.do(lambda: self.evolution.drop(self.instance(instance)))

    def restore(self, instance: str) -> None:
        self.do(lambda: self.evolution.restore(self.instance(instance)))

    def log_out(self, instance: str, *, reason: int = 401) -> None:
        self.wait(self.evolution.log_out(self.instance(instance), reason))

    def emit(self, instance: str, event: str, data: Any) -> None:
        """Any event with any data, in the usual envelope, if the instance subscribed to it."""
        self.do(lambda: self.evolution.emit(self.instance(instance), event, data))

    def crash(self, *, down_seconds: float = 0.0) -> None:
        """Evolution dies and comes back: every waiting retry is lost."""
        self.wait(self.evolution.crash(down_seconds))

    def settle(self, seconds: float = SETTLE_SECONDS) -> bool:
        """Waits until no webhook and no inbound message is on its way. False when `seconds` were not enough."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if self.do(self.is_quiet) and self.do(self.is_quiet):
                return True
            time.sleep(0.01)
        return False

    def is_quiet(self) -> bool:
        return not self.evolution.webhooks.pending and not self.evolution.busy

    def run(self) -> None:
        """Serves in this thread until SIGINT or SIGTERM."""
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_IGN)  # uvicorn takes them, and raises them once more before we have saved
        asyncio.run(self.serve())
        self.socket.close()
