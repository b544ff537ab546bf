"""What the org's AI knows: the list, trying a question, adding, changing, removing. Everybody looks, admins change."""

from django.contrib import messages
from django.core.paginator import Paginator
from django.db.models import Count
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from conversations import knowledge, learning
from conversations.knowledge_forms import FORMS, DocumentForm, FileForm, ReadForm
from conversations.models import Document, Product
from orgs.access import require_role
from orgs.http import OrgRequest
from orgs.models import Refused, Role

DOCUMENTS_PER_PAGE = 50
PRODUCTS_SHOWN = 500
PASSAGES_SHOWN = 200
QUESTION_CHARS = 300
TRIED = 3  # passages shown for a question that is tried out


@require_role(Role.VIEWER)
@require_safe
def index(request: OrgRequest) -> HttpResponse:
    """Documents and catalogue; with `q`, what would be found for that question."""
    documents = Document.objects.exclude(sort=Document.Sort.PRODUCTS).defer("text").order_by("-created_at", "-pk")
    page = Paginator(documents.annotate(count=Count("passages")), DOCUMENTS_PER_PAGE).get_page(request.GET.get("page"))
    question = request.GET.get("q", "").replace("\x00", "").strip()[:QUESTION_CHARS]
    context = {
        "page": page,
        "rows": [(document, learning.words_of(document.failure) if document.failure else "") for document in page],
        "products": [
            (product, knowledge.price_of(product))
            for product in Product.objects.order_by("-is_active", "name", "pk")[:PRODUCTS_SHOWN]
        ],
        "question": question,
        "snippets": knowledge.snippets_for(question, language=request.org.language, limit=TRIED) if question else (),
        "may_change": request.membership.may(Role.ADMIN),
        "has_profile": Document.objects.filter(sort=Document.Sort.PROFILE).exists(),
    }
    return render(request, "conversations/knowledge/index.html", context)


@require_role(Role.VIEWER)
@require_safe
def show(request: OrgRequest, pk: int) -> HttpResponse:
    """One document: how reading it went, and the passages it was cut into."""
    document = get_document(pk)
    passages = document.passages.order_by("position")
    context = {
        "document": document,
        "failure": learning.words_of(document.failure) if document.failure else "",
        "passages": passages.defer("terms")[:PASSAGES_SHOWN],
        "hidden": max(0, passages.count() - PASSAGES_SHOWN),
        "is_read": document.sort in {Document.Sort.FILE, Document.Sort.URL},
        "may_change": request.membership.may(Role.ADMIN),
    }
    return render(request, "conversations/knowledge/show.html", context)


@require_role(Role.ADMIN)
@require_http_methods(["GET", "POST"])
def create(request: OrgRequest, sort: str) -> HttpResponse:
    """A new document of this sort."""
    if sort not in FORMS:
        raise Http404
    form = FORMS[sort](request.POST or None, request.FILES or None, initial={"language": request.org.language})
    if request.method == "POST" and form.is_valid():
        try:
            document = learning.add(given_of(form), request.user, data=data_of(form), request=request)
        except Refused as refused:
            form.add_error(None, str(refused))
        else:
            is_ready = document.state == Document.State.READY
            messages.success(
                request, _("The AI knows it now.") if is_ready else _("It is being read. That takes some seconds.")
            )
            return redirect("knowledge:show", slug=request.org.slug, pk=document.pk)
    context = {"form": form, "sort": Document.Sort(sort)}
    return render(request, "conversations/knowledge/new.html", context, status=422 if form.errors else 200)


@require_role(Role.ADMIN)
@require_http_methods(["GET", "POST"])
def edit(request: OrgRequest, pk: int) -> HttpResponse:
    """Other words, title or language, and whether the AI may use it."""
    document = get_document(pk)
    kind = FORMS[document.sort] if document.sort in learning.TYPED else ReadForm
    form = kind(
        request.POST or None,
        initial={
            "title": document.title, "text": document.text, "language": document.language,
            "is_active": document.is_active,
        },
    )  # fmt: skip
    form.sort = Document.Sort(document.sort)
    if request.method == "POST" and form.is_valid():
        try:
            learning.change(document, form.given, request.user, request=request)
        except Refused as refused:
            form.add_error(None, str(refused))
        else:
            messages.success(request, _("Your changes are saved."))
            return redirect("knowledge:show", slug=request.org.slug, pk=pk)
    context = {"form": form, "document": document}
    return render(request, "conversations/knowledge/edit.html", context, status=422 if form.errors else 200)


@require_role(Role.ADMIN)
@require_POST
def reading(request: OrgRequest, pk: int) -> HttpResponse:
    """Read a file or page once more."""
    try:
        learning.read_again(get_document(pk), request.user, request=request)
    except Refused as refused:
        messages.error(request, str(refused))
    else:
        messages.success(request, _("It is being read. That takes some seconds."))
    return redirect("knowledge:show", slug=request.org.slug, pk=pk)


@require_role(Role.ADMIN)
@require_http_methods(["GET", "POST"])
def removal(request: OrgRequest, pk: int) -> HttpResponse:
    """Ask, then remove a document."""
    document = get_document(pk)
    if request.method == "POST":
        learning.remove(document, request.user, request=request)
        messages.success(request, _("Removed. The AI does not know it any more."))
        return redirect("knowledge:index", slug=request.org.slug)
    context = {
        "title": _("Remove “%(title)s”?") % {"title": document.title},
        "text": _("The AI will no longer answer from it. This cannot be undone."),
        "confirm": _("Remove"),
        "is_final": True,
        "action": request.path,
        "pk": pk,
    }
    return render(request, "conversations/knowledge/confirm.html", context)


def get_document(pk: int) -> Document:
    """A document of the org that is entered. Raises Http404 for any other, and for the catalogue itself."""
    document = Document.objects.exclude(sort=Document.Sort.PRODUCTS).filter(pk=pk).first()
    if document is None:
        raise Http404
    return document


def given_of(form: DocumentForm) -> learning.Given:
    """What was typed; a profile is called as such, a file by its name when nobody has named it."""
    given = form.given
    if given.title or given.sort == Document.Sort.URL:
        return given
    name = form.file_name.rpartition(".")[0] if isinstance(form, FileForm) else ""
    return learning.titled(given, name or str(given.sort.label))


def data_of(form: DocumentForm) -> bytes:
    return bytes(form.cleaned_data["file"]) if isinstance(form, FileForm) else b""
