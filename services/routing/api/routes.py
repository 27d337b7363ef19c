"""The desk's commands over HTTP: a route for each, and one for many tickets.

A file for each subject holds bodies, routes and how a body becomes a command.
"""

from fastapi import APIRouter

from services.routing.api import bulk, single
from services.routing.api.actions import articles, lifecycle, macros, ownership, properties, queueing, relations
from services.routing.operations.tickets import TicketOperations
from shared.http.routes import router as strict

ACTIONS = {
    action.name: action
    for module in (ownership, articles, queueing, lifecycle, properties, relations, macros)
    for action in module.ACTIONS
}


def router(operations: TicketOperations) -> APIRouter:
    routes = strict("/api/v1/tickets", tags=["desk"])
    bulk.add_route(routes, operations, ACTIONS)
    for action in ACTIONS.values():
        single.add_route(routes, operations, action)
    return routes
