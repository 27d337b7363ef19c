"""What the load works with: a queue with an address, its agents, an SLA with short clocks, and triggers."""

import secrets
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from deploy.local.commands.demo import Desk
from tests.chaos import rules

RIGHTS = ["read", "create", "move_into", "note", "work"]
AGENT = "kari"


@dataclass(frozen=True, slots=True)
class Tokens:
    """`agent` works in the queue, `comes_and_goes` is away now and then, `admin` is the administrator."""

    agent: str
    comes_and_goes: str
    admin: str


def prepare(url: str, admin_password: str, queue: str) -> Tokens:
    """Saves the queue, with the address `queue@help.example.org`, its agents, an SLA and triggers. `url` is the
    gateway's."""
    admin, password = Desk(url, "admin", admin_password), secrets.token_urlsafe(12)
    agents = (AGENT, *rules.PRESENT, rules.ALWAYS_AWAY, rules.COMES_AND_GOES)
    for login in agents:
        person = {
            "login": login,
            "name": login.title(),
            "email": f"{login}@help.example.org",
            "password": password,
            "password_must_change": False,
            "roles": ["agent"],
        }
        admin.call("PUT", f"/people/{login}", person)
    document = {
        "slug": queue,
        "name": queue.capitalize(),
        "address": f"{queue}@help.example.org",
        "members": [{"person": login, "rights": RIGHTS} for login in agents],
    }
    admin.call("PUT", f"/queues/{queue}", document)
    Desk(url, rules.ALWAYS_AWAY, password).call("PUT", "/session/absence", absence(active=True))
    for path, wanted in rules.documents(queue):
        admin.call("PUT", path, wanted)
    return Tokens(Desk(url, AGENT, password).token, Desk(url, rules.COMES_AND_GOES, password).token, admin.token)


def absence(*, active: bool) -> dict[str, Any]:
    """Yesterday to tomorrow, whatever the zone; the substitute is somebody who is there."""
    today = datetime.now(UTC).date()
    days = {"from": str(today - timedelta(days=1)), "to": str(today + timedelta(days=1))}
    return {"active": active, **days, "substitute": rules.PRESENT[0]}
