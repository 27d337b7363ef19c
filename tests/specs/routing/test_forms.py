"""The article of a form: its pictures, and what a standard answer calls somebody without a name."""

from uuid import UUID

import pytest

from services.routing.api.bodies import Words
from services.routing.api.forms import naming_pictures, pictures_in_place, words
from shared.bounded import rich_text
from shared.contracts.parts import Attachment, Blob, CustomerRef, Message
from tests.specs.requirement import requirement

PICTURE, OTHER = (
    Attachment(id=UUID(int=n), name="a.png", blob=Blob(sha256="0" * 64, size=3, type="image/png")) for n in (70, 71)
)


def mail(html: str, *files: Attachment) -> Message:
    """A mail of a form, its rich text as its process reads it."""
    pieces = rich_text.answered(naming_pictures(html, files).encode())
    return words(Words(html=html), "email", rich_text.taken_back(pieces), files)


@requirement("A7.23")
@pytest.mark.parametrize(
    "source",
    [
        f"cid:{PICTURE.id}",
        f"/api/v1/blobs/{PICTURE.id}",
        f"https://desk.example/api/v1/blobs/{str(PICTURE.id).upper()}",
    ],
)
def test_a_picture_that_was_uploaded_with_a_form_is_a_part_of_its_mail(source: str) -> None:
    made = mail(f'<p>Press <img alt="this" src="{source}"></p>', PICTURE, OTHER)
    shown, attached = made.attachments
    assert shown.inline_id is not None
    assert f'src="cid:{shown.inline_id}"' in (made.html or "")
    assert attached == OTHER


@pytest.mark.parametrize("source", [f"/api/v1/blobs/{UUID(int=99)}", f"cid:{PICTURE.id}-1", f"/x/{PICTURE.id}"])
def test_other_images_of_a_form_are_none_of_its_files(source: str) -> None:
    made = mail(f'<p>Press <img src="{source}"></p>', PICTURE)
    assert made.attachments == (PICTURE,)


@pytest.mark.parametrize(
    ("name", "email", "called"),
    [
        ("Per Hansen", "per@customer.example", "Per Hansen"),
        ("  Per\n Hansen ", "per@customer.example", "Per Hansen"),
        ("", "per@customer.example", "per@customer.example"),
        (" \u200b\u00a0", "per@customer.example", "per@customer.example"),
        ("", "", "customer"),
    ],
)
def test_nobody_is_called_nothing(name: str, email: str, called: str) -> None:
    assert CustomerRef(id=UUID(int=1), email=email, name=name).called == called


def test_pasted_pictures_are_found_by_their_addresses() -> None:
    html = '<img src="data:image/png;base64,aGVp"><img src=\'data:image/JPEG;base64,aGU=\'><img src="data:image/svg+xml;base64,aGVp"><img src="data:image/gif;base64,a">'
    assert pictures_in_place(html) == {
        "data:image/png;base64,aGVp": ("png", b"hei"),
        "data:image/JPEG;base64,aGU=": ("jpeg", b"he"),
    }
