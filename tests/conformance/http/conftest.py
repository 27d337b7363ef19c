"""An application with one route of each kind, and a client that is signed in."""

from collections.abc import Iterator
from typing import Annotated, Any, Literal
from uuid import UUID

import pytest
from fastapi import Query, Request
from pydantic import AwareDatetime, Field
from starlette.testclient import TestClient

from shared.http import paging, routes
from shared.http.bodies import Body
from shared.http.headers import idempotency
from shared.http.headers.consistency import Awaited
from shared.http.headers.etag import IfMatch
from shared.http.identity import HEADER, Caller, sign
from shared.http.serving.application import application
from shared.http.serving.health import Health
from shared.input_types import Flag, Line, Slug, Text, WallTime, Whole
from shared.rules.access import Identity
from shared.testing.keys import KEYS, SIGNING

KARI = Identity(
    person_id=UUID(int=7), kind="agent", login="kari", name="Kari", email="kari@example.org", roles=("agent",)
)


class Customer(Body):
    email: Line


class Note(Body):
    do: Literal["note"]


class Tag(Body):
    do: Literal["tag"]


class Opening(Body):
    subject: Line
    body: Text = ""
    customer: Customer | None = None
    priority: Annotated[Whole, Field(ge=1, le=5)] = 3
    urgent: Flag = False
    password: Annotated[Line, Field(min_length=8)] = "long enough"
    fields: dict[str, Any] = Field(default_factory=dict)
    queue: Slug = "it-support"
    hours: Annotated[list[tuple[WallTime, WallTime]], Field(min_length=1)] | None = None
    due: AwareDatetime | None = None
    place: UUID | None = None
    act: Annotated[Note | Tag, Field(discriminator="do")] | None = None


class Filters(Body):
    colour: tuple[str, ...] = ()
    limit: int = 50


def example_routes() -> Any:
    router = routes.router("/api/v1", tags=["example"])

    @router.post("/tickets")
    async def open_ticket(body: Opening, who: Caller, command: idempotency.Command, expected: IfMatch) -> Any:
        return idempotency.json_response(
            {"who": who.login, "command": command.id, "expected": expected, "body": body.model_dump()},
            status=201,
            replayed=expected == 9,
        )

    @router.get("/tickets")
    async def list_tickets(limit: paging.Limit = 50, cursor: paging.CursorText = None, q: str = "") -> Any:
        return {"limit": limit}

    @router.get("/filtered")
    async def list_filtered(filters: Annotated[Filters, Query()], awaited: Awaited) -> Any:
        return {"colour": filters.colour, "awaited": len(awaited)}

    @router.get("/tickets/{ticket}")
    async def show(ticket: UUID) -> Any:
        return {"id": str(ticket)}

    @router.post("/upload")
    async def upload(request: Request) -> Any:
        return {"size": sum([len(part) async for part in request.stream()])}

    return router


@pytest.fixture
def health() -> Health:
    return Health("example", "all")


@pytest.fixture
def client(health: Health) -> Iterator[TestClient]:
    app = application(health, keys=KEYS, routers=[example_routes()])
    with TestClient(app, raise_server_exceptions=False, headers={HEADER: sign(KARI, "example", SIGNING)}) as client:
        yield client
