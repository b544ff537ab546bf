"""An org's pages can be installed as an app: a manifest that browsers take, and icons that are what it says."""

import struct
from collections.abc import Callable
from pathlib import Path

from django.conf import settings
from django.contrib.staticfiles import finders
from django.test import Client

from orgs.models import Org, Person

SignIn = Callable[[Person], Client]
ADDRESS = "/o/acme/app.webmanifest"


def test_it_is_a_manifest_of_the_org(acme: Org, sign_in: SignIn, vera: Person) -> None:
    answer = sign_in(vera).get(ADDRESS)
    assert answer.headers["Content-Type"] == "application/manifest+json"
    manifest = answer.json()
    assert acme.name in manifest["name"]
    assert (manifest["start_url"], manifest["scope"], manifest["display"]) == ("/o/acme/inbox/", "/", "standalone")
    assert sign_in(vera).get(manifest["start_url"]).status_code == 200
    assert sign_in(vera).get(manifest["shortcuts"][0]["url"]).status_code == 200
    assert {icon["purpose"] for icon in manifest["icons"]} == {"any", "maskable"}


def test_the_icons_have_the_sizes_it_says(sign_in: SignIn, vera: Person) -> None:
    manifest = sign_in(vera).get(ADDRESS).json()
    said = {icon["src"]: icon["sizes"] for icon in manifest["icons"]} | {"/static/img/apple-touch-icon.png": "180x180"}
    assert {"192x192", "512x512"} <= set(said.values())  # what browsers ask for
    for address, sizes in said.items():
        path = finders.find(address.removeprefix(settings.STATIC_URL))
        assert isinstance(path, str), address
        head = Path(path).read_bytes()[:24]
        assert head.startswith(b"\x89PNG\r\n\x1a\n")
        assert "{}x{}".format(*struct.unpack(">II", head[16:24])) == sizes


def test_pages_of_an_org_name_it_and_others_do_not(sign_in: SignIn, vera: Person, client: Client) -> None:
    link = f'<link rel="manifest" href="{ADDRESS}" crossorigin="use-credentials">'
    answer = sign_in(vera).get("/o/acme/inbox/")
    assert link in answer.content.decode()
    assert "manifest-src 'self'" in answer.headers["Content-Security-Policy"]
    assert 'rel="manifest"' not in client.get("/accounts/login/").content.decode()
