"""Addresses of the texts at hand for answering."""

from django.urls import path

from conversations.views import canned_replies

app_name = "canned"
urlpatterns = [
    path("", canned_replies.index, name="index"),
    path("new/", canned_replies.create, name="new"),
    path("<int:pk>/", canned_replies.edit, name="edit"),
    path("<int:pk>/removal/", canned_replies.removal, name="removal"),
]
