"""People read times in their own time zone if they have chosen one, else in the desk's."""

from uuid import UUID
from zoneinfo import ZoneInfo

from services.reporting.zone import zone_of
from shared.contracts.directory import Person
from shared.rules.access import Identity
from shared.rules.zones import zone_named, zone_of_person
from tests.specs.requirement import requirement

DESK, OSLO = ZoneInfo("America/New_York"), ZoneInfo("Europe/Oslo")
KARI = UUID(int=1)


@requirement("A10.08")
def test_a_person_reads_times_in_their_own_zone() -> None:
    known = {"person_id": KARI, "kind": "agent", "login": "kari", "name": "Kari", "email": "kari@help.example.org"}
    assert zone_of(Identity(**known), DESK) is DESK
    assert zone_of(Identity(**known, timezone="Europe/Oslo"), DESK) == OSLO
    person = Person(id=KARI, login="kari", name="Kari", email="kari@help.example.org")
    assert zone_of_person(person, DESK) is DESK
    assert zone_of_person(person.model_copy(update={"timezone": "Europe/Oslo"}), DESK) == OSLO


def test_a_zone_that_this_machine_does_not_know_is_the_desks() -> None:
    for name in (None, "", "Mars/Olympus", "../../etc/passwd", "/etc/passwd", "Europe", "a\x00b", "x" * 5000):
        assert zone_named(name, DESK) is DESK, name
