"""Where one is signed in. allauth's page, with the audit log told when the others are ended."""

from typing import Any

from allauth.usersessions.views import ListUserSessionsView
from django.http import HttpResponse
from django.views.decorators.cache import never_cache

from orgs import audit


class Sessions(ListUserSessionsView):  # type: ignore[misc]
    def form_valid(self, form: Any) -> HttpResponse:
        response: HttpResponse = super().form_valid(form)
        person = self.request.user
        audit.record(audit.Action.PERSON_SESSIONS_ENDED, request=self.request, target=f"person:{person.pk}")
        return response


index = never_cache(Sessions.as_view())
