"""The Kafka users of processes, and their client options."""

from dataclasses import dataclass, field
from typing import Any

from shared.messaging.access.authenticity import BadKeys, EventKeys
from shared.settings import SettingMissing, env

ADMIN = "admin"
"""The superuser that sets up topics and users. It is part of the broker's configuration (docs/decisions/0075)."""


@dataclass(frozen=True, slots=True)
class KafkaAccount:
    """A service at Kafka. The broker authorizes it by its user; other services verify its records by its keys."""

    bootstrap: str
    user: str
    password: str = field(repr=False)
    keys: EventKeys

    @classmethod
    def read(cls, service: str) -> "KafkaAccount":
        """From the environment. Raises SettingMissing."""
        try:
            keys = EventKeys.parse(env("LEDGERDESK_EVENT_KEYS"), service)
        except BadKeys as error:
            raise SettingMissing(f"LEDGERDESK_EVENT_KEYS: {error}") from error
        return cls(
            env("LEDGERDESK_KAFKA_BOOTSTRAP"),
            env("LEDGERDESK_KAFKA_USER", service),
            env("LEDGERDESK_KAFKA_PASSWORD"),
            keys,
        )

    @property
    def options(self) -> dict[str, Any]:
        """The options of an aiokafka client."""
        return _options(self.bootstrap, "SCRAM-SHA-256", self.user, self.password)


@dataclass(frozen=True, slots=True)
class KafkaAdmin:
    """The superuser at Kafka."""

    bootstrap: str
    password: str = field(repr=False)

    @classmethod
    def read(cls) -> "KafkaAdmin":
        """From the environment. Raises SettingMissing."""
        return cls(env("LEDGERDESK_KAFKA_BOOTSTRAP"), env("LEDGERDESK_KAFKA_ADMIN_PASSWORD"))

    @property
    def options(self) -> dict[str, Any]:
        """The options of an aiokafka client."""
        return _options(self.bootstrap, "PLAIN", ADMIN, self.password)


def _options(bootstrap: str, mechanism: str, user: str, password: str) -> dict[str, Any]:
    return {
        "bootstrap_servers": bootstrap,
        "security_protocol": "SASL_PLAINTEXT",
        "sasl_mechanism": mechanism,
        "sasl_plain_username": user,
        "sasl_plain_password": password,
    }
