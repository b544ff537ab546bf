"""Small stand-ins for the demo's programs, so that the supervisor is tested with real processes in little time.

python -m tests.local.standins supervisor STATE PORT | prepare FILE | web FD | worker | shifts | standin OPTION…
"""

import os
import signal
import socket
import sys
import time
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

from sdr.local.supervisor import DemoError, Programs, Supervisor


class Web(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(str(os.getpid()).encode())

    def log_message(self, format: str, *args: object) -> None:
        return


def supervisor(state: str, port: str) -> int:
    def program(name: str) -> tuple[str, ...]:
        return (sys.executable, "-m", "tests.local.standins", name)

    programs = Programs(
        prepare=program("prepare"), web=program("web"), worker=program("worker"), shifts=program("shifts"),
        standin=program("standin"),
    )  # fmt: skip
    try:
        Supervisor(Path(state), port=int(port), verbose="VERBOSE" in os.environ, programs=programs).run()
    except DemoError as error:
        print(error)
        return 1
    return 0


def prepare(file: str) -> int:
    if os.environ.get("FAIL") == "prepare":
        print("the reason it failed", file=sys.stderr)
        return 1
    print("Everything prepared\t0.1", flush=True)
    Path(file).write_text("Sign in as ana@example.com")
    return 0


def web(fd: str) -> int:
    if os.environ.get("FAIL") == "web":
        print("the reason it failed", file=sys.stderr)
        return 1
    signal.signal(signal.SIGTERM, signal.SIG_IGN if os.environ.get("STUBBORN") else lambda *_: note_end("web"))
    server = HTTPServer(("127.0.0.1", 0), Web, bind_and_activate=False)
    server.socket = socket.socket(fileno=int(fd))
    print("web says hello", flush=True)
    server.serve_forever()
    return 0


def worker() -> int:
    """Has a child of its own, as the job cluster has."""
    signal.signal(signal.SIGTERM, lambda *_: note_end("worker"))
    note_ready("worker")
    if os.fork() == 0 and os.environ.get("STUBBORN"):
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    while True:
        time.sleep(1)


def shifts() -> int:
    return wait("shifts")


def standin(*options: str) -> int:
    """Like WhatsApp's it needs its port and its keys, before anything is prepared."""
    given = dict(zip(options[::2], options[1::2], strict=True))
    for name in ("--api-key-file", "--control-token-file"):
        assert len(Path(given[name]).read_text()) > 20
    told = Path(os.environ["STATE_DIR"], "standin-port")
    told.with_suffix(".draft").write_text(f"{given['--port']} {os.environ['STANDIN_URL']}")
    told.with_suffix(".draft").rename(told)  # whole or not at all
    return wait("standin")


def note_ready(name: str) -> None:
    """From here on we say when we are ended."""
    Path(os.environ["STATE_DIR"], f"{name}-ready").touch()


def wait(name: str) -> int:
    signal.signal(signal.SIGTERM, lambda *_: note_end(name))
    note_ready(name)
    while True:
        time.sleep(1)


def note_end(name: str) -> None:
    with Path(os.environ["STATE_DIR"], "ended").open("a") as ended:
        ended.write(f"{name}\n")
    os._exit(0)


if __name__ == "__main__":
    sys.exit(globals()[sys.argv[1]](*sys.argv[2:]))
