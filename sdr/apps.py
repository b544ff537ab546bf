from django.apps import AppConfig

from sdr import checks, observability


class SdrConfig(AppConfig):
    name = "sdr"

    def ready(self) -> None:
        checks.register()
        observability.watch_worker()
