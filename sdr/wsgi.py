"""Django's WSGI application; sdr.asgi bridges to it."""

import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "sdr.settings")
application = get_wsgi_application()
