from django.apps import AppConfig

from sdr import observability


class SdrConfig(AppConfig):
    name = "sdr"

    def ready(self) -> None:
        from sdr import checks  # reads models, which are not there before now

        checks.register()
        observability.watch_worker()
