"""The migrations of this service's database, in order."""

from services import intake
from shared import directory, eventstore, messaging
from shared.eventstore.migrations import folders

MIGRATIONS = folders(eventstore, messaging, directory, intake)
