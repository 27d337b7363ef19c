"""Message authentication codes of records: which service has written a record (docs/decisions/0076).

Kafka does not tell a consumer which user wrote a record, and three services write to one topic. A producer therefore
adds one code for each reading service, with a key that only the two of them have. A service that was broken into cannot
forge events of another one.
"""

import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field

from shared.contracts.topics import ALL, DIRECTORY, REPORTS, RULES, TICKETS

PRODUCERS = ("gateway", "intake", "routing", "notify")
READERS = ("intake", "routing", "notify", "reporting", "gateway")
"""The order of the codes in a record; it never changes. A new reader comes last, and all records of the topics that it
reads must be republished. (The gateway reads a topic that was new with it.)
"""
FOLLOWED = dict.fromkeys(READERS, (TICKETS, DIRECTORY)) | {
    "notify": (TICKETS, DIRECTORY, REPORTS, RULES),
    "gateway": (RULES,),
}
"""The topics that each service reads."""
HEADER = "authenticator"
CODE_BYTES = 16
"""A truncated HMAC-SHA256 (RFC 2104, section 5). Only a consumer can check a guess, and it logs each failure."""


def _signed_for(topic: str) -> tuple[str, ...]:
    """The readers for whom a record of a topic has codes: none behind the last one that reads it. A code costs 10 us."""
    last = max((place for place, reader in enumerate(READERS) if topic in FOLLOWED[reader]), default=len(READERS) - 1)
    return READERS[: last + 1]


SIGNED_FOR = {topic: _signed_for(topic) for topic in ALL}


class BadKeys(ValueError):
    """The text does not hold the keys of this service."""


@dataclass(frozen=True, slots=True)
class EventKeys:
    """The keys of one service: to sign for each reader (reader -> key), to verify each producer (producer -> key)."""

    service: str
    signing: Mapping[str, bytes] = field(repr=False)
    known: Mapping[str, bytes] = field(repr=False)

    @classmethod
    def derived(cls, secret: str, service: str) -> "EventKeys":
        """A service's keys, derived from the instance's secret, which no service has."""

        def between(producer: str, reader: str) -> bytes:
            return hmac.digest(secret.encode(), f"{producer}>{reader}".encode(), "sha256")

        signing = {reader: between(service, reader) for reader in READERS} if service in PRODUCERS else {}
        known = {producer: between(producer, service) for producer in PRODUCERS} if service in READERS else {}
        return cls(service, signing, known)

    @classmethod
    def parse(cls, text: str, service: str) -> "EventKeys":
        """Reads what `text` writes. Raises BadKeys."""
        found: dict[tuple[str, str], bytes] = {}
        try:
            for line in text.split():
                pair, key = line.split("=")
                producer, reader = pair.split(">")
                found[producer, reader] = bytes.fromhex(key)
        except ValueError:
            raise BadKeys(f"the event keys of {service} are lines such as intake>routing=0123abcd...") from None
        signing = {reader: key for (producer, reader), key in found.items() if producer == service}
        known = {producer: key for (producer, reader), key in found.items() if reader == service}
        if (service in PRODUCERS and signing.keys() != set(READERS)) or (
            service in READERS and known.keys() != set(PRODUCERS)
        ):
            raise BadKeys(f"the event keys are not those of {service}")
        return cls(service, signing, known)

    @property
    def text(self) -> str:
        """One line for each key: `producer>reader=hexadecimal`."""
        pairs = {(self.service, reader): key for reader, key in self.signing.items()}
        pairs |= {(producer, self.service): key for producer, key in self.known.items()}
        return "".join(f"{producer}>{reader}={key.hex()}\n" for (producer, reader), key in pairs.items())

    def sign(self, topic: str, key: bytes, value: bytes) -> bytes:
        """The value of the header: the producer's name and a code for each reader (`SIGNED_FOR`), over topic, key and value."""
        message = _message(topic, key, value)
        readers = SIGNED_FOR.get(topic, READERS)
        codes = [hmac.digest(self.signing[reader], message, "sha256")[:CODE_BYTES] for reader in readers]
        return b"".join((self.service.encode(), b"\0", *codes))

    def author(self, topic: str, key: bytes, value: bytes, header: bytes) -> str:
        """The service that wrote a record with this header. Raises NotAuthentic."""
        name, _, codes = header.partition(b"\0")
        producer = name.decode("ascii", "replace")
        shared = self.known.get(producer)
        if shared is None:
            raise NotAuthentic(f"{producer[:40]!r} is not a service that writes")
        start = READERS.index(self.service) * CODE_BYTES
        right = hmac.digest(shared, _message(topic, key, value), "sha256")[:CODE_BYTES]
        if not hmac.compare_digest(codes[start : start + CODE_BYTES], right):
            raise NotAuthentic(f"it was not signed by {producer}, or was changed since")
        return producer


class NotAuthentic(Exception):
    """No service that may write this record has written it; the message says why."""


def _message(topic: str, key: bytes, value: bytes) -> bytes:
    return b"%b\0%d\0%b%b" % (topic.encode(), len(key), key, value)
