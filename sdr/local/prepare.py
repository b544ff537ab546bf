"""What the demo needs before its processes start, in one short-lived process: database, static files, demo data.

    python -m sdr.local.prepare FILE

Prints one line per step that had something to do: what, a tab, seconds. What `seed_demo` prints (who can sign in, and
how) goes to FILE, for the supervisor to show. The stand-in of WhatsApp must be running. Each step is safe to repeat and
quick when there is nothing to do.
"""

import hashlib
import os
import sys
import time
from collections.abc import Callable
from io import StringIO
from pathlib import Path

import django
from django.conf import settings
from django.contrib.staticfiles.finders import get_finders
from django.core.management import CommandError, call_command
from django.utils.module_loading import import_string

from sdr.lib.errors import PortError

BEGAN = time.monotonic()


def main(sign_in: Path) -> int:
    """Run the steps, writing how to sign in to the file `sign_in`; 1 when one of them says why it cannot."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "sdr.settings")
    django.setup()
    try:
        _step("Database prepared", _prepare_database, began=BEGAN)
        _step("Static files collected", _collect_static)
        _step("Demo data in place", lambda: _seed_demo(sign_in))
        _step("WhatsApp number connected", _seed_whatsapp)
    except (CommandError, PortError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def _step(done: str, work: Callable[[], bool], *, began: float | None = None) -> None:
    began = began or time.monotonic()
    if work():
        print(f"{done}\t{time.monotonic() - began:.1f}", flush=True)


def _prepare_database() -> bool:
    call_command("prepare_database", stdout=sys.stderr)
    return True


def _seed_demo(sign_in: Path) -> bool:
    told = StringIO()
    call_command("seed_demo", stdout=told, no_color=True)
    sign_in.write_text(told.getvalue(), encoding="utf-8")
    return True


def _seed_whatsapp() -> bool:
    return bool(import_string("integrations.whatsapp.demo.seed")())  # needs the app registry


def _collect_static() -> bool:
    root = Path(settings.STATIC_ROOT)
    stamp = root.with_name(f"{root.name}.sha256")
    sources = _fingerprint()
    if root.is_dir() and stamp.exists() and stamp.read_text() == sources:
        return False
    stamp.unlink(missing_ok=True)
    call_command("collectstatic", interactive=False, clear=True, verbosity=0)
    stamp.write_text(sources)
    return True


def _fingerprint() -> str:
    """A hash over name, size and time of every static file of ours and of the installed packages."""
    digest = hashlib.sha256()
    for finder in get_finders():
        for name, storage in finder.list([]):
            found = Path(storage.path(name)).stat()
            digest.update(f"{name}\0{found.st_size}\0{found.st_mtime_ns}\n".encode())
    return digest.hexdigest()


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
