"""Waits until every service works with a saved document, so that the answer can say so."""

import asyncio
import logging
from collections.abc import Mapping
from uuid import UUID

import aiohttp

from services.gateway.document_rows import Row
from shared.contracts.marks.declaration import Document
from shared.http.headers.consistency import LAG
from shared.http.identity import HEADER, sign
from shared.http.keys import SigningKey
from shared.rules.access import Identity
from shared.telemetry.tracing import TRACEPARENT, traceparent

log = logging.getLogger(__name__)

SECONDS = 2.0
GATEWAY = Identity(person_id=UUID(int=0), kind="service", login="gateway", name="gateway", email="")


class Propagation:
    """Asks all services at the same time. `urls` maps the name of a service to its base URL."""

    def __init__(self, client: aiohttp.ClientSession, urls: Mapping[str, str], signing_key: SigningKey) -> None:
        self.client, self.urls, self.signing_key = client, urls, signing_key

    async def lag(self, row: Row) -> dict[str, str]:
        """The header for an answer about a saved document: none if every service works with this version within two
        seconds."""
        applied = await asyncio.gather(*(self._applied(service, row.document, row.version) for service in self.urls))
        return {} if all(applied) else {LAG: "true"}

    async def _applied(self, service: str, document: Document, version: int) -> bool:
        url = f"{self.urls[service]}/internal/directory/{document.KIND}/{document.id}?version={version}"
        headers = {HEADER: sign(GATEWAY, service, self.signing_key)}
        if (trace := traceparent()) is not None:
            headers[TRACEPARENT] = trace
        try:
            async with asyncio.timeout(SECONDS + 0.2):
                async with self.client.get(url, headers=headers) as answer:
                    return answer.status == 204
        except (aiohttp.ClientError, TimeoutError) as error:
            name = type(error).__name__
            log.warning("%s did not say that it applies %s %s: %s", service, document.KIND, document.id, name)
            return False
