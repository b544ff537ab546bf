"""Addresses of the demo's phone. Mounted in the demo alone."""

from django.urls import path

from integrations.whatsapp import simulator

app_name = "simulator"
urlpatterns = [
    path("", simulator.index, name="index"),
    path("leads/", simulator.create_lead, name="leads"),
    path("media/<str:message>/", simulator.media, name="media"),
    path("<str:instance>/pairing/", simulator.pair, name="pairing"),
    path("<str:instance>/<str:phone>/", simulator.show, name="show"),
    path("<str:instance>/<str:phone>/messages/", simulator.write, name="messages"),
    path("<str:instance>/<str:phone>/messages/<str:message>/", simulator.change, name="message"),
    path("<str:instance>/<str:phone>/link/", simulator.link, name="link"),
    path("<str:instance>/<str:phone>/mishaps/", simulator.mishaps, name="mishaps"),
    path("<str:instance>/<str:phone>/typing/", simulator.typing, name="typing"),
]
