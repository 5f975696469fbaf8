"""What a file is, and what it is called."""

import pytest

from marketplace.core.files import JPEG, NAME_AT_MOST, PDF, PNG, sent_file, tidy_name


@pytest.mark.parametrize(
    ("sent", "tidy"),
    [
        ("Offer 2026.pdf", "Offer 2026"),
        ("Offer_v1.2 (final).PDF", "Offer_v1.2 (final)"),
        ("Offer", "Offer"),
        (r"C:\Users\jo\Offer.pdf", "Offer"),
        ("/etc/../tmp/Offer.pdf", "Offer"),
        ("../../Offer.pdf", "Offer"),
        ("Angebot für Prüfung.pdf", "Angebot für Prüfung"),
        ("Angebot fu\u0308r.pdf", "Angebot für"),
        ("見積書.pdf", "見積書"),
        ("कोटेशन.pdf", "कोटेशन"),
        ('Offer\r\nSet-Cookie: a="b".pdf', "OfferSet-Cookie ab"),
        ("Of\x00fer\x1b\u0085.pdf", "Offer"),
        ("Offer\u202efdp.exe.pdf", "Offerfdp.exe"),
        ("Offer\u200b\ufeff.pdf", "Offer"),
        ("Off🙂er<script>.pdf", "Offerscript"),
        ("  . Offer . .pdf", "Offer"),
        (".pdf", ""),
        ("...", ""),
        ("/", ""),
        ("", ""),
        ("x" * 255 + ".pdf", "x" * NAME_AT_MOST),
        ("x" * (NAME_AT_MOST - 1) + " y.pdf", "x" * (NAME_AT_MOST - 1)),
    ],
)
def test_of_a_name_its_letters_are_kept_and_nothing_that_means_something(sent, tidy):
    assert tidy_name(sent) == tidy


def test_a_name_fits_a_file_system_in_scripts_of_three_bytes():
    assert len(f"{tidy_name('見' * 300)}{PDF.ending}".encode()) <= 255


@pytest.mark.parametrize(
    ("content", "name", "called", "media_type"),
    [
        (b"%PDF-1.7", "a.png", "a.pdf", "application/pdf"),
        (b"\x89PNG\r\n\x1a\n", "a.pdf", "a.png", "image/png"),
        (b"\xff\xd8\xff\xe0", None, "evidence.jpg", "image/jpeg"),
    ],
)
def test_a_file_is_what_it_begins_with_whatever_it_is_called(content, name, called, media_type):
    found = sent_file(name, content, (PDF, PNG, JPEG), otherwise="evidence")
    assert (found.name, found.media_type, found.content) == (called, media_type, content)


@pytest.mark.parametrize("content", [b"", b"%PDF", b" %PDF-1.7", b"MZ", b"<html>", b"\xff\xd8"])
def test_what_begins_otherwise_is_none_of_them(content):
    assert sent_file("a.pdf", content, (PDF, PNG, JPEG), otherwise="x") is None


def test_only_what_is_asked_for_is_taken():
    assert sent_file("a.png", b"\x89PNG\r\n\x1a\n", (PDF,), otherwise="x") is None
