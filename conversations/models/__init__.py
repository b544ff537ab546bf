from conversations.models.agent import AgentVersion
from conversations.models.assignment import Assignment
from conversations.models.canned_reply import CannedReply
from conversations.models.consent import Consent
from conversations.models.contact import Alias, Contact, Erased, OptOut
from conversations.models.conversation import Conversation, FormerConversation, Takeover
from conversations.models.eval_case import EvalCase
from conversations.models.event import Event, EventName
from conversations.models.evidence import Answer, Fact, FactKey, Qualification, Signal
from conversations.models.knowledge import Document, Passage, Product
from conversations.models.message import Correction, MediaAsset, Message, Pending
from conversations.models.model_call import ModelCall
from conversations.models.note import Mention, Note
from conversations.models.number import Control, Number
from conversations.models.read_mark import ReadMark
from conversations.models.saved_view import SavedView
from conversations.models.turn import Turn
from conversations.models.typist import Typist

__all__ = [
    "AgentVersion",
    "Alias",
    "Answer",
    "Assignment",
    "CannedReply",
    "Consent",
    "Contact",
    "Control",
    "Conversation",
    "Correction",
    "Document",
    "Erased",
    "EvalCase",
    "Event",
    "EventName",
    "Fact",
    "FactKey",
    "FormerConversation",
    "MediaAsset",
    "Mention",
    "Message",
    "ModelCall",
    "Note",
    "Number",
    "OptOut",
    "Passage",
    "Pending",
    "Product",
    "Qualification",
    "ReadMark",
    "SavedView",
    "Signal",
    "Takeover",
    "Turn",
    "Typist",
]
