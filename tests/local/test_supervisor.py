"""The demo's supervisor with real processes: what it says, what it restarts, and that nothing stays behind."""

import http.client
import os
import signal
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from sdr.local import supervisor
from sdr.local.embedded import Cluster
from sdr.local.supervisor import DemoError
from tests.local.processes import eventually, kill, launch, marked

ELSEWHERE = "postgresql://nobody@127.0.0.1:1/none"  # the stand-ins need no database


class Demo:
    """A demo of stand-ins in a process of its own."""

    def __init__(self, state: Path) -> None:
        self.state = state
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        self.process: subprocess.Popen[str] | None = None

    def start(self, *, url: str = ELSEWHERE, **environment: str) -> "Demo":
        arguments = ("-m", "tests.local.standins", "supervisor", str(self.state), str(self.port))
        self.process = launch(*arguments, mark=self.state, **({"DATABASE_URL": url} if url else {}), **environment)
        return self

    def until(self, text: str) -> str:
        """What it printed up to and including a line with this text."""
        assert self.process and self.process.stdout
        printed = ""
        for line in self.process.stdout:
            printed += line
            if text in line:
                return printed
        raise AssertionError(f"it ended without saying {text!r}:\n{printed}")

    def end(self) -> tuple[int, str]:
        """Its exit status and the rest of what it printed."""
        assert self.process
        rest = self.process.communicate(timeout=10)[0]
        return self.process.returncode, rest

    def pids_of(self, name: str) -> list[int]:
        """The process ids of the stand-in of this name and of its children."""
        return [pid for pid, command in marked(self.state).items() if command.endswith(f" {name} ")]

    def web_pid(self) -> int:
        with closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=2)) as connection:
            try:
                connection.request("GET", "/")
                return int(connection.getresponse().read())
            except (OSError, http.client.HTTPException):
                return 0


@pytest.fixture
def demo(tmp_path: Path) -> Iterator[Demo]:
    demo = Demo(tmp_path / "state")
    yield demo
    kill(list(marked(demo.state)))
    if demo.process:
        demo.process.communicate()


def test_it_shows_how_to_sign_in_and_stops_in_order_on_ctrl_c(demo: Demo) -> None:
    printed = demo.start(VERBOSE="1").until("Ctrl-C stops it")
    assert f"Open http://localhost:{demo.port}/" in printed
    assert "Sign in as ana@example.com" in printed
    assert "✓ Everything prepared" in printed
    assert stat.S_IMODE(demo.state.stat().st_mode) == 0o700
    assert demo.web_pid() > 0
    demo.until("web-1   │ web says hello")
    # Supervisor, janitor, web, worker and its child, shifts, stand-in.
    assert eventually(lambda: len(marked(demo.state)) == 7)
    assert eventually(lambda: all((demo.state / f"{name}-ready").exists() for name in ("worker", "shifts", "standin")))
    assert demo.process
    demo.process.send_signal(signal.SIGINT)
    assert demo.end() == (0, "Stopping… (Ctrl-C again: at once)\nStopped.\n")
    ended = (demo.state / "ended").read_text().split()
    assert (ended[0], sorted(ended[1:3]), ended[3:]) == ("web", ["shifts", "worker"], ["standin"])
    assert marked(demo.state) == {}


def test_it_stops_at_once_on_a_second_ctrl_c(demo: Demo) -> None:
    demo.start(STUBBORN="1").until("Ctrl-C stops it")
    assert demo.process
    began = time.monotonic()
    demo.process.send_signal(signal.SIGINT)
    demo.until("Stopping")
    demo.process.send_signal(signal.SIGINT)
    assert demo.end()[0] == 0
    assert time.monotonic() - began < 3
    assert marked(demo.state) == {}


def test_it_leaves_nothing_when_it_is_killed(demo: Demo) -> None:
    demo.start(STUBBORN="1").until("Ctrl-C stops it")
    assert demo.process
    assert eventually(lambda: len(marked(demo.state)) == 7)
    demo.process.kill()
    assert eventually(lambda: not marked(demo.state), within=6)


def test_it_starts_again_what_was_killed(demo: Demo) -> None:
    demo.start().until("Ctrl-C stops it")
    web = demo.web_pid()
    os.kill(web, signal.SIGKILL)
    assert "killed by SIGKILL" in demo.until("web-1 ended")
    assert eventually(lambda: demo.web_pid() not in {0, web})

    assert eventually(lambda: len(demo.pids_of("worker")) == 2)
    family = demo.pids_of("worker")
    os.kill(min(family), signal.SIGKILL)
    demo.until("worker ended")
    assert eventually(lambda: not set(family) & set(marked(demo.state)))  # its child went with it
    assert eventually(lambda: demo.pids_of("worker"))


def test_it_cleans_up_also_with_a_second_janitor(demo: Demo) -> None:
    demo.start().until("Ctrl-C stops it")
    assert demo.process
    family = [pid for pid, command in marked(demo.state).items() if " supervisor " in command]
    janitor = next(pid for pid in family if pid != demo.process.pid)
    os.kill(janitor, signal.SIGKILL)
    assert eventually(lambda: sum(" supervisor " in command for command in marked(demo.state).values()) == 2)
    demo.process.kill()
    assert eventually(lambda: not marked(demo.state), within=12)


def test_it_runs_again_at_once_after_everything_was_killed_and_keeps_postgresql_alive(demo: Demo) -> None:
    demo.start(url="").until("Ctrl-C stops it")
    cluster = Cluster(demo.state)
    first = cluster.pid()
    assert first
    os.kill(first, signal.SIGKILL)
    assert "PostgreSQL ended; starting it again." in demo.until("✓ PostgreSQL ready")
    assert cluster.pid() not in {None, first}
    kill(list(marked(demo.state)))
    assert demo.process
    demo.process.communicate()
    demo.start(url="").until("Ctrl-C stops it")
    demo.process.terminate()
    assert demo.end()[0] == 0
    assert marked(demo.state) == {}
    cluster.remove()


def test_it_refuses_a_second_demo_of_the_same_checkout(demo: Demo) -> None:
    demo.start().until("Ctrl-C stops it")
    second = Demo(demo.state).start()
    assert demo.process
    told = f"A demo of this checkout is already running: process {demo.process.pid}, http://localhost:{demo.port}/."
    status, printed = second.end()
    assert (status, told in printed) == (1, True)
    assert demo.web_pid() > 0


def test_it_names_who_holds_the_port(demo: Demo) -> None:
    with socket.create_server(("127.0.0.1", demo.port)):
        status, printed = demo.start().end()
    assert status == 1
    assert f"Port {demo.port} is taken by process {os.getpid()} (" in printed
    suggested = int(printed.partition("make demo PORT=")[2].split()[0])
    assert suggested > demo.port
    assert marked(demo.state) == {}


@pytest.mark.parametrize("program", ["prepare", "web"])
def test_it_shows_why_a_program_failed_to_start(demo: Demo, program: str) -> None:
    status, printed = demo.start(FAIL=program).end()
    assert status == 1
    assert "the reason it failed" in printed
    assert marked(demo.state) == {}


def test_it_says_when_disk_or_memory_is_short(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    supervisor._check_disk(tmp_path)
    supervisor._check_memory()
    monkeypatch.setattr(supervisor, "DISK_BYTES", 10**18)
    monkeypatch.setattr(supervisor, "MEMORY_BYTES", 10**18)
    with pytest.raises(DemoError, match=r"MB are free on the disk of .* make clean-demo"):
        supervisor._check_disk(tmp_path)
    with pytest.raises(DemoError, match=r"MB of memory are available; .* WEB_PROCESSES=1"):
        supervisor._check_memory()


@pytest.mark.parametrize("port", ["0", "70000", "eight"])
def test_it_refuses_a_port_that_is_none(port: str, tmp_path: Path) -> None:
    process = launch("-m", "sdr.local.supervisor", "demo", mark=tmp_path, PORT=port, STATE_DIR=str(tmp_path))
    printed = process.communicate(timeout=10)[0]
    assert (process.returncode, printed) == (1, f"\nPORT must be a whole number from 1 to 65535; it is {port!r}.\n")


def test_it_cleans_only_when_nothing_runs(demo: Demo) -> None:
    def clean() -> tuple[int, str]:
        process = launch("-m", "sdr.local.supervisor", "clean", mark=demo.state, STATE_DIR=str(demo.state))
        printed = process.communicate(timeout=10)[0]
        return process.returncode, printed

    demo.start().until("Ctrl-C stops it")
    (demo.state / "mail").mkdir()
    (demo.state / "standin.json").touch()
    status, printed = clean()
    assert (status, "already running" in printed) == (1, True)
    assert (demo.state / "mail").is_dir()
    assert demo.process
    demo.process.terminate()
    demo.end()
    assert clean()[0] == 0
    (demo.state / "standin-port").unlink(missing_ok=True)
    left = sorted(path.name for path in demo.state.iterdir() if not path.name.endswith("-ready"))
    assert left == ["demo.lock", "ended", "secrets"]


def test_it_needs_no_package_to_clean_up() -> None:
    code = "import sys, sdr.local.supervisor; print('django' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "False\n"


def standin_told(demo: Demo) -> tuple[int, str]:
    """The port that the stand-in was given, and where the others look for it."""
    told = demo.state / "standin-port"
    assert eventually(told.exists)
    port, url = told.read_text().split()
    return int(port), url


def test_it_gives_the_stand_in_a_port_that_is_free(demo: Demo) -> None:
    with closing(socket.create_server(("127.0.0.1", demo.port + 99))):
        demo.start().until("Ctrl-C stops it")
        port, url = standin_told(demo)
        assert port > demo.port + 99
        assert url == f"http://127.0.0.1:{port}"


def test_it_gives_the_stand_in_the_port_that_is_asked_for(demo: Demo) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        wanted = free.getsockname()[1]
    demo.start(STANDIN_PORT=str(wanted)).until("Ctrl-C stops it")
    assert standin_told(demo) == (wanted, f"http://127.0.0.1:{wanted}")
