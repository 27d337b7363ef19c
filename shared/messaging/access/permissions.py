"""Access control lists: a service may write the topics of its events, and read in groups of its own. Nothing else."""

import hashlib
import os
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import for_code
from aiokafka.protocol.admin import CreateAclsRequest_v1
from aiokafka.protocol.api import Request, RequestStruct, Response
from aiokafka.protocol.types import CompactArray, CompactBytes, CompactString, Int8, Int16, Int32, Schema, TaggedFields

from shared.contracts.catalogue import event_types
from shared.messaging.access.authenticity import FOLLOWED, READERS

ITERATIONS = 4_096
"""The minimum that Kafka accepts. The passwords are random, so guessing is hopeless with any number."""
SCRAM_SHA_256 = 1
TOPIC, GROUP = 2, 3
LITERAL, PREFIXED = 3, 4
READ, WRITE = 3, 4
ALLOW = 3


class Permission(NamedTuple):
    """One entry of an access control list, with the protocol's numbers."""

    resource_type: int
    resource_name: str
    pattern_type: int
    principal: str
    host: str
    operation: int
    permission_type: int


def permissions(service: str) -> Iterator[Permission]:
    """All permissions of a service. Reading and writing a topic include describing it."""
    user = f"User:{service}"
    for topic in sorted({cls.TOPIC for cls in event_types().values() if service == cls.OWNER}):
        yield Permission(TOPIC, topic, LITERAL, user, "*", WRITE, ALLOW)
    if service in READERS:
        for topic in FOLLOWED[service]:
            yield Permission(TOPIC, topic, LITERAL, user, "*", READ, ALLOW)
        yield Permission(GROUP, f"ledgerdesk.{service}", PREFIXED, user, "*", READ, ALLOW)


async def grant(admin: AIOKafkaAdminClient, passwords: Mapping[str, str]) -> None:
    """Creates or updates each service's user with its password and permissions. Raises KafkaError."""
    credentials = [_credential(service, password) for service, password in passwords.items()]
    altered = await _send(admin, _AlterCredentials(credentials))
    for user, code, message, _ in altered.results:
        if code:
            raise for_code(code)(f"cannot create the Kafka user {user}: {message}")
    created = await _send(admin, _CreateAcls([each for service in passwords for each in permissions(service)]))
    for code, message in created.creation_responses:
        if code:
            raise for_code(code)(f"cannot grant the services' permissions at Kafka: {message}")


async def _send(admin: AIOKafkaAdminClient, request: Request[Any]) -> Any:
    """The controller's response. aiokafka implements the protocol, but its admin client has no method for these
    requests (docs/decisions/0098).
    """
    return await admin._send_to_controller(request)  # noqa: SLF001


def _credential(user: str, password: str) -> tuple[object, ...]:
    salt = os.urandom(16)
    salted = hashlib.pbkdf2_hmac("sha256", password.encode(), salt, ITERATIONS)
    return user, SCRAM_SHA_256, ITERATIONS, salt, salted, {}


class _CredentialsAltered(Response):  # type: ignore[misc]
    API_KEY = 51  # pyright: ignore
    API_VERSION = 0  # pyright: ignore
    SCHEMA = Schema(
        ("throttle_time_ms", Int32),
        (
            "results",
            CompactArray(
                ("user", CompactString("utf-8")),
                ("error_code", Int16),
                ("error_message", CompactString("utf-8")),
                ("tags", TaggedFields),
            ),
        ),
        ("tags", TaggedFields),
    )


class _AlterCredentialsV0(RequestStruct):  # type: ignore[misc]
    API_KEY = 51
    API_VERSION = 0
    FLEXIBLE_VERSION = True
    RESPONSE_TYPE = _CredentialsAltered
    SCHEMA = Schema(
        (
            "deletions",
            CompactArray(("name", CompactString("utf-8")), ("mechanism", Int8), ("tags", TaggedFields)),
        ),
        (
            "upsertions",
            CompactArray(
                ("name", CompactString("utf-8")),
                ("mechanism", Int8),
                ("iterations", Int32),
                ("salt", CompactBytes),
                ("salted_password", CompactBytes),
                ("tags", TaggedFields),
            ),
        ),
        ("tags", TaggedFields),
    )


class _AlterCredentials(Request[_AlterCredentialsV0]):  # type: ignore[misc]
    """AlterUserScramCredentials of Kafka's protocol (KIP-554), which aiokafka lacks."""

    API_KEY = 51

    def __init__(self, upsertions: Sequence[tuple[object, ...]]) -> None:
        self.upsertions = upsertions

    def build(self, request_struct_class: type[_AlterCredentialsV0]) -> _AlterCredentialsV0:
        return request_struct_class([], list(self.upsertions), {})


class _CreateAcls(Request[CreateAclsRequest_v1]):  # type: ignore[misc]
    """aiokafka's own request takes one entry at a time."""

    API_KEY = 30

    def __init__(self, creations: Sequence[Permission]) -> None:
        self.creations = creations

    def build(self, request_struct_class: type[CreateAclsRequest_v1]) -> CreateAclsRequest_v1:
        return request_struct_class([tuple(each) for each in self.creations])
