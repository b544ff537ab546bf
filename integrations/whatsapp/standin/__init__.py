"""Plays Evolution API 2.3.6, and WhatsApp behind it, over real HTTP: for the demo and for tests.

    with Standin() as evolution:
        client = …(evolution.url, evolution.api_key)
        evolution.says("t_1", "5511999990001", "Oi!", "Tudo bem?")
        evolution.whatsapp.answers("5511999990001")

Written from the contract, not from our client:
contracts evolution.md and evolution-live.md. Where the two are silent it does the harmless thing.
"""

from integrations.whatsapp.standin.evolution import Options
from integrations.whatsapp.standin.faults import Faults, SendFault
from integrations.whatsapp.standin.phones import Addressing, Author, Lead, PhoneMessage, Tick
from integrations.whatsapp.standin.server import Standin
from integrations.whatsapp.standin.webhooks import RetryPolicy

__all__ = [
    "Addressing",
    "Author",
    "Faults",
    "Lead",
    "Options",
    "PhoneMessage",
    "RetryPolicy",
    "SendFault",
    "Standin",
    "Tick",
]
