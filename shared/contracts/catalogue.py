"""Imports every module of events, so that the registry is complete."""

from shared.contracts import directory, intake, notify, reports, routing
from shared.contracts.event import REGISTRY, Event

MODULES = (directory, intake, notify, reports, routing)


def event_types() -> dict[str, type[Event]]:
    """Every published type by its full name, in alphabetical order."""
    return dict(sorted(REGISTRY.items()))
