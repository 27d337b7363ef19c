"""Creates the topics: 12 partitions, kept for ever. `python -m shared.messaging.topics` is the deployment's one-shot job."""

import asyncio
import sys
import time

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import GroupCoordinatorNotAvailableError, KafkaError, TopicAlreadyExistsError, for_code

from shared.contracts.topics import ALL, PARTITIONS
from shared.settings import SettingMissing, env

COORDINATOR_SECONDS = 30
CONFIG = {"retention.ms": "-1", "retention.bytes": "-1", "cleanup.policy": "delete", "max.message.bytes": "1048588"}


class WrongTopic(Exception):
    """A topic exists with another number of partitions: a ticket's events would change their partition."""


async def ensure(bootstrap: str, *, replication: int = 1) -> None:
    """Creates what is missing, and waits until consumers can form groups; raises WrongTopic when a topic has another number of partitions
    than ours."""
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap, client_id="ledgerdesk-topics")
    await asyncio.wait_for(admin.start(), 30)
    try:
        present = set(await admin.list_topics())
        missing = [
            NewTopic(name, num_partitions=PARTITIONS, replication_factor=replication, topic_configs=CONFIG)
            for name in ALL
            if name not in present
        ]
        if missing:
            answer = await admin.create_topics(missing)
            for error in answer.topic_errors:  # pyright: ignore[reportAttributeAccessIssue]
                failure = for_code(error[1])
                if error[1] and failure is not TopicAlreadyExistsError:
                    raise failure(f"cannot create topic {error[0]}: {error[-1]}")
        for description in await admin.describe_topics([name for name in ALL if name in present]):
            count = len(description["partitions"])
            if count != PARTITIONS:
                raise WrongTopic(
                    f"topic {description['topic']} has {count} partitions instead of {PARTITIONS}: use another cluster, or "
                    "delete the topic and republish it (docs/runbooks/republish.md)"
                )
        await _coordinated(admin)
    finally:
        await asyncio.wait_for(admin.close(), 10)


async def _coordinated(admin: AIOKafkaAdminClient) -> None:
    """A cluster makes the topic that holds its groups when the first one asks: consumers that start before it is there log errors."""
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
        asyncio.run(
            ensure(env("LEDGERDESK_KAFKA_BOOTSTRAP"), replication=int(env("LEDGERDESK_KAFKA_REPLICATION", "1")))
        )
    except (WrongTopic, SettingMissing) as error:
        print(error, file=sys.stderr)
        return 1
    except (KafkaError, OSError, TimeoutError) as error:
        print(f"cannot make the topics: {type(error).__name__}: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
