"""The rows of the catalogue."""

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from conversations import learning
from conversations.knowledge_forms import ProductForm
from conversations.models import Product
from orgs.access import require_role
from orgs.http import OrgRequest
from orgs.models import Role


@require_role(Role.ADMIN)
@require_http_methods(["GET", "POST"])
def create(request: OrgRequest) -> HttpResponse:
    """A new row."""
    return save(request, Product())


@require_role(Role.ADMIN)
@require_http_methods(["GET", "POST"])
def edit(request: OrgRequest, pk: int) -> HttpResponse:
    """Other words or another price, and whether the AI may tell it."""
    return save(request, get_product(pk))


def save(request: OrgRequest, product: Product) -> HttpResponse:
    form = ProductForm(request.POST or None, instance=product)
    if request.method == "POST" and form.is_valid():
        learning.save_product(form.instance, request.user, request=request)
        messages.success(request, _("The catalogue is saved."))
        return redirect("knowledge:index", slug=request.org.slug)
    context = {"form": form, "product": product}
    return render(request, "conversations/knowledge/product.html", context, status=422 if form.errors else 200)


@require_role(Role.ADMIN)
@require_http_methods(["GET", "POST"])
def removal(request: OrgRequest, pk: int) -> HttpResponse:
    """Ask, then remove a row."""
    product = get_product(pk)
    if request.method == "POST":
        learning.remove_product(product, request.user, request=request)
        messages.success(request, _("Removed from the catalogue."))
        return redirect("knowledge:index", slug=request.org.slug)
    context = {
        "title": _("Remove “%(title)s”?") % {"title": product.name},
        "text": _("The AI will no longer name it or its price. This cannot be undone."),
        "confirm": _("Remove"),
        "is_final": True,
        "action": request.path,
    }
    return render(request, "conversations/knowledge/confirm.html", context)


def get_product(pk: int) -> Product:
    """A row of the org that is entered. Raises Http404 for any other."""
    product = Product.objects.filter(pk=pk).first()
    if product is None:
        raise Http404
    return product
