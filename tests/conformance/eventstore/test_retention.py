from uuid import uuid4

import asyncpg

from shared.eventstore.retention import CommandRetention
from shared.eventstore.store import CommandId, Store
from tests.conformance.eventstore.test_append import appending


async def test_a_command_is_forgotten_after_thirty_days_and_not_before(store: Store, postgres_owner_url: str) -> None:
    old, young = CommandId(uuid4(), b"old"), CommandId(uuid4(), b"young")
    for command in (old, young):
        await store.append([appending(uuid4(), 0)], command=command, response={"version": 1})
    owner = await asyncpg.connect(postgres_owner_url)
    for command, age in ((old, 31), (young, 29)):
        sql = "UPDATE es.commands SET recorded_at = now() - make_interval(days => $2) WHERE command_id = $1"
        await owner.execute(sql, command.id, age)
    await owner.close()
    assert await CommandRetention(store.pool).delete() == 1
    assert await store.response_of(old) is None
    assert await store.response_of(young) is not None
