"""A brain that only repeats what it heard and asks on: it stands in until the real ones exist, and in tests."""

from django.utils import translation
from django.utils.translation import gettext as _

from conversations.ports import Context, Draft

LONGEST_ECHO_CHARS = 200


class EchoBrain:
    name = "echo"

    async def decide(self, context: Context) -> Draft:
        """One bubble: the disclosure before the first reply, what the lead said last, a question."""
        with translation.override(context.language):
            said = next((line.text for line in reversed(context.lines) if line.author == "lead" and line.text), "")
            heard = said[:LONGEST_ECHO_CHARS].strip() or _("something I cannot read")
            reply = _("I heard: “%(text)s”. What would you like to know about it?") % {"text": heard}
        disclosure = context.disclosure if context.is_first_reply else ""
        return Draft(bubbles=tuple(part for part in (disclosure, reply) if part))
