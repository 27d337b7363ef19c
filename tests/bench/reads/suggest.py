"""`python -m tests.bench.reads.suggest [--customers 100000] [--tickets 20000]`: suggestions as one types.

In ms at the gateway and in requests of the floor. Many customers and companies with made-up names are written into the
gateway's tables, and tickets into one queue.
"""

import argparse
import asyncio
import json
import random
import sys
import time
from collections.abc import Iterator
from urllib.parse import quote
from uuid import UUID

import asyncpg
from uuid_utils.compat import uuid7

from deploy.local import lifecycle
from services.gateway.document_names import words
from tests.bench.__main__ import Bench, home_of_its_own, write_results
from tests.bench.load.many_tickets import fill_list

QUEUE = "suggested"
BAR = 10.0
"""Requests of the floor, p95."""
ROUNDS = 40
SYLLABLES = (
    "ka",
    "ri",
    "nord",
    "mann",
    "berg",
    "sen",
    "el",
    "iv",
    "an",
    "na",
    "pet",
    "ter",
    "la",
    "ur",
    "vik",
    "stein",
)
DOCUMENTS = """
INSERT INTO gateway.documents (id, kind, slug, email, retired, document, version)
SELECT id, 'person', login, login || '@customer.example', false,
       jsonb_build_object('id', id, 'login', login, 'name', name, 'email', login || '@customer.example',
                          'roles', jsonb_build_array('customer')), 1
  FROM unnest($1::uuid[], $2::text[], $3::text[]) AS t(id, login, name)
"""


def measure(bench: Bench, customers: int, tickets: int) -> None:
    """Adds rows to the table."""
    bench.desk.call("PUT", f"/queues/{QUEUE}", {"slug": QUEUE, "name": "Suggested", "members": []})
    queue = UUID(bench.desk.call("GET", f"/queues/{QUEUE}")["id"])
    asyncio.run(fill_list(bench.instance, queue, QUEUE, tickets))
    asyncio.run(_customers(bench, customers))
    bench.floor()
    for what, kinds in (("every kind", ""), ("customers", "&kinds=customer"), ("tickets", "&kinds=ticket")):
        took = asyncio.run(_p95(bench, kinds))
        requests = took / bench.floor_cpu
        bench.row(f"suggestions of {what}, p95 at the gateway", took, "ms", "", None)
        bench.row("the same in requests of the floor", requests, "requests", f"<= {BAR:g}", requests <= BAR)


def _names(count: int) -> Iterator[tuple[UUID, str, str]]:
    chance = random.Random(1)
    for n in range(count):
        first, last = ("".join(chance.choices(SYLLABLES, k=2)) for _ in range(2))
        yield uuid7(), f"{first}.{last}.{n}", f"{first.title()} {last.title()}"


async def _customers(bench: Bench, count: int) -> None:
    postgres = bench.instance.postgres
    connection = await asyncpg.connect(postgres.url("postgres", postgres.password, "gateway"), command_timeout=600)
    people = list(_names(count))
    await connection.execute(DOCUMENTS, *map(list, zip(*people, strict=True)))
    rows = (
        ("customer", word, identifier)
        for identifier, login, name in people
        for word in words((login, name, f"{login}@customer.example"))
    )
    await connection.copy_records_to_table("names", schema_name="gateway", columns=["kind", "word", "id"], records=rows)
    await connection.execute("VACUUM ANALYZE gateway.names")
    await connection.execute("VACUUM ANALYZE gateway.documents")
    await connection.close()


async def _p95(bench: Bench, kinds: str) -> float:
    """Names letter by letter, as somebody types them."""
    chance, connection, times = random.Random(2), bench.connection(), []
    for _ in range(ROUNDS):
        typed = "".join(chance.choices(SYLLABLES, k=2)) + " " + chance.choice(SYLLABLES)
        for length in range(1, len(typed) + 1):
            started = time.perf_counter()
            status, _, body = await connection.request("GET", f"/api/v1/suggest?q={quote(typed[:length])}{kinds}")
            times.append(time.perf_counter() - started)
            assert status == 200 and json.loads(body), body
    return sorted(times)[int(len(times) * 0.95)] * 1000


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.reads.suggest", description=__doc__)
    parser.add_argument("--customers", type=int, default=100_000)
    parser.add_argument("--tickets", type=int, default=20_000)
    arguments = parser.parse_args()
    with home_of_its_own() as home:
        bench = Bench(lifecycle.up(home, lambda _: None), 0)
        measure(bench, arguments.customers, arguments.tickets)
    write_results("suggest.json", bench.rows, customers=arguments.customers, tickets=arguments.tickets)
    return 0


if __name__ == "__main__":
    sys.exit(main())
