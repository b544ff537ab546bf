"""Addresses of the inbox."""

from django.urls import path

from conversations.views import (
    bulk,
    closure,
    conversation,
    drafts,
    evidence,
    inbox,
    lookup,
    media,
    pause,
    replies,
    saved_views,
    snooze,
    takeover,
    trace,
    typing,
)

app_name = "conversations"
urlpatterns = [
    path("", inbox.show, name="inbox"),
    path("lookup/", lookup.show, name="lookup"),
    path("bulk/", bulk.create, name="bulk"),
    path("views/", saved_views.create, name="saved_views"),
    path("views/<int:pk>/end/", saved_views.end, name="saved_view_end"),
    path("pause/", pause.create, name="pause"),
    path("pause/end/", pause.end, name="pause_end"),
    path("<int:pk>/", conversation.show, name="conversation"),
    path("<int:pk>/replies/", replies.create, name="replies"),
    path("<int:pk>/closure/", closure.create, name="closure"),
    path("<int:pk>/closure/end/", closure.end, name="closure_end"),
    path("<int:pk>/snooze/", snooze.create, name="snooze"),
    path("<int:pk>/typing/", typing.create, name="typing"),
    path("<int:pk>/takeover/", takeover.create, name="takeover"),
    path("<int:pk>/takeover/end/", takeover.end, name="takeover_end"),
    path("<int:pk>/turns/<int:turn>/", trace.show, name="trace"),
    path("<int:pk>/follow-ups/end/", evidence.stop_follow_ups, name="follow_ups_end"),
    path("<int:pk>/facts/<str:key>/", evidence.fact, name="fact"),
    path("<int:pk>/signals/<str:key>/", evidence.signal, name="signal"),
    path("<int:pk>/answers/<int:row>/end/", evidence.strike, name="answer_end"),
    path("<int:pk>/messages/<int:message>/approval/", drafts.approve, name="approval"),
    path("<int:pk>/messages/<int:message>/discard/", drafts.discard, name="discard"),
    path("<int:pk>/messages/<int:message>/retry/", replies.retry, name="retry"),
    path("<int:pk>/messages/<int:message>/confirmation/", replies.confirm, name="confirmation"),
    path("<int:pk>/messages/<int:message>/media/", media.show, name="media"),
    path("<int:pk>/messages/<int:message>/media/retry/", media.retry, name="media_retry"),
]
