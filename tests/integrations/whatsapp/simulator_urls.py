"""The product's addresses and the demo's phone, which only the demo mounts."""

from django.urls import include, path

from sdr.urls import handler400, handler403, handler404, handler500  # noqa: F401

urlpatterns = [
    path("demo/phone/", include("integrations.whatsapp.simulator_urls")),
    path("", include("tests.urls")),
]
