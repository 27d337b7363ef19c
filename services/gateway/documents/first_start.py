"""The first documents of an installation: the person `admin`, the standard states and priorities, the default queue.

`migrate` makes those that never existed, and leaves the others unchanged.
"""

import secrets
import sys
from collections.abc import Mapping
from typing import Any

from services.gateway import document_rows
from services.gateway.document_rows import ADMIN
from services.gateway.documents.document import DEFAULT_QUEUE
from services.gateway.documents.documents import Documents, NewPassword
from services.gateway.documents.draft import Draft
from services.gateway.documents.kind import Kind
from services.gateway.documents.kinds import people, queues, states
from services.gateway.signing_in.passwords import Passwords
from shared.contracts.envelope import Actor
from shared.database import connect_pool
from shared.eventstore.store import Context, Store
from shared.rules.states import PRIORITIES, STANDARD
from shared.settings import env

DOMAIN = "ledgerdesk.invalid"


async def first_documents(database_url: str) -> None:
    """Makes the documents that never existed. A generated password is printed once, to stderr."""
    domain = env("LEDGERDESK_MAIL_DOMAIN", DOMAIN)
    given = env("LEDGERDESK_ADMIN_PASSWORD", "")
    pool = await connect_pool(database_url, smallest=1, largest=1)
    passwords = Passwords()
    try:
        documents = Documents(Store(pool, "gateway"))
        context = Context(Actor("system", "first start"))
        if await document_rows.find(pool, "person", ADMIN) is None:
            password = given or secrets.token_urlsafe(18)
            admin = {"login": ADMIN, "name": "Administrator", "email": f"{ADMIN}@{domain}", "roles": ["admin"]}
            new_password = NewPassword(await passwords.hash(password))
            await documents.save(people.KIND, ADMIN, _draft(people.KIND, admin), context, password=new_password)
            if not given:
                print(f"The password of the administrator, shown only now: {password}", file=sys.stderr)
        for state in STANDARD.values():
            if await document_rows.find(pool, "state", state.slug) is None:
                await documents.save(states.STATE, state.slug, _draft(states.STATE, state.model_dump()), context)
        for number, name in PRIORITIES.items():
            slug = str(number)
            if await document_rows.find(pool, "priority", slug) is None:
                priority = {"slug": slug, "name": name, "number": number, "offered_to_customers": number > 1}
                await documents.save(states.PRIORITY, slug, _draft(states.PRIORITY, priority), context)
        if await document_rows.find(pool, "queue", DEFAULT_QUEUE) is None:
            address = f"{DEFAULT_QUEUE}@{domain}"
            queue = {"slug": DEFAULT_QUEUE, "name": "Postmaster", "address": address, "display_name": "Postmaster"}
            await documents.save(queues.KIND, DEFAULT_QUEUE, _draft(queues.KIND, queue), context)
        await document_rows.write_missing_names(pool)
    finally:
        passwords.close()
        await pool.close()


def _draft(kind: Kind[Any], values: Mapping[str, Any]) -> Draft:
    return kind.draft.model_validate(values)
