"""A verb that may not happen now."""

from django.utils.functional import Promise


class Refused(Exception):
    """Nothing was changed. `str()` is a sentence for the person who asked; `code` is for programs and tests."""

    def __init__(self, code: str, message: str | Promise) -> None:
        super().__init__(message)
        self.code = code
        self.message = message

    def __str__(self) -> str:
        return str(self.message)
