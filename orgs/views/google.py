"""Sign-in with Google: allauth's flow, hardened. Its addresses answer 404 when Google is not configured."""

from collections.abc import Callable
from functools import wraps
from typing import Any, cast

from allauth.account.adapter import get_adapter
from allauth.account.utils import get_next_redirect_url
from allauth.core.exceptions import ImmediateHttpResponse
from allauth.socialaccount.internal import jwtkit
from allauth.socialaccount.providers.google.views import GoogleOAuth2Adapter
from allauth.socialaccount.providers.oauth2.client import OAuth2Error
from allauth.socialaccount.providers.oauth2.views import OAuth2CallbackView, OAuth2LoginView
from django.conf import settings
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import render
from django.urls import reverse
from django.utils.http import urlencode
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_http_methods, require_safe

from orgs.adapters import PROVE, may_prove_by_google
from orgs.models import Person

View = Callable[..., HttpResponseBase]


class GoogleAdapter(GoogleOAuth2Adapter):  # type: ignore[misc]
    """Google's addresses from the settings, the signature of the id_token always checked, odd answers never a crash."""

    def __init__(self, request: HttpRequest) -> None:
        super().__init__(request)
        self.google = settings.SOCIALACCOUNT_PROVIDERS["google"]
        self.authorize_url = self.google["AUTHORIZE_URL"]
        self.access_token_url = self.google["ACCESS_TOKEN_URL"]

    def get_provider(self) -> Any:
        """allauth's provider, sending people to where we are told to."""
        provider = super().get_provider()
        provider.oauth2_adapter_class = type(self)
        return provider

    def get_access_token_data(self, *args: Any, **kwargs: Any) -> dict[str, Any]:
        """What the token endpoint answered. Raises OAuth2Error when that is not an object with strings."""
        data = understood(super().get_access_token_data, *args, **kwargs)
        if not isinstance(data, dict) or not isinstance(data.get("access_token"), str):
            raise OAuth2Error("The token answer is no object with an access token")
        return data

    def parse_token(self, data: dict[str, Any]) -> Any:
        return understood(super().parse_token, data)

    def complete_login(self, request: HttpRequest, app: Any, token: Any, **kwargs: Any) -> Any:
        """The person as the id_token describes them. Raises OAuth2Error without a sound one: userinfo is not asked."""
        if not isinstance(kwargs["response"].get("id_token"), str):
            raise OAuth2Error("The token answer has no id_token")
        return understood(super().complete_login, request, app, token, **kwargs)

    def _decode_id_token(self, app: Any, id_token: str) -> dict[str, Any]:
        data: dict[str, Any] = jwtkit.verify_and_decode(
            credential=id_token,
            keys_url=self.google["CERTS_URL"],
            issuer=[self.google["ID_TOKEN_ISSUER"], self.google["ID_TOKEN_ISSUER"].removeprefix("https://")],
            audience=app.client_id,
            lookup_kid=jwtkit.lookup_kid_pem_x509_certificate,
        )
        if not isinstance(data.get("sub"), str) or not data["sub"]:
            raise OAuth2Error("The id_token has no subject")
        return data


def understood(call: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """The call's answer; what it stumbles over in a malformed answer of Google becomes OAuth2Error."""
    try:
        return call(*args, **kwargs)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise OAuth2Error(f"Google's answer cannot be read: {type(error).__name__}") from error


def when_configured(view: View) -> View:
    """Http404 as long as there is no GOOGLE_CLIENT_ID."""

    @wraps(view)
    def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if not settings.SOCIALACCOUNT_PROVIDERS["google"]["APPS"]:
            raise Http404
        try:
            return view(request, *args, **kwargs)
        except ImmediateHttpResponse as answer:
            return answer.response  # type: ignore[no-any-return]

    return guarded


login = require_http_methods(["GET", "POST"])(never_cache(when_configured(OAuth2LoginView.adapter_view(GoogleAdapter))))
callback = require_GET(never_cache(when_configured(OAuth2CallbackView.adapter_view(GoogleAdapter))))


@require_safe
@never_cache
@login_required
def prove(request: HttpRequest) -> HttpResponse:
    """Where one proves again who one is, by the Google account that is connected. Http404 for who has none."""
    if not may_prove_by_google(cast(Person, request.user)):
        raise Http404
    query = {"process": PROVE, "next": get_next_redirect_url(request) or reverse("account:profile")}
    methods = get_adapter().get_reauthentication_methods(request.user)
    context = {
        "google_url": f"{reverse('google_login')}?{urlencode(query)}",
        "reauthentication_alternatives": [
            {**method, "url": f"{method['url']}?{urlencode({'next': query['next']})}"}
            for method in methods
            if method["url"] != request.path
        ],
    }
    return render(request, "socialaccount/prove.html", context)


def by_token(request: HttpRequest) -> HttpResponseBase:
    """Google's One Tap, which we do not offer: its answer is not bound to a request of ours."""
    raise Http404
