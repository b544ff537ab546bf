"""Addresses of an org's numbers."""

from django.urls import path

from integrations.whatsapp import quarantine_views, views

app_name = "numbers"
urlpatterns = [
    path("", views.index, name="index"),
    path("new/", views.create, name="new"),
    path("new/server/", views.create_at_server, name="new_at_server"),
    path("new/address/", views.create_address, name="new_address"),
    path("quarantine/", quarantine_views.index, name="quarantine"),
    path("quarantine/replay/", quarantine_views.replay_all, name="quarantine_replay_all"),
    path("quarantine/<int:pk>/replay/", quarantine_views.replay, name="quarantine_replay"),
    path("quarantine/<int:pk>/dismissal/", quarantine_views.dismissal, name="quarantine_dismissal"),
    path("<int:pk>/", views.show, name="show"),
    path("<int:pk>/edit/", views.edit, name="edit"),
    path("<int:pk>/mode/", views.mode, name="mode"),
    path("<int:pk>/connection/", views.connection, name="connection"),
    path("<int:pk>/renewal/", views.renewal, name="renewal"),
    path("<int:pk>/restart/", views.restart, name="restart"),
    path("<int:pk>/logout/", views.logout, name="logout"),
    path("<int:pk>/removal/", views.removal, name="removal"),
    path("<int:pk>/webhook/", views.webhook, name="webhook"),
    path("<int:pk>/secret/", views.secret, name="secret"),
    path("<int:pk>/secret/rotation/", views.rotation, name="rotation"),
    path("<int:pk>/secret/rotation/end/", views.rotation_end, name="rotation_end"),
]
