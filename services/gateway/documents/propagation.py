"""Waits until the services work with a setting that was just saved, so that its PUT can say so (api.md, section 1)."""

import asyncio
import logging
from collections.abc import Mapping
from uuid import UUID

import aiohttp

from shared.contracts.declaration import DocumentKind
from shared.http.identity import HEADER, sign
from shared.http.keys import SigningKey
from shared.rules.access import Identity
from shared.telemetry.tracing import TRACEPARENT, traceparent

log = logging.getLogger(__name__)

SECONDS = 2.0
GATEWAY = Identity(person_id=UUID(int=0), kind="service", login="gateway", name="gateway", email="")


class Appliers:
    """Asks every service at once; `urls` are service name -> base URL."""

    def __init__(self, client: aiohttp.ClientSession, urls: Mapping[str, str], signing_key: SigningKey) -> None:
        self.client, self.urls, self.signing_key = client, urls, signing_key

    async def wait(self, kind: DocumentKind, document: UUID, version: int) -> bool:
        """Whether all of them have applied that version within two seconds."""
        answers = await asyncio.gather(*(self._one(service, kind, document, version) for service in self.urls))
        return all(answers)

    async def _one(self, service: str, kind: DocumentKind, document: UUID, version: int) -> bool:
        url = f"{self.urls[service]}/internal/directory/{kind}/{document}?version={version}"
        headers = {HEADER: sign(GATEWAY, service, self.signing_key)}
        if (trace := traceparent()) is not None:
            headers[TRACEPARENT] = trace
        try:
            async with asyncio.timeout(SECONDS + 0.2):
                async with self.client.get(url, headers=headers) as answer:
                    return answer.status == 204
        except (aiohttp.ClientError, TimeoutError) as error:
            log.warning("%s did not say that it applies %s %s: %s", service, kind, document, type(error).__name__)
            return False
