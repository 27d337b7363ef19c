"""What an installation begins with: the person `admin`, the standard states and priorities, the default queue.

Part of `migrate`; makes what was never made, and leaves the rest as it is.
"""

import secrets
import sys

from services.gateway.documents import rows
from services.gateway.documents.document import DEFAULT_QUEUE
from services.gateway.documents.documents import Documents
from services.gateway.documents.kinds.people import ADMIN, PersonDraft
from services.gateway.documents.kinds.queues import QueueDraft
from services.gateway.documents.kinds.setting_drafts import PriorityDraft, StateDraft
from services.gateway.signing_in.passwords import Passwords
from shared.contracts.envelope import Actor
from shared.database import connect_pool
from shared.eventstore.store import Context, Store
from shared.rules.states import PRIORITIES, STANDARD
from shared.settings import env

DOMAIN = "ledgerdesk.invalid"


async def first_documents(database_url: str) -> None:
    """Makes the administrator and the default queue where they were never made. A generated password is printed once, to stderr."""
    domain = env("LEDGERDESK_MAIL_DOMAIN", DOMAIN)
    given = env("LEDGERDESK_ADMIN_PASSWORD", "")
    pool = await connect_pool(database_url, smallest=1, largest=1)
    passwords = Passwords()
    try:
        documents = Documents(Store(pool, "gateway"))
        context = Context(Actor("system", "first start"))
        if await rows.find(pool, "person", ADMIN) is None:
            password = given or secrets.token_urlsafe(18)
            draft = PersonDraft(login=ADMIN, name="Administrator", email=f"{ADMIN}@{domain}", roles=["admin"])
            await documents.save("person", ADMIN, draft, context, password_hash=await passwords.hash(password))
            if not given:
                print(f"The administrator's password, shown only now: {password}", file=sys.stderr)
        for state in STANDARD.values():
            if await rows.find(pool, "state", state.slug) is None:
                made = StateDraft.model_validate(state.model_dump())
                await documents.save("state", state.slug, made, context)
        for number, name in PRIORITIES.items():
            if await rows.find(pool, "priority", str(number)) is None:
                offered = PriorityDraft(slug=str(number), name=name, number=number, offered_to_customers=number > 1)
                await documents.save("priority", str(number), offered, context)
        if await rows.find(pool, "queue", DEFAULT_QUEUE) is None:
            queue = QueueDraft(
                slug=DEFAULT_QUEUE, name="Postmaster", address=f"{DEFAULT_QUEUE}@{domain}", display_name="Postmaster"
            )
            await documents.save("queue", DEFAULT_QUEUE, queue, context)
    finally:
        passwords.close()
        await pool.close()
