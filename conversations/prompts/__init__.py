"""What language models are told: one Markdown file per purpose, versioned by its first line and known by its hash."""

import hashlib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from string import Template

FOLDER = Path(__file__).parent


@dataclass(frozen=True)
class Prompt:
    """A prompt's text with `$placeholders`, and which version of it this is."""

    name: str
    version: int
    text: str

    def fill(self, **values: str) -> str:
        """The text with every placeholder filled; what is filled in is never looked at again. Raises KeyError."""
        return Template(self.text).substitute(values)


@cache
def load(name: str) -> Prompt:
    """The prompt of this name. Raises ValueError when its first line is not `<!-- version N -->`."""
    first, _, text = (FOLDER / f"{name}.md").read_text(encoding="utf-8").partition("\n")
    words = first.strip("<!-> ").split()
    if len(words) != 2 or words[0] != "version" or not words[1].isdigit():
        raise ValueError(f"{name}.md does not begin with its version.")
    return Prompt(name, int(words[1]), text.strip())


def hash_of(text: str) -> str:
    """By which a prompt is found again: SHA-256, in hex. In: the text as it was sent, without anything of a lead's."""
    return hashlib.sha256(text.encode()).hexdigest()
