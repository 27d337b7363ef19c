"""Preferences over HTTP: saved at once, one by one or as a whole (A10.10, A10.14)."""

from typing import Any

from fastapi import APIRouter, Response

from services.gateway.documents.documents_api import context_of
from services.gateway.documents.propagation import Propagation
from services.gateway.personal.preferences import Preferences, PreferencesStore
from services.gateway.signing_in.dependencies import Reader, Writer
from services.gateway.signing_in.sessions import Principal
from shared.http.headers.idempotency import json_response
from shared.http.routes import router as strict


def router(preferences: PreferencesStore, propagation: Propagation) -> APIRouter:
    routes = strict("/api/v1/session", tags=["my settings"])

    async def saved(principal: Principal, named: dict[str, Any], *, whole: bool) -> Response:
        person = principal.identity.person_id
        document = await preferences.change(person, named, context_of(principal), whole=whole)
        headers = await propagation.lag(document.row) if document is not None else {}
        return json_response(await preferences.of(person), headers=headers)

    @routes.get("/preferences", operation_id="getPreferences", response_model=Preferences, summary="My preferences")
    async def get_preferences(principal: Reader) -> Response:
        return json_response(await preferences.of(principal.identity.person_id))

    @routes.put(
        "/preferences", operation_id="putPreferences", response_model=Preferences, summary="Save all my preferences"
    )
    async def put_preferences(principal: Writer, body: Preferences) -> Response:
        """What is left out gets its default."""
        named = body.model_dump(mode="json")
        if "timezone" not in body.model_fields_set:
            named["timezone"] = None
        if "language" not in body.model_fields_set:
            named["language"] = None
        return await saved(principal, named, whole=True)

    @routes.patch(
        "/preferences", operation_id="patchPreferences", response_model=Preferences, summary="Change some preferences"
    )
    async def patch_preferences(principal: Writer, body: Preferences) -> Response:
        """Changes what is named and nothing else: all of it, or nothing if one value is refused."""
        return await saved(principal, body.model_dump(mode="json", include=body.model_fields_set), whole=False)

    return routes
