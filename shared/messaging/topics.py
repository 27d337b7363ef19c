"""Creates the topics: 12 partitions, kept for ever.

`python -m shared.messaging.topics` is the deployment's one-shot job, which also creates the services' users.
"""

import asyncio
import contextlib
import logging
import sys
import time
from collections.abc import AsyncIterator, Mapping

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import GroupCoordinatorNotAvailableError, KafkaError, TopicAlreadyExistsError, for_code

from shared.contracts.topics import ALL, PARTITIONS
from shared.messaging.access.account import KafkaAdmin
from shared.messaging.access.permissions import grant
from shared.settings import SettingMissing, env

COORDINATOR_SECONDS = 30
CONFIG = {"retention.ms": "-1", "retention.bytes": "-1", "cleanup.policy": "delete", "max.message.bytes": "1048588"}


class WrongTopic(Exception):
    """A topic exists with another number of partitions: new events of a ticket would go to another partition."""


# Otherwise every start logs it. The connection stays on this machine or in the containers' network
# (docs/decisions/0075).
logging.getLogger("aiokafka.conn").addFilter(lambda record: record.msg != "Sending username and password in the clear")


@contextlib.asynccontextmanager
async def administering(kafka: KafkaAdmin, *, seconds: float = 40) -> AsyncIterator[AIOKafkaAdminClient]:
    """A started admin client. `seconds`: the time limit of each of its requests."""
    admin = AIOKafkaAdminClient(
        **kafka.options, client_id="ledgerdesk-set-up", request_timeout_ms=round(seconds * 1000)
    )
    try:
        await asyncio.wait_for(admin.start(), 30)
        yield admin
    finally:
        await asyncio.wait_for(admin.close(), 10)


async def ensure(kafka: KafkaAdmin, passwords: Mapping[str, str], *, replication: int = 1) -> None:
    """Creates missing topics and the services' users (service -> password); waits until consumers can form groups.

    Raises WrongTopic and KafkaError.
    """
    async with administering(kafka) as admin:
        if passwords:
            await grant(admin, passwords)
        present = set(await admin.list_topics())
        missing = [
            NewTopic(name, num_partitions=PARTITIONS, replication_factor=replication, topic_configs=CONFIG)
            for name in ALL
            if name not in present
        ]
        if missing:
            created = await admin.create_topics(missing)
            for error in created.topic_errors:  # pyright: ignore[reportAttributeAccessIssue]
                failure = for_code(error[1])
                if error[1] and failure is not TopicAlreadyExistsError:
                    raise failure(f"cannot create topic {error[0]}: {error[-1]}")
        for description in await admin.describe_topics([name for name in ALL if name in present]):
            count = len(description["partitions"])
            if count != PARTITIONS:
                raise WrongTopic(
                    f"topic {description['topic']} has {count} partitions instead of {PARTITIONS}: use another "
                    "cluster, or delete the topic and republish it (docs/runbooks/republish.md)"
                )
        await _coordinated(admin)


async def _coordinated(admin: AIOKafkaAdminClient) -> None:
    """Waits for the topic that holds the groups.

    Kafka creates it on demand; consumers that start earlier log errors.
    """
    end = time.monotonic() + COORDINATOR_SECONDS
    while True:
        try:
            await admin.find_coordinator("ledgerdesk")
        except GroupCoordinatorNotAvailableError:
            if time.monotonic() > end:
                raise
            await asyncio.sleep(0.1)
        else:
            return


def main() -> int:
    try:
        passwords = dict(line.split("=", 1) for line in env("LEDGERDESK_KAFKA_PASSWORDS").split())
        replication = int(env("LEDGERDESK_KAFKA_REPLICATION", "1"))
        asyncio.run(ensure(KafkaAdmin.read(), passwords, replication=replication))
    except (WrongTopic, SettingMissing) as error:
        print(error, file=sys.stderr)
        return 1
    except (KafkaError, OSError, TimeoutError) as error:
        print(f"cannot create the topics: {type(error).__name__}: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
