"""The form of a topic: what it requires of a new ticket, and the copy that the ticket keeps (requirements A1.07, A7.24,
A7.25)."""

from services.intake.opening.requests import NewTicket
from shared.contracts.directory import Topic
from shared.contracts.intake import FilledField, FilledForm
from shared.contracts.parts import TopicRef
from shared.directory.copy import Configuration
from shared.rules.access import Identity
from shared.rules.refusals import Invalid, InvalidArgument, invalid


def topic_named(reference: str, configuration: Configuration, who: Identity) -> Topic:
    """The topic in use with this slug or id; customers find only topics that are offered to them. Raises Invalid."""
    found = configuration.topics.get(reference) or next(
        (t for t in configuration.topics.values() if str(t.id) == reference), None
    )
    if found is None or not (who.is_agent or found.offered_to_customers):
        raise invalid("topic", detail="No such topic.")
    return found


def filled_form(topic: Topic, request: NewTicket, configuration: Configuration) -> FilledForm:
    """The form as it was filled in. Raises Invalid with everything that is missing."""
    missing = [
        InvalidArgument(("fields", asked.field), "The topic requires this field.")
        for asked in topic.fields
        if asked.required and request.fields.get(asked.field) in (None, "")
    ]
    if topic.attachment_required and not request.attachments:
        missing.append(InvalidArgument(("attachments",), "The topic requires a file."))
    if missing:
        raise Invalid(*missing)
    return FilledForm(
        topic=TopicRef(id=topic.id, slug=topic.slug, name=topic.name),
        fields=tuple(
            FilledField(
                field=asked.field,
                name=document.name if (document := configuration.fields.get(asked.field)) else asked.field,
                value=request.fields.get(asked.field),
            )
            for asked in topic.fields
        ),
    )
