"""Fields of tickets."""

from services.gateway.documents.kind import everybody, kind
from shared.contracts.directory import TicketField
from shared.database import Connection
from shared.http.problems import FieldError


async def check(field: TicketField, was: TicketField | None, _: Connection) -> list[FieldError]:
    errors: list[FieldError] = []
    if was is not None and was.kind != field.kind:
        errors.append(FieldError("/kind", "The kind cannot change: tickets have values of this kind."))
    if (field.kind == "choice") != bool(field.choices):
        wrong = "A choice needs at least one." if field.kind == "choice" else "Only the kind `choice` has choices."
        errors.append(FieldError("/choices", wrong))
    return errors


KIND = kind(TicketField, "fields", everybody, check=check)
