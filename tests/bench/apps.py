from django.apps import AppConfig


class BenchConfig(AppConfig):
    name = "tests.bench"
    label = "bench"

    def ready(self) -> None:
        from tests.bench import kinds, steps  # noqa: F401  # importing registers the kinds

        steps.install()
