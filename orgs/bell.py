"""Waking shifts: a bell, rung after the commit, at most once every few milliseconds, by one thread per process.

NOTIFY never belongs into a transaction that writes: it makes all commits of the database queue up (HOTPATH 1 measured
a fourth to a fifth of the rate). So `ring` only sets a flag after the commit, and a thread with a connection of its own
sends. A crash between the two loses a wake-up, not a row: shifts also look by themselves.
"""

import logging
import os
import threading
import time
from collections.abc import Callable
from contextlib import suppress

import psycopg
from django.db import connection, transaction
from psycopg.pq import ExecStatus

CHANNEL = "qify_due"
NOTIFY = f"NOTIFY {CHANNEL}".encode()
AT_MOST_EVERY = 0.005  # seconds between two NOTIFYs of a process
LOOK_EVERY = 1.0  # seconds a listener waits before it looks whether it should end
RECONNECT_AFTER = 1.0  # seconds

logger = logging.getLogger("sdr.bell")


def ring() -> None:
    """Wake the shifts once the current transaction has committed (at once outside one). Costs no query here."""
    transaction.on_commit(_rung.set)
    _ensure_thread()


def ring_now() -> None:
    """Wake the shifts: for whoever commits on a connection of its own, after that commit. Never blocks."""
    _rung.set()
    _ensure_thread()


def listen(heard: Callable[[], None], ended: threading.Event) -> None:
    """Call `heard` for every ring until `ended`; blocks. Reconnects by itself, then calls once more."""
    while not ended.is_set():
        try:
            with _connect() as bell:
                bell.execute(f"LISTEN {CHANNEL}")
                heard()
                while not ended.is_set():
                    for _ in bell.notifies(timeout=LOOK_EVERY, stop_after=1):
                        heard()
        except psycopg.Error:
            ended.wait(RECONNECT_AFTER)


_rung = threading.Event()
_start = threading.Lock()
_thread: threading.Thread | None = None
_thread_pid = 0


def _ensure_thread() -> None:
    """One thread per process; a forked child starts its own."""
    global _thread, _thread_pid
    if _thread is not None and _thread.is_alive() and _thread_pid == os.getpid():
        return
    with _start:
        if _thread is None or not _thread.is_alive() or _thread_pid != os.getpid():
            _thread = threading.Thread(target=_send, name="bell", daemon=True)
            _thread_pid = os.getpid()
            _thread.start()


def _send() -> None:
    while True:
        try:
            with _connect() as bell:
                while True:
                    _rung.wait()
                    _rung.clear()
                    # Straight to libpq: up to 200 times a second a cursor would cost a webhook a tenth of its CPU.
                    if bell.pgconn.exec_(NOTIFY).status != ExecStatus.COMMAND_OK:
                        raise psycopg.OperationalError("NOTIFY failed")
                    time.sleep(AT_MOST_EVERY)
        except psycopg.Error:
            with suppress(Exception):
                logger.warning("the bell lost its connection")
            time.sleep(RECONNECT_AFTER)


def _connect() -> psycopg.Connection:
    parameters = connection.get_connection_params()
    for ours in ("cursor_factory", "context", "prepare_threshold", "pool"):
        parameters.pop(ours, None)
    return psycopg.connect(**parameters, autocommit=True)
