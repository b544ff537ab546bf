from django.apps import AppConfig

from sdr import observability


class SdrConfig(AppConfig):
    name = "sdr"

    def ready(self) -> None:
        observability.watch_worker()
