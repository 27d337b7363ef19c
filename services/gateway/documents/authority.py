"""Who may change the identity and rights of a person (decision record 0074).

Login, address and password decide who can sign in as a person: a link to a new password goes to the address. Roles and
company decide what the person then sees and does. No other field does either. No call lets an API token outgrow its
scopes through these fields.
"""

from collections.abc import Awaitable, Callable

from services.gateway.signing_in import scopes
from services.gateway.signing_in.sessions import Principal
from shared.contracts.directory import Person
from shared.database import Connection
from shared.http import problems

Guard = Callable[[Connection, Person | None, Person], Awaitable[None]]
"""Compares a person before (None: new or retired) and after a change, in the transaction that saves it.

Raises Problem 403.
"""

CAN_SIGN_IN = "SELECT EXISTS (SELECT FROM gateway.credentials WHERE person_id = $1)"


def changes_identity(was: Person | None, wanted: Person) -> bool:
    """Whether a change affects the identity or rights of a person."""
    if was is None:
        return wanted.roles != ("customer",) or wanted.company is not None
    before = (was.login, was.email, was.roles, was.company)
    return before != (wanted.login, wanted.email, wanted.roles, wanted.company)


def administrators(principal: Principal) -> Guard:
    """Administrators change everything, but identity and rights only with a recent password, never with a token."""

    async def guard(_: Connection, was: Person | None, wanted: Person) -> None:
        if changes_identity(was, wanted):
            scopes.require_proof(principal)

    return guard


def agents(principal: Principal) -> Guard:
    """Agents change the records of customers, but not their company, nor the login and address of customers who can
    sign in."""

    async def guard(connection: Connection, was: Person | None, wanted: Person) -> None:
        if (was.company if was is not None else None) != wanted.company:
            raise problems.forbidden(
                "Only administrators set the company of a customer, because it decides which tickets the customer sees."
            )
        renamed = was is not None and (was.login, was.email) != (wanted.login, wanted.email)
        if renamed and await connection.fetchval(CAN_SIGN_IN, wanted.id):
            raise problems.forbidden("Only administrators change the login and address of a person who can sign in.")

    return administrators(principal) if principal.identity.is_admin else guard
