"""Django's WSGI application: what the bridge in asgi.py runs, and what any other WSGI server may."""

import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "sdr.settings")

application = get_wsgi_application()
