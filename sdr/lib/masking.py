"""What must not be read in a log line, a trace or an error report: recognised and masked, in text and in any value.

Used last before anything leaves the process: log lines (sdr/lib/logs.py), spans (traces.py), Sentry events (sentry.py).
Phones keep their last four digits, e-mails their domain, tokens and identity numbers nothing. UUIDs, ISO times and IPv4
addresses stay whole. A lead's words cannot be recognised by form: fields that hold them are replaced by length and
hash, and so is the message of an exception, unless its type is known to speak of the machinery only.
Rule: PRODUCT 7 ("masked PII") and PRODUCT 8; STYLE C2.27.
"""

from __future__ import annotations

import hashlib
import re
import secrets as random
import traceback
from collections.abc import Mapping, Set
from datetime import date, time, timedelta
from enum import Enum
from functools import lru_cache
from pathlib import PurePath
from types import TracebackType
from typing import Any
from uuid import UUID

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

from sdr.lib.secrets import Secret

MASK = "[masked]"
MAX_TEXT = 32_768  # characters of one string
MAX_ITEMS = 200
MAX_DEPTH = 12
PHONE_DIGITS_SHOWN = 4
SUSPECT_DIGITS = 8
SUSPECT_NUMBER = 10_000_000  # eight digits: from here on a number may be a phone

# Fields that hold a lead's words.
SPOKEN = frozenset({"text", "body", "prompt", "transcript", "caption", "quoted", "draft", "instructions"})
# Fields that hold a secret, wherever one of these appears in their name.
SECRET = re.compile(
    r"passw|secret|token|authori[sz]ation|cookie|api_?-?key|credential|signature|private_?key|session_?(?:key|id)|csrf"
    r"|otp|qr_?code",
    re.IGNORECASE,
)
# Fields that name a person.
PERSONAL = frozenset({"phone", "telefone", "celular", "msisdn", "wa_id", "jid", "remotejid", "pushname", "push_name",
                      "cpf", "cnpj"})  # fmt: skip
# Fields whose digits are an identity of ours or of the trace, and never a person's.
IDENTITY = frozenset({"request_id", "correlation_id", "trace_id", "span_id", "parent_span_id", "event_id", "org",
                      "org_id",
                      "person", "person_id", "conversation_id", "contact_id", "message_id", "job_id", "task_id", "pid",
                      "process", "thread", "lineno"})  # fmt: skip
MEASURE = re.compile(
    r"(?:^|_)(?:ns|us|ms|seconds|bytes|size|count|total|length|tokens|created|ts|timestamp|time)$", re.IGNORECASE
)
HEX_IDENTITY = re.compile(r"[0-9a-f]{16}|[0-9a-f]{32}|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)

# Exceptions whose text is about the machinery, by class name: connections, files, configuration, our own wording.
PLAIN_SPOKEN = frozenset(
    {"ImproperlyConfigured", "UnreadableSecret", "PortError", "HttpError", "AttributeError", "NameError", "ImportError",
     "ModuleNotFoundError", "NotImplementedError", "RecursionError", "OperationalError", "InterfaceError",
     "ConnectionTimeout",
        "ZeroDivisionError", "ConnectionError", "ConnectionRefusedError", "ConnectionResetError", "BrokenPipeError",
     "TimeoutError", "FileNotFoundError", "PermissionError", "NoReverseMatch", "TemplateDoesNotExist"}
)  # fmt: skip

_SEP = r"[\s.\-‐-―/]"
_WHOLE = (
    r"(?P<whole>"
    r"(?<![0-9A-Za-z])[0-9A-Fa-f]{8}-(?:[0-9A-Fa-f]{4}-){3}[0-9A-Fa-f]{12}(?![0-9A-Za-z])"  # UUID
    r"|(?<!\d)(?:19|20)\d\d-[01]\d-[0-3]\d(?!\d)(?:[T ][0-2]\d:[0-5]\d(?::[0-6]\d(?:[.,]\d{1,6})?)?(?!\d))?"  # ISO time
    r"|(?<![\d.])(?:(?:25[0-5]|2[0-4]\d|1?\d?\d)\.){3}(?:25[0-5]|2[0-4]\d|1?\d?\d)(?![\d.]|-\d)"  # IPv4
    r")"
)
_SECRETS = (
    r"(?P<secret>"
    r"\b(?i:bearer|basic)\s+[\w.~+/=-]{6,}"
    r"|\beyJ[\w-]{8,2048}\.[\w-]+\.?[\w-]*"  # JWT
    r"|\bAIza[\w-]{20,}|\bEAA\w{20,}|\bya29\.[\w.-]+|\b1//0[\w-]{20,}|\bGOCSPX-[\w-]+"  # Google, Meta
    r"|\b(?:sk|pk|rk)_(?:live|test)_\w+|\bwhsec_\w+"  # Stripe
    r"|\bpat-(?:na|eu)\d-[\w-]+|\bxox[abprs]-[\w-]+|hooks\.slack\.com/services/[\w/]+"  # HubSpot, Slack
    r"|\bgh[pousr]_\w{20,}|\bAKIA[0-9A-Z]{12,}"  # GitHub, AWS
    r"|\bv1:[0-9a-f]{12}:[\w=-]{40,}|\bgAAAA[\w=-]{40,}"  # our own sealed values
    r"|-----BEGIN [A-Z ]{0,32}PRIVATE KEY-----[\s\S]*?(?:-----END [A-Z ]{0,32}PRIVATE KEY-----|\Z)"
    r"|(?<=://)[^\s/@:]{1,128}:[^\s/@]{1,128}(?=@)"  # user and password in an address
    r")"
)
# Every repetition below is bounded: the text is foreign, and it must not decide how long we search.
_ASSIGNED = (
    r"(?P<name>(?i:passw|secret|token|authorization|cookie|api_?-?key|signature|csrf|session_?(?:key|id))[\w-]{0,32}"
    r"[\"']?\s{0,4}[=:]\s{0,4})(?:(?i:bearer|basic|token)\s{1,4})?(?:\"[^\"]{0,4096}\"|'[^']{0,4096}'|(?!\s)[^\s\"'&,;}\])]{1,4096})"
)
_QUERY = r"(?P<query>\?[\w%.\-\[\]+]{1,128}=[^\s\"'<>]*)"
_EMAIL = r"(?P<email>[\w.+'-]{1,64})(?P<domain>(?:@|%40)[\w-]{1,63}(?:\.[\w-]{1,63}){1,8})"
_IDENTITY_NUMBER = (
    r"(?P<number>(?<!\d)\d{3}\.\d{3}\.\d{3}[-/.\s]?\d{2}(?!\d)"  # CPF
    r"|(?<![0-9A-Za-z])[0-9A-Z]{2}\.[0-9A-Z]{3}\.[0-9A-Z]{3}/[0-9A-Z]{4}-?\d{2}(?!\d))"  # CNPJ, alphanumeric since 2026
)
_PHONE = (
    r"(?P<phone>"
    rf"\+[(\s]?\d(?:(?:{_SEP}|[()]){{0,3}}\d){{7,}}"  # international, any grouping
    rf"|\(0?\d{{2,3}}\)(?:{_SEP}{{0,2}}\d){{7,}}"  # area code in brackets
    rf"|(?:(?<!\d)\d{{2,3}}{_SEP}{{1,2}})?(?:\(?(?<!\d)\d{{2,3}}\)?{_SEP}{{1,2}})?(?:9{_SEP})?\d{{4,}}{_SEP}{{1,2}}\d{{4}}(?!\d)"
    rf"|(?<!\d)\d{{3}}{_SEP}\d{{3}}{_SEP}\d{{3,4}}(?!\d)|(?<!\d)\d{{3}}(?:{_SEP}\d\d){{3}}(?!\d)"
    rf"|(?<!\d)\d{{2,3}}{_SEP}{{1,2}}\d{{2,3}}{_SEP}{{1,2}}\d{{8,9}}(?!\d)"
    r"|\d{8,}"
    r")"
)
_PATTERN = re.compile("|".join((_WHOLE, _SECRETS, _ASSIGNED, _QUERY, _EMAIL, _IDENTITY_NUMBER, _PHONE)))
# Nothing of the above can match without one of these: most log strings are short words and skip the pattern.
_SUSPICIOUS = re.compile(
    r"\d(?:\D{0,4}\d){7}|@|%40|\?|://|[=:]|(?i:bearer|basic)|AIza|EAA|ya29|GOCSPX|[srp]k_|whsec|pat-|xox|gh._|AKIA"
    r"|gAAAA|eyJ|1//0|BEGIN|hooks|/[0-9A-Z]{4}-"
)


def mask_text(text: str) -> str:
    """`text` without phones, e-mails, identity numbers, tokens and query strings. Longer than MAX_TEXT is cut."""
    if len(text) > MAX_TEXT:
        text = text[:MAX_TEXT] + "…"
    if not _SUSPICIOUS.search(text):
        return text
    return _PATTERN.sub(_replacement, text)


def mask(value: Any, key: str = "") -> Any:
    """A copy of `value` that may be shown: JSON types only, masked recursively.

    `key` is the name of the field that holds it. Bytes are decoded; objects that are not JSON types become their masked
    `repr`. Depth, items and lengths are bounded, so cycles end.
    """
    return _mask(value, key.lower(), 0)


def digest(text: str) -> str:
    """Length and a keyed hash of `text`: enough to see that two are the same, not what they say."""
    hashed = hashlib.blake2b(text.encode("utf-8", "replace"), key=_digest_key(), digest_size=5).hexdigest()
    return f"[{len(text)} characters, hash h{hashed}]"


def exception_text(type_name: str, message: str) -> str:
    """What may be said of an exception's message: masked if its type is known to be harmless, else only its digest."""
    if not message:
        return ""
    return mask_text(message) if type_name.rpartition(".")[2] in PLAIN_SPOKEN else digest(message)


def exception_trace(error: BaseException, trace: TracebackType | None) -> str:
    """The traceback of `error` and of what caused it, with every message passed through `exception_text`; no locals."""
    lines: list[str] = []
    seen: set[int] = set()
    _describe(error, trace, lines, seen)
    return "".join(lines).rstrip("\n")


def _describe(error: BaseException, trace: TracebackType | None, lines: list[str], seen: set[int]) -> None:
    seen.add(id(error))
    earlier = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    if earlier is not None and id(earlier) not in seen and len(seen) < MAX_DEPTH:
        _describe(earlier, earlier.__traceback__, lines, seen)
        lines.append("\nwhich led to\n\n")
    if trace is not None:
        lines.append("Traceback (most recent call last):\n")
        lines.extend(traceback.StackSummary.extract(traceback.walk_tb(trace), limit=-50).format())
    kind = type(error)
    name = kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"
    text = exception_text(kind.__name__, _say(error))
    lines.append(f"{name}: {text}\n" if text else f"{name}\n")
    if isinstance(error, BaseExceptionGroup):
        for inner in error.exceptions[:MAX_DEPTH]:
            if id(inner) not in seen:
                lines.append("\nin this group\n\n")
                _describe(inner, inner.__traceback__, lines, seen)


def _say(value: object) -> str:
    try:
        return str(value)
    except Exception:  # a __str__ that fails must not cost the line
        return ""


def _mask(value: Any, key: str, depth: int) -> Any:
    if value is None or value is True or value is False:
        return value
    kind = type(value)
    if kind is str:
        return _mask_field(value, key)
    if kind is int:
        return _mask_number(value, key)
    if kind is float:
        return _mask_number(value, key) if value.is_integer() else value
    return _mask_other(value, key, depth)


def _mask_field(text: str, key: str) -> str:
    if not key:
        return mask_text(text)
    if key in SPOKEN:
        return digest(text)
    if key in PERSONAL:
        return _keep_tail(text)
    if SECRET.search(key):
        return MASK if text else text
    if key in IDENTITY and HEX_IDENTITY.fullmatch(text):
        return text
    return mask_text(text)


def _mask_number(number: int | float, key: str) -> int | float | str:
    if key in PERSONAL or key in SPOKEN:
        return _keep_tail(str(number))
    if abs(number) < SUSPECT_NUMBER or key in IDENTITY or MEASURE.search(key):
        return number
    return _keep_tail(str(int(number)))


def _mask_other(value: Any, key: str, depth: int) -> Any:
    if isinstance(value, Secret):
        return MASK
    if depth >= MAX_DEPTH:
        return "…"
    if isinstance(value, Mapping):
        return {_mask_key(name): _mask(item, _name(name), depth + 1) for name, item in list(value.items())[:MAX_ITEMS]}
    if isinstance(value, list | tuple | Set):
        return [_mask(item, key, depth + 1) for item in list(value)[:MAX_ITEMS]]
    if isinstance(value, bytes | bytearray | memoryview):
        return _mask_field(bytes(value[:MAX_TEXT]).decode("utf-8", "replace"), key)
    if isinstance(value, Enum):
        return _mask(value.value, key, depth + 1)
    if isinstance(value, str):
        return _mask_field(str(value), key)
    if isinstance(value, int):
        return _mask_number(int(value), key)
    if isinstance(value, date | time | timedelta | UUID):
        return str(value)
    if isinstance(value, BaseException):
        name = type(value).__name__
        return f"{name}: {exception_text(name, _say(value))}"
    if isinstance(value, PurePath):
        return _mask_field(str(value), key)
    return _mask_object(value, key)


def _mask_object(value: Any, key: str) -> str:
    try:
        text = repr(value)
    except Exception:  # a __repr__ that fails must not cost the line
        text = f"<{type(value).__qualname__}>"
    return _mask_field(text, key)


def _mask_key(name: Any) -> str:
    return mask_text(name) if type(name) is str else str(_mask(name, "", 0))


def _name(name: Any) -> str:
    return name.lower() if isinstance(name, str) else ""


def _replacement(match: re.Match[str]) -> str:
    kind = match.lastgroup
    found = match.group()
    if kind == "whole":
        return found
    if kind == "phone":
        return _keep_tail(found)
    if kind == "domain":
        return _mask_mailbox(match["email"]) + match["domain"]
    if kind == "name":
        return match["name"] + MASK
    if kind == "query":
        return "?" + MASK
    return MASK


def _mask_mailbox(mailbox: str) -> str:
    digits = sum(letter.isdigit() for letter in mailbox)
    return "****" + mailbox[-PHONE_DIGITS_SHOWN:] if digits == len(mailbox) >= SUSPECT_DIGITS else "****"


def _keep_tail(text: str) -> str:
    """Four stars and the last four digits; nothing of a text that is hardly longer than that."""
    digits = [letter for letter in text if letter.isdigit()]
    return "****" + "".join(digits[-PHONE_DIGITS_SHOWN:]) if len(digits) >= SUSPECT_DIGITS else "****"


@lru_cache(maxsize=1)
def _digest_key() -> bytes:
    try:
        key = str(settings.SECRET_KEY)
    except ImproperlyConfigured:
        return random.token_bytes(32)
    return hashlib.blake2b(key.encode(), person=b"sdr.masking", digest_size=32).digest()
