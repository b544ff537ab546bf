"""Who may know whom, what may be named what, and what may never be in the tree (STYLE C2, C3, C4)."""

import ast
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
from django.apps import apps
from django.conf import settings
from django.db import connection
from django.db.models import ForeignKey

from orgs.routing import tenant_labels

ROOT = Path(settings.BASE_DIR)
CODE = ("sdr", "orgs", "conversations", "calendar_sync", "billing", "integrations")
HEAVY_VENDORS = ("google.genai", "mcp", "boto3", "googleapiclient")
NAMELESS = {"utils", "helpers", "services", "common", "misc"}  # a home without a noun collects lodgers
VENDOR_WORDS = re.compile(r"hubspot|eventbridge|stripe|google|gemini", re.IGNORECASE)
ENTERS_A_SCHEMA = {"schema_context", "tenant_context", "set_tenant", "set_schema", "set_schema_to_public", "in_org"}
BINARY = {".png", ".ico", ".mo", ".jpg", ".woff2", ".npz"}
# Spelled in pieces: this file is searched too.
MACHINE_PATHS = re.compile(
    r"(?<![\w.<])/(?:" + "|".join(["ro" + "ot/", "wo" + "rk/", "ho" + r"me/\w+/", "Us" + r"ers/\w+"]) + ")"
)
REGISTRIES = re.compile(
    "|".join(
        [
            "py" + r"pi\.org/simple",
            "files\\.python" + "hosted",
            "artifact" + "ory",
            "index" + r"-url[ =]\S*//",
            "--extra-" + "index",
        ]
    )
)


def modules(*names: str) -> Iterator[tuple[str, ast.Module]]:
    """Path and syntax tree of every Python file of these packages."""
    for name in names:
        for path in sorted((ROOT / name).rglob("*.py")):
            relative = path.relative_to(ROOT).as_posix()
            yield relative, parse(relative)


@cache
def parse(relative: str) -> ast.Module:
    return ast.parse((ROOT / relative).read_text("utf-8"))


@cache
def tracked() -> tuple[Path, ...]:
    """Files in git; without git (an archive of the sources), all files that are not ignored by name."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=False)
    if listed.returncode == 0 and listed.stdout:
        return tuple(path for name in listed.stdout.split("\0") if name and (path := ROOT / name).is_file())
    skipped = {".git", ".venv", ".state", "__pycache__", ".mypy_cache", ".ruff_cache", "staticfiles", "media"}
    return tuple(p for p in ROOT.rglob("*") if p.is_file() and not skipped & set(p.relative_to(ROOT).parts))


def texts() -> Iterator[tuple[str, str]]:
    for path in tracked():
        if path.suffix not in BINARY:
            yield path.relative_to(ROOT).as_posix(), path.read_text("utf-8")


def test_imports_go_down_the_layers() -> None:
    command = [str(Path(sys.executable).with_name("lint-imports")), "--no-cache"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "0 broken" in done.stdout


def test_only_tests_and_the_demo_import_stand_ins() -> None:
    guilty = [
        f"{path} imports {name}"
        for path, tree in modules(*CODE)
        for name in imported(tree)
        if "standin" in name.split(".")
        and not path.startswith("sdr/local/")
        and not re.search(r"/standin(\.py$|/)", path)
    ]
    assert guilty == []


def imported(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def schema_entries_in_coroutines(tree: ast.AST) -> list[int]:
    """Lines that enter a schema on the event loop's thread: inside `async def`, but not inside a `def` within it."""
    found: list[int] = []

    def visit(node: ast.AST, in_coroutine: bool) -> None:
        if isinstance(node, ast.AsyncFunctionDef):
            in_coroutine = True
        elif isinstance(node, (ast.FunctionDef, ast.Lambda)):
            in_coroutine = False
        elif in_coroutine and isinstance(node, (ast.Name, ast.Attribute)):
            name = node.id if isinstance(node, ast.Name) else node.attr
            if name in ENTERS_A_SCHEMA:
                found.append(node.lineno)
        for child in ast.iter_child_nodes(node):
            visit(child, in_coroutine)

    visit(tree, False)
    return found


def test_no_coroutine_enters_an_org() -> None:
    assert [f"{path}:{line}" for path, tree in modules(*CODE) for line in schema_entries_in_coroutines(tree)] == []


@pytest.mark.parametrize(
    ("code", "lines"),
    [
        ("async def f(org):\n    with in_org(org):\n        pass", [2]),
        ("async def f(org):\n    connection.set_tenant(org)", [2]),
        ("async def f(org):\n    def work():\n        with in_org(org): pass\n    await to_thread(work)", []),
        ("def f(org):\n    with in_org(org): pass", []),
    ],
)
def test_the_search_for_coroutines_that_enter_an_org_finds_them(code: str, lines: list[int]) -> None:
    assert schema_entries_in_coroutines(ast.parse(code)) == lines


def test_heavy_vendors_are_not_imported_at_the_start() -> None:
    program = (
        "import os, sys, django\n"
        "django.setup()\n"
        "from django.urls import get_resolver\n"
        "get_resolver().url_patterns\n"
        "import sdr.asgi\n"
        f"print([name for name in {HEAVY_VENDORS!r} if name in sys.modules])\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.stdout.strip().splitlines()[-1:] == ["[]"], done.stdout + done.stderr


def test_heavy_vendors_are_imported_inside_functions_only() -> None:
    guilty = [
        f"{path} imports {name}"
        for path, tree in modules(*CODE)
        for node in tree.body
        if isinstance(node, (ast.Import, ast.ImportFrom))
        for name in imported(node)
        if any(name == vendor or name.startswith(f"{vendor}.") for vendor in HEAVY_VENDORS)
    ]
    assert guilty == []


def test_every_file_is_named_for_what_it_holds() -> None:
    assert [
        str(p.relative_to(ROOT))
        for p in tracked()
        if p.suffix == ".py" and NAMELESS & {p.stem, *p.relative_to(ROOT).parts[:-1]}
    ] == []


def test_nothing_listens_to_rows_being_saved() -> None:
    signals = {"post_save", "pre_save", "post_delete", "pre_delete", "m2m_changed"}
    guilty = [
        f"{path} uses {name}"
        for path, tree in modules(*CODE)
        for name in imported(tree)
        if name.split(".")[-1] in signals
    ]
    assert guilty == []


def test_conversations_name_no_vendor() -> None:
    # Lists of words are the leads' and the drafts', which name whom they like.
    playbook, guards = ROOT / "conversations" / "playbook", ROOT / "conversations" / "guards.py"
    files = [p for p in (ROOT / "conversations").rglob("*.py") if playbook not in p.parents and p != guards]
    files += (ROOT / "templates" / "conversations").rglob("*.*")
    assert files
    assert [str(p.relative_to(ROOT)) for p in files if VENDOR_WORDS.search(p.read_text("utf-8"))] == []


def test_sdr_lib_holds_no_model() -> None:
    assert [m.__name__ for m in apps.get_models() if m.__module__.startswith("sdr.")] == []


def test_no_foreign_key_of_an_org_reaches_into_public_in_the_database() -> None:
    guilty = [
        f"{model._meta.label}.{field.name}"
        for model in apps.get_models(include_auto_created=True)
        if model._meta.app_label in tenant_labels()
        for field in model._meta.get_fields()
        if isinstance(field, ForeignKey)
        and field.remote_field.model._meta.app_label not in tenant_labels()
        and getattr(field, "db_constraint", True)
    ]
    assert guilty == []


def test_no_public_table_points_into_an_org() -> None:
    guilty = [
        f"{model._meta.label}.{field.name}"
        for model in apps.get_models(include_auto_created=True)
        if model._meta.app_label not in tenant_labels()
        for field in model._meta.get_fields()
        if isinstance(field, ForeignKey) and field.remote_field.model._meta.app_label in tenant_labels()
    ]
    assert guilty == []


@pytest.mark.django_db
def test_each_table_is_where_it_belongs() -> None:
    homes: dict[str, set[str]] = {}
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT schemaname, tablename FROM pg_tables WHERE schemaname = 'public' OR schemaname LIKE 'org\\_%'"
        )
        for schema, table in cursor.fetchall():
            homes.setdefault(table, set()).add("public" if schema == "public" else "org")
    wrong = []
    for model in apps.get_models(include_auto_created=True):
        if model._meta.managed and not model._meta.proxy:
            wanted = {"org"} if model._meta.app_label in tenant_labels() else {"public"}
            if homes.get(model._meta.db_table) != wanted:
                wrong.append((model._meta.label, homes.get(model._meta.db_table)))
    assert wrong == []


def test_no_file_names_a_machine_or_a_registry() -> None:
    found = [
        f"{name}: {match[0]}"
        for name, text in texts()
        for pattern in (MACHINE_PATHS, REGISTRIES)
        if (match := pattern.search(text))
    ]
    assert found == []


@pytest.mark.parametrize("name", ["base.txt", "dev.txt", "uv.txt"])
def test_requirements_are_locked_with_hashes_and_without_addresses(name: str) -> None:
    text = (ROOT / "requirements" / name).read_text("utf-8")
    packages = re.findall(r"^[a-z0-9][^\n]*(?:\n[ \t]+[^\n]*)*", text, re.MULTILINE | re.IGNORECASE)
    assert packages
    assert [p.split("\n")[0] for p in packages if "--hash=sha256:" not in p or "==" not in p.split("\n")[0]] == []
    assert "://" not in text


def test_the_lock_holds_what_the_project_declares() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    locked = {
        line.split("==")[0].split("[")[0].lower().replace("_", "-")
        for line in (ROOT / "requirements" / "dev.txt").read_text("utf-8").splitlines()
        if "==" in line
    }
    declared = {
        re.split(r"[\[<>=~!;\s]", item)[0].lower().replace("_", "-")
        for item in [*project["dependencies"], *project["optional-dependencies"]["dev"]]
    }
    assert declared - locked == set()


def test_the_version_comes_from_the_changelog() -> None:
    heads = re.findall(r"^## (.+)$", (ROOT / "CHANGELOG.md").read_text("utf-8"), re.MULTILINE)
    assert heads
    assert [head for head in heads if not re.fullmatch(r"\d+\.\d+\.\d+ · .+", head)] == []
    assert heads[0].split(" ")[0] == settings.VERSION
    versions = [tuple(int(part) for part in head.split(" ")[0].split(".")) for head in heads]
    assert versions == sorted(versions, reverse=True)
