"""Who gets a report: the addresses that the recipients of a schedule have now."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from shared.addresses import comparable
from shared.contracts.directory import Person, ReportSchedule
from shared.contracts.notify import LeftOut
from shared.contracts.parts import Address
from shared.database import Pool

PEOPLE = """
SELECT document::text AS document, retired
  FROM gateway.documents
 WHERE kind = 'person' AND (id = ANY($1) OR document ->> 'email' = ANY($2))
"""
LEFT = "This person is not in use any more."


@dataclass(frozen=True, slots=True)
class Recipients:
    """Each address once, in the order of the schedule."""

    to: tuple[Address, ...]
    left_out: tuple[LeftOut, ...]


async def recipients(pool: Pool, schedule: ReportSchedule) -> Recipients:
    """The people of the schedule at their present addresses, and its other addresses."""
    ids = [UUID(each) for each in schedule.to if "@" not in each]
    addresses = [comparable(each) for each in schedule.to if "@" in each]
    rows = await pool.fetch(PEOPLE, ids, addresses)
    return chosen(schedule.to, [(Person.model_validate_json(row["document"]), row["retired"]) for row in rows])


def chosen(to: Sequence[str], people: Sequence[tuple[Person, bool]]) -> Recipients:
    """`people`: those whom `to` names by id or address, and whether they are retired.

    An address that only a retired person has is left out, as that person is.
    """
    in_use = {comparable(person.email): person for person, retired in people if not retired}
    former = {comparable(person.email): person for person, retired in people if retired}
    by_id = {str(person.id): (person, retired) for person, retired in people}
    kept: dict[str, Address] = {}
    left_out: list[LeftOut] = []
    for each in to:
        if "@" in each:
            person, retired = in_use.get(comparable(each)), comparable(each) in former
            if person is None and retired:
                left_out.append(LeftOut(recipient=each, reason=LEFT))
                continue
            kept.setdefault(comparable(each), Address(email=each, name=person.name if person is not None else ""))
        else:
            person, retired = by_id.get(each, (None, True))
            if person is None or retired:
                left_out.append(LeftOut(recipient=person.name if person is not None else each, reason=LEFT))
                continue
            kept.setdefault(comparable(person.email), Address(email=person.email, name=person.name))
    return Recipients(tuple(kept.values()), tuple(left_out))
