"""Settings of tests and benchmarks: the product's, an embedded test cluster, and the rehearsal app in every org."""

import os

os.environ.setdefault("ENVIRONMENT", "test")

from sdr.settings import *  # noqa: F403
from sdr.settings import DATABASES, INSTALLED_APPS, TENANT_APPS

TENANT_APPS = [*TENANT_APPS, "tests.rehearsal.apps.RehearsalConfig"]
INSTALLED_APPS = [*INSTALLED_APPS, "tests.rehearsal.apps.RehearsalConfig"]
ROOT_URLCONF = "tests.urls"
EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
}
WHITENOISE_AUTOREFRESH = True  # or each test's client looks through all static files first, where there are any
METRICS_TOKEN = "test-metrics-token"
HEALTH_TOKEN = "test-health-token"
DATABASES["default"]["NAME"] = os.environ.get("TEST_DATABASE", "sdr_test")
