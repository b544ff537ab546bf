"""What the org knows and may be quoted: found for a lead's words, and changed by its people (PRODUCT 2).

Finding is done in two steps: PostgreSQL names candidates by the terms that a passage shares with the question (the GIN
index over `Passage.terms`, each term weighed by how rare it is among all passages), and `playbook.search` ranks those
few by their sentences and tells whether the best of them answers.
"""

import re
from decimal import Decimal

from django.db import connection, transaction

from conversations.models import Passage, Product
from conversations.playbook import search
from conversations.ports import Offer, Snippet

CANDIDATES = 16  # passages that are read closely; the right one was never below the tenth place
QUESTIONS = 3  # of one message that are looked up each for itself
WORDS_OF_A_QUESTION = 3  # fewer mean nothing without what was said before
LONGEST_QUESTION_CHARS = 2_000
OWN_LANGUAGE = 1.15  # the same said in the lead's language comes first
MARKS = {"BRL": "R$", "USD": "US$", "EUR": "€"}
OFFERS = 200

# The planner thinks comparing arrays cheaper than it is and would read them all, term for term: the index wins by 20.
NEAREST = """
SET LOCAL enable_seqscan = off;
WITH asked AS (
    SELECT * FROM unnest(%s::varchar[], %s::float8[]) AS t(term, weight)
), hits AS MATERIALIZED (
    SELECT asked.term, asked.weight, passage.id
      FROM asked
      CROSS JOIN LATERAL (
          SELECT id, document_id FROM conversations_passage WHERE terms @> ARRAY[asked.term]::varchar[] OFFSET 0
      ) AS passage
      JOIN conversations_document document ON document.id = passage.document_id AND document.is_active
), counts AS (
    SELECT term, weight, count(*) AS n FROM hits GROUP BY term, weight
), total AS (
    SELECT count(*) AS n
      FROM conversations_passage passage
      JOIN conversations_document document ON document.id = passage.document_id AND document.is_active
), best AS (
    SELECT hits.id, sum(hits.weight * ln(1 + (total.n - counts.n + 0.5) / (counts.n + 0.5))) AS score
      FROM hits JOIN counts ON counts.term = hits.term CROSS JOIN total
     GROUP BY hits.id ORDER BY score DESC, hits.id LIMIT %s
)
SELECT 'passage', id::text, 0 FROM best
UNION ALL SELECT 'term', term, n FROM counts
UNION ALL SELECT 'total', '', n FROM total;
SET LOCAL enable_seqscan = on
"""


# --- Finding ----------------------------------------------------------------------------------------------------------
def snippets_for(text: str, *, language: str, limit: int = 3) -> tuple[Snippet, ...]:
    """Passages that may answer what a lead wrote, best first. Inside the org; two statements for each question.

    In: the lead's newest words, the language they write in (pt-br, en, es). Out: at most `limit`; `answers` says of
    each whether it was judged to answer, which the passages after the first one usually are not. Empty when nothing
    of the question is in any passage.
    """
    found: dict[int, tuple[float, Snippet]] = {}
    for question in questions(text):
        for rank, (confidence, snippet) in enumerate(nearest(question, language=language, limit=limit)):
            place = confidence - rank  # the best of each question before the second of any
            if snippet.id not in found or place > found[snippet.id][0]:
                found[snippet.id] = place, snippet
    ordered = sorted(found.values(), key=lambda item: (not item[1].answers, -item[0], item[1].id))
    return tuple(snippet for _, snippet in ordered[:limit])


def is_answerable(text: str, *, language: str) -> bool:
    """Whether the org's knowledge answers what was asked. Inside the org."""
    return any(snippet.answers for snippet in snippets_for(text, language=language, limit=1))


def offers() -> tuple[Offer, ...]:
    """The catalogue as a brain may know it, by name. A price is there only where the row says it may be told."""
    rows = Product.objects.filter(is_active=True).order_by("name", "pk")[:OFFERS]
    return tuple(
        Offer(
            id=row.pk,
            name=row.name,
            description=row.description,
            price=price_of(row) if row.may_quote else "",
            conditions=row.conditions if row.may_quote else "",
        )
        for row in rows
    )


def questions(text: str) -> list[str]:
    """What is asked in a message: each question with what stands before it where there are several; of one alone its
    sentence, or the whole text when that is no more than a word or two."""
    text = text[:LONGEST_QUESTION_CHARS]
    pieces = [piece.strip() for piece in re.findall(r"[^?]*\?", text) if any(one.isalpha() for one in piece)]
    if len(pieces) > 1:
        return pieces[:QUESTIONS]
    alone = re.search(r"[^.!?:\n]*\?", text)
    return [alone.group().strip()] if alone and len(alone.group().split()) >= WORDS_OF_A_QUESTION else [text]


def nearest(question: str, *, language: str, limit: int) -> list[tuple[float, Snippet]]:
    """The best passages for one question with the confidence that they answer it, best first."""
    wanted = search.query_terms(question)
    if not wanted:
        return []
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(NEAREST, [list(wanted), list(wanted.values()), CANDIDATES])
        cursor.nextset()  # behind the setting's own empty answer
        rows = cursor.fetchall()
    ids = [int(value) for sort, value, _ in rows if sort == "passage"]
    counts = {value: count for sort, value, count in rows if sort == "term"}
    total = next(count for sort, _, count in rows if sort == "total")
    passages = list(Passage.objects.filter(pk__in=ids).select_related("document").order_by("pk"))
    index = search.Index(
        [search.Passage(heading_of(passage), passage.text) for passage in passages], counts=counts, total=total
    )
    hits = []
    for hit in index.find(question, limit=len(passages)):
        passage = passages[hit.index]
        own = passage.document.language.partition("-")[0] == language.partition("-")[0]
        snippet = Snippet(
            id=passage.pk,
            source=passage.document.title,
            heading=passage.heading,
            text=passage.text,
            answers=hit.confidence >= search.ANSWERABLE,
        )
        hits.append((hit.score * (OWN_LANGUAGE if own else 1.0), hit.confidence, snippet))
    hits.sort(key=lambda item: (-item[0], item[2].id))
    return [(confidence, snippet) for _, confidence, snippet in hits[:limit]]


def heading_of(passage: Passage) -> str:
    return passage.heading or passage.document.title


def price_of(product: Product) -> str:
    """ "R$ 1.297,00 / mês": as it is told. "" without a price."""
    if product.price is None:
        return ""
    return " / ".join(filter(None, (money(product.price, product.currency), product.unit)))


def money(amount: Decimal, currency: str) -> str:
    """With the currency's mark and its country's separators, cents only where there are any."""
    digits = f"{amount:,.2f}".removesuffix(".00")
    if currency != "USD":
        digits = digits.translate(str.maketrans(",.", ".,"))
    return f"{MARKS.get(currency, currency)} {digits}"
