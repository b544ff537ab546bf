from django.apps import AppConfig


class RehearsalConfig(AppConfig):
    name = "tests.rehearsal"
    label = "rehearsal"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from tests.rehearsal import tasks  # noqa: F401  # registers its kind
