"""Words of a chat message: folded, spelled out, with their place in the text. Pure."""

import re
import unicodedata
from dataclasses import dataclass
from functools import lru_cache

# What people type for a word, per way of writing; the same in every language that does not contradict it.
SPELLED_OUT = {
    **dict.fromkeys(("n", "ñ", "naum", "num", "nn", "naoo", "nop", "nops"), "nao"),
    **dict.fromkeys(("vc", "vcs", "voce", "voces", "ce", "ces", "oce", "tu", "vce"), "voce"),
    **dict.fromkeys(("q", "ke", "qe"), "que"),
    **dict.fromkeys(("pq", "porq", "pqe", "xq", "pk"), "porque"),
    **dict.fromkeys(("pra", "p", "pro", "pras", "pros", "pa"), "para"),
    **dict.fromkeys(("tb", "tbm", "tbem", "tmb", "tamo"), "tambem"),
    **dict.fromkeys(("msg", "msgs", "msm", "msgm", "mensg", "mensagen", "mensage"), "mensagem"),
    **dict.fromkeys(
        ("pfv", "pf", "pfvr", "pfvor", "favorzinho", "porfa", "porfi", "xfa", "xfavor", "pls", "plz"), "favor"
    ),
    **dict.fromkeys(("obg", "obgd", "obrigado", "brigado", "brigada", "obrigadao", "vlw", "valeu"), "obrigada"),
    **dict.fromkeys(("blz", "bele"), "beleza"),
    **dict.fromkeys(("hj", "oje"), "hoje"),
    **dict.fromkeys(("amnh", "amanh", "amnha"), "amanha"),
    **dict.fromkeys(("kero", "qro", "qero"), "quero"),
    **dict.fromkeys(("kiero", "qiero"), "quiero"),
    **dict.fromkeys(("kieren", "kieres"), "quieres"),
    **dict.fromkeys(("to", "tou", "tow"), "estou"),
    **dict.fromkeys(("ta", "tah"), "esta"),
    **dict.fromkeys(("eh", "é"), "e"),
    **dict.fromkeys(("aki", "aqi"), "aqui"),
    **dict.fromkeys(("cmg",), "comigo"),
    **dict.fromkeys(("ctg",), "contigo"),
    **dict.fromkeys(("dps",), "depois"),
    **dict.fromkeys(("agr",), "agora"),
    **dict.fromkeys(("mt", "mto", "mta", "mts", "mtos", "muita", "muitos", "muitas"), "muito"),
    **dict.fromkeys(("ngm",), "ninguem"),
    **dict.fromkeys(("alg", "algm"), "alguem"),
    **dict.fromkeys(("tel", "fone"), "telefone"),
    **dict.fromkeys(("zap", "zapzap", "wpp", "whats", "whatsapp", "wsp", "wasap", "wapp", "uats"), "whatsapp"),
    **dict.fromkeys(("u", "ya'll", "yall", "ur", "youre"), "you"),
    **dict.fromkeys(("thx", "tks", "ty", "tnx"), "thanks"),
    **dict.fromkeys(("dont", "donot", "dnt"), "don't"),
    **dict.fromkeys(("cant", "cannot"), "can't"),
    **dict.fromkeys(("wont",), "won't"),
    **dict.fromkeys(("didnt",), "didn't"),
    **dict.fromkeys(("im",), "i'm"),
    **dict.fromkeys(("ive",), "i've"),
    **dict.fromkeys(("wanna",), "want"),
    **dict.fromkeys(("gonna",), "going"),
    **dict.fromkeys(("asap",), "urgent"),
}
TOKEN = re.compile(
    r"(?P<mail>[\w.+-]+@[\w-]+(?:\.[\w-]+)+)"
    r"|(?P<link>https?://\S+|www\.\S+)"
    r"|(?P<word>[^\W\d_]+(?:['’][^\W\d_]+)*)"
    r"|(?P<number>\d+(?:[.,:/]\d+)*)"
    r"|(?P<mark>[?!…]|\.{2,}|[$€£%])"
    r"|(?P<emoji>[\U0001F300-\U0001FAFF\u2600-\u27BF])"
)
SENTENCE_END = re.compile(r"(?:[.!?…]+(?=\s|$)|[;\n]+|[!?]+)\s*")
REPEATS = re.compile(r"(.)\1{2,}")


@dataclass(frozen=True)
class Token:
    """One word, number, mark or emoji: its place in the text, its folded form, and its kind (a group of `TOKEN`)."""

    start: int
    end: int
    form: str
    kind: str


@dataclass(frozen=True)
class Segment:
    """A verbatim piece of a text, with its place."""

    start: int
    end: int
    text: str


def fold(text: str) -> str:
    """Lower case, no accents, letters repeated three times or more cut to one. "SIIIM, não" -> "sim, nao"."""
    decomposed = unicodedata.normalize("NFKD", text.lower().replace("’", "'"))
    return REPEATS.sub(r"\1", "".join(sign for sign in decomposed if not unicodedata.combining(sign)))


@lru_cache(maxsize=4096)
def tokens(text: str) -> tuple[Token, ...]:
    """The words of `text` in order; forms are folded and chat abbreviations spelled out."""
    found = []
    for match in TOKEN.finditer(text):
        kind = match.lastgroup or ""
        form = fold(match.group())
        if kind == "word":
            form = SPELLED_OUT.get(form, form)
        found.append(Token(match.start(), match.end(), form, kind))
    return tuple(found)


def words(text: str) -> list[str]:
    """Folded, spelled-out words and numbers, without marks and emoji."""
    return [token.form for token in tokens(text) if token.kind in ("word", "number")]


def sentences(text: str) -> list[Segment]:
    """`text` cut at sentence ends, line ends and semicolons. Empty pieces are left out; spans are verbatim."""
    pieces: list[Segment] = []
    start = 0
    for end in [*SENTENCE_END.finditer(text), None]:
        stop = end.end() if end else len(text)
        piece = text[start:stop]
        stripped = piece.strip()
        if any(sign.isalnum() for sign in stripped) or (stripped and not pieces and end is None):
            begin = start + len(piece) - len(piece.lstrip())
            pieces.append(Segment(begin, begin + len(stripped), stripped))
        start = stop
    return pieces
