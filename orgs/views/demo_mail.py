"""The demo's mail box: every e-mail it sent, from the files Django's file backend wrote. Mounted in the demo alone."""

import email
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from email.message import EmailMessage
from email.policy import default as default_policy
from functools import wraps
from pathlib import Path
from typing import Any

from csp.constants import NONE, SELF, UNSAFE_INLINE
from csp.decorators import csp_replace, csp_update
from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.clickjacking import xframe_options_sameorigin
from django.views.decorators.http import require_safe

from orgs.models import Mail

SHOWN = 100
NAME = re.compile(r"^[0-9]{8}-[0-9]{6}-[0-9]+$")
SEPARATOR = b"\n" + b"-" * 79 + b"\n"  # written by Django's file backend after each message
View = Callable[..., HttpResponseBase]


@dataclass(frozen=True)
class Letter:
    """One e-mail as it left us; `name` is its file's."""

    name: str
    to: str
    subject: str
    sent_at: datetime
    text: str
    html: str


def in_demo(view: View) -> View:
    """Http404 outside the demo, should the address ever be mounted there."""

    @wraps(view)
    def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if not settings.IS_DEMO:
            raise Http404
        return view(request, *args, **kwargs)

    return guarded


@in_demo
@never_cache
@require_safe
def index(request: HttpRequest) -> HttpResponse:
    """All of them, newest first. htmx asks for the list alone, every few seconds."""
    waiting = Mail.objects.filter(state=Mail.State.QUEUED).count()
    template = "_letters.html" if request.headers.get("HX-Request") == "true" else "index.html"
    response = render(request, f"orgs/demo_mail/{template}", {"letters": letters(), "waiting": waiting})
    response.headers["Vary"] = "HX-Request"
    return response


@in_demo
@never_cache
@require_safe
@csp_update({"frame-src": [SELF]})  # type: ignore[untyped-decorator]
def show(request: HttpRequest, name: str) -> HttpResponse:
    """One e-mail: its text with links, and its HTML in a frame of its own."""
    return render(request, "orgs/demo_mail/show.html", {"letter": find(name)})


@in_demo
@never_cache
@require_safe
@xframe_options_sameorigin
@csp_replace(  # type: ignore[untyped-decorator]
    {
        "default-src": [NONE],
        "style-src": [UNSAFE_INLINE],  # mail programs know nothing else
        "img-src": ["data:"],
        "frame-ancestors": [SELF],
        "sandbox": ["allow-popups", "allow-popups-to-escape-sandbox"],
    }
)
def html(request: HttpRequest, name: str) -> HttpResponse:
    """The HTML of one e-mail, without scripts; its links open a new tab."""
    return HttpResponse(find(name).html.replace("<head>", '<head><base target="_blank">', 1))


def letters() -> list[Letter]:
    """The newest SHOWN e-mails; a file that is just being written is left out."""
    folder = Path(settings.MAIL_DIR)
    files = (
        sorted(folder.glob("*.log"), key=lambda file: file.stat().st_mtime_ns, reverse=True) if folder.is_dir() else []
    )
    read = (parse(file) for file in files[:SHOWN])
    return [letter for letter in read if letter]


def find(name: str) -> Letter:
    """Raises Http404 for a name that is none of our files'."""
    file = Path(settings.MAIL_DIR) / f"{name}.log"
    letter = parse(file) if NAME.match(name) and file.is_file() else None
    if letter is None:
        raise Http404
    return letter


def parse(file: Path) -> Letter | None:
    head, separator, _ = file.read_bytes().partition(SEPARATOR)
    if not separator:
        return None
    message = email.message_from_bytes(head, policy=default_policy)
    return Letter(
        name=file.stem,
        to=str(message["To"]),
        subject=str(message["Subject"]),
        sent_at=message["Date"].datetime,
        text=body(message, "plain"),
        html=body(message, "html"),
    )


def body(message: EmailMessage, kind: str) -> str:
    part = message.get_body(preferencelist=(kind,))
    return str(part.get_content()) if part else ""
