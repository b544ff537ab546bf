"""Plays the Gemini Developer API over real HTTP, for tests: generateContent, /v1 and /v1beta (contract gemini.md 9).

    with Standin() as gemini:
        gemini.will(fails(429, retry="1s"), says(bubbles=["Oi!"]))
        Client(api_key=gemini.api_key, base_url=gemini.url)

Written from the contract, not from our client. Requests are validated strictly after their keys are normalised, since
the SDK mixes cases; what is not scripted is answered by a modest but sensible reply to the conversation asked about.
"""

import json
import os
import re
import socket
import struct
import threading
import time
from base64 import b64encode
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self

if os.environ.get("ENVIRONMENT", "production") not in {"development", "test"}:
    raise ImportError("A stand-in does not run in production.")

API_KEY = "standin-key"
PATH = re.compile(r"/(v1|v1beta)/models/([\w.-]+):generateContent")
MODELS = frozenset({
    "gemini-3.8-flash", "gemini-3.7-flash", "gemini-3.6-flash", "gemini-3.5-flash", "gemini-3.5-flash-lite",
    "gemini-3.1-flash-lite", "gemini-4-argon", "gemini-2.5-flash", "gemini-2.5-flash-lite", "gemini-2.5-pro",
})  # fmt: skip
WITHOUT_MINIMAL = frozenset({"gemini-3.8-flash", "gemini-3.7-flash", "gemini-4-argon"})
TOP = frozenset({
    "contents", "systemInstruction", "generationConfig", "tools", "toolConfig", "safetySettings", "cachedContent",
})  # fmt: skip
GENERATION = frozenset({
    "maxOutputTokens", "thinkingConfig", "responseMimeType", "responseSchema", "responseJsonSchema", "stopSequences",
    "seed", "responseModalities", "mediaResolution",
})  # fmt: skip
PART = frozenset({"text", "inlineData", "functionCall", "functionResponse", "thoughtSignature", "thought"})
SCHEMA = frozenset({
    "type", "properties", "required", "items", "enum", "nullable", "description", "title", "propertyOrdering", "format",
    "minItems", "maxItems", "minimum", "maximum", "anyOf",
})  # fmt: skip
TYPES = frozenset({"STRING", "INTEGER", "NUMBER", "BOOLEAN", "ARRAY", "OBJECT", "NULL"})
CATEGORIES = frozenset({"HARASSMENT", "HATE_SPEECH", "SEXUALLY_EXPLICIT", "DANGEROUS_CONTENT", "CIVIC_INTEGRITY"})
THRESHOLDS = frozenset({"BLOCK_LOW_AND_ABOVE", "BLOCK_MEDIUM_AND_ABOVE", "BLOCK_ONLY_HIGH", "BLOCK_NONE", "OFF"})
MIMES = frozenset({
    "audio/wav", "audio/mp3", "audio/aiff", "audio/aac", "audio/ogg", "audio/flac", "image/png", "image/jpeg",
    "image/webp", "image/heic", "image/heif", "application/pdf", "text/plain",
})  # fmt: skip
NAME = re.compile(r"[A-Za-z_][\w.:-]{0,127}")
MODES = frozenset({"AUTO", "ANY", "NONE", "VALIDATED"})
LARGEST_BODY = 100 * 1024 * 1024
SOUND_BYTES_PER_TOKEN = 60  # Opus at 16 kbit/s, 32 tokens a second
VERBATIM = frozenset({"args", "response", "properties", "parametersJsonSchema", "responseJsonSchema"})  # keys not ours


class Refusal(Exception):
    """An answer of 4xx."""

    def __init__(self, code: int, status: str, message: str, *, details: list[dict[str, Any]] | None = None) -> None:
        super().__init__(message)
        self.code, self.status, self.details = code, status, details or []


@dataclass
class Seen:
    """A request as it came: keys normalised to camelCase."""

    model: str
    version: str
    headers: Mapping[str, str]
    body: dict[str, Any]
    at: float = field(default_factory=time.monotonic)

    @property
    def text(self) -> str:
        """Everything in the contents that is text."""
        return "\n".join(part["text"] for one in self.body["contents"] for part in one["parts"] if "text" in part)

    @property
    def wants(self) -> str:
        """ "transcript", "reply", or "" for plain text, by the form asked for."""
        properties = self.body.get("generationConfig", {}).get("responseSchema", {}).get("properties", {})
        return "transcript" if "transcript" in properties else "reply" if "bubbles" in properties else ""


Step = Callable[["Handler", Seen], None]


class Standin:
    """`requests` are those that were let in, `refused` the words of the refusals; steps of `will` come first."""

    def __init__(self, *, api_key: str = API_KEY, port: int = 0, models: frozenset[str] = MODELS) -> None:
        self.api_key = api_key
        self.models = models
        self.requests: list[Seen] = []
        self.refused: list[str] = []
        self.script: deque[Step] = deque()
        self.signatures: set[str] = set()
        self.lock = threading.Lock()
        self.stopping = threading.Event()
        self.server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self.server.daemon_threads = True
        self.server.standin = self  # type: ignore[attr-defined]
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.05,), name="gemini", daemon=True)

    def __enter__(self) -> Self:
        self.thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stopping.set()
        self.server.shutdown()
        self.server.server_close()
        self.thread.join(10)

    def will(self, *steps: Step) -> None:
        """What happens to the next requests, one after the other."""
        with self.lock:
            self.script.extend(steps)

    def next_step(self) -> Step:
        with self.lock:
            return self.script.popleft() if self.script else says()

    def sign(self) -> str:
        signature = b64encode(os.urandom(12)).decode()
        with self.lock:
            self.signatures.add(signature)
        return signature


# --- What may happen --------------------------------------------------------------------------------------------------
def says(**fields: Any) -> Step:
    """The sensible reply (or transcript), with these fields put in."""

    def step(handler: "Handler", seen: Seen) -> None:
        made = heard(seen) if seen.wants == "transcript" else reply(seen)
        handler.candidate(seen, [{"text": json.dumps(made | fields, ensure_ascii=False)}])

    return step


def writes(text: str, *, finish: str = "STOP") -> Step:
    """Exactly this text, whatever form was asked for."""
    return lambda handler, seen: handler.candidate(seen, [{"text": text}], finish=finish)


def calls(*wanted: tuple[str, dict[str, Any]]) -> Step:
    """Tools, in parallel when there are several: the first part alone carries a signature."""

    def step(handler: "Handler", seen: Seen) -> None:
        parts: list[dict[str, Any]] = [
            {"functionCall": {"id": f"c{len(handler.standin.requests)}{number}", "name": name, "args": arguments}}
            for number, (name, arguments) in enumerate(wanted)
        ]
        parts[0]["thoughtSignature"] = handler.standin.sign()
        handler.candidate(seen, parts)

    return step


def finishes(reason: str, *, text: str = "") -> Step:
    """Ends for this reason; without text its content is absent, as with SAFETY."""
    return lambda handler, seen: handler.candidate(seen, [{"text": text}] if text else None, finish=reason)


def blocks(reason: str = "SAFETY") -> Step:
    """The prompt is refused: 200, no candidates, prompt tokens counted."""
    return lambda handler, seen: handler.answer(
        seen, {"promptFeedback": {"blockReason": reason}, "usageMetadata": {"promptTokenCount": tokens_of(seen)}}
    )


def gives(body: Any, *, status: int = 200, mime: str = "application/json") -> Step:
    """Any body: {} is an answer without anything, a text goes out as it is."""

    def step(handler: "Handler", seen: Seen) -> None:
        handler.send(status, body if isinstance(body, str) else json.dumps(body), mime=mime)

    return step


def fails(code: int, status: str = "", *, retry: str = "", is_daily: bool = False, reason: str = "") -> Step:
    """A typed error; `retry` is RetryInfo's delay, `is_daily` a quota that is used up for today."""
    named = {400: "INVALID_ARGUMENT", 403: "PERMISSION_DENIED", 404: "NOT_FOUND", 429: "RESOURCE_EXHAUSTED",
             500: "INTERNAL", 503: "UNAVAILABLE", 504: "DEADLINE_EXCEEDED"}  # fmt: skip
    details: list[dict[str, Any]] = []
    if retry:
        details.append({"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": retry})
    if code == 429:
        quota = "GenerateRequestsPerDayPerProject" if is_daily else "GenerateRequestsPerMinutePerProject"
        details.append({"@type": "type.googleapis.com/google.rpc.QuotaFailure", "violations": [{"quotaId": quota}]})
    if reason:
        details.append({"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": reason})

    def step(handler: "Handler", seen: Seen) -> None:
        handler.refuse(Refusal(code, status or named.get(code, "UNKNOWN"), "scripted", details=details))

    return step


def resets() -> Step:
    """The connection is cut without an answer."""
    return lambda handler, seen: handler.reset()


def waits(seconds: float, then: Step | None = None) -> Step:
    """Slow; ends early when the stand-in is stopped."""

    def step(handler: "Handler", seen: Seen) -> None:
        if not handler.standin.stopping.wait(seconds):
            (then or says())(handler, seen)

    return step


# --- HTTP -------------------------------------------------------------------------------------------------------------
class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 60

    @property
    def standin(self) -> Standin:
        found: Standin = self.server.standin  # type: ignore[attr-defined]
        return found

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing: a test's output is not the place."""

    def do_GET(self) -> None:
        if self.path.partition("?")[0] in {"/v1/models", "/v1beta/models"}:
            self.send(200, json.dumps({"models": [{"name": f"models/{name}"} for name in sorted(self.standin.models)]}))
        else:
            self.refuse(Refusal(404, "NOT_FOUND", "no such path"))

    def do_POST(self) -> None:
        length = int(self.headers.get("content-length") or 0)
        raw = self.rfile.read(min(length, LARGEST_BODY))
        try:
            seen = self.admit(raw)
        except Refusal as refusal:
            self.standin.refused.append(str(refusal))
            self.refuse(refusal)
            return
        self.standin.requests.append(seen)
        try:
            self.standin.next_step()(self, seen)
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True  # whoever asked has gone

    def admit(self, raw: bytes) -> Seen:
        path = PATH.fullmatch(self.path.partition("?")[0])
        if path is None:
            raise Refusal(404, "NOT_FOUND", f"no such path: {self.path}")
        key = self.headers.get("x-goog-api-key")
        if not key:
            raise Refusal(403, "PERMISSION_DENIED", "no API key")
        if key != self.standin.api_key:
            invalid = {"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "API_KEY_INVALID"}
            raise Refusal(400, "INVALID_ARGUMENT", "API key not valid", details=[invalid])
        if path[2] not in self.standin.models:
            raise Refusal(404, "NOT_FOUND", f"models/{path[2]} is not found")
        try:
            body = normalised(json.loads(raw))
        except ValueError:
            raise Refusal(400, "INVALID_ARGUMENT", "Invalid JSON payload") from None
        validate(body, path[2], self.standin.signatures)
        return Seen(path[2], path[1], {name.lower(): value for name, value in self.headers.items()}, body)

    def candidate(self, seen: Seen, parts: list[dict[str, Any]] | None, *, finish: str = "STOP") -> None:
        candidate: dict[str, Any] = {"finishReason": finish, "index": 0}
        if parts is not None:
            candidate["content"] = {"role": "model", "parts": parts}
        made = len(json.dumps(parts)) // 4 if parts else 0
        used = {"promptTokenCount": tokens_of(seen), "candidatesTokenCount": made, "thoughtsTokenCount": 30}
        if sound := sound_of(seen):
            used["promptTokensDetails"] = [{"modality": "AUDIO", "tokenCount": sound}]  # type: ignore[assignment]
        total = tokens_of(seen) + made + 30
        self.answer(seen, {"candidates": [candidate], "usageMetadata": {**used, "totalTokenCount": total}})

    def answer(self, seen: Seen, body: dict[str, Any]) -> None:
        number = len(self.standin.requests)
        self.send(200, json.dumps({**body, "modelVersion": seen.model, "responseId": f"resp-{number}"}))

    def refuse(self, refusal: Refusal) -> None:
        error = {"code": refusal.code, "status": refusal.status, "message": str(refusal), "details": refusal.details}
        self.send(refusal.code, json.dumps({"error": error}))

    def send(self, status: int, body: str, *, mime: str = "application/json") -> None:
        data = body.encode()
        self.send_response(status)
        self.send_header("content-type", f"{mime}; charset=UTF-8")
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def reset(self) -> None:
        self.close_connection = True
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()


# --- Validation -------------------------------------------------------------------------------------------------------
def normalised(value: Any) -> Any:
    """snake_case keys as camelCase, except inside what is the caller's own."""
    if isinstance(value, list):
        return [normalised(one) for one in value]
    if not isinstance(value, dict):
        return value
    made = {re.sub(r"_([a-z])", lambda match: match[1].upper(), key): inner for key, inner in value.items()}
    return {
        key: {name: normalised(one) for name, one in inner.items()}
        if key == "properties"
        else inner
        if key in VERBATIM
        else normalised(inner)
        for key, inner in made.items()
    }


def wrong(message: str) -> Refusal:
    return Refusal(400, "INVALID_ARGUMENT", message)


def only(given: Mapping[str, Any], allowed: frozenset[str], where: str) -> None:
    if unknown := sorted(given.keys() - allowed):
        raise wrong(f'Unknown name "{unknown[0]}" at {where}')


def validate(body: Any, model: str, signatures: set[str]) -> None:
    """Raises Refusal as the contract says the real API does."""
    if not isinstance(body, dict):
        raise wrong("not an object")
    only(body, TOP, "request")
    contents = body.get("contents")
    if not isinstance(contents, list) or not contents:
        raise wrong("contents is not specified")
    for content in contents:
        check_content(content)
    if contents[-1].get("role") == "model":
        raise wrong("the request ends with a model turn")
    check_calls(contents, signatures)
    check_generation(body.get("generationConfig", {}), model)
    names = check_tools(body.get("tools", []))
    if names and "responseSchema" in body.get("generationConfig", {}) and model.startswith("gemini-2."):
        raise wrong("Function calling with a response mime type: 'application/json' is unsupported")
    mode = body.get("toolConfig", {}).get("functionCallingConfig", {}).get("mode")
    if mode is not None and mode not in MODES:
        raise wrong(f"function calling mode {mode}")
    for setting in body.get("safetySettings", []):
        if setting["category"].removeprefix("HARM_CATEGORY_") not in CATEGORIES:
            raise wrong(f"category {setting['category']}")
        if setting["threshold"] not in THRESHOLDS:
            raise wrong(f"threshold {setting['threshold']}")


def check_content(content: Any) -> None:
    if not isinstance(content, dict) or content.get("role") not in {"user", "model"}:
        raise wrong("Please use a valid role: user, model")
    if not content.get("parts"):
        raise wrong("contents.parts must not be empty")
    for part in content["parts"]:
        only(part, PART, "part")
        data = part.get("inlineData")
        if data is not None and data.get("mimeType") not in MIMES:
            raise wrong(f"Unsupported MIME type: {data.get('mimeType')}")


def check_calls(contents: list[Any], signatures: set[str]) -> None:
    """Calls are signed as we signed them, and each is answered in the next content, under its own id and name."""
    for number, content in enumerate(contents):
        made = [part["functionCall"] for part in content["parts"] if "functionCall" in part]
        if not made:
            continue
        first = next(part for part in content["parts"] if "functionCall" in part)
        if "thoughtSignature" not in first:
            raise wrong("Function call is missing a thought_signature")
        if str(first["thoughtSignature"]).replace("-", "+").replace("_", "/") not in signatures:  # either alphabet
            raise wrong("Invalid thought signature")
        after = contents[number + 1]["parts"] if number + 1 < len(contents) else []
        given = [part["functionResponse"] for part in after if "functionResponse" in part]
        if [(one.get("id"), one["name"]) for one in given] != [(one.get("id"), one["name"]) for one in made]:
            raise wrong("function responses do not match the function calls")


def check_generation(config: Mapping[str, Any], model: str) -> None:
    only(config, GENERATION, "generation_config")
    thinking = config.get("thinkingConfig", {})
    only(thinking, frozenset({"thinkingLevel", "thinkingBudget", "includeThoughts"}), "thinking_config")
    level = str(thinking.get("thinkingLevel", "")).upper()
    if level and (model.startswith("gemini-2.") or level not in {"MINIMAL", "LOW", "MEDIUM", "HIGH"}):
        raise wrong(f"thinking level {level} is not supported by {model}")
    if level == "MINIMAL" and model in WITHOUT_MINIMAL:
        raise wrong(f"thinking level MINIMAL is not supported by {model}")
    if "thinkingBudget" in thinking and not model.startswith("gemini-2."):
        raise wrong(f"thinking_budget is not supported by {model}")
    if "responseSchema" in config:
        if config.get("responseMimeType") != "application/json":
            raise wrong("response_schema needs response_mime_type application/json")
        check_schema(config["responseSchema"])


def check_schema(schema: Any) -> None:
    only(schema, SCHEMA, "response_schema")
    if "anyOf" not in schema and schema.get("type") not in TYPES:
        raise wrong(f"schema type {schema.get('type')}")
    for inner in (schema.get("properties") or {}).values():
        check_schema(inner)
    if schema.get("type") == "OBJECT" and not schema.get("properties"):
        raise wrong("properties should be non-empty for OBJECT type")
    if "items" in schema:
        check_schema(schema["items"])
    for inner in schema.get("anyOf", []):
        check_schema(inner)


def check_tools(tools: list[Any]) -> list[str]:
    names = []
    for tool in tools:
        only(tool, frozenset({"functionDeclarations"}), "tool")
        for declared in tool["functionDeclarations"]:
            only(declared, frozenset({"name", "description", "parametersJsonSchema", "parameters"}), "declaration")
            if not NAME.fullmatch(declared["name"]):
                raise wrong(f"Invalid function name {declared['name']}")
            names.append(declared["name"])
    if len(names) != len(set(names)):
        raise wrong("Duplicate function declaration")
    return names


def tokens_of(seen: Seen) -> int:
    """About what the vendor would count."""
    words = len(seen.text) + len(json.dumps(seen.body.get("systemInstruction", {})))
    return words // 4 + sound_of(seen)


def sound_of(seen: Seen) -> int:
    return sum(
        len(part["inlineData"]["data"]) * 3 // 4 // SOUND_BYTES_PER_TOKEN + 1
        for content in seen.body["contents"]
        for part in content["parts"]
        if part.get("inlineData", {}).get("mimeType", "").startswith("audio/")
    )


# --- A sensible answer ------------------------------------------------------------------------------------------------
NEW = re.compile(r"^\[(\d+)\] lead, new[^\n]*<data \w+>\n(.*?)\n</data", re.MULTILINE | re.DOTALL)
KNOWLEDGE = re.compile(r"^\[(\d+)\] .*\n<data \w+>\n(.*?)\n</data", re.MULTILINE | re.DOTALL)
LEAD = re.compile(r"^\[\d+\] lead[^\n]*<data \w+>\n(.*?)\n</data", re.MULTILINE | re.DOTALL)
TOLD = re.compile(r"Write the reply in: (\w+)")
TONGUES = {"portuguese": "pt-br", "brazilian": "pt-br", "english": "en", "spanish": "es"}
MARKS = {  # words that tell one of the three languages from the others
    name: frozenset(words.split())
    for name, words in {
        "pt-br": (
            "não nao você voce vocês voces vc vcs uma um são sao isso também tambem até com meu minha muito mais "
            "aqui obrigado obrigada oi olá quanto custa gente pra tenho temos fica dia tarde boa bom sim é tá ta "
            "foi seu sua do da dos das em no na"
        ),
        "en": (
            "the is are you your we our what how much hi hello thanks i i'm it's and of to for with that this not "
            "don't about just can do have my me they it was yes who when where per"
        ),
        "es": (
            "el los las usted ustedes hola cuánto cuanto cuesta tenemos gracias una un pero y con muy más está "
            "nosotros yo es son hay qué que del al su mi tengo buenas buenos sí ya lo le se cómo como también "
            "hacemos"
        ),
    }.items()
}
ASKS: Mapping[str, tuple[tuple[str, str], ...]] = {
    "pt-br": (
        ("situation", "Como vocês fazem isso hoje?"),
        ("problem", "O que mais atrapalha no jeito de hoje?"),
        ("implication", "E o que isso acaba custando?"),
        ("need_payoff", "O que mudaria se isso estivesse resolvido?"),
    ),
    "en": (
        ("situation", "How do you handle this today?"),
        ("problem", "What bothers you most about it?"),
        ("implication", "And what does that end up costing?"),
        ("need_payoff", "What would change if it were solved?"),
    ),
    "es": (
        ("situation", "¿Cómo lo hacen hoy?"),
        ("problem", "¿Qué es lo que más les molesta?"),
        ("implication", "¿Y eso cuánto termina costando?"),
        ("need_payoff", "¿Qué cambiaría si estuviera resuelto?"),
    ),
}
THANKS = {"pt-br": "Entendi, obrigado por contar.", "en": "I see, thanks for telling me.", "es": "Entiendo, gracias."}
UNKNOWN = {
    "pt-br": "Vou confirmar com a equipe.",
    "en": "I will ask the team.",
    "es": "Voy a consultarlo con el equipo.",
}


def reply(seen: Seen) -> dict[str, Any]:
    """Answers from the knowledge in the request, and asks the next question that was not asked."""
    text = seen.text
    new = [(int(number), words) for number, words in NEW.findall(text)]
    number, words = new[-1] if new else (1, "")
    language = language_of(*(said for _, said in new[::-1]), " ".join(LEAD.findall(text))) or told_language(text)
    known = KNOWLEDGE.findall(text.partition("The conversation, oldest first")[0])
    is_question = words.rstrip().endswith("?")
    first = (known[0][1].partition("\n")[0] if known else UNKNOWN[language]) if is_question else THANKS[language]
    stage, question = next((one for one in ASKS[language] if one[1] not in text), ("", ""))
    counts = not is_question and len(words.split()) >= 3
    asked_now = next((one[0] for one in reversed(ASKS[language]) if one[1] in text), "situation")
    return {
        "intent": "question" if is_question else "answer" if counts else "greeting",
        "language": language,
        "answers": [{"stage": asked_now, "message": number, "quote": words, "confidence": 0.9, "replaces": []}]
        if counts
        else [],
        "facts": [],
        "signals": [],
        "wish": "none",
        "slot": None,
        "rating": None,
        "handoff": "unknown_answer" if is_question and not known else "none",
        "bubbles": [f"{first} {question}".strip()],
        "asks_about": stage,
        "passages": [int(known[0][0])] if is_question and known else [],
        "summary": "The lead and the assistant are talking.",
    }


def heard(seen: Seen) -> dict[str, Any]:
    """What a recording says; one of a few bytes is noise."""
    is_noise = sound_of(seen) <= 1
    words = "" if is_noise else "A gente atende umas quarenta pessoas por dia."
    return {"transcript": words, "language": "" if is_noise else "pt-br", "unintelligible": is_noise}


def language_of(*texts: str) -> str:
    """Of the first text that tells; "" when none does."""
    for text in texts:
        words = re.findall(r"[^\W\d_]+(?:'[^\W\d_]+)?", text.lower())
        counted = sorted(((sum(word in marks for word in words), name) for name, marks in MARKS.items()), reverse=True)
        if counted[0][0] >= 2 and counted[0][0] > counted[1][0]:
            return counted[0][1]
    return ""


def told_language(text: str) -> str:
    """The one the request names first."""
    named = TOLD.search(text)
    return TONGUES.get(named.group(1).lower(), "pt-br") if named else "pt-br"
