"""Every e-mail there is, in every language: complete, whole sentences, no leftover of a template."""

import re
from pathlib import Path

import pytest
from django.conf import settings
from django.utils import timezone

from orgs import mail

TEMPLATES = Path(settings.BASE_DIR) / "templates"
KINDS = sorted(
    str(file.relative_to(TEMPLATES)).removesuffix("_subject.txt") for file in TEMPLATES.rglob("*_subject.txt")
)
CONTEXT = {
    "code": "123456",
    "timestamp": timezone.now(),
    "ip": "192.0.2.1",
    "user_agent": "Firefox",
    "provider": "Google",
    "from_email": "old@example.com",
    "to_email": "new@example.com",
    "deleted_email": "old@example.com",
    "name": "Ana",
    "first": timezone.now().date(),
    "last": timezone.now().date(),
    "digest": {"answered": 2, "qualified": 1, "needing": 0, "waiting": []},
}
OURS = {"orgs/mail/account_deleted"}  # the others are tried with the verbs that send them
LANGUAGES = [code for code, _ in settings.LANGUAGES]


def test_it_finds_them() -> None:
    assert "account/email/password_changed" in KINDS
    assert len(KINDS) >= 20


@pytest.mark.parametrize("kind", [kind for kind in KINDS if not kind.startswith("orgs/") or kind in OURS])
@pytest.mark.parametrize("language", LANGUAGES)
def test_it_renders(db: None, kind: str, language: str) -> None:
    row = mail.send(kind, to="ana@example.com", context=CONTEXT, language=language)
    for text in (row.subject, row.text, row.html):
        assert text.strip()
        assert not re.search(r"\{[{%]|[%]\(", text)
    assert f'lang="{language}"' in row.html
    assert f"<title>{row.subject}" in row.html.replace("&#x27;", "'")
    assert "None" not in row.text


def test_each_kind_allauth_can_send_is_ours() -> None:
    """A kind of allauth's that we have not written would lack its HTML and fail when it is first needed."""
    import allauth

    theirs = Path(allauth.__file__).parent / "templates"
    kinds = {str(file.relative_to(theirs)).removesuffix("_subject.txt") for file in theirs.rglob("email/*_subject.txt")}
    by_link_or_code_only = {"account/email/login_code", "account/email/password_reset_key"}  # we do not offer these
    assert kinds - by_link_or_code_only <= set(KINDS)
