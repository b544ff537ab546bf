from conversations.models.agent import AgentVersion
from conversations.models.contact import Alias, Contact, OptOut
from conversations.models.conversation import Conversation, Takeover
from conversations.models.event import Event, EventName
from conversations.models.message import Correction, MediaAsset, Message, Pending
from conversations.models.number import Control, Number
from conversations.models.turn import Turn

__all__ = [
    "AgentVersion",
    "Alias",
    "Contact",
    "Control",
    "Conversation",
    "Correction",
    "Event",
    "EventName",
    "MediaAsset",
    "Message",
    "Number",
    "OptOut",
    "Pending",
    "Takeover",
    "Turn",
]
