"""Yes or no, as people say it in three languages. Pure."""

import re
from enum import StrEnum

from conversations.playbook.text import fold

YES = re.compile(
    r"^\W*(?:(?:sim|s|ss|yes|yep|yeah|yea|yup|si|sip|claro|ok|okay|okey|isso|isso mesmo|exato|exatamente|correto|correct|correcto|right|sure|"
    r"com certeza|certeza|pode|pode ser|pode sim|positivo|aham|uhum|aha|certo|beleza|blz|fechado|dale|vale|va|por supuesto|of course|"
    r"definitely|absolutely|bora|vamos|topo|quero|quiero|tenho|tengo|uso|i do|we do|it does|tem|tem sim|ja|ya|sempre|siempre|always)\b|👍|✅|👌|💯)",
)
NO = re.compile(
    r"^\W*(?:(?:nao|n|nn|no|nope|nah|nunca|never|jamais|jamas|negativo|nada|nenhum|nenhuma|ninguno|ninguna|none|not|ainda nao|todavia no|"
    r"aun no|not yet|por enquanto nao|de jeito nenhum|para nada|no way|tampouco|tampoco)\b|👎|❌)",
)
TAIL_NO = re.compile(
    r"^\W*(?:tenho|tem|temos|uso|usamos|quero|sei|precisa|preciso|funciona|da)\s+nao\b"
)  # "tenho não" says no


class YesNo(StrEnum):
    YES = "yes"
    NO = "no"


def yes_or_no(text: str) -> YesNo | None:
    """What the text's beginning says to a yes/no question; None when it says neither."""
    folded = fold(text)
    if TAIL_NO.search(folded) or NO.search(folded):
        return YesNo.NO
    return YesNo.YES if YES.search(folded) else None
