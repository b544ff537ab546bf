"""Secrets at rest: a keyring of Fernet keys, a model field that seals what it stores, and the rotation of old rows.

The keyring is the Django setting `SECRETS_KEYRING` (`list[str]`, urlsafe base64, 32 bytes each): the first key seals,
every key unseals. It is read at use time. A sealed value is `v1:<fingerprint of its key>:<Fernet token>`, so a value
whose key is gone names that key, and a value that waits for rotation is found by its prefix. Fernet: AES-128-CBC with
HMAC-SHA256, see https://cryptography.io/en/latest/fernet/. Rule: PRODUCT 8, "secrets encrypted and rotatable".
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NoReturn

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.conf import settings
from django.core import checks
from django.core.exceptions import FieldError, ImproperlyConfigured
from django.db import models
from django.db.models.query_utils import DeferredAttribute
from psycopg import sql

if TYPE_CHECKING:
    from django.db.backends.base.base import BaseDatabaseWrapper
    from django.db.models.expressions import Combinable

    _TextField = models.TextField[str | Combinable, str]
else:
    _TextField = models.TextField

FORMAT = "v1"
FINGERPRINT_DIGITS = 12
ROTATION_BATCH_ROWS = 500
ROTATION_PASSES = 10


class UnreadableSecret(Exception):
    """A stored value that no key of the keyring opens. The message names the missing key, never the value."""


class Secret(str):
    """A string that does not show itself: `repr()` and thereby tracebacks, debuggers and `%r` print a mask.

    It is the plain text everywhere else (`str()`, concatenation, headers). The log masker replaces it whole.
    """

    __slots__ = ()

    def __repr__(self) -> str:
        return "'[secret]'"


@dataclass(frozen=True)
class Keyring:
    """The keys in use: `current` is the fingerprint that seals, `fernets` maps each fingerprint to its key."""

    current: str
    fernets: dict[str, Fernet] = field(repr=False)
    multi: MultiFernet = field(repr=False)

    @property
    def prefix(self) -> str:
        """What every value sealed by the current key starts with."""
        return f"{FORMAT}:{self.current}:"


def keyring() -> Keyring:
    """The keyring of the settings. Raises ImproperlyConfigured, saying what to set, when it is empty or malformed."""
    return _keyring(tuple(getattr(settings, "SECRETS_KEYRING", ()) or ()))


def fingerprint(key: str) -> str:
    """The public name of a key: the first hex digits of its SHA-256."""
    return hashlib.sha256(key.encode()).hexdigest()[:FINGERPRINT_DIGITS]


def generate_key() -> str:
    """A new random key for the keyring (urlsafe base64, 32 bytes)."""
    return Fernet.generate_key().decode()


def seal(text: str) -> str:
    """Encrypt `text` with the keyring's first key. Returns ASCII that is safe in a text column."""
    ring = keyring()
    return ring.prefix + ring.multi.encrypt(text.encode("utf-8", "surrogatepass")).decode()


def unseal(sealed: str) -> Secret:
    """Decrypt what `seal` returned. Raises UnreadableSecret when the key is missing or the value is damaged."""
    ring = keyring()
    name, token = _parse(sealed)
    if name not in ring.fernets:
        raise UnreadableSecret(
            f"Sealed with key {name}, which is not in SECRETS_KEYRING (it has {', '.join(ring.fernets)}). "
            "Put that key back after the first one and run `manage.py rotate_secrets`."
        )
    try:
        plain = ring.fernets[name].decrypt(token)
    except InvalidToken:
        # The value must not travel along as __context__ of what reports will print.
        raise UnreadableSecret(f"Damaged: key {name} is here but does not open the stored value.") from None
    return Secret(plain.decode("utf-8", "surrogatepass"))


def is_current(sealed: str) -> bool:
    """Whether `sealed` was made by the keyring's first key."""
    return sealed.startswith(keyring().prefix)


def rotate(sealed: str) -> str:
    """Seal again with the first key; a value that is current already is returned unchanged. Raises UnreadableSecret."""
    return sealed if is_current(sealed) else seal(unseal(sealed))


class SecretAttribute(DeferredAttribute):
    """Keeps what is assigned to an EncryptedTextField as a `Secret`."""

    def __set__(self, instance: models.Model, value: Any) -> None:
        instance.__dict__[self.field.attname] = Secret(value) if type(value) is str else value


class EncryptedTextField(_TextField):
    """A text column that holds only sealed values.

    Python sees a `Secret`; the database and its logs see ciphertext. NULL and the empty string stay what they are. It
    cannot be searched, ordered, indexed or dumped as a fixture: sealing the same text twice gives two values.
    Reading raises UnreadableSecret when no key opens the value.
    """

    descriptor_class = SecretAttribute

    def get_prep_value(self, value: Any) -> Any:
        """The sealed value for the database."""
        if value is None or value == "" or hasattr(value, "resolve_expression"):
            return value
        return seal(str(value))

    def from_db_value(self, value: str | None, expression: object, connection: object) -> Secret | None:
        """The plain value for Python, as a Secret. Raises UnreadableSecret naming the column and the key."""
        if value is None:
            return None
        if value == "":
            return Secret()
        try:
            return unseal(value)
        except UnreadableSecret as error:
            raise UnreadableSecret(f"{self.model._meta.label}.{self.name}: {error}") from None

    def get_lookup(self, lookup_name: str) -> type[models.Lookup[Any]] | None:
        """Only `isnull` can be asked of a sealed value; anything else raises FieldError instead of finding nothing."""
        if lookup_name == "isnull":
            return super().get_lookup(lookup_name)
        raise FieldError(f"{self.name} is encrypted and cannot be searched ({lookup_name}).")

    def value_to_string(self, obj: models.Model) -> NoReturn:
        """Fixtures would hold plain secrets: refused with TypeError."""
        raise TypeError(f"{self.name} is encrypted and cannot be serialised.")

    def check(self, **kwargs: Any) -> list[checks.CheckMessage]:
        """Refuse options that need to compare stored values."""
        if not (getattr(self, "db_index", False) or self.unique):
            return super().check(**kwargs)
        return [
            *super().check(**kwargs),
            checks.Error(
                "An encrypted field cannot be indexed or unique.",
                hint="Sealing the same text twice gives two values. Index a hash in a column of its own.",
                obj=self,
                id="sdr.E101",
            ),
        ]


@dataclass
class Rotation:
    """Counts of one rotated column: values sealed anew, and primary keys of those that no key opens."""

    rotated: int = 0
    unreadable: list[str] = field(default_factory=list)


def encrypted_fields(
    candidates: Sequence[type[models.Model]],
) -> Iterator[tuple[type[models.Model], models.Field[Any, Any]]]:
    """Each (model, field) among concrete, managed `candidates` that holds sealed values, once per table."""
    for model in candidates:
        if model._meta.proxy or not model._meta.managed:
            continue
        for column in model._meta.local_concrete_fields:
            if isinstance(column, EncryptedTextField):
                yield model, column


def rotate_column(
    connection: BaseDatabaseWrapper,
    model: type[models.Model],
    column: models.Field[Any, Any],
    *,
    batch_rows: int = ROTATION_BATCH_ROWS,
    after_batch: Callable[[], None] = lambda: None,
) -> Rotation:
    """Seal every stale value of one column with the first key, in the schema that `connection` stands in.

    Batches go by primary key, each row is a compare-and-swap of its own, so a value changed meanwhile is never
    overwritten, and stopping anywhere leaves every row readable. Running it again continues. A row changed meanwhile by
    a process that still holds the old keyring is met in the next pass. `connection` must be in autocommit mode;
    `after_batch` is called after each batch of `batch_rows` rows, for progress.
    """
    prefix = keyring().prefix
    table, name = sql.Identifier(model._meta.db_table), sql.Identifier(str(column.column))
    key_column = sql.Identifier(str(model._meta.pk.column))
    names = {"pk": key_column, "col": name, "table": table}
    stale = "SELECT {pk}, {col} FROM {table} WHERE {col} <> '' AND NOT starts_with({col}, %s)"
    first_page = sql.SQL(stale + " ORDER BY {pk} LIMIT %s").format(**names)
    next_page = sql.SQL(stale + " AND {pk} > %s ORDER BY {pk} LIMIT %s").format(**names)
    swap = sql.SQL("UPDATE {table} SET {col} = %s WHERE {pk} = %s AND {col} = %s").format(**names)
    result = Rotation()
    for _ in range(ROTATION_PASSES):
        last: Any = None
        lost = 0
        result.unreadable.clear()
        while True:
            with connection.cursor() as cursor:
                if last is None:
                    cursor.execute(first_page, [prefix, batch_rows])
                else:
                    cursor.execute(next_page, [prefix, last, batch_rows])
                rows = cursor.fetchall()
                for pk, sealed in rows:
                    try:
                        fresh = rotate(sealed)
                    except UnreadableSecret:
                        result.unreadable.append(str(pk))
                        continue
                    cursor.execute(swap, [fresh, pk, sealed])
                    result.rotated += cursor.rowcount
                    lost += 1 - cursor.rowcount
            after_batch()
            if len(rows) < batch_rows:
                break
            last = rows[-1][0]
        if not lost:
            break
    return result


@lru_cache(maxsize=8)
def _keyring(keys: tuple[str, ...]) -> Keyring:
    if not keys:
        raise ImproperlyConfigured(
            "SECRETS_KEYRING is empty: set it to one or more keys separated by commas. Make one with "
            "`python -c 'from cryptography.fernet import Fernet; print(Fernet.generate_key().decode())'`."
        )
    fernets: dict[str, Fernet] = {}
    for position, key in enumerate(keys, start=1):
        try:
            fernets[fingerprint(key)] = Fernet(key)
        except ValueError:
            raise ImproperlyConfigured(
                f"SECRETS_KEYRING: key {position} is not a Fernet key (32 bytes, urlsafe base64)."
            ) from None
    return Keyring(current=fingerprint(keys[0]), fernets=fernets, multi=MultiFernet(list(fernets.values())))


def _parse(sealed: str) -> tuple[str, str]:
    version, _, rest = sealed.partition(":")
    name, _, token = rest.partition(":")
    if version != FORMAT or not name or not token:
        raise UnreadableSecret("Not a sealed value: it was written around the field.")
    return name, token
