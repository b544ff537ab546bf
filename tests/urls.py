"""The product's addresses and those of the rehearsal app."""

from django.urls import include, path

from sdr.urls import handler400, handler403, handler404, handler500  # noqa: F401
from tests.rehearsal import views

urlpatterns = [
    path("o/<slug:slug>/rehearsal/", views.page, name="rehearsal-page"),
    path("o/<slug:slug>/rehearsal/create/", views.create, name="rehearsal-create"),
    path("o/<slug:slug>/rehearsal/export/", views.export, name="rehearsal-export"),
    path("o/<slug:slug>/rehearsal/broken/", views.broken, name="rehearsal-broken"),
    path("o/<slug:slug>/rehearsal/<int:pk>/", views.detail, name="rehearsal-detail"),
    path("", include("sdr.urls")),
]
