"""Writes the OpenAPI document that the gateway serves: `python -m deploy.openapi`. `--check` only compares."""

import json
import sys
from pathlib import Path
from typing import Any, cast

from fastapi import APIRouter, FastAPI
from fastapi.openapi.utils import get_openapi

from services.gateway.account import following_api, notices_api, searches_api, session_api, sign_ins_api
from services.gateway.documents import customers_api, documents_api
from services.gateway.drafts import drafts_api
from services.gateway.dry_runs import api as dry_runs_api
from services.gateway.front import article_commands
from services.gateway.front.openapi import Document, merged
from services.gateway.front.reference import DOCUMENT
from services.gateway.live import stream_api
from services.gateway.personal import absence_api, notes_api, preferences_api
from services.gateway.report_schedules import api as report_schedules_api
from services.gateway.resets import api as resets_api
from services.gateway.suggesting import suggest_api
from services.intake.opening import api as intake_api
from services.intake.transports import mail_api
from services.intake.transports.mailboxes import api as mailboxes_api
from services.intake.uploads import api as blobs_api
from services.notify.sending.outgoing import outgoing_api
from services.reporting.exports import exports_api
from services.reporting.feed import events_api
from services.reporting.live import presence_api
from services.reporting.notices import notices_api as bell_api
from services.reporting.printing import print_api
from services.reporting.reports import reports_api
from services.reporting.search import api as search_api
from services.reporting.search import export_api
from services.reporting.stats import api as stats_api
from services.reporting.tickets import articles_api, tickets_api
from services.routing.api import routes as routing_api

NOTHING = cast("Any", None)  # a route needs its parts when it is called, not when it is described


def routers() -> dict[str, list[APIRouter]]:
    """Every service's public routes."""
    return {
        "gateway": [
            session_api.router(NOTHING, NOTHING, NOTHING, NOTHING, NOTHING),
            resets_api.router(NOTHING, NOTHING, NOTHING, NOTHING, NOTHING),
            sign_ins_api.router(NOTHING),
            preferences_api.router(NOTHING, NOTHING),
            notes_api.router(NOTHING),
            absence_api.router(NOTHING, NOTHING, NOTHING),
            drafts_api.router(NOTHING, NOTHING, NOTHING),
            documents_api.router(NOTHING, NOTHING, NOTHING, {}, {}),
            dry_runs_api.router(NOTHING, NOTHING),
            report_schedules_api.router(NOTHING, NOTHING),
            customers_api.router(NOTHING, NOTHING, NOTHING),
            following_api.router(NOTHING, NOTHING),
            notices_api.router(NOTHING, NOTHING),
            searches_api.router(NOTHING, NOTHING),
            suggest_api.router(NOTHING, NOTHING, NOTHING),
            article_commands.router(NOTHING),
            stream_api.router(NOTHING),
        ],
        "intake": [
            intake_api.router(NOTHING, NOTHING),
            blobs_api.router(NOTHING, NOTHING, None, NOTHING),
            mail_api.router(NOTHING),
            mailboxes_api.router(NOTHING, NOTHING),
        ],
        "notify": [outgoing_api.router(NOTHING, NOTHING)],
        "routing": [routing_api.router(NOTHING)],
        "reporting": [
            exports_api.router(NOTHING, NOTHING, NOTHING),
            print_api.router(NOTHING, NOTHING, NOTHING),
            bell_api.router(NOTHING),
            tickets_api.router(NOTHING),
            articles_api.router(NOTHING),
            stats_api.router(NOTHING),
            export_api.router(NOTHING, NOTHING, NOTHING),
            reports_api.router(NOTHING, NOTHING),
            events_api.router(NOTHING, NOTHING, NOTHING),
            presence_api.router(NOTHING, NOTHING),
            search_api.router(NOTHING),
        ],
    }


def documents() -> dict[str, Document]:
    """The OpenAPI document of each service."""
    described: dict[str, Document] = {}
    for service, parts in routers().items():
        app = FastAPI()
        for router in parts:
            app.router.routes.extend(router.routes)
        described[service] = get_openapi(title=service, version="1", openapi_version="3.1.0", routes=app.routes)
    return described


def text() -> str:
    """The whole document as the file holds it."""
    services = documents()
    return json.dumps(merged(services.pop("gateway"), services), indent=1, ensure_ascii=False) + "\n"


def main(path: Path = DOCUMENT) -> int:
    wanted = text()
    if "--check" in sys.argv[1:]:
        if path.read_text("utf-8") == wanted:
            return 0
        print("services/gateway/front/openapi.json is out of date: run `python -m deploy.openapi`", file=sys.stderr)
        return 1
    path.write_text(wanted, "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
