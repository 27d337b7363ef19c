"""Commands about articles: the gateway fetches the articles, and answers a repeat even if they are hidden by now."""

import asyncio
from typing import Any
from uuid import uuid4

import orjson

from tests.services.gateway.conftest import Gateway
from tests.services.gateway.upstream import Asked, Behaviour, response

JSON = "application/json"


def hidden(repeated: bool) -> Behaviour:
    """Reporting shows nothing. Routing knows the command from before if `repeated`."""

    async def behave(asked: Asked, writer: asyncio.StreamWriter) -> bool:
        if asked.method == "POST" and repeated:
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


async def test_a_repeated_command_is_answered_although_the_article_is_hidden_now(gateway: Gateway) -> None:
    gateway.service.behaviour = hidden(repeated=True)
    answer = await forward(gateway, "once")
    assert (answer.status, answer.body, answer.headers["Idempotent-Replayed"]) == (200, {"version": 7}, "true")


async def test_a_new_command_about_a_hidden_article_is_404(gateway: Gateway) -> None:
    gateway.service.behaviour = hidden(repeated=False)
    assert (await forward(gateway, "once")).status == 404


async def test_a_command_without_a_key_is_no_repeat(gateway: Gateway) -> None:
    gateway.service.behaviour = hidden(repeated=True)
    assert (await forward(gateway, None)).status == 404
