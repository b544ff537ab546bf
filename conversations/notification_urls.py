"""Addresses of what a member is told."""

from django.urls import path

from conversations.views import notifications

app_name = "notifications"
urlpatterns = [
    path("", notifications.index, name="index"),
    path("bell/", notifications.bell, name="bell"),
    path("reading/", notifications.reading, name="reading"),
    path("settings/", notifications.settings, name="settings"),
    path("browsers/", notifications.subscribe, name="subscribe"),
    path("browsers/<int:pk>/end/", notifications.unsubscribe, name="unsubscribe"),
    path("<int:pk>/", notifications.show, name="show"),
]
