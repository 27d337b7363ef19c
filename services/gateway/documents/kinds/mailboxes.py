"""A mailbox as it is sent in: what is valid. Its secrets never are: the document names them (decision record 0027)."""

import re
from typing import Annotated, Literal
from urllib.parse import urlsplit
from uuid import UUID

from pydantic import Field

from services.gateway.documents import rows
from services.gateway.documents.kinds.setting_drafts import SettingDraft
from services.gateway.documents.names import MailAddress, Slug
from shared.contracts.directory import Mailbox, OAuth2, Password
from shared.database import Connection
from shared.http.bodies import Body, Flag, Line, Whole
from shared.http.problems import FieldError, invalid_fields
from shared.loopback import is_loopback

_HOST = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9.-]{0,251}[A-Za-z0-9])?|[0-9A-Fa-f:]{2,45}")
SecretName = Annotated[Slug, Field(description="the name of a file in the secrets folder of the intake service")]
Folder = Annotated[Line, Field(min_length=1, max_length=200)]


class PasswordDraft(Body):
    """A password, which stands in a secret."""

    kind: Literal["password"]
    secret: SecretName


class OAuth2Draft(Body):
    """Access tokens for a refresh token (RFC 6749, section 6), which stands in a secret."""

    kind: Literal["oauth2"]
    client_id: Annotated[Line, Field(min_length=1)]
    token_endpoint: Annotated[Line, Field(min_length=1, description="its address, https")]
    refresh_token: SecretName
    client_secret: SecretName | None = None
    scope: Line = ""


class MailboxDraft(SettingDraft):
    """A mailbox from which mails are fetched (A1.01)."""

    protocol: Literal["imap", "pop3"]
    host: Annotated[Line, Field(min_length=1, max_length=253)]
    port: Annotated[Whole, Field(ge=1, le=65_535)]
    tls: Annotated[
        Literal["implicit", "starttls", "none"], Field(description="`none` only for a server on the same machine")
    ] = "implicit"
    user: Annotated[Line, Field(min_length=1)]
    credential: Annotated[PasswordDraft | OAuth2Draft, Field(discriminator="kind")]
    folder: Folder = "INBOX"
    afterwards: Annotated[
        Literal["flag", "move", "delete"],
        Field(description="what happens to a mail on its server once it is safe here: it is marked as seen, ..."),
    ] = "flag"
    move_to: Annotated[Folder | None, Field(description="`move`: the folder that takes it")] = None
    recipient: Annotated[
        MailAddress | None, Field(description="the address that its mails are for; null: what they say themselves")
    ] = None
    trusted: Annotated[
        Flag, Field(description="its mails may steer what becomes of them; its server's word on recipients counts")
    ] = False

    async def document(self, connection: Connection, document_id: UUID, current: rows.Row | None) -> Mailbox:
        errors: list[FieldError] = []
        self._kept(Mailbox, current, errors)
        if not _HOST.fullmatch(self.host):
            errors.append(FieldError("/host", "is no name or address of a server"))
        if self.tls == "none" and not is_loopback(self.host):
            errors.append(FieldError("/tls", "must be implicit or starttls for a server that is not on this machine"))
        if self.protocol == "pop3":
            if self.afterwards != "delete":
                errors.append(FieldError("/afterwards", "must be delete: POP3 has no marks and no folders"))
            if self.folder != "INBOX":
                errors.append(FieldError("/folder", "belongs to IMAP"))
        if (self.afterwards == "move") != (self.move_to is not None):
            wrong = "is missing" if self.afterwards == "move" else "belongs to move"
            errors.append(FieldError("/move_to", wrong))
        elif self.move_to is not None and self.move_to.lower() == self.folder.lower():
            errors.append(FieldError("/move_to", "is the folder itself"))
        if isinstance(self.credential, OAuth2Draft) and not _is_endpoint(self.credential.token_endpoint):
            errors.append(FieldError("/credential/token_endpoint", "is no https address"))
        if errors:
            raise invalid_fields(errors)
        credential = self.credential.model_dump()
        return Mailbox(
            id=document_id,
            slug=self.slug,
            name=self.name,
            protocol=self.protocol,
            host=self.host,
            port=self.port,
            tls=self.tls,
            user=self.user,
            credential=Password(**credential) if self.credential.kind == "password" else OAuth2(**credential),
            folder=self.folder,
            afterwards=self.afterwards,
            move_to=self.move_to,
            recipient=self.recipient,
            trusted=self.trusted,
        )


def _is_endpoint(address: str) -> bool:
    """https to anywhere, http to this machine alone; no user, no fragment."""
    try:
        parts = urlsplit(address)
        host, _ = parts.hostname or "", parts.port
    except ValueError:
        return False
    if not host or parts.username is not None or parts.fragment:
        return False
    return parts.scheme == "https" or (parts.scheme == "http" and is_loopback(host))
