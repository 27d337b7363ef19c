"""What a split makes of the chosen articles: internal ones stay internal, and all keep their writers (A7.10, A7.16)."""

from typing import Any
from uuid import UUID

import pytest

from services.routing.operations.content.originals import MOST_JOINED, Original, SplitContent, split_content
from services.routing.ticket.articles import Bounce, Forward
from shared.blobs.store import BlobStore
from shared.contracts.parts import Address, Attachment, Blob, Writer
from shared.rules.refusals import Invalid
from tests.specs.requirement import requirement
from tests.specs.routing.desk import BY_KARI, QUEUED, given, message

LONG = "long " * 40_000


def article(
    number: int, text: str, by: str = "customer", name: str = "Per", *, internal: bool = False, **more: Any
) -> Original:
    document = {
        "id": UUID(int=number),
        "channel": "email",
        "text": text,
        "written_by": by,
        "author": name,
        "internal": internal,
    }
    return Original.model_validate(document | more)


async def taken(*originals: Original, blobs: BlobStore | None = None) -> SplitContent:
    return await split_content(blobs or BlobStore("memory:///"), originals)


LETTER = article(1, "My chair squeaks.", html="<p>My chair squeaks.</p>", message_id="<1@customer.example>")
NOTE = article(2, "He never pays.", "agent", "Kari", internal=True, channel="note", kind="note")
CALL = article(3, "His boss called.", "agent", "Nils", internal=True, channel="phone", kind="call in")
ANSWER = article(4, "Which chair?", "agent", "Kari")


@requirement("A7.16")
async def test_one_article_is_copied_unchanged() -> None:
    made = await taken(LETTER)
    assert made.message.model_copy(update={"id": LETTER.id}) == LETTER.message
    assert (made.message.id == LETTER.id, made.writer, made.internal, made.note) == (
        False, Writer(kind="customer", name="Per"), False, None,
    )  # fmt: skip


@requirement("A7.10")
async def test_internal_articles_stay_internal_and_keep_their_writers() -> None:
    made = await taken(NOTE, CALL)
    assert (made.internal, made.writer, made.note) == (True, Writer(kind="agent", name="Kari"), None)
    assert made.message.text == "He never pays.\n\nNils:\n\nHis boss called."


@requirement("A7.10")
@pytest.mark.parametrize("chosen", [(LETTER, NOTE), (NOTE, LETTER)])
async def test_internal_articles_among_public_ones_become_a_note(chosen: tuple[Original, ...]) -> None:
    made = await taken(*chosen)
    assert (made.message.text, made.internal, made.writer.kind) == (LETTER.text, False, "customer")
    assert made.note is not None
    assert made.note.text == NOTE.text


async def test_joined_articles_name_their_writers() -> None:
    made = await taken(LETTER, ANSWER, article(5, "The red one."))
    assert made.message.text == "My chair squeaks.\n\nKari:\n\nWhich chair?\n\nPer:\n\nThe red one."


async def test_an_article_without_a_visibility_is_internal() -> None:
    made = await taken(Original.model_validate({"id": UUID(int=1), "channel": "email", "text": "x"}))
    assert made.internal


@pytest.mark.parametrize("place", [0, 1])
async def test_all_of_a_long_article_is_joined(place: int) -> None:
    blobs = BlobStore("memory:///")
    long = article(6, LONG[:1000], text_blob=await blobs.put(LONG.encode(), "text/plain"))
    made = await taken(*([long, LETTER] if place == 0 else [LETTER, long]), blobs=blobs)
    assert made.message.text_blob is not None
    whole = (await blobs.get(made.message.text_blob.sha256)).decode()
    assert LETTER.text in whole
    assert LONG in whole
    assert whole.startswith(made.message.text)


async def test_too_much_text_is_refused_before_it_is_loaded() -> None:
    there_is_none = Blob(sha256="0" * 64, size=MOST_JOINED, type="text/plain")
    with pytest.raises(Invalid) as refused:
        await taken(article(6, "x", text_blob=there_is_none), LETTER)
    assert refused.value.arguments[0].path == ("articles",)


async def test_a_file_of_two_articles_is_copied_once() -> None:
    file = Attachment(id=UUID(int=7), name="plan.pdf", blob=Blob(sha256="0" * 64, size=3, type="application/pdf"))
    made = await taken(
        article(1, "a", attachments=[file.model_dump()]), article(2, "b", attachments=[file.model_dump()])
    )
    assert made.message.attachments == (file,)


@requirement("A7.10")
@pytest.mark.parametrize("original", [NOTE, CALL])
def test_notes_and_calls_never_leave_the_desk(original: Original) -> None:
    words, to = message("look"), (Address(email="x@firm.example"),)
    forward = Forward(BY_KARI, words, original.message, original.never_leaves)
    given(QUEUED).when(forward).refused("cannot be sent outside")
    given(QUEUED).when(Bounce(BY_KARI, UUID(int=8), to, original.message, original.never_leaves)).refused(
        "cannot be sent outside"
    )


@pytest.mark.parametrize(
    "original",
    [
        LETTER,
        ANSWER,
        article(5, "We come on Monday.", internal=True, kind="outsider"),
        article(5, "Please come.", "agent", internal=True, kind="forward"),
        article(5, "No such user.", "system", internal=True, kind="failure"),
    ],
)
def test_mails_between_the_desk_and_others_may_be_sent_on(original: Original) -> None:
    forward = Forward(BY_KARI, message("look"), original.message, original.never_leaves)
    assert given(QUEUED).when(forward).refusal is None
