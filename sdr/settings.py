"""All settings in one file. Production is configured by environment variables only: docs/configuration.md lists them.

ENVIRONMENT decides how strict we are: `production` (the default) and `staging` demand every secret loudly;
`development` (`make demo`) and `test` make their own, kept in STATE_DIR.
"""

import contextlib
import os
import re
import secrets
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from cryptography.fernet import Fernet
from csp.constants import NONCE, NONE, SELF, UNSAFE_EVAL, UNSAFE_INLINE
from django.core.exceptions import ImproperlyConfigured
from django.urls import reverse_lazy
from psycopg.conninfo import conninfo_to_dict

from sdr.env import envbool, envdate, envdecimal, envint, envlist, envsecret, envstr
from sdr.lib import logs

BASE_DIR = Path(__file__).resolve().parent.parent
ENVIRONMENT = envstr("ENVIRONMENT", "production")
if ENVIRONMENT not in {"production", "staging", "development", "test"}:
    raise ImproperlyConfigured("ENVIRONMENT must be production, staging, development or test.")
IS_LOCAL = ENVIRONMENT in {"development", "test"}
IS_DEMO = ENVIRONMENT == "development"
DEBUG = False  # error pages never show code or settings, not even at home: the log does
VERSION = next(
    iter(re.findall(r"^## (\d+\.\d+\.\d+)", (BASE_DIR / "CHANGELOG.md").read_text("utf-8"), re.MULTILINE)), "0.0.0"
)

STATE_DIR = Path(envstr("STATE_DIR", str(BASE_DIR / ".state")))  # what this installation keeps on disk


def kept_secret(name: str, make: Callable[[], str]) -> str:
    """A secret made once for this checkout (development and test only), readable by its user alone."""
    path = STATE_DIR / "secrets" / name
    if not path.exists():
        STATE_DIR.mkdir(mode=0o700, parents=True, exist_ok=True)
        path.parent.mkdir(mode=0o700, exist_ok=True)
        descriptor, draft = tempfile.mkstemp(dir=path.parent)  # readable by us alone
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(make())
        with contextlib.suppress(FileExistsError):
            os.link(draft, path)  # whole or not at all, and the first of two processes wins
        Path(draft).unlink()
    return path.read_text(encoding="utf-8")


# --- Secrets -----------------------------------------------------------------------------------------------------
SECRET_KEY = envsecret(
    "SECRET_KEY",
    default=kept_secret("secret_key", lambda: secrets.token_urlsafe(50)) if IS_LOCAL else None,
) or envsecret("SECRET_KEY", hint="Set it to 50 or more random characters; it signs cookies and links.")
SECRET_KEY_FALLBACKS = envlist("SECRET_KEY_FALLBACKS", [])
SECRETS_KEYRING = [
    key.strip()
    for key in (
        envsecret(
            "SECRETS_KEYRING",
            default=kept_secret("keyring", lambda: Fernet.generate_key().decode()) if IS_LOCAL else None,
        )
        or envsecret(
            "SECRETS_KEYRING",
            hint="Set it to one or more Fernet keys, comma-separated, newest first "
            "(python -c 'from cryptography.fernet import Fernet; print(Fernet.generate_key().decode())').",
        )
    ).split(",")
    if key.strip()
]
# Of web push: 32 bytes, base64url. Absent: no push. Another key ends all that people have switched on.
OWN_VAPID_KEY = kept_secret("vapid", lambda: secrets.token_urlsafe(32)) if IS_LOCAL else None
VAPID_PRIVATE_KEY = envsecret("VAPID_PRIVATE_KEY", default=OWN_VAPID_KEY) or ""
METRICS_TOKEN = envsecret("METRICS_TOKEN", default=None)  # absent: /metrics answers 404
HEALTH_TOKEN = envsecret("HEALTH_TOKEN", default=None)  # absent: /health/deep answers 404

# --- Addresses ---------------------------------------------------------------------------------------------------
PORT = envint("PORT", 8000, minimum=1, maximum=65535)
SITE_URL = envstr("SITE_URL", f"http://localhost:{PORT}" if IS_LOCAL else "").rstrip("/") or envstr(
    "SITE_URL", hint="Set it to the public address, such as https://app.example.com; links in e-mails start with it."
)
ALLOWED_HOSTS = envlist("ALLOWED_HOSTS", ["*"] if IS_LOCAL else [re.sub(r"^https?://|[:/].*$", "", SITE_URL)])
CSRF_TRUSTED_ORIGINS = envlist("CSRF_TRUSTED_ORIGINS", [] if IS_LOCAL else [SITE_URL])
IS_HTTPS = SITE_URL.startswith("https://")
BRAND = envstr("BRAND", "Qify SDR")

# --- Apps --------------------------------------------------------------------------------------------------------
SHARED_APPS = [
    "django_tenants",
    "orgs",
    "billing",
    "django.contrib.contenttypes",
    "django.contrib.auth",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.forms",
    "django.contrib.humanize",
    "unfold",
    "django.contrib.admin.apps.SimpleAdminConfig",  # what libraries would register is not for our staff: sdr.staff
    "allauth",
    "allauth.account",
    "allauth.mfa",
    "allauth.socialaccount",
    "allauth.socialaccount.providers.google",
    "allauth.usersessions",
    "rest_framework",
    "csp",
    "djstripe",
    "django_q",
    "sdr",
]
TENANT_APPS = ["conversations", "calendar_sync", "integrations"]
INSTALLED_APPS = SHARED_APPS + [app for app in TENANT_APPS if app not in SHARED_APPS]

TENANT_MODEL = "orgs.Org"
TENANT_DOMAIN_MODEL = "orgs.Domain"
TENANT_LIMIT_SET_CALLS = True
AUTH_USER_MODEL = "orgs.Person"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

MIDDLEWARE = [
    "sdr.lib.request_log.RequestLogMiddleware",
    "sdr.health.HealthMiddleware",
    "sdr.lib.metrics.MetricsMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "sdr.headers.HeadersMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "csp.middleware.CSPMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "orgs.middleware.PersonLanguageMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "orgs.sessions.SessionActivityMiddleware",
    "orgs.middleware.OrgMiddleware",
    "orgs.ratelimit.RateLimitMiddleware",
]

ROOT_URLCONF = "sdr.urls"
WSGI_APPLICATION = "sdr.wsgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "sdr.context_processors.branding",
            ],
            "builtins": ["django.templatetags.i18n", "django.templatetags.static", "sdr.templatetags.ui"],
        },
    }
]
FORM_RENDERER = "django.forms.renderers.TemplatesSetting"

# --- Database ----------------------------------------------------------------------------------------------------
CONNECTION_ORG_LIMIT = envint("CONNECTION_ORG_LIMIT", 200, minimum=1)  # a backend grows ~0.5 MB per org it touches
STATEMENT_TIMEOUT_MS = envint("STATEMENT_TIMEOUT_MS", 30_000, minimum=0)
LOCK_TIMEOUT_MS = envint("LOCK_TIMEOUT_MS", 10_000, minimum=0)


def database() -> dict[str, Any]:
    """Django's database settings from DATABASE_URL, else from the embedded PostgreSQL of this checkout."""
    url = envsecret("DATABASE_URL", default=None)
    if url is None:
        if not IS_LOCAL:
            raise ImproperlyConfigured("DATABASE_URL is not set. Set it to postgresql://user:password@host:5432/name.")
        from sdr.local.embedded import Cluster

        url = Cluster(STATE_DIR, tests=ENVIRONMENT == "test").dsn("sdr")
    try:
        parts = conninfo_to_dict(url)
    except Exception as error:
        raise ImproperlyConfigured(f"DATABASE_URL cannot be read: {type(error).__name__}.") from None
    options: dict[str, Any] = {
        key: value for key, value in parts.items() if key not in {"dbname", "user", "password", "host", "port"}
    }
    options.setdefault("connect_timeout", 5)
    options.setdefault("application_name", "qify-sdr")
    options.setdefault(
        "options",
        f"-c statement_timeout={STATEMENT_TIMEOUT_MS} -c lock_timeout={LOCK_TIMEOUT_MS}"
        " -c idle_in_transaction_session_timeout=60000",
    )
    pool = envint("DATABASE_POOL", 0, minimum=0)
    if pool:
        options["pool"] = {"min_size": 1, "max_size": pool, "timeout": 10}
    return {
        "ENGINE": "django_tenants.postgresql_backend",
        "NAME": parts.get("dbname", ""),
        "USER": parts.get("user", ""),
        "PASSWORD": parts.get("password", ""),
        "HOST": parts.get("host", ""),
        "PORT": str(parts.get("port", "")),
        "CONN_MAX_AGE": 0 if pool else envint("CONN_MAX_AGE", 600, minimum=0),
        "CONN_HEALTH_CHECKS": True,
        "OPTIONS": options,
    }


DATABASES = {"default": database()}
DATABASE_ROUTERS = ["django_tenants.routers.TenantSyncRouter", "orgs.routing.OrgRouter"]
CACHES = {
    "default": {  # shared by all processes: sign-in codes and their limits must hold whichever process answers
        "BACKEND": "django.core.cache.backends.db.DatabaseCache",
        "LOCATION": "orgs_cache",
        "OPTIONS": {"MAX_ENTRIES": 100_000},  # of a full cache a third is dropped, whether expired or not
        "KEY_FUNCTION": "django_tenants.cache.make_key",
        "REVERSE_KEY_FUNCTION": "django_tenants.cache.reverse_key",
    }
}

# --- Languages and time ------------------------------------------------------------------------------------------
LANGUAGE_CODE = "pt-br"
LANGUAGES = [("pt-br", "Português (Brasil)"), ("en", "English"), ("es", "Español")]
LOCALE_PATHS = [BASE_DIR / "locale"]
TIME_ZONE = "UTC"
USE_TZ = True
USE_I18N = True

# --- People (PRODUCT 3) ------------------------------------------------------------------------------------------
AUTHENTICATION_BACKENDS = ["allauth.account.auth_backends.AuthenticationBackend"]
PASSWORD_HASHERS = [
    "django.contrib.auth.hashers.Argon2PasswordHasher",
    "django.contrib.auth.hashers.PBKDF2PasswordHasher",
]
AUTH_PASSWORD_VALIDATORS = [
    {
        "NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator",
        "OPTIONS": {"user_attributes": ["email", "name"]},
    },
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 10}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "django.contrib.auth.password_validation.NumericPasswordValidator"},
]
LOGIN_URL = reverse_lazy("account_login")
LOGIN_REDIRECT_URL = "/"
ACCOUNT_ADAPTER = "orgs.adapters.AccountAdapter"
ACCOUNT_USER_MODEL_USERNAME_FIELD = None
ACCOUNT_USER_MODEL_EMAIL_FIELD = "email"
ACCOUNT_LOGIN_METHODS = {"email"}
ACCOUNT_SIGNUP_FIELDS = ["email*", "password1*"]
ACCOUNT_FORMS = {
    "signup": "orgs.forms.SignupForm",
    "confirm_email_verification_code": "orgs.forms.EmailCodeForm",
    "confirm_password_reset_code": "orgs.forms.ResetCodeForm",
}
ACCOUNT_EMAIL_VERIFICATION = "mandatory"
ACCOUNT_EMAIL_VERIFICATION_BY_CODE_ENABLED = True
ACCOUNT_EMAIL_VERIFICATION_BY_CODE_TIMEOUT = 900
ACCOUNT_EMAIL_VERIFICATION_BY_CODE_MAX_ATTEMPTS = 5
ACCOUNT_EMAIL_VERIFICATION_SUPPORTS_RESEND = 5  # times; another address is another sign-up, or it would tell who exists
ACCOUNT_PASSWORD_RESET_BY_CODE_ENABLED = True
ACCOUNT_PASSWORD_RESET_BY_CODE_TIMEOUT = 900
ACCOUNT_PASSWORD_RESET_BY_CODE_MAX_ATTEMPTS = 5
ALLAUTH_USER_CODE_FORMAT = {"numeric": True, "length": 6, "dashed": False}
ACCOUNT_CHANGE_EMAIL = True
ACCOUNT_EMAIL_NOTIFICATIONS = True
ACCOUNT_REAUTHENTICATION_REQUIRED = True  # also for the address: who changes it can have the password changed
ACCOUNT_REAUTHENTICATION_TIMEOUT = 900
ACCOUNT_SESSION_REMEMBER = None  # the person chooses
ACCOUNT_LOGOUT_ON_GET = False
ACCOUNT_PREVENT_ENUMERATION = True
ACCOUNT_RATE_LIMITS = MFA_RATE_LIMITS = (
    False  # ours are atomic, shared by all processes and say Retry-After: orgs.ratelimit
)
SOCIALACCOUNT_ADAPTER = "orgs.adapters.SocialAccountAdapter"
SOCIALACCOUNT_STORE_TOKENS = False
SOCIALACCOUNT_EMAIL_AUTHENTICATION = True  # Google proves the address: it signs into the account that has it
SOCIALACCOUNT_EMAIL_AUTHENTICATION_AUTO_CONNECT = True
SOCIALACCOUNT_LOGIN_ON_GET = False
GOOGLE_CLIENT_ID = envstr("GOOGLE_CLIENT_ID", None)
GOOGLE_CLIENT_SECRET = envsecret("GOOGLE_CLIENT_SECRET", default=None)
SOCIALACCOUNT_PROVIDERS: dict[str, Any] = {
    "google": {
        "APPS": [{"client_id": GOOGLE_CLIENT_ID, "secret": GOOGLE_CLIENT_SECRET or "", "key": ""}]
        if GOOGLE_CLIENT_ID
        else [],
        "SCOPE": ["profile", "email"],
        "AUTH_PARAMS": {"access_type": "online", "prompt": "select_account"},
        "OAUTH_PKCE_ENABLED": True,
        "AUTHORIZE_URL": envstr("GOOGLE_AUTHORIZE_URL", "https://accounts.google.com/o/oauth2/v2/auth"),
        "ACCESS_TOKEN_URL": envstr("GOOGLE_TOKEN_URL", "https://oauth2.googleapis.com/token"),
        "CERTS_URL": envstr("GOOGLE_CERTS_URL", "https://www.googleapis.com/oauth2/v1/certs"),
        "ID_TOKEN_ISSUER": envstr("GOOGLE_ISSUER", "https://accounts.google.com"),
    }
}
MFA_ADAPTER = "orgs.adapters.MFAAdapter"
MFA_FORMS = {
    "add_webauthn": "orgs.passkey_forms.AddKeyForm",
    "edit_webauthn": "orgs.passkey_forms.RenameKeyForm",
    "authenticate_webauthn": "orgs.passkey_forms.UseKeyForm",
    "login_webauthn": "orgs.passkey_forms.SignInByKeyForm",
    "reauthenticate_webauthn": "orgs.passkey_forms.ProveByKeyForm",
}
MFA_SUPPORTED_TYPES = ["totp", "webauthn", "recovery_codes"]
MFA_PASSKEY_LOGIN_ENABLED = True
MFA_PASSKEY_SIGNUP_ENABLED = False
MFA_TOTP_ISSUER = BRAND
MFA_WEBAUTHN_ALLOW_INSECURE_ORIGIN = IS_LOCAL  # passkeys on http://localhost
USERSESSIONS_TRACK_ACTIVITY = True  # the list shows it; orgs.sessions writes it


def origin_of(url: str) -> str:
    """Scheme and host of an address, as a content security policy names them."""
    return "/".join(url.split("/", 3)[:3])


# --- Browser safety ----------------------------------------------------------------------------------------------
SESSION_ENGINE = "orgs.sessions"
SESSION_COOKIE_NAME = "__Host-session" if IS_HTTPS else "session"
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
SESSION_COOKIE_SECURE = IS_HTTPS
SESSION_COOKIE_AGE = 60 * 60 * 24 * 30
CSRF_COOKIE_NAME = "__Host-csrf" if IS_HTTPS else "csrf"
CSRF_COOKIE_SECURE = IS_HTTPS
CSRF_COOKIE_SAMESITE = "Lax"
CSRF_COOKIE_HTTPONLY = True
CSRF_FAILURE_VIEW = "sdr.errors.csrf_failure"
LANGUAGE_COOKIE_SECURE = IS_HTTPS
LANGUAGE_COOKIE_SAMESITE = "Lax"
LANGUAGE_COOKIE_HTTPONLY = True
SECURE_SSL_REDIRECT = IS_HTTPS
SECURE_REDIRECT_EXEMPT = [r"^health/", r"^metrics$"]
SECURE_PROXY_SSL_HEADER = None  # sdr.asgi sets the scheme, from trusted proxies only
SECURE_HSTS_SECONDS = envint("HSTS_SECONDS", 31_536_000 if IS_HTTPS else 0, minimum=0)
SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE_HSTS_SECONDS > 0
SECURE_HSTS_PRELOAD = SECURE_HSTS_SECONDS > 0
SECURE_REFERRER_POLICY = "same-origin"
SECURE_CROSS_ORIGIN_OPENER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
CONTENT_SECURITY_POLICY: dict[str, Any] = {
    "DIRECTIVES": {
        "default-src": [NONE],
        "script-src": [SELF, NONCE],
        "style-src": [SELF],
        "img-src": [SELF, "data:", "blob:"],  # the QR code of two-step sign-in; a picture that is about to be sent
        "font-src": [SELF],
        "connect-src": [SELF],
        "manifest-src": [SELF],
        "media-src": [SELF, "blob:"],
        "form-action": [
            SELF,
            *([origin_of(SOCIALACCOUNT_PROVIDERS["google"]["AUTHORIZE_URL"])] if GOOGLE_CLIENT_ID else []),
        ],
        "frame-ancestors": [NONE],
        "base-uri": [NONE],
        "object-src": [NONE],
    }
}
STAFF_CSP = {  # unfold's Alpine.js needs eval and inline styles: granted on /staff/ and nowhere else
    "script-src": [SELF, UNSAFE_EVAL, UNSAFE_INLINE],
    "style-src": [SELF, UNSAFE_INLINE],
}
TRUSTED_PROXIES = envint("TRUSTED_PROXIES", 0, minimum=0)  # how many proxies of ours stand in front
UNFOLD = {  # the look of /staff/
    "SITE_TITLE": f"{BRAND} support",
    "SITE_HEADER": f"{BRAND} support",
    "SIDEBAR": {
        "navigation": [
            {
                "title": "",
                "items": [
                    {"title": title, "icon": icon, "link": reverse_lazy(f"admin:orgs_{model}_changelist")}
                    for title, icon, model in (
                        ("Orgs", "apartment", "org"),
                        ("People", "person", "person"),
                        ("Memberships", "group", "membership"),
                        ("Invitations", "forward_to_inbox", "invitation"),
                        ("E-mails", "mail", "mail"),
                        ("Audit log", "history", "auditentry"),
                        ("Flags", "flag", "flag"),
                        ("Flag overrides", "tune", "flagoverride"),
                        ("Heartbeats", "monitor_heart", "heartbeat"),
                        ("Queue", "pending_actions", "due"),
                        ("Later", "schedule", "later"),
                    )
                ],
            }
        ]
    },
}

# --- API ---------------------------------------------------------------------------------------------------------
REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["rest_framework.authentication.SessionAuthentication"],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["rest_framework.parsers.JSONParser"],
    "DEFAULT_THROTTLE_CLASSES": ["orgs.ratelimit.ApiThrottle"],
    "EXCEPTION_HANDLER": "orgs.api.handle_exception",
    "UNAUTHENTICATED_USER": "django.contrib.auth.models.AnonymousUser",
}

# --- Files -------------------------------------------------------------------------------------------------------
STATIC_URL = "/static/"
STATIC_ROOT = envstr("STATIC_ROOT", str(STATE_DIR / "static" if IS_LOCAL else BASE_DIR / "staticfiles"))
STATICFILES_DIRS: list[Path] = []
MEDIA_ROOT = envstr("MEDIA_ROOT", str(STATE_DIR / "media" if IS_LOCAL else BASE_DIR / "media"))
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {
        "BACKEND": "django.contrib.staticfiles.storage.ManifestStaticFilesStorage"  # compressing costs the demo 9 s
        if IS_LOCAL
        else "whitenoise.storage.CompressedManifestStaticFilesStorage"
    },
}
WHITENOISE_MAX_AGE = 3600
MAX_BODY_BYTES = envint("MAX_BODY_BYTES", 25 * 1024 * 1024, minimum=1024)
DATA_UPLOAD_MAX_MEMORY_SIZE = 2 * 1024 * 1024
DATA_UPLOAD_MAX_NUMBER_FIELDS = 2000

# --- WhatsApp of the demo: integrations.whatsapp.standin plays Evolution API --------------------------------------
STANDIN_URL = envstr("STANDIN_URL", "http://127.0.0.1:8099") if IS_DEMO else ""
STANDIN_API_KEY = kept_secret("standin_api_key", lambda: secrets.token_urlsafe(32)) if IS_DEMO else ""
STANDIN_CONTROL_TOKEN = kept_secret("standin_control_token", lambda: secrets.token_urlsafe(32)) if IS_DEMO else ""

# --- E-mail ------------------------------------------------------------------------------------------------------
DEFAULT_FROM_EMAIL = envstr("DEFAULT_FROM_EMAIL", f"{BRAND} <no-reply@example.com>" if IS_LOCAL else "") or envstr(
    "DEFAULT_FROM_EMAIL", hint="Set it to the sender of our e-mails, such as Qify SDR <no-reply@example.com>."
)
SERVER_EMAIL = DEFAULT_FROM_EMAIL
EMAIL_TIMEOUT = 15
MAIL_DIR = STATE_DIR / "mail"
if IS_DEMO:
    EMAIL_BACKEND = "django.core.mail.backends.filebased.EmailBackend"
    EMAIL_FILE_PATH = str(MAIL_DIR)
elif ENVIRONMENT != "test":
    EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    EMAIL_HOST = envstr("EMAIL_HOST", hint="Set it to the SMTP server that sends our e-mails.")
    EMAIL_PORT = envint("EMAIL_PORT", 587)
    EMAIL_HOST_USER = envstr("EMAIL_HOST_USER", "")
    EMAIL_HOST_PASSWORD = envsecret("EMAIL_HOST_PASSWORD", default="")
    EMAIL_USE_TLS = envbool("EMAIL_USE_TLS", True)

# --- Work --------------------------------------------------------------------------------------------------------
Q_CLUSTER = {
    "name": "jobs",
    "orm": "default",
    "workers": envint("WORKERS", 2, minimum=1),
    "timeout": 600,
    "retry": 660,  # longer than timeout: a task is never given out while it still runs
    "max_attempts": 5,
    "ack_failures": True,
    "save_limit": -1,  # a limit would lock all saved rows for each finished task (STACK 5)
    "catch_up": False,
    "poll": 0.5,
    "bulk": 1,
    "label": "Jobs",
    "guard_cycle": 1,
    "ALT_CLUSTERS": {
        "shifts": {  # manage.py shifts: each of its workers works one shift after another
            "workers": envint("SHIFT_WORKERS", 2, minimum=1),
            "timeout": 240,  # 45 s, then the longest kind (150 s), and room to give rows back
            "retry": 300,
            "queue_limit": 1,  # a call fetched ahead is one that no other machine can answer
            "max_attempts": 1,  # a shift is called for anew, not tried again
            "poll": 0.2,
            "scheduler": False,  # of ours only the other cluster keeps schedules
        }
    },
}

# --- Seeing ------------------------------------------------------------------------------------------------------
TRUST_REQUEST_ID = envbool("TRUST_REQUEST_ID", False)  # only behind a proxy of ours that overwrites X-Request-ID
SENTRY_DSN = envsecret("SENTRY_DSN", default="")
LOGGING = logs.config(
    json_lines=envbool("LOG_JSON", not IS_LOCAL),
    level=envstr("LOG_LEVEL", "WARNING" if ENVIRONMENT == "test" else "INFO"),
)

# --- Ports: who implements what ------------------------------------------------------------------------------------
SDR_BRAINS = {
    "playbook": "conversations.playbook.brain.PlaybookBrain",
    "gemini": "conversations.brains.FallbackBrain",  # SDR_MODEL_BRAIN, then the playbook
}
GEMINI_API_KEY = envsecret("GEMINI_API_KEY", default=None) or ""  # of a paid project: the free tier learns from inputs
GEMINI_BASE_URL = envstr("GEMINI_BASE_URL", "").rstrip("/")  # empty: Google's
GEMINI_API_VERSION = envstr("GEMINI_API_VERSION", "")  # empty: the SDK's, v1
GEMINI_MODEL = envstr("GEMINI_MODEL", "gemini-3.8-flash")
GEMINI_THINKING_LEVEL = envstr("GEMINI_THINKING_LEVEL", "low")
GEMINI_TRANSCRIPTION_MODEL = envstr("GEMINI_TRANSCRIPTION_MODEL", "gemini-3.5-flash-lite")
SDR_MODEL_BRAIN = "integrations.gemini.configured.brain" if GEMINI_API_KEY else ""
SDR_TRANSCRIBER = "integrations.gemini.configured.transcriber" if GEMINI_API_KEY else ""
USD_BRL_RATE = envdecimal("USD_BRL_RATE")  # reais for a dollar, to show costs in R$, and the day it was read
USD_BRL_DATE = envdate("USD_BRL_DATE")
if (USD_BRL_RATE is None) != (USD_BRL_DATE is None):
    raise ImproperlyConfigured("USD_BRL_RATE and USD_BRL_DATE belong together: set both, or neither.")
EVOLUTION_URL = envstr("EVOLUTION_URL", STANDIN_URL).rstrip("/")  # of the installation; orgs may have their own
EVOLUTION_API_KEY = envsecret("EVOLUTION_API_KEY", default=STANDIN_API_KEY or None) or ""
ORGS_NAME_SERVERS = envbool("ORGS_NAME_SERVERS", True)  # whether an org may use an Evolution server of its own
WEBHOOK_BASE_URL = envstr("WEBHOOK_BASE_URL", f"http://127.0.0.1:{PORT}" if IS_DEMO else "").rstrip("/")  # or SITE_URL
SIGNING_PROXY_URL = envstr("SIGNING_PROXY_URL", "").rstrip("/")  # as Evolution reaches it: webhooks are then signed
SIGNING_PROXY_KEYRING = [
    secret.strip() for secret in (envsecret("SIGNING_PROXY_KEYRING", default=None) or "").split(",") if secret.strip()
]
if SIGNING_PROXY_URL and not SIGNING_PROXY_KEYRING:
    raise ImproperlyConfigured("SIGNING_PROXY_KEYRING is not set. SIGNING_PROXY_URL needs the proxy's master secrets.")
SDR_TRANSPORT = "integrations.whatsapp.transport.for_number"
SDR_QUARANTINE = "integrations.quarantine.keep_unstored"  # what was read back and cannot be stored
SDR_GAP_SECONDS = envint("SDR_GAP_SECONDS", 240, minimum=1)  # between two looks for lost webhooks, per number
SDR_PACING = envbool("SDR_PACING", True)  # off only to measure: numbers then send as fast as they can

# --- Stripe (billing comes later; these must stand before the first migration) ----------------------------------
STRIPE_LIVE_MODE = envbool("STRIPE_LIVE_MODE", False)
STRIPE_TEST_SECRET_KEY = envsecret("STRIPE_TEST_SECRET_KEY", default="")
STRIPE_LIVE_SECRET_KEY = envsecret("STRIPE_LIVE_SECRET_KEY", default="")
STRIPE_API_VERSION = "2026-05-27.dahlia"
DJSTRIPE_FOREIGN_KEY_TO_FIELD = "id"
DJSTRIPE_SUBSCRIBER_MODEL = "orgs.Org"
DJSTRIPE_SUBSCRIBER_MODEL_REQUEST_CALLBACK = "billing.callbacks.org_from_request"
DJSTRIPE_SUBSCRIBER_CUSTOMER_KEY = "djstripe_subscriber"

# --- Features (PRODUCT 7): defaults; orgs.flags reads them with overrides and percentage --------------------------
FEATURES = {
    name: envbool(name, False)
    for name in ("FEATURE_EVENTBRIDGE", "FEATURE_S3_MEDIA", "FEATURE_GOOGLE_CALENDAR", "FEATURE_ANALYTICS")
}

SILENCED_SYSTEM_CHECKS: list[str] = []
