from django.apps import AppConfig


class IntegrationsConfig(AppConfig):
    name = "integrations"
    verbose_name = "Integrations"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from integrations import (
            erasure,
            tasks,  # noqa: F401  # importing registers the kinds
        )

        erasure.register_all()
