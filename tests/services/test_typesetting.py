"""Papers as PDF: what others wrote is text in them whatever it says, and harms nobody."""

import json
import time
from io import BytesIO
from pathlib import Path
from threading import BoundedSemaphore

import pytest
from pypdf import PdfReader

from marketplace.core import confined, typesetting
from marketplace.core.errors import Conflict, Unavailable
from marketplace.core.policy import Policy
from marketplace.core.typesetting import TOO_LONG, typeset

POLICY = Policy()


@pytest.fixture
def template(tmp_path):
    """Return a template that sets what is said, or whatever else it is to do."""

    def written(body="#said.text"):
        path = tmp_path / "paper.typ"
        head = '#set document(title: "A paper")\n#let said = json(bytes(sys.inputs.content))\n'
        path.write_text(head + body)
        return path

    return written


def made(template, text="", *, memory=POLICY.paper_memory, seconds=POLICY.paper_seconds):
    return typeset(template, {"text": text}, memory=memory, seconds=seconds)


def text_of(pdf):
    return "".join(page.extract_text() for page in PdfReader(BytesIO(pdf)).pages)


@pytest.mark.parametrize(
    "text",
    [
        '#panic("x")',
        "#sys.inputs.content",
        "$ x^2 $ _a_ *b* `c` @d <e> = f",
        '"] #read("/etc/passwd") ["',
        "\\u{41} \\ \\\\ \\n",
        "// no comment /* at all */",
        "https://evil.example/?q=1",
        "{{ 7 * 7 }} %s %(name)s",
        "Zażółć Ελληνικά Кириллица",
    ],
)
def test_what_is_said_is_text_and_never_markup(template, text):
    assert text_of(made(template(), text)).replace("\n", "") == text


def test_a_paper_is_tagged_and_has_a_title_and_a_language(template):
    reader = PdfReader(BytesIO(made(template('#set text(lang: "en")\n= Heading\n#said.text'))))
    root = reader.trailer["/Root"]
    assert root["/MarkInfo"]["/Marked"].value is True
    assert root["/Lang"] == "en"
    assert root["/ViewerPreferences"]["/DisplayDocTitle"].value is True
    assert reader.metadata.title == "A paper"
    assert "pdfuaid" in root["/Metadata"].get_data().decode()


def test_a_sign_without_a_font_is_a_box_and_the_paper_says_so(template):
    says_so = '#said.text #if "boxes" in sys.inputs [boxes]'
    assert "boxes" not in text_of(made(template(says_so), "Kestrel"))
    with_sign = made(template(says_so), "\U000f0000 Kestrel")
    assert "Kestrel boxes" in text_of(with_sign)
    assert PdfReader(BytesIO(with_sign)).trailer["/Root"]["/MarkInfo"]["/Marked"].value is True


def test_what_never_ends_or_takes_too_much_is_ended_in_time(template):
    begun = time.monotonic()
    for endless in (
        "#for a in range(99999) { for b in range(99999) {} }",
        "#range(1000000000).len()",
    ):
        with pytest.raises(Conflict, match=TOO_LONG):
            made(template(endless), seconds=1)
    assert time.monotonic() - begun < 15


def test_a_program_that_does_not_run_is_no_fault_of_whoever_asks(template):
    with pytest.raises(Unavailable):
        made(template("#no-such-thing"))
    with pytest.raises(Unavailable):
        made(Path("/nowhere/paper.typ"))


def test_more_than_two_at_once_wait_their_turn_and_then_are_sent_away(template, monkeypatch):
    monkeypatch.setattr(typesetting._PROGRAM, "room", BoundedSemaphore(1))
    with typesetting._PROGRAM.room, pytest.raises(Unavailable):
        made(template(), seconds=0)
    assert made(template()).startswith(b"%PDF-")


def test_nothing_of_ours_goes_along(template, monkeypatch):
    monkeypatch.setenv("MARKETPLACE_SECRET_KEY", "secret")
    seen = {}
    real = confined.subprocess.run

    def run(program, **given):
        seen.update(given, program=program)
        return real(program, **given)

    monkeypatch.setattr(confined.subprocess, "run", run)
    made(template(), "Kestrel")
    assert seen["env"] == {}
    assert "-I" in seen["program"]
    assert json.loads(seen["input"]) == {"text": "Kestrel"}
