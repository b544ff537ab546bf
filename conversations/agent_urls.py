"""Addresses of an org's agents. `?number=` names the agent of one number; without it, the shared one is meant."""

from django.urls import path

from conversations.views import agent, agent_numbers, agent_versions

app_name = "agent"
urlpatterns = [
    path("", agent.index, name="index"),
    path("publication/", agent_versions.publication, name="publication"),
    path("draft/end/", agent_versions.discard, name="discard"),
    path("versions/", agent_versions.index, name="versions"),
    path("versions/<int:pk>/", agent_versions.show, name="version"),
    path("versions/<int:pk>/rollback/", agent_versions.rollback, name="rollback"),
    path("numbers/", agent_numbers.index, name="numbers"),
    path("numbers/<int:pk>/own/", agent_numbers.separate, name="separate"),
    path("numbers/<int:pk>/shared/", agent_numbers.share, name="share"),
    path("<slug:section>/", agent.edit, name="section"),
    path("<slug:section>/sample/", agent.sample, name="sample"),
]
