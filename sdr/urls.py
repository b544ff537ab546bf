"""The one list of addresses. Org pages live below /o/<slug>/, the API below /api/v1/."""

from django.contrib import admin
from django.urls import include, path

urlpatterns = [
    path("accounts/", include("allauth.urls")),
    path("i18n/", include("django.conf.urls.i18n")),
    path("stripe/", include("djstripe.urls", namespace="djstripe")),
    path("staff/", admin.site.urls),
    path("", include("orgs.urls")),
]

handler400 = "sdr.errors.bad_request"
handler403 = "sdr.errors.permission_denied"
handler404 = "sdr.errors.page_not_found"
handler500 = "sdr.errors.server_error"
