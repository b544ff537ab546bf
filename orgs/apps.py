from django.apps import AppConfig


class OrgsConfig(AppConfig):
    name = "orgs"
    verbose_name = "Orgs"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from orgs import receivers  # noqa: F401  # needs the app registry; importing connects
