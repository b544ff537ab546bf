"""Production starts only when it is told everything, and says what is missing."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from cryptography.fernet import Fernet
from django.conf import settings

FULL = {
    "ENVIRONMENT": "production",
    "SECRET_KEY": "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUV",
    "SECRETS_KEYRING": Fernet.generate_key().decode(),
    "SITE_URL": "https://app.example.com",
    "DATABASE_URL": "postgresql://sdr:secret-password@db.example.com:5432/sdr",
    "DEFAULT_FROM_EMAIL": "Qify SDR <no-reply@example.com>",
    "EMAIL_HOST": "smtp.example.com",
    "METRICS_TOKEN": "0123456789abcdef0123456789abcdef",
    "HEALTH_TOKEN": "fedcba9876543210fedcba9876543210",
    "TRUSTED_PROXIES": "1",
    "GEMINI_API_KEY": "a-key-of-a-paid-project",
}
REQUIRED = ["SECRET_KEY", "SECRETS_KEYRING", "SITE_URL", "DATABASE_URL", "DEFAULT_FROM_EMAIL", "EMAIL_HOST"]
SHOW = """
import json, sys
from sdr import settings
print(json.dumps({name: getattr(settings, name) for name in sys.argv[1:]}))
"""


def run(*arguments: str, environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *arguments],
        env={"PATH": os.environ["PATH"], **environment},
        cwd=settings.BASE_DIR, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip


def test_a_full_environment_passes_the_deployment_checks_without_a_warning() -> None:
    done = run("manage.py", "check", "--deploy", "--fail-level", "WARNING", environment=FULL)
    assert (done.returncode, done.stdout) == (0, "System check identified no issues (0 silenced).\n"), done.stderr


def test_production_is_the_default() -> None:
    environment = {name: value for name, value in FULL.items() if name not in {"ENVIRONMENT", "SECRET_KEY"}}
    done = run("-c", "import sdr.settings", environment=environment)
    assert "SECRET_KEY" in done.stderr


@pytest.mark.parametrize("name", REQUIRED)
def test_a_missing_variable_is_named_and_no_other_is_shown(name: str) -> None:
    environment = {key: value for key, value in FULL.items() if key != name}
    done = run("-c", "import sdr.settings", environment=environment)
    last = done.stderr.strip().splitlines()[-1]
    assert done.returncode == 1
    assert "ImproperlyConfigured" in last
    assert name in last
    assert "Set it" in last
    for other, value in environment.items():
        if other != "ENVIRONMENT" and len(value) > 8:
            assert value not in done.stderr, f"{other} is shown"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ENVIRONMENT", "prod"),
        ("PORT", "eighty"),
        ("PORT", "70000"),
        ("TRUSTED_PROXIES", "-1"),
        ("FEATURE_ANALYTICS", "maybe"),
        ("DATABASE_URL", "postgresql://sdr:secret-password@[db/x"),
    ],
)
def test_a_wrong_value_is_named(name: str, value: str) -> None:
    done = run("-c", "import sdr.settings", environment={**FULL, name: value})
    last = done.stderr.strip().splitlines()[-1]
    assert done.returncode == 1
    assert "ImproperlyConfigured" in last
    assert name in last
    assert "secret-password" not in done.stderr


def test_secrets_may_come_from_files(tmp_path: Path) -> None:
    path = tmp_path / "secret"
    path.write_text(FULL["SECRET_KEY"] + "\n")
    environment = {name: value for name, value in FULL.items() if name != "SECRET_KEY"}
    done = run("-c", SHOW, "SECRET_KEY", environment={**environment, "SECRET_KEY_FILE": str(path)})
    assert FULL["SECRET_KEY"] in done.stdout
    path.write_text("")
    done = run("-c", SHOW, "SECRET_KEY", environment={**environment, "SECRET_KEY_FILE": str(path)})
    assert "SECRET_KEY_FILE" in done.stderr.strip().splitlines()[-1]


def test_cookies_are_bound_to_the_host_and_to_tls() -> None:
    names = (
        "SESSION_COOKIE_NAME", "SESSION_COOKIE_SECURE", "SESSION_COOKIE_HTTPONLY", "SESSION_COOKIE_SAMESITE",
        "CSRF_COOKIE_NAME", "CSRF_COOKIE_SECURE", "CSRF_COOKIE_HTTPONLY", "LANGUAGE_COOKIE_SECURE",
        "SECURE_SSL_REDIRECT", "SECURE_HSTS_SECONDS", "DEBUG", "ALLOWED_HOSTS", "CSRF_TRUSTED_ORIGINS",
    )  # fmt: skip
    done = run("-c", SHOW, *names, environment=FULL)
    assert json.loads(done.stdout) == {
        "SESSION_COOKIE_NAME": "__Host-session", "SESSION_COOKIE_SECURE": True, "SESSION_COOKIE_HTTPONLY": True,
        "SESSION_COOKIE_SAMESITE": "Lax", "CSRF_COOKIE_NAME": "__Host-csrf", "CSRF_COOKIE_SECURE": True,
        "CSRF_COOKIE_HTTPONLY": True, "LANGUAGE_COOKIE_SECURE": True, "SECURE_SSL_REDIRECT": True,
        "SECURE_HSTS_SECONDS": 31_536_000, "DEBUG": False, "ALLOWED_HOSTS": ["app.example.com"],
        "CSRF_TRUSTED_ORIGINS": ["https://app.example.com"],
    }  # fmt: skip


def test_production_writes_no_secret_to_the_disk(tmp_path: Path) -> None:
    run("-c", "import sdr.settings", environment={**FULL, "STATE_DIR": str(tmp_path)})
    assert list(tmp_path.iterdir()) == []
