"""Reports that are sent by mail again and again."""

from services.gateway.documents.kind import administrators, kind
from shared.contracts.directory import ReportSchedule
from shared.http import story

KIND = kind(
    ReportSchedule,
    "report-schedules",
    administrators,
    example={
        "slug": "monthly-volume",
        "name": "Tickets of the month",
        "report": "volume",
        "parameters": {"interval": "day", "queue": "it-support"},
        "every": "month",
        "at": "07:00",
        "timezone": "Europe/Oslo",
        "to": [story.AGENT["id"], "board@help.example.org"],
    },
)
