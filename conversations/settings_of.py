"""Which agent settings hold for a number: its own published version, else the shared one, else the defaults."""

from conversations.models import AgentVersion, Number


def number(of: Number) -> AgentVersion:
    """The published version for this number; an unsaved one with PRODUCT 2's defaults when nothing is published."""
    published = AgentVersion.objects.filter(state=AgentVersion.State.PUBLISHED)
    return (
        published.filter(number_id=of.pk).first() or published.filter(number_id=None).first() or AgentVersion(pk=None)
    )
