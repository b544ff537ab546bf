"""What a guest has in hand: the link in the newest e-mail."""

import re

from orgs.models import Mail


def newest_link(email: str) -> str:
    """Path of the invitation link in the last invitation to the address; it is in both bodies."""
    mail = Mail.objects.filter(to=email, kind="orgs/mail/invitation").latest("pk")
    found = re.search(r"/invitations/[\w-]{43}/", str(mail.text))
    assert found, mail.text
    assert found[0] in str(mail.html)
    return found[0]
