"""Names of files: the ending of the type is kept or added, misleading characters are removed."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.file_names import LONGEST, MOST_BYTES, numbered, safe_name


@pytest.mark.parametrize(
    ("name", "safe"),
    [
        ("report.pdf", "report.pdf"),
        ("Offer 7/8 (final).docx", "Offer 7_8 (final).docx"),
        ("either\\or.txt", "either_or.txt"),
        ("a/b/c.txt", "a_b_c.txt"),
        ("/tmp/scan.pdf", "scan.pdf"),
        ("..\\..\\scan.pdf", "scan.pdf"),
        ("D:/letters/scan.pdf", "scan.pdf"),
        ("letters/../scan.pdf", "scan.pdf"),
        ("why?: a <tag>|*.txt", "why_ a _tag_.txt"),
        ("tab\there\r\nthere\x07.txt", "tab here there_.txt"),
        ("cod\u202egpj.exe", "cod_gpj.exe"),
        ("\u200b .name.txt. ", "name.txt"),
        (".pdf", "file.pdf"),
        ("__init__.py", "__init__.py"),
        ("aux.docx", "_aux.docx"),
        ("LPT3", "_LPT3"),
        ("com1.tar.gz", "_com1.tar.gz"),
        ("console.log", "console.log"),
        ("ø" * 300 + ".jpeg", "ø" * 117 + ".jpeg"),
        ("x" * 300, "x" * LONGEST),
        ("x." + "y" * 300, "x." + "y" * (LONGEST - 2)),
    ],
)
def test_names(name: str, safe: str) -> None:
    assert safe_name(name) == safe


@pytest.mark.parametrize(
    ("media_type", "name"),
    [
        ("image/jpeg", "image.jpg"), ("image/x-unheard-of", "image"), ("application/pdf", "file.pdf"), ("text/plain", "file.txt"), ("text/calendar", "invite.ics"),
        ("application/octet-stream", "file.bin"), ("audio/mpeg", "audio.mp3"), ("video/mp4", "video.mp4"), ("message/rfc822", "message.eml"),
        ("application/vnd.openxmlformats-officedocument.wordprocessingml.document", "file.docx"), ("", "file"), ("no type", "file"),
        ("application/vnd.ms-powerpoint.presentation.macroenabled.12", "file.pptm"), ("audio/mp3", "audio.mp3"), ("image/x-png", "image.png"),
        ("application/x-rar-compressed", "file.rar"), ("video/3gpp", "video.3gp"), ("text/x-unheard-of", "file.txt"), ("message/partial", "file.txt"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("given_name", ["", "..", " \u200b", "../"])
def test_a_file_without_a_name_is_named_after_its_type(given_name: str, media_type: str, name: str) -> None:
    assert safe_name(given_name, media_type) == name


@given(st.text(max_size=400), st.sampled_from([".pdf", ".tar", ".xlsx"]), st.integers(30, LONGEST))
def test_any_name_is_short_and_keeps_its_ending(name: str, ending: str, longest: int) -> None:
    safe = safe_name(f"x{name}{ending}", longest=longest)
    assert safe.endswith(ending)
    assert len(safe) <= longest
    assert len(safe.encode()) <= MOST_BYTES
    assert not set('/\\:"<>|?*\n\r\t\0\u202e') & set(safe)
    assert safe_name(safe, longest=longest) == safe


def test_a_name_again_gets_a_number_before_its_ending() -> None:
    assert [numbered("image.jpg", 2), numbered("file", 3)] == ["image-2.jpg", "file-3"]
