"""Which agent settings hold for a number: its own published version, else the shared one, else the defaults."""

from conversations import rows
from conversations.models import AgentVersion, Number


def number(of: Number) -> AgentVersion:
    """The published version for this number; an unsaved one with PRODUCT 2's defaults when nothing is published."""
    return rows.published(of.pk) or AgentVersion(pk=None)
