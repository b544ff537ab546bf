"""Addresses about people and orgs."""

from django.urls import path

from orgs.views import home

app_name = "orgs"
urlpatterns = [
    path("", home.start, name="start"),
    path("o/<slug:slug>/", home.home, name="home"),
]
