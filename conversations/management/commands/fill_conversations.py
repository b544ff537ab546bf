"""Fill an org with made-up conversations by SQL, to see and to measure what the inbox does at any size.

manage.py fill_conversations --org aurora --conversations 100000 --messages 1000000

Only where ENVIRONMENT is development or test. People, phones and words are invented; the same call makes the same rows.
"""

import argparse
from collections.abc import Mapping
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.db import connection
from django.db.models import Max, Model

from conversations.models import Contact, Conversation, Message, Number, Qualification
from conversations.ports import LinkState
from orgs.context import in_org
from orgs.models import Org

FIRST_NAMES = (
    "Ana,Bruno,Carla,Diego,Elisa,Fábio,Gabriela,Heitor,Íris,João,Karina,Lucas,Márcia,Nelson,Olívia,Paulo,Quitéria,"
    "Rafael,Sônia,Tomás,Úrsula,Vitor,Wanda,Xavier,Yara,Zilda"
)
LAST_NAMES = (
    "Almeida,Barbosa,Cardoso,Dantas,Esteves,Figueiredo,Gonçalves,Hoffmann,Ibrahim,Junqueira,Klein,Lacerda,Moura,Neves,"
    "Oliveira,Prates,Queiroz,Ramalho,Sampaio,Teixeira,Uchôa,Vilela,Werneck,Xisto,Yamada,Zanetti"
)
THINGS = (
    "painéis solares,consulta,orçamento,financiamento,instalação,bateria,inversor,manutenção,contrato,desconto,entrega,"
    "visita técnica,garantia,boleto,parcelamento,proposta,telhado,economia,conta de luz,prazo"
)
SAYINGS = (
    "Oi! Quero saber mais sobre {}|Quanto custa {}?|Vocês fazem {} em Campinas?|Preciso de {} ainda este mês|"
    "Pode me ligar amanhã para falar de {}?|Meu sócio perguntou de {}|Já tenho {}, mas não funciona bem|"
    "Qual é o prazo de {}?|Obrigado, vou pensar sobre {}|Gostei da ideia de {}"
)
MOST_BEHIND_DAYS = 90
PHONES = 5511900000000
ROWS_AT_ONCE = 20_000


class Command(BaseCommand):
    help = "Fill an org with made-up conversations (development and test only)."

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("--org", required=True, help="the org's slug")
        parser.add_argument("--conversations", type=int, default=100_000)
        parser.add_argument("--messages", type=int, default=1_000_000)

    def handle(self, *args: Any, **options: Any) -> None:
        if not settings.IS_LOCAL:
            raise CommandError("Made-up people belong into development and test only.")
        org = Org.objects.filter(slug=options["org"]).first()
        if org is None:
            raise CommandError(f"There is no org {options['org']!r}.")
        with in_org(org):
            fill(options["conversations"], options["messages"])
        self.stdout.write(
            f"{options['conversations']:,} conversations, {options['messages']:,} messages in {org.slug}."
        )


def fill(conversations: int, messages: int) -> None:
    """Add that many to the org that is entered. Raises ValueError unless each conversation gets a message."""
    if not 0 < conversations <= messages:
        raise ValueError("Each conversation needs a message.")
    number = Number.objects.filter(removed_at=None).order_by("pk").first() or Number.objects.create(
        name="Vendas", phone="5511988880000", state=LinkState.OPEN
    )
    contact, conversation = (model.objects.aggregate(at=Max("pk"))["at"] or 0 for model in (Contact, Conversation))
    name = f"{pick(FIRST_NAMES, 'g * 7')} || ' ' || {pick(LAST_NAMES, 'g / 26 * 11 + g')}"
    folded = f"translate(lower({name}), 'áàâãéêíóôõúç', 'aaaaeeiooouc')"
    insert(Contact(), conversations, {
        "id": f"{contact} + g", "name": name, "name_folded": folded, "phone": f"({PHONES} + {contact} + g)::text",
    })  # fmt: skip
    each = messages // conversations
    at = f"now() - {MOST_BEHIND_DAYS} * interval '1 day' * power(g::float / {conversations}, 2)"
    insert(Conversation(number=number), conversations, {
        "id": f"{conversation} + g", "contact_id": f"{contact} + g",
        "reply_jid": f"({PHONES} + {contact} + g)::text || '@s.whatsapp.net'",
        "owner": "CASE WHEN g % 9 = 0 THEN 'person' WHEN g % 50 = 1 THEN 'nobody' ELSE 'ai' END",
        "owner_person_id": "CASE WHEN g % 9 = 0 THEN 1 + g % 5 END",
        "lifecycle": "CASE WHEN g % 3 = 0 THEN 'open' WHEN g % 3 = 1 AND g % 7 > 1 THEN 'closed'"
                     " WHEN g % 29 = 0 THEN 'snoozed' ELSE 'waiting_lead' END",
        "snoozed_until": "CASE WHEN g % 3 > 0 AND g % 29 = 0 THEN now() + interval '1 day' END",
        "needs_person_since": f"CASE WHEN g % 3 = 0 AND g % 21 = 0 THEN {at} END",
        "needs_reason": "CASE WHEN g % 3 = 0 AND g % 21 = 0 THEN 'lead_waiting' ELSE '' END",
        "seq": str(each), "watermark": str(each), "last_message_at": at, "created_at": at, "last_lead_at": at,
        "first_lead_at": f"{at} - interval '1 day'", "preview": saying(f"(g * {each} + {each})"),
        "preview_author": "'lead'", "unread": "CASE WHEN g % 5 = 0 THEN 1 + g % 3 ELSE 0 END",
    })  # fmt: skip
    insert(Qualification(conversation_id=0), conversations, {
        "conversation_id": f"{conversation} + g", "score": "g * 37 % 101",
        "stage": pick("situation,problem,implication,need_payoff,qualified", "g"),
    })  # fmt: skip
    in_talk = f"1 + (g - 1) % {each}"
    talk = f"LEAST({conversations}, 1 + (g - 1) / {each})"
    insert(Message(number=number), conversations * each, {
        "conversation_id": f"{conversation} + {talk}", "seq": in_talk,
        "author": f"CASE WHEN ({in_talk}) % 2 = 1 THEN 'lead' ELSE 'ai' END",
        "state": f"CASE WHEN ({in_talk}) % 2 = 1 THEN 'received' ELSE 'sent' END",
        "provider_id": f"'FILL-{conversation}-' || g", "text": f"{saying('g')} || ' pedido' || g",
        "sent_at": f"now() - {MOST_BEHIND_DAYS} * interval '1 day' * power(({talk})::float / {conversations}, 2)"
                   f" - ({each} - ({in_talk})) * interval '7 minutes'",
    })  # fmt: skip
    with connection.cursor() as cursor:
        cursor.execute("SET statement_timeout = 0")  # reading a million rows takes as long as it takes
        cursor.execute("VACUUM (ANALYZE) " + ", ".join(
            model._meta.db_table for model in (Contact, Conversation, Message, Qualification)
        ))  # fmt: skip


def pick(words: str, by: str) -> str:
    """SQL for one of the words, by a number."""
    count = len(words.split(","))
    return f"split_part('{words}', ',', (1 + abs({by}) % {count})::int)"


def saying(by: str) -> str:
    """SQL for a sentence, by a number."""
    count = len(SAYINGS.split("|"))
    frame = f"split_part('{SAYINGS}', '|', (1 + abs({by}) % {count})::int)"
    return f"replace({frame}, '{{}}', {pick(THINGS, f'({by}) / {count}')})"


def insert(template: Model, count: int, columns: Mapping[str, str]) -> None:
    """Insert `count` rows: columns by SQL over `g` (1 to count), the others as the template has them."""
    names, parts, values = [], [], []
    for one in template._meta.concrete_fields:
        if given := columns.get(one.column or ""):
            names.append(str(one.column))
            parts.append(given)
        elif not one.primary_key:
            names.append(str(one.column))
            parts.append("%s")
            values.append(one.get_db_prep_save(one.pre_save(template, add=True), connection))
    table = template._meta.db_table
    sql = (
        f"INSERT INTO {table} ({', '.join(names)})"  # noqa: S608  # made of our own columns and constants
        f" SELECT {', '.join(part if part == '%s' else part.replace('%', '%%') for part in parts)}"
        " FROM generate_series(%s, %s) AS g"
    )
    with connection.cursor() as cursor:
        for start in range(1, count + 1, ROWS_AT_ONCE):
            cursor.execute(sql, [*values, start, min(count, start + ROWS_AT_ONCE - 1)])
        cursor.execute(
            f"SELECT setval(pg_get_serial_sequence('{table}', 'id'), (SELECT max(id) FROM {table}))"  # noqa: S608
        )
