"""The address of who is given the next lead."""

from django.urls import path

from conversations.views import assignment

app_name = "assignment"
urlpatterns = [path("", assignment.edit, name="edit")]
