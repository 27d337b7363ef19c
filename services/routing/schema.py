"""The migrations of this service's database, in their order."""

from services import routing
from shared import directory, eventstore, messaging
from shared.eventstore.migrations import folders

MIGRATIONS = folders(eventstore, messaging, directory, routing)
