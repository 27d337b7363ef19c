"""What a topic requires of a new ticket (A1.06, A1.07, A7.24, A7.25)."""

import uuid
from uuid import UUID

import pytest

from services.intake.opening.bodies import TicketBody
from services.intake.opening.topic_form import filled_form, topic_named
from shared.contracts.directory import AskedField, TicketField, Topic
from shared.contracts.intake import FilledField, FilledForm
from shared.contracts.parts import TopicRef
from shared.directory.copy import Configuration
from shared.rules.access import Identity
from shared.rules.refusals import Invalid
from tests.specs.requirement import requirement

RECOUNT = Topic(
    id=UUID(int=4),
    slug="recount",
    name="Recalculation",
    queue="billing",
    fields=(
        AskedField(field="period", required=True),
        AskedField(field="urgent", required=True),
        AskedField(field="cause"),
    ),
    attachment_required=True,
)
WITHIN = Topic(id=UUID(int=5), slug="within", name="For the desk", queue="billing", offered_to_customers=False)
SETTINGS = Configuration(
    fields={"period": TicketField(id=UUID(int=6), slug="period", name="Which period?")},
    topics={"recount": RECOUNT, "within": WITHIN},
)
PER = Identity(
    person_id=UUID(int=20), kind="customer", login="per", name="Per", email="per@x.example", roles=("customer",)
)
KARI = Identity(person_id=UUID(int=1), kind="agent", login="kari", name="Kari", email="k@x.example", roles=("agent",))


def body(**more: object) -> TicketBody:
    return TicketBody.model_validate({"subject": "x", "body": "x", "topic": "recount", **more})


def missing(wanted: TicketBody) -> list[str]:
    with pytest.raises(Invalid) as refused:
        filled_form(RECOUNT, wanted.request(), SETTINGS)
    return ["/".join(["", *map(str, each.path)]) for each in refused.value.arguments]


@requirement("A7.24", "A7.25")
def test_one_refusal_names_everything_that_is_missing() -> None:
    assert missing(body()) == ["/fields/period", "/fields/urgent", "/attachments"]
    assert missing(body(fields={"period": "", "urgent": None}, attachments=[str(uuid.uuid4())])) == [
        "/fields/period",
        "/fields/urgent",
    ]


@requirement("A1.07")
def test_the_form_is_copied_in_the_words_of_the_day() -> None:
    made = filled_form(
        RECOUNT,
        body(fields={"urgent": False, "period": "2026-10", "room": "B 214"}, attachments=[str(uuid.uuid4())]).request(),
        SETTINGS,
    )
    assert made == FilledForm(
        topic=TopicRef(id=RECOUNT.id, slug="recount", name="Recalculation"),
        fields=(
            FilledField(field="period", name="Which period?", value="2026-10"),
            FilledField(field="urgent", name="urgent", value=False),
            FilledField(field="cause", name="cause"),
        ),
    )


@requirement("A1.06")
def test_customers_find_the_topics_that_are_offered_to_them() -> None:
    assert topic_named("recount", SETTINGS, PER) == RECOUNT
    assert topic_named(str(RECOUNT.id), SETTINGS, PER) == RECOUNT
    assert topic_named("within", SETTINGS, KARI) == WITHIN
    for who, reference in ((PER, "within"), (PER, "nowhere"), (KARI, "nowhere")):
        with pytest.raises(Invalid) as refused:
            topic_named(reference, SETTINGS, who)
        assert refused.value.arguments[0].path == ("topic",)


def test_a_topic_and_a_queue_contradict_each_other() -> None:
    with pytest.raises(ValueError, match="The topic decides the queue"):
        body(queue="it")
