"""What people find in their mail boxes, read from the rows that wait to be sent."""

import re

from orgs.models import Mail


def mails_to(address: str) -> list[Mail]:
    """Everything written to the address, oldest first."""
    return list(Mail.objects.filter(to=address).order_by("pk"))


def last_mail(address: str) -> Mail:
    mail = Mail.objects.filter(to=address).order_by("-pk").first()
    assert mail is not None, f"no mail to {address}"
    return mail


def code_in(mail: Mail) -> str:
    """The code of six digits in a mail."""
    match = re.search(r"^\d{6}$", mail.text, re.MULTILINE)
    assert match is not None, "no code in the mail"
    return match[0]
