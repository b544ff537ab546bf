"""The demo's phone: one writes as the lead, in a chat that the stand-in plays, and sees what our product answers.

Mounted in the demo alone (`integrations.whatsapp.simulator_urls`). It knows WhatsApp only through the stand-in's
control API, server to server; what a lead writes here reaches us as any lead's words do, through the webhook.
"""

import base64
import hashlib
import json
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

from django import forms
from django.conf import settings
from django.contrib import messages
from django.core.files.uploadedfile import UploadedFile
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from orgs.views.demo_mail import in_demo
from sdr.lib import http
from sdr.lib.errors import PortError

CONTROL_SECONDS = 10.0
MAX_FILE_BYTES = 16 * 1024 * 1024
MAX_CONTROL_BYTES = 32 * 1024 * 1024
MAX_BURST = 20
# Shown in the page; anything else is only ever downloaded.
SHOWN_TYPES = {
    *("image/png", "image/jpeg", "image/webp", "image/gif", "application/pdf"),
    *("audio/ogg", "audio/mpeg", "audio/mp4", "audio/webm", "video/mp4", "video/webm"),
}


# The page's own words for what goes wrong -> fields of the stand-in's `Faults`, while it is on.
MISHAPS: dict[str, dict[str, float]] = {
    "disorder": {"disorder_seconds": 4.0},
    "duplicates": {"duplicate_rate": 0.5, "repeat_rate": 0.5},
    "losses": {"swallow_rate": 0.3},
}
MICROPHONE = "microphone=(self)"


class FileForm(forms.Form):
    """A file of one's own, or a voice note recorded in the page."""

    file = forms.FileField(
        label=gettext_lazy("Attach a file"),
        required=False,
        widget=forms.FileInput(attrs={"accept": "image/*,audio/*,video/mp4,application/pdf"}),
    )


class MishapsForm(forms.Form):
    """What goes wrong between the phone and us, until it is switched off; and once, with the next reply of ours."""

    disorder = forms.BooleanField(label=gettext_lazy("Webhooks come late and in disorder"), required=False)
    duplicates = forms.BooleanField(label=gettext_lazy("Half of the webhooks come twice"), required=False)
    losses = forms.BooleanField(label=gettext_lazy("Three of ten webhooks never come"), required=False)
    next_send = forms.ChoiceField(
        label=gettext_lazy("The company's next message"),
        required=False,
        choices=[
            ("", gettext_lazy("goes out as it should")),
            ("connection_closed", gettext_lazy("is refused before it is sent")),
            ("error_after", gettext_lazy("is sent, but the answer is an error")),
            ("hang_after", gettext_lazy("is sent, but no answer ever comes")),
            ("hang_before", gettext_lazy("is not sent, and no answer ever comes")),
            ("rejected", gettext_lazy("is accepted, then refused by WhatsApp")),
        ],
    )


class LeadForm(forms.Form):
    """A person with a phone, to write as."""

    name = forms.CharField(label=gettext_lazy("Name"), max_length=60)
    phone = forms.RegexField(
        r"^\+?[\d\s().-]{8,24}$",
        label=gettext_lazy("Phone with country code"),
        help_text=gettext_lazy("An invented one, such as 55 11 99999-0001. Nobody is called."),
    )
    is_lid_only = forms.BooleanField(
        label=gettext_lazy("Hide the phone number"),
        help_text=gettext_lazy("WhatsApp then names the lead by an opaque id, as it does for some chats."),
        required=False,
    )

    def clean_phone(self) -> str:
        """Digits only."""
        return "".join(filter(str.isdigit, self.cleaned_data["phone"]))


@in_demo
@never_cache
@require_safe
def index(request: HttpRequest) -> HttpResponse:
    """The leads, the company's numbers, and a form for another lead."""
    return page_of_leads(request, LeadForm())


@in_demo
@require_POST
def create_lead(request: HttpRequest) -> HttpResponse:
    """Another lead; 422 with the form when it is not filled in right."""
    form = LeadForm(request.POST)
    if not form.is_valid():
        return page_of_leads(request, form, status=422)
    given = form.cleaned_data
    addressing = "lid_only" if given["is_lid_only"] else "pn"
    body = {"name": given["name"], "phone": given["phone"], "addressing": addressing}
    if control("POST", "leads", body) is None:
        messages.error(request, _("The lead could not be made: the stand-in does not answer."))
    return redirect("simulator:index")


@in_demo
@require_POST
def pair(request: HttpRequest, instance: str) -> HttpResponse:
    """The company's phone scans the QR code that our product shows for this number."""
    number = "".join(filter(str.isdigit, request.POST.get("number", "")))
    body = {"number": number} if number else {}
    if control("POST", f"instances/{quote(instance, safe='')}/pairing", body) is None:
        messages.error(request, _("The code could not be scanned: ask for a new one in the connection page."))
    return redirect("simulator:index")


@in_demo
@never_cache
@require_safe
def show(request: HttpRequest, instance: str, phone: str) -> HttpResponse:
    """The chat on the lead's phone. htmx asks for the messages alone: 204 while they are as `seen`."""
    chat = chat_of(instance, phone)
    if request.headers.get("HX-Request") == "true":
        if request.GET.get("seen") == chat["version"]:
            return HttpResponse(status=204)
        return render(request, "integrations/whatsapp/simulator/_messages.html", {"chat": chat})
    edited, answered = (named(chat, request.GET.get(name, "")) for name in ("edit", "answer"))
    context = {
        **composer(answered),
        "chat": chat,
        "edited": edited if edited and edited["is_own"] else None,
        "mishaps": mishaps_form(),
    }
    response = render(request, "integrations/whatsapp/simulator/show.html", context)
    response.headers["Permissions-Policy"] = MICROPHONE
    return response


def named(chat: dict[str, Any], message: str) -> dict[str, Any] | None:
    """The chat's message with this id, unless it was deleted."""
    return next((one for one in chat["messages"] if one["id"] == message and not one["is_deleted"]), None)


def composer(answered: dict[str, Any] | None = None) -> dict[str, Any]:
    """What the form to write with needs."""
    return {"file_field": FileForm()["file"], "answered": answered}


def mishaps_form() -> MishapsForm:
    """Filled with what goes wrong now."""
    state = control("GET", "state")
    faults = state["faults"] if state else {}
    initial: dict[str, Any] = {
        name: all(faults.get(fault, 0) >= value for fault, value in fields.items()) for name, fields in MISHAPS.items()
    }
    return MishapsForm(initial=initial | {"next_send": next(iter(faults.get("next_sends", [])), "")})


@in_demo
@require_POST
def mishaps(request: HttpRequest, instance: str, phone: str) -> HttpResponse:
    """Switch on and off what goes wrong, for all chats."""
    form = MishapsForm(request.POST)
    if form.is_valid():
        given = form.cleaned_data
        body: dict[str, Any] = {"next_sends": [given["next_send"]] if given["next_send"] else []}
        for name, fields in MISHAPS.items():
            body |= {fault: value if given[name] else 0.0 for fault, value in fields.items()}
        done = control("POST", "faults", body) is not None
    else:
        done = False
    if done:
        messages.success(request, _("Set. It counts from now on, in every chat."))
    else:
        messages.error(request, _("That could not be set: the stand-in does not answer."))
    return redirect("simulator:show", instance=instance, phone=phone)


@in_demo
@require_POST
def link(request: HttpRequest, instance: str, phone: str) -> HttpResponse:
    """The company's number loses its connection, or has it again."""
    verb = "drop" if request.POST.get("action") == "drop" else "restoration"
    if control("POST", f"instances/{quote(instance, safe='')}/{verb}", {}) is None:
        messages.error(request, _("That could not be set: the stand-in does not answer."))
    return redirect("simulator:show", instance=instance, phone=phone)


@in_demo
@require_POST
def write(request: HttpRequest, instance: str, phone: str) -> HttpResponse:
    """What the pressed button says: a text, each line as a message, a file, a sample, or the company's own phone."""
    trouble = send(request, instance, phone)
    if request.headers.get("HX-Request") != "true":
        if trouble:
            messages.error(request, trouble)
        return redirect("simulator:show", instance=instance, phone=phone)
    chat = chat_of(instance, phone)
    context = {
        **composer(named(chat, request.POST.get("quoted_id", "")) if trouble else None),
        "chat": chat,
        "trouble": trouble,
        "text": request.POST.get("text", "") if trouble else "",
    }
    return render(request, "integrations/whatsapp/simulator/create.html", context)


def send(request: HttpRequest, instance: str, phone: str) -> str:
    """Sends, and says what was wrong, or ""."""
    action = request.POST.get("action", "text")
    text = request.POST.get("text", "").strip()
    file = request.FILES.get("file")
    body: dict[str, Any] = {"action": action, "text": text, "quoted_id": request.POST.get("quoted_id", "")}
    if isinstance(file, UploadedFile) and file.size:
        if file.size > MAX_FILE_BYTES:
            return _("The file is too large: 16 MB is the limit.")
        mime = file.content_type or "application/octet-stream"
        kinds = {"image": "image", "audio": "voice", "video": "video"}
        data = base64.b64encode(file.read()).decode()
        body |= {
            "action": kinds.get(mime.partition("/")[0], "document"),
            "data": data,
            "mime": mime,
            "file_name": file.name,
        }
    elif action in {"text", "company", "burst"} and not text:
        return _("Write something first.")
    elif action == "burst":
        body = {"burst": [line for line in map(str.strip, text.splitlines()) if line][:MAX_BURST]}
    if control("POST", chat_path(instance, phone), body) is None:
        return _("That did not leave the phone: the stand-in does not answer.")
    return ""


@in_demo
@require_POST
def change(request: HttpRequest, instance: str, phone: str, message: str) -> HttpResponse:
    """The lead edits or deletes an own message, or reacts to one."""
    body = {"action": request.POST.get("action"), "id": message, "text": request.POST.get("text", "").strip()}
    is_known = body["action"] in {"edit", "delete", "reaction"}
    if not is_known or control("POST", chat_path(instance, phone), body) is None:
        messages.error(request, _("That message cannot be changed."))
    return redirect("simulator:show", instance=instance, phone=phone)


@in_demo
@require_POST
def typing(request: HttpRequest, instance: str, phone: str) -> HttpResponse:
    """The lead is typing: 204 whatever becomes of it."""
    control("POST", chat_path(instance, phone), {"action": "typing"})
    return HttpResponse(status=204)


@in_demo
@require_safe
def media(request: HttpRequest, message: str) -> HttpResponse:
    """The bytes of a file in a chat; types a browser could run are downloads."""
    answer = call("GET", f"media/{quote(message, safe='')}")
    if answer is None:
        raise Http404
    mime = answer.headers.get("content-type", "").partition(";")[0].strip()
    response = HttpResponse(answer.content, content_type=mime if mime in SHOWN_TYPES else "application/octet-stream")
    response.headers["Content-Disposition"] = "inline" if mime in SHOWN_TYPES else "attachment"
    return response


def page_of_leads(request: HttpRequest, form: LeadForm, *, status: int = 200) -> HttpResponse:
    state = control("GET", "state")
    context = {
        "form": form,
        "is_reachable": state is not None,
        "leads": state["leads"] if state else [],
        "instances": state["instances"] if state else [],
    }
    return render(request, "integrations/whatsapp/simulator/index.html", context, status=status)


def chat_of(instance: str, phone: str) -> dict[str, Any]:
    """The chat, its moments as datetimes (UTC), with a `version` that changes with what is seen. Http404 for none."""
    chat: dict[str, Any] | None = control("GET", chat_path(instance, phone))
    if chat is None:
        raise Http404
    seen = json.dumps([chat["messages"], chat["typing"], chat["instance"]["state"]], sort_keys=True)
    chat["version"] = hashlib.sha256(seen.encode("utf-8", "surrogatepass")).hexdigest()[:16]
    for message in chat["messages"]:
        message["at"] = datetime.fromtimestamp(message["at"], UTC)
        message["is_own"] = message["author"] == "lead"
        quoted = named(chat, message["quoted_id"])
        message["quoted"] = quoted and (quoted["text"] or quoted["kind"])
        message["reactions"] = sorted(emoji for emoji in message["reactions"].values() if emoji)
    return chat


def chat_path(instance: str, phone: str) -> str:
    return f"instances/{quote(instance, safe='')}/chats/{quote(phone, safe='')}"


def control(method: str, path: str, body: dict[str, Any] | None = None) -> Any:
    """The control API's JSON; None when it refuses or cannot be reached."""
    answer = call(method, path, body)
    return answer.json() if answer else None


def call(method: str, path: str, body: dict[str, Any] | None = None) -> http.Response | None:
    headers = {"Authorization": f"Bearer {settings.STANDIN_CONTROL_TOKEN}"}
    try:
        return http.request(
            method,
            f"{settings.STANDIN_URL}/_control/{path}",
            headers=headers,
            json=body,
            timeout=http.Timeout(total=CONTROL_SECONDS),
            max_bytes=MAX_CONTROL_BYTES,
            allow_private=True,
        ).raise_for_status()
    except PortError:
        return None
