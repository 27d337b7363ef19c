"""Commands about articles: the gateway fetches what they name, and a repeat is answered even when that is out of sight
by now."""

import asyncio
from typing import Any
from uuid import uuid4

import orjson

from tests.services.gateway.conftest import Gateway
from tests.services.gateway.upstream import Asked, Behaviour, response

JSON = "application/json"


def hidden(told_before: bool) -> Behaviour:
    """Reporting shows nothing; routing knows the command from before, or does not."""

    async def behave(asked: Asked, writer: asyncio.StreamWriter) -> bool:
        if asked.method == "POST" and told_before:
            assert orjson.loads(asked.body)["originals"] is None
            writer.write(response(body=b'{"version": 7}', content_type=JSON, idempotent_replayed="true"))
        else:
            writer.write(response("404 Not Found", b'{"detail": "nothing"}', content_type="application/problem+json"))
        return True

    return behave


async def forward(gateway: Gateway, key: str | None) -> Any:
    agent = await gateway.person("kari", "agent")
    body = {"article": str(uuid4()), "to": ["x@elsewhere.example"], "text": "please"}
    headers = {"Idempotency-Key": key} if key else None
    return await agent.post("/tickets/2026112910000001/forward", body, headers=headers)


async def test_a_repeat_is_answered_although_the_article_is_out_of_sight(gateway: Gateway) -> None:
    gateway.service.behaviour = hidden(told_before=True)
    answer = await forward(gateway, "once")
    assert (answer.status, answer.body, answer.headers["Idempotent-Replayed"]) == (200, {"version": 7}, "true")


async def test_a_new_command_about_what_is_out_of_sight_is_not_found(gateway: Gateway) -> None:
    gateway.service.behaviour = hidden(told_before=False)
    assert (await forward(gateway, "once")).status == 404


async def test_without_a_key_there_is_nothing_to_repeat(gateway: Gateway) -> None:
    gateway.service.behaviour = hidden(told_before=True)
    assert (await forward(gateway, None)).status == 404
