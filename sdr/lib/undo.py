"""Taking back what was just done: a message of django.contrib.messages may carry the request that does it.

`undo_tag` makes the `extra_tags` of a message, `undo_form` reads it for the template of the toast. The address and the
fields are ours, travel in the session or a signed cookie, and the request is an ordinary POST with its own checks.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import parse_qsl, urlencode

PREFIX = "undo:"


@dataclass(frozen=True)
class UndoForm:
    """Where to post, and what."""

    action: str
    fields: list[tuple[str, str]]


def undo_tag(action: str, fields: Mapping[str, str | Sequence[int]]) -> str:
    """For `extra_tags`. In: a path of ours, and the form's fields (a list is a field several times)."""
    return f"{PREFIX}{action}?{urlencode(fields, doseq=True)}"


def undo_form(tags: str | None) -> UndoForm | None:
    """What `undo_tag` made; None for any other tags."""
    if not tags or not tags.startswith(f"{PREFIX}/"):
        return None
    action, _, query = tags.removeprefix(PREFIX).partition("?")
    return UndoForm(action, parse_qsl(query, keep_blank_values=True))
