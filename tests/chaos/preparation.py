"""What the load works with: a queue with an address, and an agent who works in it."""

import secrets

from deploy.local.demo import Desk

RIGHTS = ["read", "create", "move_into", "note", "work"]


def prepare(url: str, admin_password: str, queue: str) -> str:
    """Saves the queue, with the address `queue@help.example.org`, and its agent. Returns the agent's token.

    `url` is the gateway's.
    """
    admin, password = Desk(url, "admin", admin_password), secrets.token_urlsafe(12)
    person = {
        "login": "kari",
        "name": "Kari",
        "email": "kari@help.example.org",
        "password": password,
        "roles": ["agent"],
    }
    admin.call("PUT", "/people/kari", person)
    document = {
        "slug": queue,
        "name": queue.capitalize(),
        "address": f"{queue}@help.example.org",
        "members": [{"person": "kari", "rights": RIGHTS}],
    }
    admin.call("PUT", f"/queues/{queue}", document)
    return Desk(url, "kari", password).token
