"""What a topic asks of whoever opens a ticket under it, and the copy that the ticket keeps (requirements A1.07, A7.24, A7.25)."""

from services.intake.opening.bodies import TicketBody
from shared.contracts.directory import Topic
from shared.contracts.intake import FilledField, FilledForm
from shared.contracts.parts import TopicRef
from shared.directory.copy import Configuration
from shared.http.problems import FieldError, invalid, invalid_fields, pointer
from shared.rules.access import Identity


def asked_for(reference: str, configuration: Configuration, who: Identity) -> Topic:
    """The topic in use with this slug or id. Customers find those that are offered to them. Raises Problem 422."""
    found = configuration.topics.get(reference) or next(
        (t for t in configuration.topics.values() if str(t.id) == reference), None
    )
    if found is None or not (who.is_agent or found.offered_to_customers):
        raise invalid("/topic", "names no topic")
    return found


def filled(topic: Topic, body: TicketBody, configuration: Configuration) -> FilledForm:
    """The form as it was filled in. Raises Problem 422 that names everything that is missing."""
    missing = [
        FieldError(pointer("body", "fields", asked.field), "is missing: the topic asks for it")
        for asked in topic.fields
        if asked.required and body.fields.get(asked.field) in (None, "")
    ]
    if topic.attachment_required and not body.attachments:
        missing.append(FieldError("/attachments", "is missing: the topic asks for a file"))
    if missing:
        raise invalid_fields(missing)
    return FilledForm(
        topic=TopicRef(id=topic.id, slug=topic.slug, name=topic.name),
        fields=tuple(
            FilledField(
                field=asked.field,
                name=document.name if (document := configuration.fields.get(asked.field)) else asked.field,
                value=body.fields.get(asked.field),
            )
            for asked in topic.fields
        ),
    )
