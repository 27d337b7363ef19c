"""Operations as a rule, a macro or a worker calls them: no HTTP, no person whose rights are checked (decision 0096)."""

from uuid import UUID, uuid4

import pytest

from services.routing.operations import articles, lifecycle, ownership, queueing, relations
from services.routing.operations.content.composing import Content, Recipients
from services.routing.operations.request import CommandRequest
from services.routing.operations.states import NextStep
from services.routing.ticket.context import Actor, ActorKind
from services.routing.ticket.properties import SetPriority
from shared.contracts.routing import AgentReplied, TicketMoved
from shared.eventstore.errors import PreconditionFailed
from shared.eventstore.store import CommandId
from shared.rules.refusals import Forbidden, Invalid, NotFound
from shared.rules.rejected import Rejected
from shared.rules.states import CLOSED_SUCCESSFUL
from tests.services.routing.workplace import EVA, KARI, OLA, PER, SECRET, Workplace

RULE = Actor("rule", UUID(int=90), "Escalate old tickets")


def by(actor: Actor, ticket: str, **more: object) -> CommandRequest:
    return CommandRequest(actor, ticket, CommandId(uuid4()), **more)  # type: ignore[arg-type]


@pytest.mark.parametrize("kind", ["agent", "rule", "customer", "system"])
async def test_the_envelope_names_the_kind_of_the_actor(desk: Workplace, kind: ActorKind) -> None:
    number = await desk.ticket()
    actor = Actor(kind, UUID(int=90), "Somebody")
    await desk.operations.give(by(actor, number), "set-priority", lambda context, _: SetPriority(context, 5))
    recorded = (await desk.events(number))[-1]
    assert (recorded.actor.kind, recorded.actor.id) == (kind, str(actor.id))


async def test_a_rule_answers_moves_and_closes_and_takes_no_lock(desk: Workplace) -> None:
    number = await desk.ticket()
    await desk.done(number, "lock")
    await articles.reply(desk.operations, by(RULE, number), Content("We are on it."), Recipients(), NextStep())
    await queueing.move(desk.operations, by(RULE, number), SECRET.slug, Content(), NextStep())
    await lifecycle.close(desk.operations, by(RULE, number), CLOSED_SUCCESSFUL.slug, Content())
    state = await desk.state(number)
    assert (state.state, state.locked_by) == (CLOSED_SUCCESSFUL, None)
    assert state.owner is not None and state.owner.id == KARI.person_id
    events = [event.payload for event in await desk.events(number)]
    assert {each.by for each in events if isinstance(each, AgentReplied | TicketMoved)} == {RULE.reference}


async def test_a_request_is_carried_out_once(desk: Workplace) -> None:
    number = await desk.ticket()
    request = by(RULE, number)

    async def call() -> None:
        await articles.add_note(desk.operations, request, Content("Overdue."), NextStep())

    await call()
    await call()
    assert (await desk.kinds(number)).count("NoteAdded") == 1


async def test_refusals_name_the_argument(desk: Workplace) -> None:
    number = await desk.ticket()
    request = by(RULE, number)
    with pytest.raises(Invalid) as refused:
        await ownership.assign(desk.operations, request, "nobody", Content())
    assert [(each.path, each.detail) for each in refused.value.arguments] == [(("owner",), "No such person.")]
    with pytest.raises(Invalid) as refused:
        await relations.merge(desk.operations, request, "2020010110000001")
    assert [(each.path, each.detail) for each in refused.value.arguments] == [(("into",), "No such ticket.")]
    with pytest.raises(NotFound):
        await lifecycle.close(desk.operations, by(RULE, "2020010110000001"), CLOSED_SUCCESSFUL.slug, Content())
    with pytest.raises(PreconditionFailed):
        await lifecycle.close(desk.operations, by(RULE, number, expected=7), CLOSED_SUCCESSFUL.slug, Content())


async def test_an_owner_of_a_rules_choice_must_be_able_to_work_there(desk: Workplace) -> None:
    number = await desk.ticket()
    with pytest.raises(Rejected) as refused:
        await ownership.assign(desk.operations, by(RULE, number), EVA.login, Content())
    assert refused.value.reason == "Eva may not work on tickets of this queue."
    await ownership.assign(desk.operations, by(RULE, number), OLA.login, Content())


async def test_a_persons_rights_are_checked(desk: Workplace) -> None:
    number = await desk.ticket()
    for who, refusal in ((EVA, NotFound), (PER, Forbidden)):
        actor = Actor("agent", who.person_id, who.name)
        with pytest.raises(refusal):
            await lifecycle.close(desk.operations, by(actor, number, identity=who), CLOSED_SUCCESSFUL.slug, Content())
