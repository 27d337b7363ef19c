"""What people are told about their sign-in by mail (A10.11, A19.07), in their language.

The mails come from the desk's domain and not from a queue, so that nobody's answer with a link becomes a ticket. Only
the mail that is for it has a link: readers learn that no other one is genuine.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Literal
from uuid import UUID

from pydantic import AwareDatetime, Field, model_validator

from services.notify.writing.mail_body import line
from shared.contracts.notify import OutgoingMail
from shared.contracts.parts import Address
from shared.http.bodies import Body
from shared.input_types import Line
from shared.languages.translator import N_, Translator, translator
from shared.rules import message_ids

Kind = Literal["reset_link", "password_reset", "password_changed", "password_set"]

SUBJECTS: Mapping[Kind, str] = {
    "reset_link": N_("Choose a new password"),
    "password_reset": N_("Your password was changed"),
    "password_changed": N_("Your password was changed"),
    "password_set": N_("Your password was changed"),
}
TEXTS: Mapping[Kind, str] = {
    "reset_link": N_("""\
Hello {name},

Somebody, probably you, has asked for a new password for your account at the help desk. Choose one here:

{link}

The link can be used once, until {until}. If you ask for another one, this one stops working.

If you have not asked for it, you need not do anything: your password stays as it is.

This is an automatic mail. Please do not answer or forward it: whoever has the link can choose your password.
"""),
    "password_reset": N_("""\
Hello {name},

A new password for your account at the help desk was chosen on {at} with a link from a mail to this address. \
Wherever you were signed in, you have to sign in again.

If that was not you, somebody else can read your mail. Please tell the administrators of the help desk at once.

This is an automatic mail. Please do not answer it.
"""),
    "password_changed": N_("""\
Hello {name},

The password of your account at the help desk was changed on {at} by somebody who knew the old one. Everywhere else \
you have to sign in again.

If that was not you, ask for a new password on the sign-in page at once, and tell the administrators of the help desk.

This is an automatic mail. Please do not answer it.
"""),
    "password_set": N_("""\
Hello {name},

An administrator set a new password for your account at the help desk on {at}. Wherever you were signed in, you have \
to sign in again with it.

If you did not expect this, please ask the administrators of the help desk.

This is an automatic mail. Please do not answer it.
"""),
}


class AccountMail(Body):
    """A mail about a sign-in, to be written. `at`: when what it tells of happened; after `expires_at` it is no use."""

    id: UUID
    kind: Kind
    email: Annotated[Line, Field(max_length=320)]
    name: Annotated[str, Field(max_length=1000)]
    language: str | None
    timezone: str | None
    at: AwareDatetime
    expires_at: AwareDatetime
    link: Annotated[str | None, Field(max_length=2000)] = None

    @model_validator(mode="after")
    def a_link_where_one_belongs(self) -> "AccountMail":
        if (self.kind == "reset_link") != (self.link is not None):
            raise ValueError("exactly a mail of the kind reset_link has a link")
        return self


@dataclass(frozen=True, slots=True)
class Letters:
    """`key` signs Message-IDs under `domain`; `desk` has the desk's language and time zone.

    Intake ignores a mail with a Message-ID of ours: one that a mail server sends to the desk becomes no ticket.
    """

    key: bytes
    domain: str
    desk: Translator

    def mail(self, asked: AccountMail) -> OutgoingMail:
        say = translator(asked.language, zone=asked.timezone, desk=self.desk)
        return OutgoingMail(
            message_id=message_ids.make(self.key, asked.id, asked.id, self.domain),
            sender=Address(email=f"no-reply@{self.domain}", name=say.gettext(N_("Help desk"))),
            to=(Address(email=asked.email, name=line(asked.name)),),
            subject=say.gettext(SUBJECTS[asked.kind]),
            text=say.gettext(
                TEXTS[asked.kind],
                name=line(asked.name),
                at=say.moment(asked.at),
                until=say.moment(asked.expires_at),
                link=asked.link or "",
            ),
            auto_submitted="auto-generated",
        )
