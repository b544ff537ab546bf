"""WhatsApp in the demo: Aurora Solar's number, connected to the stand-in the way a real one is to Evolution."""

import secrets
import time

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from conversations import demo as knowledge
from conversations import links
from conversations.models import AgentVersion, Number
from conversations.ports import LinkUpdate
from integrations.whatsapp import connect as wiring
from integrations.whatsapp import simulator
from integrations.whatsapp.auth import Proof
from integrations.whatsapp.client import Evolution, Webhook
from integrations.whatsapp.numbers import Provider, add_number
from orgs import demo
from orgs.context import in_org
from orgs.models import ChannelAddress, Org, Person
from sdr.lib.errors import PortError

NAME = "Vendas"
PHONE = "551932550100"
LEAD_PHONE, LEAD_NAME = "5519991230001", "Camila Rocha"
WAIT_SECONDS = 15.0
LOOK_SECONDS = 0.1
JWT_KEY_BYTES = 32
DISCLOSURE = "Olá! Sou a assistente virtual da Aurora Solar. Se preferir falar com uma pessoa, é só pedir."
BUSINESS = "A Aurora Solar vende e instala painéis solares em casas e empresas de Campinas e região."
QUESTIONS = {
    "situation": [
        "É para casa ou para empresa?",
        "Quanto vem a conta de luz por mês, mais ou menos?",
        "O imóvel é próprio e o telhado está livre?",
        "Como vocês lidam hoje com o gasto de energia?",
    ],
    "problem": ["O que mais incomoda na conta de luz hoje?", "Tem sofrido com aumento ou com queda de energia?"],
    "implication": [
        "O que esse gasto acaba impedindo vocês de fazer?",
        "Se continuar subindo assim, que efeito tem no ano de vocês?",
    ],
    "need_payoff": [
        "Se a conta caísse quase toda, o que mudaria para vocês?",
        "O que faria o investimento valer a pena para você?",
    ],
}
OBJECTIONS = [
    {
        "about": "caro preço investimento",
        "answer": "Entendo. Dá para financiar, e a parcela costuma ser comparada com a conta de luz de hoje.",
    },
    {"about": "pensar depois", "answer": "Claro, é uma decisão de anos e merece calma."},
]
AGENT = {  # quick, so that whoever tries it does not wait
    "batching_seconds": 1.5, "cooldown_seconds": 1, "typing_per_character": 0.01, "typing_longest": 1.5,
    "disclosure": DISCLOSURE, "business": BUSINESS, "language": "pt-br", "name": "Lia", "questions": QUESTIONS,
    "objections": OBJECTIONS,
}  # fmt: skip


def seed() -> bool:
    """Connect the number, and make a lead to write as. Safe to repeat: then it only says where webhooks go now.

    Needs the demo's story and a running stand-in (`settings.STANDIN_URL`). Out: True when the number was made now.
    Raises PortError when the stand-in does not answer or refuses.
    """
    org = Org.objects.get(slug=demo.AURORA.slug)
    await_standin()
    with in_org(org):
        number = Number.objects.filter(name=NAME).first()
        knowledge.teach(Person.objects.get(email=demo.DEMO_EMAIL))
    is_new = number is None
    address = ChannelAddress.objects.get(org=org, number_id=number.pk) if number is not None else make_number(org)
    connect(org, address)
    refresh(org)
    return is_new


def refresh(org: Org) -> None:
    """Numbers that somebody has added by hand: their server may have another port than last time, and so may we."""
    with in_org(org):
        for number in Number.objects.filter(is_ours=True, removed_at=None).exclude(instance=""):
            links.want("look", number.pk)
            if number.name != NAME and not number.intent:
                wiring.want(number, Number.Intent.WEBHOOK)


def make_number(org: Org) -> ChannelAddress:
    """The number with its agent, not connected yet."""
    instance = f"{org.slug}_{secrets.token_hex(3)}"  # another one for each database: the stand-in may know older ones
    with transaction.atomic():
        address = add_number(
            org,
            NAME,
            proof=Proof.JWT,
            secret=secrets.token_urlsafe(JWT_KEY_BYTES),
            provider=Provider(settings.EVOLUTION_URL, secrets.token_urlsafe(JWT_KEY_BYTES), instance),
        )
        with in_org(org):
            # At the installation's server, wherever that is next time; made by us, so it is also deleted by us.
            Number.objects.filter(pk=address.number_id).update(phone=PHONE, provider_url="", is_ours=True)
            AgentVersion.objects.create(
                state=AgentVersion.State.PUBLISHED, published_at=timezone.now(), time_zone=org.time_zone, **AGENT
            )
    simulator.control("POST", "leads", {"name": LEAD_NAME, "phone": LEAD_PHONE})
    return address


def connect(org: Org, address: ChannelAddress) -> None:
    """Make the instance unless it exists, and tell it the address of our door."""
    webhook = Webhook(wiring.public_url(address), {"jwt_key": address.secret})
    with in_org(org):
        number = Number.objects.get(pk=address.number_id)
        if number.provider_url:  # of a demo that was started before numbers knew the installation's server
            number.provider_url, number.is_ours = "", True
            number.save(update_fields=["provider_url", "is_ours"])
        owner = Evolution(settings.STANDIN_URL, settings.STANDIN_API_KEY)
        if not owner.instances(number.instance):
            owner.create(number.instance, token=number.provider_key, webhook=webhook, number=PHONE)
            # This number's phone scans at once; that of another one waits for somebody at the demo's phone.
            simulator.control("POST", f"instances/{number.instance}/pairing", {"number": PHONE})
            return
        ours = Evolution(settings.STANDIN_URL, number.provider_key)
        ours.set_webhook(number.instance, webhook)
        with transaction.atomic():  # what it said while nobody listened
            links.change(number, LinkUpdate(ours.state(number.instance), own_jid=number.own_jid))


def await_standin() -> None:
    """Raises PortError when it does not answer in time."""
    end = time.monotonic() + WAIT_SECONDS
    while True:
        try:
            Evolution(settings.STANDIN_URL, settings.STANDIN_API_KEY).version()
        except PortError:
            if time.monotonic() > end:
                raise
            time.sleep(LOOK_SECONDS)
        else:
            return
