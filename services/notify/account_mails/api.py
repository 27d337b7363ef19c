"""The route on which the gateway hands over mails to people about their sign-in."""

from fastapi import APIRouter, Depends, Response

from services.notify.account_mails import rows
from services.notify.account_mails.letters import AccountMail, Letters
from shared.addresses import domain_of
from shared.database import Pool
from shared.http.identity import service_only
from shared.http.routes import router as strict
from shared.http.serving.limits import SMALL_BODY, body_limit


def router(pool: Pool, letters: Letters) -> APIRouter:
    """`POST /internal/account-mails`: 204 once the mail is kept; the same id again changes nothing."""
    routes = strict("/internal/account-mails", dependencies=[Depends(service_only)], include_in_schema=False)

    @routes.post("", status_code=204)
    @body_limit(2 * SMALL_BODY)
    async def post_mail(body: AccountMail) -> Response:
        await rows.keep(pool, body.id, body.kind, letters.mail(body), domain_of(body.email), body.expires_at)
        return Response(status_code=204)

    return routes
