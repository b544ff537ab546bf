"""Rows that every message reads and writes, by statements written down: making them costs more than running them.

A row becomes the model it is, with every field of its own; nothing is asked that the ORM would not ask. Call inside the
org. Locks last until the transaction ends; the order in which they are taken is `intake`'s.
"""

from collections.abc import Callable, Iterable, Sequence
from functools import cache
from typing import Any, TypeVar

from django.db import DEFAULT_DB_ALIAS, DatabaseError, connection
from django.db.models import Field, Model

from conversations.models import AgentVersion, Conversation, Message, Number

M = TypeVar("M", bound=Model)
Converter = Callable[[Any, Any, Any], Any]


# --- Any model --------------------------------------------------------------------------------------------------------
def fetch(model: type[M], tail: str, values: Sequence[Any]) -> list[M]:
    """The rows that `SELECT … FROM <its table> <tail>` finds; the table is called `t`."""
    sql, names, converters = _shape(model)
    with connection.cursor() as cursor:
        cursor.execute(f"{sql} {tail}", values)
        found = cursor.fetchall()
    return [model.from_db(DEFAULT_DB_ALIAS, names, _converted(row, converters)) for row in found]


def first(model: type[M], tail: str, values: Sequence[Any]) -> M | None:
    """The first row of `fetch`, None when there is none."""
    return next(iter(fetch(model, tail, values)), None)


def exists(model: type[Model], condition: str, values: Sequence[Any]) -> bool:
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT 1 FROM {model._meta.db_table} t WHERE {condition} LIMIT 1", values)  # noqa: S608  # ours
        return cursor.fetchone() is not None


def insert(made: M) -> M:
    """Store a new row; it gets its id. Raises IntegrityError. Out: the same."""
    sql, fields = _insert(type(made))
    with connection.cursor() as cursor:
        cursor.execute(sql, [field.get_db_prep_save(field.pre_save(made, True), connection) for field in fields])
        made.pk = cursor.fetchone()[0]
    made._state.adding = False
    made._state.db = DEFAULT_DB_ALIAS
    return made


def update(row: Model, names: Iterable[str]) -> None:
    """Write these fields of a stored row. Raises DatabaseError when it is gone."""
    fields = _fields(type(row), frozenset(names))
    columns = ", ".join(f'"{field.column}" = %s' for field in fields)
    values = [field.get_db_prep_save(field.pre_save(row, False), connection) for field in fields]
    with connection.cursor() as cursor:
        cursor.execute(f"UPDATE {row._meta.db_table} SET {columns} WHERE id = %s", [*values, row.pk])  # noqa: S608
        if cursor.rowcount != 1:
            raise DatabaseError("the row is gone")


def all_fields(model: type[Model]) -> frozenset[str]:
    """The names of what `update` can write."""
    return frozenset(field.name for field in model._meta.concrete_fields if not field.primary_key)


@cache
def _shape(model: type[Model]) -> tuple[str, list[str], list[tuple[int, list[Converter], Any]]]:
    """SELECT … FROM …, the attributes in that order, and how columns become values where they do not as they are."""
    fields = model._meta.concrete_fields
    columns = ", ".join(f't."{field.column}"' for field in fields)
    converters = []
    for place, field in enumerate(fields):
        column = field.get_col(model._meta.db_table)
        used = [*connection.ops.get_db_converters(column), *field.get_db_converters(connection)]
        if used:
            converters.append((place, used, column))
    names = [field.attname for field in fields]
    return f"SELECT {columns} FROM {model._meta.db_table} t", names, converters  # noqa: S608  # our names


def _converted(row: tuple[Any, ...], converters: list[tuple[int, list[Converter], Any]]) -> Sequence[Any]:
    if not converters:
        return row
    values = list(row)
    for place, used, column in converters:
        for convert in used:
            values[place] = convert(values[place], column, connection)
    return values


@cache
def _insert(model: type[Model]) -> tuple[str, list["Field[Any, Any]"]]:
    key = model._meta.pk
    fields = [field for field in model._meta.concrete_fields if field is not key]
    columns = ", ".join(f'"{field.column}"' for field in fields)
    places = ", ".join(["%s"] * len(fields))
    return f"INSERT INTO {model._meta.db_table} ({columns}) VALUES ({places}) RETURNING id", fields  # noqa: S608


@cache
def _fields(model: type[Model], names: frozenset[str]) -> list["Field[Any, Any]"]:
    found = [field for field in model._meta.concrete_fields if field.name in names]
    if len(found) != len(names):
        raise ValueError(f"{model.__name__} has not all of the fields {sorted(names)}")
    return found


# --- What answers need ------------------------------------------------------------------------------------------------
def conversation_locked(pk: int) -> Conversation | None:
    """The conversation, locked for update; None when there is none (erased, or merged into another)."""
    return first(Conversation, "WHERE t.id = %s FOR UPDATE", [pk])


def number(pk: int) -> Number:
    """The number as it is now, not locked. Raises Number.DoesNotExist."""
    found = first(Number, "WHERE t.id = %s", [pk])
    if found is None:
        raise Number.DoesNotExist
    return found


def published(number_id: int) -> AgentVersion | None:
    """The published version for this number, else the shared one, else None."""
    return first(
        AgentVersion,
        "WHERE t.state = %s AND (t.number_id = %s OR t.number_id IS NULL) ORDER BY t.number_id NULLS LAST LIMIT 1",
        [AgentVersion.State.PUBLISHED.value, number_id],
    )


def newest_unanswered(conversation: Conversation, *, silent: Iterable[str]) -> Message | None:
    """The lead's newest message above the watermark that wants an answer; kinds in `silent` want none."""
    return first(
        Message,
        "WHERE t.conversation_id = %s AND t.author = %s AND t.seq > %s AND t.deleted_at IS NULL AND NOT t.is_backlog"
        " AND t.kind <> ALL(%s) ORDER BY t.seq DESC LIMIT 1",
        [conversation.pk, Message.Author.LEAD.value, conversation.watermark, [str(kind) for kind in silent]],
    )
