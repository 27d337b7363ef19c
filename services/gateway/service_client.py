"""Requests that the gateway itself makes to the services, in the name of the person who asks."""

import logging
from collections.abc import Mapping
from typing import NamedTuple

import aiohttp
from prometheus_client import Counter

from shared.http import problems
from shared.http.identity import HEADER, sign
from shared.http.keys import SigningKey
from shared.rules.access import Identity
from shared.telemetry.tracing import TRACEPARENT, traceparent

log = logging.getLogger(__name__)

FAILED = Counter(
    "ledgerdesk_gateway_hop_failures_total", "Requests that a service gave no usable answer to", ["service", "failure"]
)
SECONDS = 30.0


class ServiceAnswer(NamedTuple):
    """What a service answered: the status, the body and the headers."""

    status: int
    content: bytes
    headers: Mapping[str, str]


class ServiceClient:
    """`urls` maps the name of a service to its base URL."""

    def __init__(self, client: aiohttp.ClientSession, urls: Mapping[str, str], signing_key: SigningKey) -> None:
        self.client, self.urls, self.signing_key = client, urls, signing_key

    async def call(
        self,
        method: str,
        service: str,
        path: str,
        who: Identity,
        *,
        headers: Mapping[str, str] | None = None,
        content: bytes | None = None,
    ) -> ServiceAnswer:
        """The answer of a service, whatever its status. Raises Problem 503 if there is none."""
        sent = {**(headers or {}), HEADER: sign(who, service, self.signing_key)}
        if (trace := traceparent()) is not None:
            sent[TRACEPARENT] = trace
        base = self.urls.get(service)
        if base is None:
            raise problems.unavailable(f"The service {service} is not configured.", retry_after=30)
        try:
            timeout = aiohttp.ClientTimeout(total=SECONDS)
            async with self.client.request(method, base + path, headers=sent, data=content, timeout=timeout) as answer:
                if answer.status == 401:
                    raise identity_refused(service)
                return ServiceAnswer(answer.status, await answer.read(), answer.headers)
        except (aiohttp.ClientError, TimeoutError) as error:
            log.warning("%s did not answer %s %s: %s", service, method, path.partition("?")[0], type(error).__name__)
            raise problems.unavailable(f"The service {service} does not answer.") from error


def identity_refused(service: str) -> problems.Problem:
    """For a service that does not accept the gateway's signature: it has another public key, as during an update. Its
    401 is not for the caller, who is signed in."""
    FAILED.labels(service, "IdentityRefused").inc()
    log.error("%s does not accept what the gateway signs: it needs the public half of the gateway's key", service)
    return problems.unavailable(f"The service {service} cannot be used now. Nothing was done.")
