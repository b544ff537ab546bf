"""Which agent settings hold for a number: its own published version, else the shared one, else the defaults."""

from django.db.models import F, Q

from conversations.models import AgentVersion, Number


def number(of: Number) -> AgentVersion:
    """The published version for this number; an unsaved one with PRODUCT 2's defaults when nothing is published."""
    published = AgentVersion.objects.filter(Q(number_id=of.pk) | Q(number_id=None), state=AgentVersion.State.PUBLISHED)
    own_first = published.order_by(F("number_id").asc(nulls_last=True))
    return own_first.first() or AgentVersion(pk=None)
