"""What a schema looks like, for comparison: columns, indexes, constraints, with the schema's own name taken out."""

from django.db import connection

from orgs.models import Org

COLUMNS = """
    SELECT table_name, column_name, data_type, coalesce(character_maximum_length, -1), is_nullable,
           coalesce(column_default, ''), is_identity
    FROM information_schema.columns WHERE table_schema = %s ORDER BY 1, ordinal_position
"""
INDEXES = (
    "SELECT tablename, indexname, replace(indexdef, %s || '.', '') FROM pg_indexes WHERE schemaname = %s ORDER BY 1, 2"
)
CONSTRAINTS = """
    SELECT conrelid::regclass::text, conname, replace(pg_get_constraintdef(oid), %s || '.', '')
    FROM pg_constraint WHERE connamespace = %s::regnamespace ORDER BY 2
"""


def shape(schema: str) -> dict[str, list[tuple[object, ...]]]:
    with connection.cursor() as cursor:
        cursor.execute(COLUMNS, [schema])
        columns = cursor.fetchall()
        cursor.execute(INDEXES, [schema, schema])
        indexes = cursor.fetchall()
        cursor.execute(CONSTRAINTS, [schema, schema])
        constraints = [(str(table).removeprefix(f"{schema}."), *rest) for table, *rest in cursor.fetchall()]
    return {"columns": columns, "indexes": indexes, "constraints": constraints}


def exists(org: Org) -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1 FROM pg_namespace WHERE nspname = %s", [org.schema_name])
        return cursor.fetchone() is not None
