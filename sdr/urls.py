"""The one list of addresses. Org pages live below /o/<slug>/, the API below /api/v1/."""

from allauth.account.decorators import reauthentication_required
from allauth.account.views import password_set
from django.conf import settings
from django.contrib.auth.decorators import login_required
from django.urls import include, path

from conversations.views.schemas import schema
from orgs.views import google
from sdr import staff

# A password is a proof: who only found a browser open must not give the account one.
set_password = login_required(reauthentication_required(app="allauth.account")(password_set))

urlpatterns = [
    path("accounts/google/login/", google.login, name="google_login"),  # before allauth's own
    path("accounts/google/login/callback/", google.callback, name="google_callback"),
    path("accounts/google/login/token/", google.by_token, name="google_login_by_token"),
    path("accounts/password/set/", set_password, name="account_set_password"),
    path("accounts/google/proof/", google.prove, name="google_proof"),
    path("", include("orgs.account_urls")),
    path("accounts/", include("allauth.urls")),
    path("i18n/", include("django.conf.urls.i18n")),
    path("stripe/", include("djstripe.urls", namespace="djstripe")),
    path("staff/", staff.site.urls),
    path("o/<slug:slug>/inbox/", include("conversations.urls")),
    path("o/<slug:slug>/canned-replies/", include("conversations.canned_urls")),
    path("o/<slug:slug>/agent/", include("conversations.agent_urls")),
    path("o/<slug:slug>/knowledge/", include("conversations.knowledge_urls")),
    path("o/<slug:slug>/settings/assignment/", include("conversations.assignment_urls")),
    path("o/<slug:slug>/notifications/", include("conversations.notification_urls")),
    path("o/<slug:slug>/numbers/", include("integrations.whatsapp.urls")),
    path("schemas/<str:name>.json", schema, name="schema"),
    path("", include("orgs.urls")),
]
if settings.IS_DEMO:
    urlpatterns.append(path("demo/phone/", include("integrations.whatsapp.simulator_urls")))

handler400 = "sdr.errors.bad_request"
handler403 = "sdr.errors.permission_denied"
handler404 = "sdr.errors.page_not_found"
handler500 = "sdr.errors.server_error"
