"""The migrations of this service's database, in their order."""

from services import gateway
from shared import eventstore, messaging
from shared.eventstore.migrations import folders

MIGRATIONS = folders(eventstore, messaging, gateway)
