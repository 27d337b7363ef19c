"""Fields of tickets."""

from services.gateway.documents.kind import everybody, kind
from shared.contracts.directory import TicketField
from shared.database import Connection
from shared.http.problems import FieldError


async def check(field: TicketField, was: TicketField | None, _: Connection) -> list[FieldError]:
    errors: list[FieldError] = []
    if was is not None and was.kind != field.kind:
        errors.append(FieldError("/kind", "The kind cannot be changed, because tickets may have values of it."))
    if (field.kind == "choice") != bool(field.choices):
        wrong = "Name at least one choice." if field.kind == "choice" else "Only the kind `choice` can have choices."
        errors.append(FieldError("/choices", wrong))
    return errors


KIND = kind(TicketField, "fields", everybody, check=check, example={"slug": "room", "name": "Room"})
