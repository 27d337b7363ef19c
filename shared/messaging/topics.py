"""Creates the topics: 12 partitions, kept for ever. `python -m shared.messaging.topics` is the deployment's one-shot job."""

import asyncio
import sys

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import KafkaError, TopicAlreadyExistsError, for_code

from shared.contracts.topics import ALL, PARTITIONS
from shared.settings import SettingMissing, env

CONFIG = {"retention.ms": "-1", "retention.bytes": "-1", "cleanup.policy": "delete", "max.message.bytes": "1048588"}


class WrongTopic(Exception):
    """A topic exists with another number of partitions: a ticket's events would change their partition."""


async def ensure(bootstrap: str, *, replication: int = 1) -> None:
    """Creates what is missing; raises WrongTopic when a topic has another number of partitions than ours."""
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
    finally:
        await asyncio.wait_for(admin.close(), 10)


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
