"""A context, put into the words of prompts/*.md: what stays the same for an agent first, the lead's words last (6, 10).

What a lead wrote stands between marks with a tag made for this one request, so that no text can close them.
"""

import json
import re
import secrets
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from conversations import prompts
from conversations.ports import Attachment, Context, Line, ToolUse

NOTHING = "(nothing)"
NEAR = " (near what was asked; it may not answer)"
LONGEST_LINE_CHARS = 4_000  # of one message; whoever writes more is read to there
LARGEST_FILES_BYTES = 10 * 1024 * 1024  # together: base64 makes 13 MB of it, and we stay under 15 (contract 7)
READABLE = frozenset({
    "image/png", "image/jpeg", "image/webp", "image/heic", "image/heif", "application/pdf",
    "audio/wav", "audio/mp3", "audio/aiff", "audio/aac", "audio/ogg", "audio/flac",
})  # fmt: skip
SAME_SOUND = {
    "audio/mpeg": "audio/mp3",
    "audio/x-wav": "audio/wav",
    "audio/wave": "audio/wav",
    "audio/vnd.wave": "audio/wav",
    "audio/opus": "audio/ogg",
    "application/ogg": "audio/ogg",
    "audio/x-aac": "audio/aac",
    "audio/x-flac": "audio/flac",
    "audio/x-aiff": "audio/aiff",
    "image/jpg": "image/jpeg",
}
OR_THEIRS = ", unless the lead writes in another one of Portuguese, English and Spanish: then in that"
LANGUAGES = {"pt-br": "Brazilian Portuguese (pt-br)", "en": "English (en)", "es": "Spanish (es)"}


@dataclass(frozen=True)
class Asking:
    """What one turn sends. `numbers`: the lead's messages by the number they have in the text; `new`: which are new."""

    system: str
    text: str
    tag: str
    canary: str
    numbers: Mapping[int, Line]
    new: frozenset[int]
    files: tuple[Attachment, ...]

    @property
    def contents(self) -> list[Any]:
        """The first content of a request."""
        parts: list[dict[str, Any]] = [{"text": self.text}]
        numbers = {line.id: number for number, line in self.numbers.items()}
        for file in self.files:
            parts.append({"text": f"File of message {numbers[file.message_id]}:"})
            parts.append({"inline_data": {"data": file.content, "mime_type": bare(file.mime)}})
        return [{"role": "user", "parts": parts}]


def asking(context: Context) -> Asking:
    """Everything a model is told for this turn."""
    system = system_of(context)
    tag = secrets.token_hex(8)
    new = _new(context.lines)
    numbers = {number: line for number, line in enumerate(context.lines, start=1) if line.author == "lead"}
    return Asking(
        system=system,
        text=_context(context, tag, new),
        tag=tag,
        canary=canary_of(system),
        numbers=numbers,
        new=frozenset(number for number in numbers if number in new),
        files=_files(context.attachments, numbers.values()),
    )


def system_of(context: Context) -> str:
    """The part that is the same for every turn of an agent version: prefixes that repeat are cached by the vendor."""
    persona = context.persona
    values = {
        "company": context.company or "a company",
        "named": f". You are called {persona.name}" if persona.name else "",
        "personality": persona.personality or "consultative",
        "business": context.business.strip() or NOTHING,
        "goals": _headed(
            "- What the company wants to learn in each stage:",
            (f"{stage}: {goal}" for stage, goal in persona.goals.items()),
        ),
        "left_out": _headed("- Never ask for, nor report, these facts:", persona.facts_left_out),
        "questions": _headed(
            "- The company's own questions, to be used where they fit:",
            (f"{stage}: {question}" for stage, asked in persona.questions.items() for question in asked),
        ),
        "objections": _headed(
            "- The company's own answers to objections:",
            (f"{one.get('about', '')}: {one.get('answer', '')}" for one in persona.objections),
        ),
        "forbidden": _headed("- Never write these words, nor speak of these topics:", persona.forbidden),
        "instructions": _headed("- The company's own instructions:", persona.instructions.splitlines()),
    }
    prompt = prompts.load("reply")
    canary = _canary(prompt.fill(canary="", **values))
    return prompt.fill(canary=canary, **values)


def canary_of(system: str) -> str:
    """The reference that stands in the instructions, and nowhere else: who shows it has shown them."""
    found = re.search(r"\bqx-[0-9a-f]{12}\b", system)
    return found.group() if found else ""


def repair(problems: Iterable[str]) -> str:
    return prompts.load("repair").fill(problems=_listed(problems))


def results(tools: Sequence[ToolUse]) -> str:
    """What tools gave, when the exchange itself is not told again."""
    return _headed("What tools gave in this turn:", (f"{use.name}: {use.result}" for use in tools if use.ok))


def bare(mime: str) -> str:
    """A type without parameters, by the name Gemini knows it by; "" when it cannot be read (contract 7)."""
    plain = mime.partition(";")[0].strip().lower()
    plain = SAME_SOUND.get(plain, plain)
    return plain if plain in READABLE else ""


def spoken(language: str) -> str:
    return LANGUAGES.get(language.lower(), LANGUAGES["en" if language.lower().startswith("en") else "pt-br"])


def _canary(text: str) -> str:
    return f"qx-{prompts.hash_of(text)[:12]}"


def _context(context: Context, tag: str, new: frozenset[int]) -> str:
    known = context.known
    now = context.now
    greets = context.is_first_reply and context.disclosure
    facts = {key: value for key, value in known.facts.items() if value not in {None, ""}}
    return prompts.load("context").fill(
        now=f"{now:%A %Y-%m-%d %H:%M} ({now.tzname()})" if now else "not known",
        people=f"back on {context.back_at:%A %Y-%m-%d %H:%M}" if context.back_at else "there now",
        contact=_data(context.contact_name, tag) if context.contact_name else "not known",
        language=f"{spoken(context.language)}{OR_THEIRS if context.persona.follows_language else ''}",
        first="yes" if context.is_first_reply else "no",
        greeting=f"\nBefore it, the system sends: “{context.disclosure}” Do not introduce yourself again."
        if greets
        else "",
        known=_data(json.dumps(facts, ensure_ascii=False, default=str), tag) if facts else NOTHING,
        asked=_listed(one.text for one in known.asked) or NOTHING,
        answers=_listed(f"{one.id}, {one.stage}: {_data(one.quote, tag)}" for one in known.answers) or NOTHING,
        knowledge="\n".join(
            f"[{one.id}] {one.source} {one.heading}{'' if one.answers else NEAR}\n{_data(one.text, tag)}"
            for one in context.snippets
        )
        or NOTHING,
        catalogue=_listed(
            " | ".join(part for part in (one.name, one.description, one.price, one.conditions) if part)
            for one in context.offers
        )
        or NOTHING,
        slots=_listed(f"{one.number}: {one.starts_at:%A %Y-%m-%d %H:%M}" for one in context.slots) or NOTHING,
        tag=tag,
        conversation="\n".join(
            _line(number, line, tag, is_new=number in new) for number, line in enumerate(context.lines, start=1)
        )
        or NOTHING,
    )


def _line(number: int, line: Line, tag: str, *, is_new: bool) -> str:
    who = {"lead": "lead", "ai": "you", "person": "colleague"}.get(line.author, line.author)
    kind = "" if line.kind == "text" else f", {line.kind}"
    text = line.text.strip() or "(cannot be read)"
    words = _data(text, tag) if line.author == "lead" else text
    return f"[{number}] {who}{', new' if is_new else ''}{kind}, {line.at:%Y-%m-%d %H:%M}: {words}"


def _data(text: str, tag: str) -> str:
    """Text that is not ours, between this request's marks."""
    return f"<data {tag}>\n{text[:LONGEST_LINE_CHARS].replace(tag, '')}\n</data {tag}>"


def _new(lines: Sequence[Line]) -> frozenset[int]:
    """Numbers of the lead's lines since anybody of us last spoke."""
    found: list[int] = []
    for number in range(len(lines), 0, -1):
        if lines[number - 1].author != "lead":
            break
        found.append(number)
    return frozenset(found)


def _files(files: Iterable[Attachment], lines: Iterable[Line]) -> tuple[Attachment, ...]:
    """The newest that can be read and fit."""
    known = {line.id for line in lines}
    kept: list[Attachment] = []
    room = LARGEST_FILES_BYTES
    for file in reversed(tuple(files)):
        if file.message_id in known and bare(file.mime) and len(file.content) <= room:
            room -= len(file.content)
            kept.append(file)
    return tuple(reversed(kept))


def _listed(items: Iterable[str]) -> str:
    return "\n".join(f"- {item}" for item in items if item.strip())


def _headed(head: str, items: Iterable[str]) -> str:
    listed = _listed(items)
    return f"{head}\n{listed}" if listed else ""
