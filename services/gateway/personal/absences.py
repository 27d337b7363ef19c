"""Who is away, as the desk shows it wherever one picks a person (A21.01)."""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Annotated, Any
from uuid import UUID
from zoneinfo import ZoneInfo

from pydantic import Field

from services.gateway import document_rows
from shared.contracts.directory import Absence, Person
from shared.contracts.marks.declaration import Document
from shared.database import Pool
from shared.eventstore.store import utc_now
from shared.http import story
from shared.http.bodies import Body, example
from shared.http.references import PersonNamed
from shared.rules.absence import absence_of
from shared.rules.access import Identity

Shown = dict[str, Any]


class AbsenceShown(Body):
    """An absence that somebody has set. Both days belong to it; without any days there never was one."""

    model_config = example({"active": True, "from": "2026-12-21", "to": "2026-12-31", "substitute": story.AGENT})

    active: bool
    from_: Annotated[date | None, Field(alias="from")]
    to: date | None
    substitute: PersonNamed | None


class Absences:
    """Absences with the people who stand in. `desk` is the time zone of people who have none of their own."""

    def __init__(self, pool: Pool, desk: ZoneInfo) -> None:
        self.pool, self.desk = pool, desk

    async def now(self, people: Sequence[Person]) -> dict[UUID, Shown | None]:
        """For each person the absence as `AbsenceNow` shows it; None for those who are not away."""
        at = utc_now()
        absences = {person.id: absence_of(person, at, self.desk) for person in people}
        names = await self._substitutes([each for each in absences.values() if each is not None])
        return {
            person: {**_days(absence), "substitute": names.get(absence.substitute)} if absence is not None else None
            for person, absence in absences.items()
        }

    async def of_documents(self, _: Identity, documents: Sequence[Document]) -> Mapping[UUID, Shown]:
        """What the documents of people show as `absence`."""
        found = await self.now([each for each in documents if isinstance(each, Person)])
        return {person: {"absence": absence} for person, absence in found.items()}

    async def set(self, person: Person) -> Shown:
        """What the person has set, whether it is now or not, as `AbsenceShown` shows it."""
        absence = person.absence
        if absence is None:
            return {"active": False, "from": None, "to": None, "substitute": None}
        names = await self._substitutes([absence])
        return {"active": absence.active, **_days(absence), "substitute": names.get(absence.substitute)}

    async def _substitutes(self, absences: Sequence[Absence]) -> Mapping[UUID | None, Shown]:
        """Names of those who stand in, are in use and still work at the desk."""
        wanted = list({each.substitute for each in absences if each.substitute is not None})
        rows = await document_rows.in_use(self.pool, wanted)
        people = [row.document for row in rows if isinstance(row.document, Person)]
        return {each.id: {"id": str(each.id), "name": each.name} for each in people if works(each)}


def works(person: Person) -> bool:
    """Whether tickets are assigned to this person: only such people are away and stand in."""
    return "agent" in person.roles or "admin" in person.roles


def _days(absence: Absence) -> Shown:
    return {"from": absence.first_day.isoformat(), "to": absence.last_day.isoformat()}
