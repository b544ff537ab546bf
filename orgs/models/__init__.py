from orgs.models.address import ChannelAddress
from orgs.models.audit import AuditEntry
from orgs.models.flag import Flag, FlagOverride
from orgs.models.heartbeat import Heartbeat
from orgs.models.mail import Mail
from orgs.models.notification import (
    Channel,
    Notification,
    NotificationDelivery,
    NotificationKind,
    NotificationSettings,
)
from orgs.models.org import Domain, Org
from orgs.models.people import Invitation, Membership, Person, Role
from orgs.models.push import PushSubscription
from orgs.models.queue import Claimed, Due, Later, Received, Want
from orgs.models.rate import RateBucket
from orgs.models.refused import Refused
from orgs.models.schema import SchemaVersion

__all__ = [
    "AuditEntry",
    "Channel",
    "ChannelAddress",
    "Claimed",
    "Domain",
    "Due",
    "Flag",
    "FlagOverride",
    "Heartbeat",
    "Invitation",
    "Later",
    "Mail",
    "Membership",
    "Notification",
    "NotificationDelivery",
    "NotificationKind",
    "NotificationSettings",
    "Org",
    "Person",
    "PushSubscription",
    "RateBucket",
    "Received",
    "Refused",
    "Role",
    "SchemaVersion",
    "Want",
]
