"""Django's WSGI application: what the bridge in asgi.py runs, and what any other WSGI server may."""

import os

from django.core.wsgi import get_wsgi_application

from sdr import observability

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "sdr.settings")

observability.start("web")  # tracing adds a middleware, so it goes first
application = get_wsgi_application()
