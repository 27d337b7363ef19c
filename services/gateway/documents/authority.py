"""Which changes of a person decide who they are and what they may do, and who may make them (decision record 0074).

Login, address and password say who signs in as somebody: a link to a new password goes to the address. Roles and company say what they then
see and do. All else is harmless. An API token must not outgrow its scopes by any of these, whichever call it takes.
"""

from collections.abc import Awaitable, Callable

from services.gateway.documents import rows
from services.gateway.signing_in import scopes
from services.gateway.signing_in.sessions import Principal
from shared.contracts.directory import Person
from shared.database import Connection
from shared.http import problems

Guard = Callable[[Connection, rows.Row | None, Person], Awaitable[None]]
"""Looks at a person as they are and as they are to be, in the transaction that saves them; raises Problem 403."""

CAN_SIGN_IN = "SELECT EXISTS (SELECT FROM gateway.credentials WHERE person_id = $1)"


def decides(was: Person | None, wanted: Person) -> bool:
    """Whether a change decides who somebody is or what they may do. `was`: None for who is new or comes back."""
    if was is None:
        return wanted.roles != ("customer",) or wanted.company is not None
    before = (was.login, was.email, was.roles, was.company)
    return before != (wanted.login, wanted.email, wanted.roles, wanted.company)


def administrators(principal: Principal) -> Guard:
    """Administrators change everything of people, but not with a token, and not with a sign-in that somebody has left open."""

    async def guard(_: Connection, row: rows.Row | None, wanted: Person) -> None:
        if decides(_in_use(row), wanted):
            scopes.require_proof(principal)

    return guard


def agents(principal: Principal) -> Guard:
    """Agents keep the records of customers: not their company, and not the name and address of who can sign in."""

    async def guard(connection: Connection, row: rows.Row | None, wanted: Person) -> None:
        was = _in_use(row)
        if (was.company if was is not None else None) != wanted.company:
            raise problems.forbidden("Only administrators set a customer's company: it decides which tickets they see.")
        renamed = was is not None and (was.login, was.email) != (wanted.login, wanted.email)
        if renamed and await connection.fetchval(CAN_SIGN_IN, wanted.id):
            raise problems.forbidden("Only administrators change the login and address of somebody who can sign in.")

    return administrators(principal) if principal.identity.is_admin else guard


def _in_use(row: rows.Row | None) -> Person | None:
    return row.document if row is not None and not row.retired and isinstance(row.document, Person) else None
