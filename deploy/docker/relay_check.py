"""The job of the profile `mail`: signs in to the mail server, so that a wrong setting shows at the start."""

import asyncio

import aiosmtplib

from deploy.docker.trouble import Trouble
from services.notify.sending.transports.smtp import Server
from shared.settings import env

SECONDS = 20.0


def main() -> None:
    """Raises Trouble. Its message does not hold the URL, which may hold a password."""
    url = env("LEDGERDESK_SMTP_URL", "")
    if not url:
        raise Trouble(
            "the profile `mail` needs a mail server: set LEDGERDESK_SMTP_URL_FILE to a file that holds its URL, such as"
            " smtp+starttls://mail.example.org, with user name and password before the host if it needs them"
        )
    try:
        server = Server.at(url)
    except ValueError as error:
        raise Trouble(str(error)) from None
    try:
        asyncio.run(_greet(server))
    except (OSError, ValueError, aiosmtplib.SMTPException) as error:
        raise Trouble(
            f"the mail server {server.host}:{server.port} does not accept the connection:"
            f" {type(error).__name__}: {error}"
        ) from None


async def _greet(server: Server) -> None:
    client = aiosmtplib.SMTP(
        hostname=server.host, port=server.port, use_tls=server.tls, start_tls=server.starttls, username=server.user,
        password=server.password, timeout=SECONDS,
    )  # fmt: skip
    async with client:
        await client.noop()
