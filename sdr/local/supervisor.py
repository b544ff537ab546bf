"""The demo's one supervisor: starts PostgreSQL, web, workers and a stand-in of WhatsApp, keeps them running.

    python -m sdr.local.supervisor demo     (behind `make demo`: until Ctrl-C)
    python -m sdr.local.supervisor clean    (behind `make clean-demo`: removes the demo's data)

Environment: PORT (8000), HOST (127.0.0.1), WEB_PROCESSES (number of cores), VERBOSE=1 (the processes' output, too),
DATABASE_URL (a PostgreSQL of yours instead of the embedded one), STATE_DIR (`.state` of this checkout), STANDIN_PORT
(PORT + 99, or the next that is free).

Nothing may stay behind, whatever is killed. Every process gets a process group of its own; a janitor, forked before
anything else, reads the groups from a pipe and kills them when the pipe ends, which happens when the supervisor dies,
however it dies. PostgreSQL has a guardian of its own (embedded.py). Single-threaded on purpose: the kernel's
parent-death signal follows the thread that made a child.
"""

import contextlib
import ctypes
import errno
import fcntl
import http.client
import os
import re
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from sdr.local.embedded import CHECKOUT, DEFAULT_BASE, STATE, Cluster, ClusterError

DISK_BYTES = 500_000_000
MEMORY_BYTES = 512 * 1024 * 1024
LOG_BYTES = 5_000_000
TAIL_LINES = 12
READY_SECONDS = 90.0
HEALTH_SECONDS = 2.0
CLEANING_SECONDS = 10.0  # how long the janitor of a killed demo may take
WEB_STOP_SECONDS = 8.0
WORKER_STOP_SECONDS = 20.0
SHIFTS_STOP_SECONDS = 10.0  # what runs is given back to the queue after 5
STANDIN_STOP_SECONDS = 3.0
STANDIN_PORT_AFTER = 99
LAST_PORT = 65_535
JANITOR_PATIENCE_SECONDS = 3.0
BACK_OFF_SECONDS = (1.0, 2.0, 5.0, 10.0, 30.0)
STEADY_SECONDS = 60.0  # a process that ran this long starts again without back-off
TICK_SECONDS = 0.1
PR_SET_PDEATHSIG = 1
STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
COLOURS = (36, 32, 35, 33, 34)


class DemoError(Exception):
    """The demo cannot run; the message says why and what to do, in one paragraph."""


class Interrupted(BaseException):
    """Somebody asked us to stop."""


@dataclass(frozen=True)
class Programs:
    """What the demo runs.

    `prepare` gets the file for the sign-in lines, `web` the listening socket's number, `standin` its port, its state
    and the files of its two keys.
    """

    prepare: tuple[str, ...] = (sys.executable, "-m", "sdr.local.prepare")
    web: tuple[str, ...] = (
        *(sys.executable, "-m", "uvicorn", "sdr.asgi:application", "--no-proxy-headers", "--no-access-log"),
        *("--log-level", "warning", "--timeout-graceful-shutdown", "5", "--fd"),
    )
    worker: tuple[str, ...] = (sys.executable, "manage.py", "qcluster")
    shifts: tuple[str, ...] = (sys.executable, "manage.py", "shifts")
    standin: tuple[str, ...] = (
        *(sys.executable, "-m", "integrations.whatsapp.standin"),
        *("--create-seconds", "0.2"),
    )


@dataclass
class Child:
    """A process that should be running: its command, where its output goes, and how it has fared."""

    name: str
    command: tuple[str, ...]
    log: Path
    stop_seconds: float
    pass_fds: tuple[int, ...] = ()
    environment: dict[str, str] = field(default_factory=dict, repr=False)  # beside everybody's
    process: subprocess.Popen[bytes] | None = None
    started: float = 0.0
    failures: int = 0
    start_at: float = 0.0
    shown: int = field(default=0, repr=False)  # how much of the log VERBOSE has shown


class Supervisor:
    """Runs the demo of one checkout. `state` holds its logs and data; see `run`."""

    def __init__(
        self,
        state: Path,
        *,
        port: int,
        host: str = "127.0.0.1",
        web_processes: int = 1,
        verbose: bool = False,
        programs: Programs | None = None,
    ) -> None:
        self._state = state
        self._port = port
        self._host = host
        self._web_processes = web_processes
        self._verbose = verbose
        self._programs = programs or Programs()
        self._terminal = Terminal()
        self._environment: dict[str, str] = {}
        self._cluster = None if os.environ.get("DATABASE_URL") else Cluster(state)
        self._children: list[Child] = []
        self._listener: socket.socket | None = None
        self._lock_fd = -1
        self._janitor_pid = 0
        self._janitor: IO[bytes] | None = None
        self._stopping = False
        self._harsh = False

    def run(self) -> None:
        """Start everything, then keep it running until a signal asks us to stop; everything is stopped on return.

        Raises DemoError or ClusterError when something keeps the demo from running.
        """
        for signum in STOP_SIGNALS:
            signal.signal(signum, self._on_signal)
        self._state.mkdir(mode=0o700, parents=True, exist_ok=True)
        try:
            with _only_demo(self._state, self._port) as lock:
                self._lock_fd = lock.fileno()
                self._environment = _environment(self._state, self._port)
                self._start_janitor()
                try:
                    self._start()
                    self._watch()
                finally:
                    self._stop()
        except Interrupted:
            return

    def _start(self) -> None:
        began = time.monotonic()
        self._terminal.line(f"Qify SDR demo, logs in {self._state / 'logs'}")
        _check_disk(self._state)
        _check_memory()
        self._listener = _listen(self._host, self._port)
        self._start_standin()
        if self._cluster:
            at = time.monotonic()
            self._cluster.start()
            self._terminal.done("PostgreSQL ready", time.monotonic() - at)
        self._prepare()
        at = time.monotonic()
        self._add_children()
        self._wait_until_ready()
        self._terminal.done("Web and workers ready", time.monotonic() - at)
        self._terminal.box([*self._sign_in(), "", f"Started in {time.monotonic() - began:.1f} s. Ctrl-C stops it."])

    def _start_standin(self) -> None:
        """WhatsApp and Evolution API, as far as the demo knows; ready by the time that the number is connected."""
        port = _number("STANDIN_PORT", _free_port(min(self._port + STANDIN_PORT_AFTER, LAST_PORT)), LAST_PORT)
        self._environment["STANDIN_URL"] = f"http://127.0.0.1:{port}"
        keys = [_kept_secret(self._state, name) for name in ("standin_api_key", "standin_control_token")]
        files = ("--api-key-file", str(keys[0]), "--control-token-file", str(keys[1]))
        state = ("--state", str(self._state / "standin.json"))
        command = (*self._programs.standin, "--port", str(port), *state, *files)
        child = Child("standin", command, self._log("standin"), STANDIN_STOP_SECONDS)
        self._children.append(child)
        self._spawn(child)

    def _prepare(self) -> None:
        command = (*self._programs.prepare, str(self._state / "sign-in.txt"))
        child = Child("prepare", command, self._log("prepare"), stop_seconds=1.0)
        self._children.append(child)
        self._spawn(child, stdout=subprocess.PIPE)
        assert child.process and child.process.stdout
        for line in child.process.stdout:
            done, _, seconds = line.decode().partition("\t")
            self._terminal.done(done, float(seconds))
        status = child.process.wait()
        self._forget(child)
        self._children.remove(child)
        if status != 0:
            raise DemoError(f"The demo could not be prepared. The end of {child.log}:\n{_tail(child.log)}")

    def _add_children(self) -> None:
        assert self._listener
        fd = self._listener.fileno()
        for number in range(1, self._web_processes + 1):
            name = f"web-{number}"
            command = (*self._programs.web, str(fd))
            self._children.append(Child(name, command, self._log(name), WEB_STOP_SECONDS, pass_fds=(fd,)))
        self._children.append(Child("worker", self._programs.worker, self._log("worker"), WORKER_STOP_SECONDS))
        shifts = Child("shifts", self._programs.shifts, self._log("shifts"), SHIFTS_STOP_SECONDS)
        shifts.environment["Q_CLUSTER_NAME"] = "shifts"  # else the command starts itself anew with it
        self._children.append(shifts)
        for child in self._children:
            if child.process is None:
                self._spawn(child)

    def _wait_until_ready(self) -> None:
        give_up = time.monotonic() + READY_SECONDS
        status = "no answer"
        while time.monotonic() < give_up:
            for child in self._children:
                if child.process and child.process.poll() is not None:
                    raise DemoError(f"{child.name} ended while starting. The end of {child.log}:\n{_tail(child.log)}")
            status = self._health()
            if status == "200":
                return
            self._show_logs()
            time.sleep(TICK_SECONDS)
        log = next(child.log for child in self._children if child.name.startswith("web"))
        raise DemoError(
            f"The web server was not ready after {READY_SECONDS:.0f} s (/health/ready: {status}). "
            f"The end of {log}:\n{_tail(log)}"
        )

    def _health(self) -> str:
        with contextlib.closing(
            http.client.HTTPConnection(self._host, self._port, timeout=HEALTH_SECONDS)
        ) as connection:
            try:
                connection.request("GET", "/health/ready")
                return str(connection.getresponse().status)
            except (OSError, http.client.HTTPException) as error:
                return type(error).__name__

    def _watch(self) -> None:
        while True:
            self._restart_ended()
            self._restart_postgresql()
            self._restart_janitor()
            self._show_logs()
            time.sleep(TICK_SECONDS)

    def _restart_ended(self) -> None:
        now = time.monotonic()
        for child in self._children:
            if child.process is None:
                if now >= child.start_at:
                    self._spawn(child)
                continue
            status = child.process.poll()
            if status is None:
                continue
            self._forget(child)
            child.failures = 0 if now - child.started > STEADY_SECONDS else child.failures + 1
            pause = BACK_OFF_SECONDS[min(child.failures, len(BACK_OFF_SECONDS)) - 1] if child.failures else 0.0
            child.start_at = now + pause
            self._terminal.warn(f"{child.name} ended ({_how(status)}); starting it again in {pause:.0f} s. {child.log}")

    def _restart_postgresql(self) -> None:
        if self._cluster and self._cluster.pid() is None:
            at = time.monotonic()
            self._terminal.warn("PostgreSQL ended; starting it again.")
            self._cluster.start()
            self._terminal.done("PostgreSQL ready", time.monotonic() - at)

    def _stop(self) -> None:
        self._stopping = True
        if self._children or (self._cluster and self._cluster.pid()):
            self._terminal.line("Stopping… (Ctrl-C again: at once)")
        for names in (("prepare",), ("web",), ("worker", "shifts"), ("standin",)):
            self._stop_children([child for child in self._children if child.name.startswith(names)])
        if self._cluster:
            try:
                self._cluster.stop()
            except ClusterError as error:
                self._terminal.warn(str(error))
        if self._listener:
            self._listener.close()
        if self._janitor:
            self._janitor.close()
            os.waitpid(self._janitor_pid, 0)
        self._terminal.line("Stopped.")

    def _stop_children(self, children: list[Child]) -> None:
        for child in children:
            if child.process and child.process.poll() is None:
                child.process.terminate()
        end = time.monotonic() + max((child.stop_seconds for child in children), default=0.0)
        while any(child.process and child.process.poll() is None for child in children):
            if self._harsh or time.monotonic() > end:
                break
            time.sleep(TICK_SECONDS / 4)
        for child in children:
            self._forget(child)

    def _spawn(self, child: Child, *, stdout: int | None = None) -> None:
        supervisor = os.getpid()
        libc = ctypes.CDLL(None)

        def become_child() -> None:
            libc.prctl(PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
            signal.pthread_sigmask(signal.SIG_UNBLOCK, STOP_SIGNALS)
            if os.getppid() != supervisor:
                os._exit(1)

        signal.pthread_sigmask(signal.SIG_BLOCK, STOP_SIGNALS)  # a signal may not come between birth and bookkeeping
        try:
            with child.log.open("ab") as log:
                child.process = subprocess.Popen(
                    child.command,
                    cwd=CHECKOUT,
                    env=self._environment | child.environment,
                    stdin=subprocess.DEVNULL,
                    stdout=stdout or log,
                    stderr=log,
                    pass_fds=child.pass_fds,
                    start_new_session=True,
                    preexec_fn=become_child,  # noqa: PLW1509  (there are no threads here)
                )
            child.started = time.monotonic()
            self._tell_janitor(f"+{child.process.pid}")
        finally:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, STOP_SIGNALS)

    def _forget(self, child: Child) -> None:
        """End whatever is left of the child's process group, and take it off the books."""
        if child.process is None:
            return
        with contextlib.suppress(ProcessLookupError):
            os.killpg(child.process.pid, signal.SIGKILL)
        child.process.wait()
        if child.process.stdout:
            child.process.stdout.close()
        self._tell_janitor(f"-{child.process.pid}")
        child.process = None

    def _start_janitor(self) -> None:
        reading, writing = os.pipe()
        self._janitor = os.fdopen(writing, "wb", buffering=0)
        for child in self._children:  # before it lives: were we killed right after the fork, it must know them already
            if child.process:
                self._tell_janitor(f"+{child.process.pid}")
        self._janitor_pid = os.fork()
        if self._janitor_pid == 0:
            _be_janitor(reading, self._lock_fd)
        os.close(reading)

    def _restart_janitor(self) -> None:
        if os.waitpid(self._janitor_pid, os.WNOHANG)[0]:
            self._start_janitor()

    def _tell_janitor(self, news: str) -> None:
        with contextlib.suppress(BrokenPipeError):
            if self._janitor:
                self._janitor.write(f"{news}\n".encode())

    def _on_signal(self, signum: int, frame: object) -> None:
        if self._stopping:
            self._harsh = True
        else:
            self._stopping = True
            raise Interrupted

    def _log(self, name: str) -> Path:
        log = self._state / "logs" / f"{name}.log"
        log.parent.mkdir(mode=0o700, exist_ok=True)
        if log.exists() and log.stat().st_size > LOG_BYTES:
            log.rename(log.with_suffix(".log.1"))
        return log

    def _show_logs(self) -> None:
        if not self._verbose:
            return
        for number, child in enumerate(self._children):
            with child.log.open("rb") as log:
                log.seek(child.shown)
                text = log.read()
            whole = text[: text.rfind(b"\n") + 1]
            child.shown += len(whole)
            for line in whole.decode(errors="replace").splitlines():
                self._terminal.child_line(child.name, line, COLOURS[number % len(COLOURS)])

    def _sign_in(self) -> list[str]:
        address = os.environ.get("SITE_URL") or f"http://localhost:{self._port}"
        sign_in = self._state / "sign-in.txt"
        return [f"Open {address}/", "", *sign_in.read_text(encoding="utf-8").strip().splitlines()]


class Terminal:
    """Lines for a person. A terminal that has gone away is no reason to fail: we are stopping then anyway."""

    def __init__(self) -> None:
        self._coloured = sys.stdout.isatty() and not os.environ.get("NO_COLOR")

    def line(self, text: str) -> None:
        """One plain line."""
        with contextlib.suppress(OSError):
            print(text, flush=True)

    def done(self, what: str, seconds: float) -> None:
        """A step that is finished, and how long it took."""
        self.line(f"{self._paint('✓', 32)} {what:<28} {seconds:5.1f} s")

    def warn(self, text: str) -> None:
        """Something went wrong and is being dealt with."""
        self.line(f"{self._paint('!', 33)} {text}")

    def child_line(self, name: str, text: str, colour: int) -> None:
        """A line that one of the processes wrote."""
        self.line(f"{self._paint(f'{name:<8}│', colour)} {text}")

    def box(self, lines: list[str]) -> None:
        """What the reader should not miss, in a frame."""
        width = max(len(line) for line in lines)
        self.line(f"┌─{'─' * width}─┐")
        for line in lines:
            self.line(f"│ {line:<{width}} │")
        self.line(f"└─{'─' * width}─┘")

    def _paint(self, text: str, colour: int) -> str:
        return f"\033[{colour}m{text}\033[0m" if self._coloured else text


def _be_janitor(pipe: int, lock: int) -> None:
    """The janitor's whole life. It shares the demo's lock, so a new demo waits until it has finished."""
    try:
        os.setsid()
        for signum in STOP_SIGNALS:
            signal.signal(signum, signal.SIG_IGN)
        nothing = os.open(os.devnull, os.O_RDWR)
        for standard in (0, 1, 2):
            os.dup2(nothing, standard)
        low, high = sorted((pipe, lock))
        os.closerange(3, low)
        os.closerange(low + 1, high)
        os.closerange(high + 1, 65_536)
        groups: set[int] = set()
        with os.fdopen(pipe) as news:
            for line in news:
                (groups.add if line[0] == "+" else groups.discard)(int(line[1:]))
        _end_groups(groups)
    finally:
        os._exit(0)


def _end_groups(groups: set[int]) -> None:
    give_up = time.monotonic() + JANITOR_PATIENCE_SECONDS
    signum = signal.SIGTERM
    while groups:
        for group in sorted(groups):
            try:
                os.killpg(group, signum)
            except ProcessLookupError:
                groups.discard(group)
        signum = signal.SIGKILL if time.monotonic() > give_up else signal.Signals.SIGTERM
        time.sleep(TICK_SECONDS)


@contextlib.contextmanager
def _only_demo(state: Path, port: int) -> Iterator[IO[str]]:
    """Hold the checkout's demo lock. Raises DemoError when another demo of this checkout holds it."""
    with (state / "demo.lock").open("a+") as lock:
        give_up = time.monotonic() + CLEANING_SECONDS
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                lock.seek(0)
                pid, _, its_port = lock.read().partition(" ")
                if time.monotonic() > give_up or (pid and Path("/proc", pid).exists()):
                    raise DemoError(
                        f"A demo of this checkout is already running: process {pid or '(starting)'}, "
                        f"http://localhost:{its_port.strip() or port}/. Stop it with Ctrl-C in its terminal"
                        f"{f' or with: kill {pid}' if pid else ''}."
                    ) from None
                time.sleep(TICK_SECONDS)
        lock.truncate(0)
        lock.write(f"{os.getpid()} {port}\n")
        lock.flush()
        yield lock


def _listen(host: str, port: int) -> socket.socket:
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        return socket.create_server((host, port), family=family, backlog=512)
    except PermissionError:
        raise DemoError(f"Port {port} is reserved for root. Choose one above 1023: make demo PORT=8000") from None
    except OSError as error:
        if error.errno != errno.EADDRINUSE:
            raise DemoError(f"Cannot listen on {host}, port {port}: {error.strerror}. Check HOST and PORT.") from None
    holder = _port_holder(port)
    raise DemoError(
        f"Port {port} is taken{f' by {holder}' if holder else ''}. Stop that, or choose another port: "
        f"make demo PORT={_free_port(port + 1)}"
    )


def _free_port(first: int) -> int:
    for port in range(first, first + 100):
        with contextlib.suppress(OSError), socket.create_server(("127.0.0.1", port)):
            return port
    return first


def _port_holder(port: int) -> str | None:
    """The process listening on this TCP port, as far as we may see it."""
    inodes = set()
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        with contextlib.suppress(OSError):
            for line in Path(table).read_text().splitlines()[1:]:
                column = line.split()
                if column[3] == "0A" and int(column[1].rpartition(":")[2], 16) == port:  # listening
                    inodes.add(f"socket:[{column[9]}]")
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if any(str(fd.readlink()) in inodes for fd in (process / "fd").iterdir()):
                command = (process / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
                return f"process {process.name} ({command[:80]})"
    return None


def _check_disk(state: Path) -> None:
    base = Path(os.environ.get("EMBEDDED_BASE") or DEFAULT_BASE)
    places = [state] if os.geteuid() != 0 else [state, next(p for p in (base, *base.parents) if p.exists())]
    for place in places:
        free = shutil.disk_usage(place).free
        if free < DISK_BYTES:
            raise DemoError(
                f"Only {free // 1_000_000} MB are free on the disk of {place}; the demo needs "
                f"{DISK_BYTES // 1_000_000} MB. Free some space, or remove an old demo's data with: make clean-demo"
            )


def _check_memory() -> None:
    available = _available_memory()
    if available < MEMORY_BYTES:
        raise DemoError(
            f"Only {available // 1_048_576} MB of memory are available; the demo needs {MEMORY_BYTES // 1_048_576} MB. "
            "Close something, or run fewer processes: make demo WEB_PROCESSES=1"
        )


def _available_memory() -> int:
    """Bytes of memory this machine, or the container we are in, can still give."""
    found = re.search(r"^MemAvailable:\s+(\d+) kB", Path("/proc/meminfo").read_text(), re.MULTILINE)
    available = int(found[1]) * 1024 if found else MEMORY_BYTES
    group = Path("/sys/fs/cgroup")
    with contextlib.suppress(OSError, ValueError):
        limit = int((group / "memory.max").read_text())  # "max" without a limit
        used = int((group / "memory.current").read_text())
        cache = re.search(r"^inactive_file (\d+)", (group / "memory.stat").read_text(), re.MULTILINE)
        available = min(available, limit - used + (int(cache[1]) if cache else 0))
    return available


def _environment(state: Path, port: int) -> dict[str, str]:
    metrics = state / "metrics"
    shutil.rmtree(metrics, ignore_errors=True)
    metrics.mkdir(mode=0o700, parents=True)
    environment = dict(os.environ)
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    environment.setdefault("ENVIRONMENT", "development")
    return environment | {
        "DJANGO_SETTINGS_MODULE": "sdr.settings",
        "STATE_DIR": str(state),
        "PORT": str(port),
        "PROMETHEUS_MULTIPROC_DIR": str(metrics),
        "PYTHONUNBUFFERED": "1",
    }


def _kept_secret(state: Path, name: str) -> Path:
    """The file of a secret that the settings keep, made when it is not there: the stand-in starts before them."""
    path = state / "secrets" / name
    path.parent.mkdir(mode=0o700, exist_ok=True)
    with contextlib.suppress(FileExistsError):
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(secrets.token_urlsafe(32))
    return path


def _how(status: int) -> str:
    return f"killed by {signal.Signals(-status).name}" if status < 0 else f"exit status {status}"


def _tail(log: Path) -> str:
    return "\n".join(f"    {line}" for line in log.read_text(errors="replace").splitlines()[-TAIL_LINES:])


def _number(name: str, default: int, highest: int) -> int:
    text = os.environ.get(name) or str(default)
    if not text.isdecimal() or not 1 <= int(text) <= highest:
        raise DemoError(f"{name} must be a whole number from 1 to {highest}; it is {text!r}.")
    return int(text)


def demo() -> None:
    """Run the demo until it is told to stop. Raises DemoError or ClusterError when it cannot."""
    Supervisor(
        Path(os.environ.get("STATE_DIR") or STATE).resolve(),
        port=_number("PORT", 8000, LAST_PORT),
        host=os.environ.get("HOST") or "127.0.0.1",
        web_processes=_number("WEB_PROCESSES", os.cpu_count() or 1, 64),
        verbose=os.environ.get("VERBOSE") == "1",
    ).run()


def clean() -> None:
    """Remove the demo's database, files and logs.

    Raises DemoError while it runs, ClusterError while only its database does.
    """
    state = Path(os.environ.get("STATE_DIR") or STATE).resolve()
    state.mkdir(mode=0o700, parents=True, exist_ok=True)
    with _only_demo(state, 0):
        Cluster(state).remove()
        for name in ("mail", "media", "static", "logs", "metrics"):
            shutil.rmtree(state / name, ignore_errors=True)
        for name in ("sign-in.txt", "static.sha256", "standin.json"):
            (state / name).unlink(missing_ok=True)
    print("The demo's data is gone; `make demo` starts afresh.")


def main(arguments: list[str]) -> int:
    """The command line: demo or clean. Returns the exit status."""
    commands = {"demo": demo, "clean": clean}
    if len(arguments) != 1 or arguments[0] not in commands:
        print("usage: python -m sdr.local.supervisor demo|clean", file=sys.stderr)
        return 2
    try:
        commands[arguments[0]]()
    except (DemoError, ClusterError) as error:
        print(f"\n{error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
