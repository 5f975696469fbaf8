"""Looks at answers and mails: whatever was put in must be nothing but a text there."""

import csv
import email.parser
import email.policy
import io
import re
from email.message import EmailMessage
from typing import Any
from xml.etree import ElementTree

from markupsafe import escape
from pypdf import PdfReader
from werkzeug.http import parse_options_header

from tests.fuzz.hostile import FORMULA, MARK, PAYLOADS
from tests.fuzz.trees import nodes, shape, texts

RUNS = ("script", "style", "template", "noscript", "iframe", "a comment")
"""Elements in which a text is more than a text."""

LEADS = ("href", "src", "action", "formaction", "data", "poster", "ping", "xlink:href")
"""Attributes that lead somewhere."""


def look_at(address: str, answer: Any) -> str:
    """Look at one answer, by what it is."""
    for name, value in answer.headers:
        assert not re.search(r"[\r\n\x00]", value), (address, name, value)
        assert name.lower() != "x-injected"
        if name == "Set-Cookie":  # packed and signed, so that three letters come by chance
            value = re.sub(r"^([\w-]+)=[\w.\-]*(?=;)", r"\1=", value)
        if MARK in value:
            kind, options = parse_options_header(value)
            assert kind == "attachment", (address, name, value)
            assert set(options) <= {"filename"}, (address, value)
    kind = str(answer.mimetype)
    if kind == "text/html":
        look_at_page(address, answer.text)
    elif kind == "image/svg+xml":
        look_at_drawing(address, answer.text)
    elif kind == "text/csv":
        for row in csv.reader(io.StringIO(answer.text.removeprefix("\ufeff"))):
            for cell in row:
                assert not (MARK in cell and cell.startswith(FORMULA)), (address, cell)
    elif kind == "application/pdf":
        look_at_paper(address, answer.data)
    return kind


def look_at_page(address: str, html: str) -> None:
    """Look at a page: its tree is the same with plain words in place of what was put in."""
    plain = html
    for number, payload in enumerate(PAYLOADS):
        if re.search(r"[<>\"'&]", payload):
            assert payload not in html, (address, payload)
        plain = plain.replace(str(escape(payload)), f"plain{number}words")
    if MARK not in html:
        return
    with_it = shape(html)
    assert with_it == shape(plain), (address, set(with_it) ^ set(shape(plain)))
    for _, element, names in with_it:
        assert not any(MARK in each for each in (element, *names)), (address, element, names)
    if "srcdoc" in html:
        look_into_frames(address, html)
    for said in texts(html):
        if MARK in said.text and (said.element, said.attribute) != ("iframe", "srcdoc"):
            assert said.element not in RUNS, (address, said)
            assert not (said.attribute or "").startswith("on"), (address, said)
            assert said.attribute not in ("style", "srcdoc", "srcset"), (address, said)
            if said.attribute in LEADS:
                target = re.sub(r"[\x00-\x20]", "", said.text)
                assert not re.match(r"(javascript|data|vbscript):", target, re.I), (address, said)
    assert f"{MARK}49" not in html, address


def look_into_frames(address: str, html: str) -> None:
    """Look at what stands in a page as a page of its own, such as a mail: nothing runs in there."""
    for node in nodes(html):
        if node.is_element_node and node.tag == "iframe" and "srcdoc" in node.attributes:
            assert "allow-s" not in (node.attributes["sandbox"] or ""), address
            look_at_page(address, node.attributes["srcdoc"] or "")


def look_at_drawing(address: str, svg: str) -> None:
    """Look at a drawing, which is XML: it can be read, and what was put in is no part of it."""
    for element in ElementTree.fromstring(svg).iter():
        assert MARK not in str(element.tag), (address, element.tag)
        assert not any(MARK in name for name in element.attrib), (address, element.attrib)
        named = {name.lower().rpartition("}")[2]: value for name, value in element.attrib.items()}
        for name, value in named.items():
            assert not (MARK in value and (name.startswith("on") or name in LEADS)), (address, name)
        assert not (element.tag.endswith(("script", "style")) and MARK in (element.text or ""))


def look_at_paper(address: str, pdf: bytes) -> None:
    text = "".join(page.extract_text() for page in PdfReader(io.BytesIO(pdf)).pages)
    assert f"{MARK}49" not in text, address
    if "#sys" in text:
        assert "#sys.version" in text, address


def look_at_letter(post: dict[str, Any]) -> None:
    """Look at a mail as it is handed to the mail service: it says things, and does nothing else."""
    (person,) = post["personalizations"]
    (to,) = person["to"]
    parts = {each["type"]: each["value"] for each in post["content"]}
    headers = {**post.get("headers", {}), **person.get("headers", {})}
    look_at_page(post["subject"], parts["text/html"])
    assert f"{MARK}49" not in str(post)
    names = {"Subject", "To", "From", *headers}
    assert set(post) <= {
        "from", "subject", "content", "personalizations", "custom_args", "tracking_settings",
        "headers", "categories", "mail_settings", "reply_to",
    }, post.keys()  # fmt: skip
    assert set(person) <= {"to", "custom_args", "headers"}, person.keys()
    for value in (post["subject"], to["email"], to.get("name", ""), *headers.values()):
        assert not re.search(r"[\x00-\x1f\x7f\u2028\u2029\u202e]", value), post
    assert not re.search(r"[<>\"\s,;]", to["email"]), to
    # In a token they come by chance.
    assert not any(MARK in re.sub(r"_[\w-]{32}", "", value) for value in headers.values()), headers
    if MARK not in str(post):
        return
    # As it goes out: whoever reads it finds these headers and these parts, and no others.
    letter = EmailMessage(policy=email.policy.SMTP)
    letter["Subject"], letter["From"] = post["subject"], post["from"]["email"]
    letter["To"] = to["email"]
    for name, value in headers.items():
        letter[name] = value
    letter.set_content(parts["text/plain"])
    letter.add_alternative(parts["text/html"], subtype="html")
    read = email.parser.BytesParser(policy=email.policy.SMTP).parsebytes(letter.as_bytes())
    assert set(read.keys()) == names | {"MIME-Version", "Content-Type"}, read.keys()
    # The library folds a long one right behind its name, and reads that as a blank.
    assert str(read["Subject"]).split() == post["subject"].split()
    assert [each.get_content_type() for each in read.iter_parts()] == list(parts)
