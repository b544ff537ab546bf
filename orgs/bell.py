"""Waking shifts, and telling open pages what is new: a bell, rung after the commit, at most once every few
milliseconds, by one thread per process.

NOTIFY never belongs into a transaction that writes: it makes all commits of the database queue up (HOTPATH 1 measured
a fourth to a fifth of the rate). So `ring` only sets a flag after the commit, and a thread with a connection of its own
sends. A crash between the two loses a wake-up, not a row: shifts also look by themselves, and so do pages.

News are ids alone: `<id of the notification> <org>:<row> <org>:<row> …` on the channel NEWS. PostgreSQL gives every
listener the same notifications in the same order, so the id of one is a place in that order (`conversations.streams`).
"""

import logging
import os
import secrets
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial

import psycopg
from django.db import connection, transaction
from psycopg.pq import ExecStatus

CHANNEL = "qify_due"
NOTIFY = f"NOTIFY {CHANNEL}".encode()
NEWS = "qify_news"
NEWS_AT_ONCE = 300  # rows in a notification, which may have 8000 bytes
AT_MOST_EVERY = 0.005  # seconds between two NOTIFYs of a process
LOOK_EVERY = 1.0  # seconds a listener waits before it looks whether it should end
RECONNECT_AFTER = 1.0  # seconds

logger = logging.getLogger("sdr.bell")


def ring() -> None:
    """Wake the shifts once the current transaction has committed (at once outside one). Costs no query here."""
    transaction.on_commit(_ring)
    _ensure_thread()


def tell(org_id: int, ref: int) -> None:
    """Tell open pages of the org that the row is another, once the current transaction has committed. No query here."""
    transaction.on_commit(partial(_tell, org_id, ref))
    _ensure_thread()


def ring_now() -> None:
    """Wake the shifts: for whoever commits on a connection of its own, after that commit. Never blocks."""
    _ring()
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


_rung = threading.Event()  # there is something to send: the wake-up, if _is_due, and _news
_is_due = False
_news: dict[tuple[int, int], None] = {}  # in order, each once
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


def _ring() -> None:
    global _is_due
    _is_due = True
    _rung.set()


def _tell(org_id: int, ref: int) -> None:
    _news[org_id, ref] = None
    _rung.set()


def _send() -> None:
    while True:
        try:
            with _connect() as bell:
                while True:
                    _rung.wait()
                    _rung.clear()
                    _send_all(bell)
                    time.sleep(AT_MOST_EVERY)
        except psycopg.Error:
            with suppress(Exception):
                logger.warning("the bell lost its connection")
            time.sleep(RECONNECT_AFTER)


def _send_all(bell: psycopg.Connection) -> None:
    """Wake-up and news, once. What could not be sent waits for the next connection."""
    global _is_due
    was_due, _is_due = _is_due, False
    told: list[tuple[int, int]] = []
    try:
        if was_due:
            _exec(bell, NOTIFY)
        while _news:
            told = [_news.popitem()[0] for _ in range(min(len(_news), NEWS_AT_ONCE))]
            _exec(bell, notification(told))
    except psycopg.Error:
        _is_due = _is_due or was_due
        _news.update(dict.fromkeys(told))
        _rung.set()
        raise


def notification(rows: list[tuple[int, int]]) -> bytes:
    """The statement that tells of these (org, row). All of it are digits and hex, so nothing needs quoting."""
    told = " ".join(f"{org_id:d}:{ref:d}" for org_id, ref in rows)
    return f"NOTIFY {NEWS}, '{secrets.token_hex(6)} {told}'".encode()


def _exec(bell: psycopg.Connection, statement: bytes) -> None:
    # Straight to libpq: up to 200 times a second a cursor would cost a webhook a tenth of its CPU.
    if bell.pgconn.exec_(statement).status != ExecStatus.COMMAND_OK:
        raise psycopg.OperationalError("NOTIFY failed")


def _connect() -> psycopg.Connection:
    parameters = connection.get_connection_params()
    for ours in ("cursor_factory", "context", "prepare_threshold", "pool"):
        parameters.pop(ours, None)
    return psycopg.connect(**parameters, autocommit=True)
