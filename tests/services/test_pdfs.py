"""What is taken as a PDF, and that looking into a hostile one harms nobody."""

import resource
import time
import zlib
from io import BytesIO
from pathlib import Path
from threading import BoundedSemaphore

import pytest
from pypdf import PdfWriter

from marketplace.core import pdf_look, pdfs
from marketplace.core.errors import Unavailable
from marketplace.core.pdfs import NO_PDF, SAID
from marketplace.core.policy import Policy
from tests.pdfs import a_pdf, with_size

POLICY = Policy()

UNREADABLE, ENCRYPTED, SCRIPT, ACTION, INSIDE, TOO_MUCH = (
    SAID[each] for each in ("unreadable", "encrypted", "script", "action", "inside", "too_much")
)


def why_not(content, *, memory=POLICY.pdf_look_memory, seconds=POLICY.pdf_look_seconds):
    return pdfs.why_no_pdf(content, memory=memory, seconds=seconds)


def looked(content):
    """Return what is said of a file by what is found in it; here, and in no process of its own."""
    return SAID.get(pdf_look.found_in(content))


def test_a_process_of_its_own_says_the_same():
    assert why_not(a_pdf()) is None
    assert why_not(opens(b"/S /Launch /F (x)")) == ACTION
    assert why_not(locked("secret")) == ENCRYPTED


def locked(user, owner=None):
    writer = PdfWriter()
    writer.add_blank_page(100, 100)
    writer.encrypt(user, owner)
    file = BytesIO()
    writer.write(file)
    return file.getvalue()


def opens(action):
    return a_pdf(root=b"/OpenAction << " + action + b" >>")


FINE = [
    a_pdf(),
    a_pdf() + b"\n" * 900,
    opens(b"/S /GoTo /D [3 0 R /Fit]"),
    *(
        a_pdf(
            b"<< /Type /Annot /Subtype /Link /A << /S /URI /URI (%b) >> >>" % to, root=b"/X 5 0 R"
        )
        for to in (
            b"https://harbour.example/a:b",
            b"HTTP://harbour.example",
            b"mailto:jo@acme.example",
            b"tel:+61255501234",
            b"www.harbour.example",
            b"offer",
            b"#page=2",
            b"a/b:c",
            b"",
        )
    ),
    a_pdf(root=b"/URI << /Base (https://harbour.example/) >>"),
    a_pdf(b"[<< /Type /Annot /Subtype /Text /F 4 >>]", root=b"/X 5 0 R"),
    opens(b"/S /Thread /D 0"),
    a_pdf(root=b"/Lang (en) /Metadata null"),
    # A part that nothing leads to may be broken.
    a_pdf(b"<< /Broken"),
    with_size(300_000),
]


@pytest.mark.parametrize("content", FINE, ids=range(len(FINE)))
def test_a_plain_pdf_is_taken(content):
    assert looked(content) is None


NONE_AT_ALL = [
    b"", b"%PDF-", b"%%EOF", b"MZ\x90" + a_pdf(), b"\n" + a_pdf(), a_pdf()[:-7],
    a_pdf() + b" " * 1024, b"<html>%PDF-1.7 %%EOF", b"PK\x03\x04 %%EOF",
]  # fmt: skip


@pytest.mark.parametrize("content", NONE_AT_ALL, ids=range(len(NONE_AT_ALL)))
def test_what_does_not_begin_or_end_as_one_is_none_and_is_not_even_looked_into(
    content, monkeypatch
):
    monkeypatch.setattr(pdfs, "_look", None)
    assert why_not(content) == NO_PDF


BROKEN = [
    b"%PDF-1.7\n%%EOF",
    b"%PDF-1.7\n" + bytes(range(256)) * 40 + b"\n%%EOF",
    a_pdf().replace(b"/Pages 2 0 R", b"/Pages 9 0 R"),
    a_pdf().replace(b"/Kids [3 0 R]", b"/Kids []").replace(b"/Count 1", b"/Count 0"),
    a_pdf().replace(b"/Kids [3 0 R]", b"/Kids [2 0 R]"),
    a_pdf().replace(b"/Kids [3 0 R]", b"/Kids [1 0 R]"),
    a_pdf(b"[" * 200_000, root=b"/Deep 5 0 R"),
]


@pytest.mark.parametrize("content", BROKEN, ids=range(len(BROKEN)))
def test_what_cannot_be_read_is_refused(content):
    assert looked(content) == UNREADABLE


@pytest.mark.parametrize("content", [locked("secret"), locked("", "secret")])
def test_what_is_encrypted_is_refused_with_a_password_or_without(content):
    assert looked(content) == ENCRYPTED


ACTIVE = [
    (opens(b"/S /JavaScript /JS (app.alert(1))"), SCRIPT),
    (opens(b"/S /J#61vaScript /J#53 (app.alert(1))"), SCRIPT),
    (a_pdf(b"/JavaScript", root=b"/OpenAction << /S 5 0 R >>"), SCRIPT),
    (a_pdf(b"<< /S /JavaScript /JS 6 0 R >>", b"(x)", root=b"/AA << /WC 5 0 R >>"), SCRIPT),
    (a_pdf(root=b"/Names << /JavaScript << /Names [(a) << /S /JavaScript >>] >> >>"), SCRIPT),
    (a_pdf(root=b"/AcroForm << /XFA (x) /Fields [] >>"), SCRIPT),
    # Nothing leads there that we know of; another reader may find it.
    (a_pdf(b"<< /S /JavaScript /JS (x) >>"), SCRIPT),
    (opens(b"/S /Launch /F (calc.exe)"), ACTION),
    (opens(b"/S /GoTo /D [3 0 R /Fit] /Next << /S /Launch /F (a) >>"), ACTION),
    (opens(b"/S /SubmitForm /F (https://away.example)"), ACTION),
    (opens(b"/S /ImportData /F (a)"), ACTION),
    (opens(b"/S /GoToR /F (a.pdf) /D [0 /Fit]"), ACTION),
    (opens(b"/S /GoToE /T << /R /C >>"), ACTION),
    # An address that is called by itself says who reads it, when and where.
    (opens(b"/S /URI /URI (https://away.example)"), ACTION),
    (opens(b"/S /GoTo /D [3 0 R /Fit] /Next [<< /S /URI /URI (https://away.example) >>]"), ACTION),
    (a_pdf(b"<< /S /URI /URI (https://away.example) >>", root=b"/AA << /WC 5 0 R >>"), ACTION),
    (a_pdf(b"<< /O 6 0 R >>", b"<< /S /URI /URI (x) /Next 6 0 R >>", root=b"/AA 5 0 R"), ACTION),
    # What is no address of the web or for mail starts a program, or opens what is on a disk.
    *(
        (a_pdf(b"<< /S /URI /URI %b >>" % to, root=b"/X 5 0 R"), ACTION)
        for to in (
            b"(file:///c:/calc.exe)", b"(javascript:alert\\(1\\))", b"( J a\\tvascript\\n:alert)",
            b"(ms-msdt:/id)", b"(smb://away.example/a)", b"(\\\\\\\\away\\\\a)",
            b"(//away.example/a)", b"<66696c653a2f2f2f61>", b"<feff00660069006c0065003a0061>",
            b"(file:\\200\\377)",
        )
    ),
    (a_pdf(root=b"/URI << /Base (file:///c:/) >>"), ACTION),
    (a_pdf(b"<< /S /URI /URI 6 0 R >>", b"(file:///a)", root=b"/X 5 0 R"), ACTION),
    (a_pdf(b"<< /S 6 0 R /URI (x) >>", b"/URI", root=b"/OpenAction 5 0 R"), ACTION),
    (opens(b"/S /Thread /F (a.pdf) /D 0"), ACTION),
    (a_pdf(b"<< /Length 0 /F (a) >>\nstream\n\nendstream", root=b"/X 5 0 R"), ACTION),
    (
        a_pdf(
            b"<< /Subtype /Form /Ref << /F (a.pdf) /Page 0 >> /Length 0 >>\nstream\n\nendstream",
            root=b"/X 5 0 R",
        ),
        ACTION,
    ),
    (a_pdf(root=b"/Names << /EmbeddedFiles << /Names [] >> >>"), INSIDE),
    (a_pdf(b"<< /Type /Filespec /EF << /F 6 0 R >> >>", b"<< >>", root=b"/AF [5 0 R]"), INSIDE),
    (a_pdf(b"<< /Type /Annot /Subtype /FileAttachment >>", root=b"/X 5 0 R"), INSIDE),
    (a_pdf(b"<< /Type /Annot /Subtype /RichMedia >>", root=b"/X 5 0 R"), INSIDE),
]  # fmt: skip


@pytest.mark.parametrize(("content", "said"), ACTIVE, ids=range(len(ACTIVE)))
def test_what_does_something_or_hides_something_is_refused_with_a_sentence_of_its_own(
    content, said
):
    assert looked(content) == said


def packed(*, root=b"", action=b""):
    """Return a PDF as programs write them today: its objects packed into a stream."""
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R " + root + b" >>",
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] >>",
        b"<< /S /GoTo " + action + b" >>",
    ]
    places, body = b"", b""
    for number, content in enumerate(objects, start=1):
        places += b"%d %d " % (number, len(body))
        body += content + b" "
    first = b"%PDF-1.7\n"
    stream = _stream(b"/Type /ObjStm /N 4 /First %d" % len(places), places + body)
    second = first + b"5 0 obj\n" + stream + b"\nendobj\n"
    rows = [(0, 0, 255), *((2, 5, index) for index in range(4)), (1, 9, 0), (1, len(second), 0)]
    table = b"".join(bytes([kind]) + at.to_bytes(3) + bytes([last]) for kind, at, last in rows)
    about = b"/Type /XRef /Size 7 /W [1 3 1] /Root 1 0 R"
    end = b"\nendobj\nstartxref\n%d\n%%%%EOF\n" % len(second)
    return second + b"6 0 obj\n" + _stream(about, table) + end


def _stream(about, content):
    content = zlib.compress(content)
    size = b" /Filter /FlateDecode /Length %d >>\nstream\n" % len(content)
    return b"<< " + about + size + content + b"\nendstream"


def updated(catalogue):
    """Return a PDF to which another catalogue was added later, as signing programs do."""
    before = a_pdf()
    table = before.rindex(b"xref\n0 ")
    after = before + b"1 0 obj\n" + catalogue + b"\nendobj\n"
    return after + (
        b"xref\n1 1\n%010d 00000 n \ntrailer\n<< /Size 5 /Root 1 0 R /Prev %d >>\n"
        b"startxref\n%d\n%%%%EOF\n" % (len(before), table, len(after))
    )


LATER = b"<< /Type /Catalog /Pages 2 0 R %b >>"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (packed(), None),
        (packed(root=b"/OpenAction << /S /JavaScript /JS (x) >>"), SCRIPT),
        (packed(action=b"/Next << /S /Launch /F (x) >>"), ACTION),
        (updated(LATER % b""), None),
        (updated(LATER % b"/OpenAction << /S /JavaScript /JS (x) >>"), SCRIPT),
        (updated(LATER % b"/Names << /EmbeddedFiles << >> >>"), INSIDE),
    ],
    ids=range(6),
)
def test_what_is_packed_or_added_later_is_looked_into_as_well(content, said):
    assert looked(content) == said


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (opens(b"/S /GoTo /S /Launch /F (x)"), UNREADABLE),
        (opens(b"/S /Launch /F (x) /S /GoTo"), ACTION),
        (a_pdf(root=b"/OpenAction null /OpenAction << /S /JavaScript /JS (x) >>"), UNREADABLE),
        (a_pdf(root=b"/Names << >> /Names << /EmbeddedFiles << >> >>"), UNREADABLE),
        (a_pdf(root=b"/Lang (en) /Lang (de)"), None),
    ],
)
def test_what_says_twice_what_it_is_and_readers_differ_on_is_not_taken(content, said):
    assert looked(content) == said


@pytest.mark.parametrize(
    "stop", [b"/X )", b"/X <zz>", b"/X << /Y ) >>", b"/X [ ) ]", b"/X }", b"null", b"null >"]
)
def test_what_hides_behind_something_that_we_cannot_read_and_others_pass_over_is_not_taken(stop):
    hidden = b" /OpenAction << /S /JavaScript /JS (x) >>"
    assert looked(a_pdf(root=stop + hidden)) == UNREADABLE
    assert looked(packed(root=stop + hidden)) == UNREADABLE
    # Where it hides nothing either: nobody can tell.
    assert looked(a_pdf(root=stop)) == UNREADABLE


def spaces(millions):
    """Return so many spaces, packed: a million once, and that as often as it takes."""
    million, checksum, packer = b" " * 1_000_000, 1, zlib.compressobj(9)
    # After a full flush what comes next is packed by itself.
    first, other = (packer.compress(million) + packer.flush(zlib.Z_FULL_FLUSH) for _ in range(2))
    for _ in range(millions):
        checksum = zlib.adler32(million, checksum)
    return first + other * (millions - 1) + b"\x03\0" + checksum.to_bytes(4)


def bomb(layers):
    """Return a PDF whose table of objects unpacks to more than we have to give."""
    packed = spaces(800)
    for _ in range(layers - 1):
        packed = zlib.compress(packed, 9)
    table = b"<< /Type /XRef /Size 9 /W [1 2 1] /Root 2 0 R /Filter [%b] /Length %d >>" % (
        b"/FlateDecode " * layers, len(packed),
    )  # fmt: skip
    stream = b"\nstream\n" + packed + b"\nendstream"
    return b"%PDF-1.7\n1 0 obj\n" + table + stream + b"\nendobj\nstartxref\n9\n%%EOF"


@pytest.mark.parametrize("layers", [1, 2])
def test_what_unpacks_to_gigabytes_is_refused_and_costs_us_nothing(layers):
    before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    assert why_not(bomb(layers)) in (UNREADABLE, TOO_MUCH)
    after = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    assert after <= max(before, POLICY.pdf_look_memory / 1024)


def test_what_takes_too_long_is_ended_and_refused():
    pages = 30_000
    kids = b" ".join(b"%d 0 R" % (5 + number) for number in range(pages))
    long = a_pdf(*[b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 9 9] >>"] * pages).replace(
        b"[3 0 R]", b"[" + kids + b"]"
    )
    began = time.monotonic()
    assert why_not(long, seconds=1) == TOO_MUCH
    assert time.monotonic() - began < 6


def test_what_takes_too_much_memory_is_ended_and_refused():
    found = why_not(
        a_pdf(b"[" + b"[] " * 1_500_000 + b"]", root=b"/Wide 5 0 R"), memory=200 * 2**20
    )
    assert found in (UNREADABLE, TOO_MUCH)


def test_only_so_many_are_looked_into_at_once(monkeypatch):
    monkeypatch.setattr(pdfs._PROGRAM, "room", BoundedSemaphore(1))
    with pdfs._PROGRAM.room, pytest.raises(Unavailable, match="just now"):
        pdfs.why_no_pdf(a_pdf(), memory=POLICY.pdf_look_memory, seconds=0)
    assert why_not(a_pdf()) is None


def test_where_the_program_does_not_start_no_file_is_blamed(monkeypatch):
    monkeypatch.setattr(pdfs._PROGRAM, "path", Path("/nowhere/pdf_look.py"))
    with pytest.raises(Unavailable, match="try again later"):
        why_not(a_pdf())


def test_there_is_a_sentence_for_every_word_of_the_program():
    words = {
        value for name, value in vars(pdf_look).items() if name.isupper() and isinstance(value, str)
    }
    assert words == {*SAID, "fine"}


TRIES = """
import os, sys
sys.path.insert(0, {folder!r})
import pdf_look

def found_in(content):
    def write():
        os.write(os.open({file!r}, os.O_CREAT | os.O_WRONLY), b"x")

    try:
        write()
    except OSError:
        return ",".join([*os.environ, "cannot-write"])
    return "wrote"

pdf_look.found_in = found_in
pdf_look.main()
"""


def test_the_program_knows_no_secret_and_writes_no_file(tmp_path, monkeypatch):
    monkeypatch.setenv("MARKETPLACE_SECRET_KEY", "a secret")
    program = tmp_path / "tries.py"
    folder, file = str(Path(pdf_look.__file__).parent), str(tmp_path / "written")
    program.write_text(TRIES.format(folder=folder, file=file))
    monkeypatch.setattr(pdfs._PROGRAM, "path", program)
    told = pdfs._look(a_pdf(), memory=POLICY.pdf_look_memory, seconds=5)
    assert told.split(",")[-1] == "cannot-write"
    assert "MARKETPLACE" not in told
