"""Who has which notice of a ticket: the rows behind the list of a person's notices."""

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated
from uuid import UUID

from shared.projections.tables import Column, Table


@dataclass(slots=True)
class NoticeEntry:
    """A row of `notices`: one person has a notice. `cause`: the event that it is about.

    `number`: that of the entry of the ticket's history that gave it.
    """

    person_id: Annotated[UUID, Column("uuid NOT NULL")]
    id: Annotated[UUID, Column("uuid NOT NULL")]
    at: Annotated[datetime, Column("timestamptz NOT NULL")]
    ticket_id: Annotated[UUID, Column("uuid NOT NULL")]
    number: Annotated[int, Column("integer NOT NULL")]
    kind: Annotated[str, Column("text NOT NULL")]
    cause: Annotated[UUID, Column("uuid NOT NULL")]


NOTICES_TABLE = Table(NoticeEntry)
