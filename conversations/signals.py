"""What this app announces.

`event_recorded(event, conversation)`: sent inside the transaction that records the event; receivers only write rows,
and raise loudly when they cannot.
"""

from django.dispatch import Signal

event_recorded = Signal()
