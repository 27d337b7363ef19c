"""Texts with placeholders: standard answers, salutations and signatures."""

from services.gateway.documents.derivation import shown_model
from services.gateway.documents.kind import agents, kind
from shared import templates
from shared.contracts.directory import Salutation, Signature, Template
from shared.database import Connection
from shared.http import story
from shared.http.problems import FieldError


async def check_template(template: Template, _was: Template | None, _: Connection) -> list[FieldError]:
    return _faults("/subject", template.subject) + _faults("/text", template.text)


async def check_text(
    document: Salutation | Signature, _was: Salutation | Signature | None, _: Connection
) -> list[FieldError]:
    return _faults("/text", document.text)


def _faults(pointer: str, source: str) -> list[FieldError]:
    """Why a text cannot be used as a template."""
    fault = templates.fault(source)
    return [FieldError(pointer, f"This text cannot be used: {fault}.")] if fault else []


TEMPLATE = kind(
    Template,
    "templates",
    agents,
    check=check_template,
    example={
        "slug": "restart",
        "name": "Restart the computer",
        "text": "Please restart the computer and tell us whether it still hums.",
        "queues": [story.QUEUE["slug"]],
    },
)
_SHOWN = shown_model(
    Salutation, "TextShown", example={"slug": "polite", "name": "Polite", "text": "Dear {{ customer.name }},"}
)
SALUTATION = kind(Salutation, "salutations", agents, check=check_text, shown=_SHOWN)
SIGNATURE = kind(Signature, "signatures", agents, check=check_text, shown=_SHOWN)
