"""Writes the JSON Schemas and the AsyncAPI 3 document of the events:

`python -m shared.contracts.generate [--check]`.
"""

import json
import sys
from pathlib import Path
from typing import Any

from shared.contracts.catalogue import event_types
from shared.contracts.event import Event
from shared.contracts.marks.personal import PersonalData
from shared.contracts.topics import ALL, DIRECTORY, PARTITIONS, REPORTS, RULES, TICKETS

HERE = Path(__file__).parent / "schemas"
OWNERS = ("intake", "routing", "notify", "gateway")
MEANING = {
    TICKETS: "Every event of every ticket. Key: the ticket's id. Kept for ever.",
    DIRECTORY: "Configuration documents and customers. Key: the entity's id. Kept for ever.",
    RULES: "Triggers that were switched off by themselves. Key: the trigger's id. Kept for ever.",
    REPORTS: "Reports that are sent by mail. Key: the run's id. Kept for ever.",
}
ENVELOPE: dict[str, Any] = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "title": "CloudEvents 1.0 envelope",
    "description": "Structured JSON mode; the event's own schema describes `data`.",
    "type": "object",
    "required": [
        "specversion", "id", "source", "type", "subject", "time", "streamversion", "recordedat", "correlationid",
        "actorkind", "data",
    ],
    "properties": {
        "specversion": {"const": "1.0"},
        "id": {"type": "string", "format": "uuid"},
        "source": {"type": "string", "pattern": "^/services/[a-z]+$"},
        "type": {"type": "string", "pattern": r"^helpdesk\.[A-Za-z]+\.v[0-9]+$"},
        "subject": {"type": "string", "format": "uuid", "description": "The stream: the ticket's or entity's id."},
        "time": {"type": "string", "format": "date-time", "description": "When it happened."},
        "datacontenttype": {"const": "application/json"},
        "streamversion": {
            "type": "integer", "minimum": 1, "description": "Dense from 1 within the source's stream of the subject.",
        },
        "recordedat": {"type": "string", "format": "date-time", "description": "When it became a fact."},
        "correlationid": {"type": "string", "format": "uuid", "description": "Shared by all that one request led to."},
        "causationid": {"type": "string", "format": "uuid", "description": "The event that this one followed from."},
        "actorkind": {"type": "string", "x-extensible-enum": ["agent", "customer", "rule", "service", "system"]},
        "actorid": {"type": "string"},
        "traceparent": {"type": "string", "description": "W3C trace context of the act."},
        "data": {"type": "object"},
    },
}  # fmt: skip


def schema(cls: type[Event]) -> dict[str, Any]:
    """The JSON Schema of a payload; personal fields carry `x-personal`."""
    made = cls.model_json_schema(mode="serialization")
    _mark(made, cls)
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "$id": f"{cls.TYPE}.json", **made}


def _mark(made: dict[str, Any], cls: type[Event]) -> None:
    models: dict[str, Any] = {cls.__name__: (made, cls)}
    pending: list[Any] = [cls]
    while pending:
        model = pending.pop()
        for field in model.model_fields.values():
            for inner in _models(field.annotation):
                if inner.__name__ not in models:
                    models[inner.__name__] = (made["$defs"][inner.__name__], inner)
                    pending.append(inner)
    for part, model in models.values():
        for name, field in model.model_fields.items():
            if any(isinstance(mark, PersonalData) for mark in field.metadata) or "PersonalData()" in repr(
                field.annotation
            ):
                part["properties"][name]["x-personal"] = True


def _models(annotation: Any) -> list[Any]:
    if hasattr(annotation, "__metadata__"):
        return _models(annotation.__origin__)
    if hasattr(annotation, "model_fields"):
        return [annotation]
    return [model for inner in getattr(annotation, "__args__", ()) for model in _models(inner)]


def asyncapi() -> dict[str, Any]:
    """The AsyncAPI 3 document: topics, messages, and the service that sends each."""
    types = event_types()
    channels = {
        topic: {
            "address": topic,
            "description": MEANING[topic],
            "bindings": {
                "kafka": {"topic": topic, "partitions": PARTITIONS, "topicConfiguration": {"retention.ms": -1}}
            },
            "messages": {
                name: {"$ref": f"#/components/messages/{name}"} for name, cls in types.items() if topic == cls.TOPIC
            },
        }
        for topic in ALL
    }
    operations = {
        f"{owner}.{topic}": {
            "action": "send",
            "title": f"{owner} records",
            "channel": {"$ref": f"#/channels/{topic}"},
            "messages": [
                {"$ref": f"#/channels/{topic}/messages/{name}"}
                for name, cls in types.items()
                if (owner, topic) == (cls.OWNER, cls.TOPIC)
            ],
        }
        for owner in OWNERS
        for topic in ALL
        if any((owner, topic) == (cls.OWNER, cls.TOPIC) for cls in types.values())
    }
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Ledgerdesk events",
            "version": "1.0.0",
            "description": "What the services record. Types are for ever: a change is a new version.",
            "license": {"name": "Apache-2.0"},
        },
        "defaultContentType": "application/cloudevents+json",
        "channels": channels,
        "operations": operations,
        "components": {
            "messages": {
                name: {
                    "name": name,
                    "title": cls.__name__,
                    "summary": (cls.__doc__ or "").strip().split("\n")[0],
                    "contentType": "application/cloudevents+json",
                    "payload": {
                        "allOf": [
                            {"$ref": "./envelope.json"},
                            {"properties": {"type": {"const": name}, "data": {"$ref": f"./{name}.json"}}},
                        ]
                    },
                }
                for name, cls in types.items()
            }
        },
    }


def documents() -> dict[str, str]:
    """Every generated file: name -> text."""
    made: dict[str, Any] = {"envelope.json": ENVELOPE, "asyncapi.json": asyncapi()}
    made |= {f"{name}.json": schema(cls) for name, cls in event_types().items()}
    return {name: json.dumps(document, indent=1, ensure_ascii=False) + "\n" for name, document in made.items()}


def main(arguments: list[str]) -> int:
    made = documents()
    if "--check" in arguments:
        present = {path.name: path.read_text("utf-8") for path in HERE.glob("*.json")}
        differing = sorted(name for name in made.keys() | present.keys() if made.get(name) != present.get(name))
        if differing:
            print(f"not up to date: {', '.join(differing)}; run python -m shared.contracts.generate", file=sys.stderr)
        return 1 if differing else 0
    HERE.mkdir(exist_ok=True)
    for path in HERE.glob("*.json"):
        if path.name not in made:
            path.unlink()
    for name, text in made.items():
        (HERE / name).write_text(text, "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
