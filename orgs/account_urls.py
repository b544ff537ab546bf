"""Addresses about oneself that allauth does not have: profile, leaving for good, founding an org, the demo's mails."""

from django.conf import settings
from django.urls import path

from orgs.views import demo_mail, founding, profile, sessions

app_name = "account"
urlpatterns = [
    path("account/", profile.edit, name="profile"),
    path("account/deletion/", profile.deletion, name="deletion"),
    path("accounts/sessions/", sessions.index, name="sessions"),
    path("orgs/new/", founding.create, name="new_org"),
]
if settings.IS_DEMO:
    urlpatterns += [
        path("demo/mail/", demo_mail.index, name="demo_mails"),
        path("demo/mail/<str:name>/", demo_mail.show, name="demo_mail"),
        path("demo/mail/<str:name>/html/", demo_mail.html, name="demo_mail_html"),
    ]
