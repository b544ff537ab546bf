"""Install the locked packages into `.venv`: what `make setup` does, and every other target first.

    python3 sdr/local/install.py base|dev

Run by whatever Python is there, so it imports nothing of ours and says so when that Python is too old. Safe to repeat:
a stamp remembers which lock file was installed. `dev` holds everything that `base` does and is never taken away again.
"""

from __future__ import annotations  # a Python too old for the rest must still reach its message

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[2]
VENV = CHECKOUT / ".venv"
PYTHON = VENV / "bin" / "python"
REQUIREMENTS = CHECKOUT / "requirements"
OLDEST = (3, 11)
DISK_BYTES = 1_000_000_000
NO_VENV = "This Python cannot make virtual environments. On Debian or Ubuntu: apt install python3-venv"


class InstallError(Exception):
    """The packages cannot be installed; the message says why and what to do."""


def main(arguments: list[str]) -> int:
    """Install `base` or `dev`. Returns the exit status."""
    if sys.version_info < OLDEST:
        return _fail(
            f"Python {OLDEST[0]}.{OLDEST[1]} or newer is needed; {sys.executable} is {sys.version.split()[0]}. "
            "Install it (on Debian 12: apt install python3 python3-venv), or name the one to use: "
            "make demo PYTHON=python3.11"
        )
    if arguments not in (["base"], ["dev"]):
        return _fail("usage: python3 sdr/local/install.py base|dev")
    lock = os.open(REQUIREMENTS, os.O_RDONLY)  # two installs wait for each other
    fcntl.flock(lock, fcntl.LOCK_EX)
    try:
        _install(arguments[0])
    except InstallError as error:
        return _fail(str(error))
    finally:
        os.close(lock)
    return 0


def _install(wanted: str) -> None:
    name = "dev" if _stamp("dev").exists() else wanted
    lock_file = REQUIREMENTS / f"{name}.txt"
    fingerprint = hashlib.sha256(lock_file.read_bytes()).hexdigest()
    if _works() and _stamp(name).exists() and _stamp(name).read_text() == fingerprint:
        return
    free = shutil.disk_usage(CHECKOUT).free
    if free < DISK_BYTES:
        raise InstallError(
            f"Only {free // 1_000_000} MB are free on the disk of {CHECKOUT}; installing needs about "
            f"{DISK_BYTES // 1_000_000} MB. Free some space and run this again."
        )
    if not _works():
        _step("Making .venv", _make_venv)
    if not _has_uv():
        _step("Installing uv", _install_uv)
    _step(f"Installing the packages of requirements/{name}.txt", lambda: _sync(lock_file))
    _stamp(name).write_text(fingerprint)


def _make_venv() -> None:
    shutil.rmtree(VENV, ignore_errors=True)
    _run([sys.executable, "-m", "venv", "--without-pip", str(VENV)], NO_VENV)


def _install_uv() -> None:
    package = ["install", "--quiet", "--require-hashes", "-r", str(REQUIREMENTS / "uv.txt")]
    if _quietly([sys.executable, "-m", "pip", "--version"]):
        _run([sys.executable, "-m", "pip", "--python", str(PYTHON), *package], _no_network("The installer, uv,"))
        return
    _run([str(PYTHON), "-m", "ensurepip"], NO_VENV)
    _run([str(PYTHON), "-m", "pip", *package], _no_network("The installer, uv,"))


def _sync(lock_file: Path) -> None:
    command = [str(VENV / "bin" / "uv"), "pip", "sync", "--quiet", "--require-hashes", "--python", str(PYTHON)]
    _run([*command, str(lock_file)], _no_network("The packages"))


def _no_network(what: str) -> str:
    return (
        f"{what} could not be installed; the lines above say why. If the network is away, connect "
        "(behind a proxy: set HTTPS_PROXY; with a mirror: set UV_INDEX_URL and PIP_INDEX_URL) and run the same command "
        "again: it goes on where it stopped."
    )


def _works() -> bool:
    return PYTHON.exists() and _quietly([str(PYTHON), "-c", f"import sys; sys.exit(sys.version_info < {OLDEST})"])


def _has_uv() -> bool:
    return (VENV / "bin" / "uv").exists() and _quietly([str(VENV / "bin" / "uv"), "--version"])


def _stamp(name: str) -> Path:
    return VENV / f".installed-{name}"


def _step(what: str, work: Callable[[], None]) -> None:
    print(f"… {what}", flush=True)
    began = time.monotonic()
    work()
    print(f"✓ {what:<52} {time.monotonic() - began:5.1f} s", flush=True)


def _quietly(command: list[str]) -> bool:
    try:
        return subprocess.run(command, capture_output=True, check=False).returncode == 0
    except OSError:  # not a program after all
        return False


def _run(command: list[str], otherwise: str) -> None:
    """Run the command with its output shown; raises InstallError with the text `otherwise` when it fails."""
    environment = {k: v for k, v in os.environ.items() if k not in ("PYTHONDONTWRITEBYTECODE", "VIRTUAL_ENV")}
    try:
        subprocess.run(command, env=environment, cwd=str(CHECKOUT), check=True)
    except (OSError, subprocess.CalledProcessError):
        raise InstallError(otherwise) from None


def _fail(message: str) -> int:
    print(f"\n{message}", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
