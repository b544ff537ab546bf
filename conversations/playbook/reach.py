"""E-mail addresses and phone numbers as people write or spell them. Pure; places are those of the text."""

import re
from collections.abc import Iterator

from conversations.playbook.money import level, numbers

MAIL = re.compile(r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+", re.ASCII)
LOOSE_MAIL = re.compile(r"([\w.+-]+)\s*@\s*([\w-]+(?:\s*\.\s*[\w-]+)+)", re.ASCII)
AT = r"(?:arroba|\[at\]|\(at\)|\bat\b)"
DOT = r"(?:\bponto\b|\bpunto\b|\bdot\b|\[dot\]|\.)"
SPELLED_AT = re.compile(rf"\s{AT}\s")
SPELLED_DOMAIN = re.compile(
    rf"\s*([a-z0-9-]+(?:\s[a-z0-9-]+){{0,2}}?)\s*,?\s*{DOT}\s*([a-z]{{2,8}})\b(\s*{DOT}\s*[a-z]{{2,3}}\b)?"
)
SPELLED_LOCAL = re.compile(r"[a-z0-9_.\s-]{1,60}$")
SPELLED_SIGNS = (
    (re.compile(r"\s*\b(?:ponto|punto|dot)\b\s*"), "."),
    (re.compile(r"\s*\b(?:underline|underscore|guion bajo)\b\s*"), "_"),
    (re.compile(r"\s*\b(?:traco|tracinho|hifen|dash|guion)\b\s*"), "-"),
)
LEAD_IN = re.compile(
    r"^.*\b(?:e-?mail|mail|correo|e|eh|es|is|it's|seria|para|pra|pro|to|no|en|nao|minusculo|anota|manda|envia|use|send)\b[\s:,]+"
)
DOMAINS = frozenset(
    (
        "gmail",
        "hotmail",
        "outlook",
        "yahoo",
        "icloud",
        "live",
        "uol",
        "bol",
        "terra",
        "proton",
        "protonmail",
        "aol",
        "me",
    )
)
OLD_MAIL = re.compile(r"\b(?:era|antigo|antiga|old|used to be|viejo|no longer|nao uso|erro|errado|wrong)\b[^@]{0,25}$")

PHONE = re.compile(r"(?<![\w/@.])(?:\+\s?|\b(?:plus|mais)\s)?\(?\d[\d\s().\-–]{6,22}\d(?![\w/])")
NOT_PHONE = re.compile(
    r"\b(?:cnpj|cpf|cep|pedido|protocolo|nota|ruc|rut|dni|nif|rfc|order|invoice|r\$|placa|conta)\W*(?:n\w*|e|es|is)?\W*$"
)
BRAZILIAN = (10, 11)  # digits with the area code
COUNTRY_PREFIX = re.compile(r"(?:\+|\bplus\s|\bmais\s)\s?$|^\+")
PHONE_CUE = re.compile(
    r"\b(?:tel|telefone|fone|cel|celular|zap|whats\w*|numero|liga\w*|ligue|ddd|phone|call|number|cell|movil|telefono|llam\w*|contato|contacto|anota|reach)\b"
)
WORDS_OF_CALLING = frozenset(("zero", "operadora", "ddd", "e", "fixo"))


def mails(text: str) -> Iterator[tuple[str, int, int]]:
    """(address in lower case, start, end) of each, the valid one last when another is said to be old."""
    plain = level(text)
    found = [(m.group().rstrip(".").lower(), m.start(), m.end()) for m in MAIL.finditer(plain)]
    if not found:
        loose = LOOSE_MAIL.finditer(plain)
        found = [(re.sub(r"\s", "", match.group()), match.start(), match.end()) for match in loose]
    if not found and (at := SPELLED_AT.search(plain)) and (domain := SPELLED_DOMAIN.match(plain, at.end())):
        local = SPELLED_LOCAL.search(plain[: at.start()])
        if local is not None:
            words, start = local.group(), local.start()
            if lead := LEAD_IN.match(words):
                words, start = words[lead.end() :], start + lead.end()
            name, ending, more = domain.groups()
            if words.strip():
                address = f"{_spelled(words)}@{re.sub(r'[^a-z0-9-]', '', name)}.{ending}{_spelled(more or '')}"
                found.append((address, start, domain.end()))
    old = [mail for mail in found if OLD_MAIL.search(plain[: mail[1]])]
    yield from old if len(old) == len(found) else [mail for mail in found if mail not in old]


def _spelled(text: str) -> str:
    for pattern, sign in SPELLED_SIGNS:
        text = pattern.sub(sign, text)
    return (
        re.sub(r"\s", "", text).strip("-")
        if "-" not in text
        else re.sub(r"-?\s+", lambda m: "-" if "-" in m.group() else "", text).strip()
    )


def phones(text: str, *, is_asked: bool, language: str) -> Iterator[tuple[str, int, int]]:
    """(digits with the country code, start, end). Brazil is assumed where no country is said and the language is pt-BR."""
    plain = level(text)
    for match in PHONE.finditer(plain):
        written = match.group()
        digits = re.sub(r"\D", "", written)
        if NOT_PHONE.search(plain[: match.start()]) or re.search(r"\d{1,2}/\d{1,2}", written):
            continue
        cue = is_asked or bool(PHONE_CUE.search(plain))
        has_code = written.lstrip("(").startswith(("+", "plus", "mais"))
        number = _canonical(digits, has_code=has_code, language=language, cue=cue)
        if number:
            yield number, match.start(), match.end()
            return
    if is_asked and (spoken := _spoken(plain, language)):
        yield spoken


def _canonical(digits: str, *, has_code: bool, language: str, cue: bool) -> str:
    if has_code:
        return digits if 9 <= len(digits) <= 15 else ""
    local = digits.lstrip("0")
    if local.startswith("55") and len(local) in (12, 13):
        return local
    if len(local) in BRAZILIAN and language.startswith("pt"):
        return f"55{local}"
    if language.startswith("en") and len(local) == 10:
        return f"1{local}"
    if len(local) in BRAZILIAN and not language and cue:
        return f"55{local}"
    return local if cue and 9 <= len(local) <= 15 else ""


def _spoken(plain: str, language: str) -> tuple[str, int, int] | None:
    """Digits said one by one or in pairs: "oitenta e cinco nove oito…"."""
    found = numbers(plain)
    parts = [str(int(number.value)) for number in found if number.value < 10_000]
    digits = "".join(parts).lstrip("0")
    if len(digits) not in BRAZILIAN or len(parts) < 4:
        return None
    number = _canonical(digits, has_code=False, language=language or "pt-BR", cue=True)
    return (number, found[0].start, found[-1].end) if number else None
