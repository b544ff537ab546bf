"""Addresses about people and orgs."""

from django.urls import path

from orgs import api
from orgs.views import closed, deletion, home, invitations, manifest, ownership, people, settings, start

app_name = "orgs"
urlpatterns = [
    path("", start.show, name="start"),
    path("invitations/mine/<int:pk>/", invitations.mine, name="invitation_mine"),
    path("invitations/<str:token>/", invitations.show, name="invitation"),
    path("invitations/<str:token>/signup/", invitations.sign_up, name="invitation_signup"),
    path("o/<slug:slug>/", home.home, name="home"),
    path("o/<slug:slug>/app.webmanifest", manifest.show, name="manifest"),
    path("o/<slug:slug>/closed/", closed.show, name="closed"),
    path("o/<slug:slug>/leave/", people.leave, name="leave"),
    path("o/<slug:slug>/people/", people.index, name="people"),
    path("o/<slug:slug>/people/<int:pk>/role/", people.role, name="role"),
    path("o/<slug:slug>/people/<int:pk>/removal/", people.removal, name="removal"),
    path("o/<slug:slug>/people/invitations/", invitations.create, name="invitations"),
    path("o/<slug:slug>/people/invitations/<int:pk>/sending/", invitations.resend, name="invitation_resend"),
    path("o/<slug:slug>/people/invitations/<int:pk>/revocation/", invitations.revoke, name="invitation_revoke"),
    path("o/<slug:slug>/settings/", settings.edit, name="settings"),
    path("o/<slug:slug>/settings/security/", settings.security, name="security"),
    path("o/<slug:slug>/settings/sharing/", settings.sharing, name="sharing"),
    path("o/<slug:slug>/settings/ownership/", ownership.edit, name="ownership"),
    path("o/<slug:slug>/settings/deletion/", deletion.create, name="deletion"),
    path("o/<slug:slug>/settings/deletion/end/", deletion.end, name="restoration"),
    path("api/v1/me/", api.Me.as_view(), name="api_me"),
    path("api/v1/orgs/", api.Orgs.as_view(), name="api_orgs"),
    path("api/v1/orgs/<slug:slug>/", api.OrgDetail.as_view(), name="api_org"),
    path("api/v1/orgs/<slug:slug>/people/", api.People.as_view(), name="api_people"),
]
