"""How files come in and go out: read up to what they may have, and saved rather than shown."""

import json
from collections.abc import Callable, Mapping
from datetime import date, datetime, timedelta
from io import BytesIO
from typing import Any, Protocol, TypeVar

from flask import Response, request, send_file

from marketplace.core.errors import FieldError
from marketplace.core.files import PDF, SentFile, Sort
from marketplace.core.forms import Form
from marketplace.core.pdfs import why_no_pdf
from marketplace.core.policy import Policy
from marketplace.web.requests import Blueprint

View = TypeVar("View", bound=Callable[..., Any])

MULTIPART = "multipart/form-data"

Take = Callable[[str | None, bytes], SentFile | str]
"""Returns what is taken under a name, or what is wrong with it."""


class TooLarge(Exception):
    """A file has more bytes than it may."""


def read_file(name: str, *, at_most: int, take: Take) -> SentFile | str | None:
    """Return the file that was sent under this name, or what is wrong with it; None without one.

    `take` says what its bytes are, or why they are not taken. More than `at_most`: `TooLarge`.
    """
    sent = request.files.get(name)
    if not sent:  # a page sends a field without a file
        return None
    content = sent.stream.read(at_most + 1)
    if len(content) > at_most:
        raise TooLarge
    return take(sent.filename, content)


def looked_into(policy: Policy, take: Take) -> Take:
    """Return `take` with every PDF looked into, where it can do no harm, before it is taken."""

    def look(name: str | None, content: bytes) -> SentFile | str:
        found = take(name, content)
        if isinstance(found, str) or found.media_type != PDF.media_type:
            return found
        memory, seconds = policy.pdf_look_memory, policy.pdf_look_seconds
        return why_no_pdf(content, memory=memory, seconds=seconds) or found

    return look


def wrong_with(form: Form, name: str, problem: str) -> Form:
    """Return the form with something wrong with its file."""
    return Form(form.values, (*form.problems, FieldError(f"/{name}", problem)))


class Kept(Protocol):
    """A file as a table keeps it."""

    @property
    def name(self) -> str: ...
    @property
    def media_type(self) -> str: ...
    @property
    def content(self) -> bytes: ...


def answers_file(blp: Blueprint, *sorts: Sort) -> Callable[[View], View]:
    """Say in the documentation that a file is answered, and of which sorts it may be."""

    def say(view: View) -> View:
        for sort in sorts:
            view = blp.alt_response(
                200,
                schema={"type": "string", "format": "binary"},
                content_type=sort.media_type,
                success=True,
            )(view)
        return view

    return say


def download(file: Kept) -> Response:
    """Return a file to be saved, never shown, and kept by nobody between: somebody else sent it."""
    response = send_file(
        BytesIO(file.content),
        mimetype=file.media_type,
        as_attachment=True,
        download_name=file.name,
        conditional=False,
    )
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers["Content-Security-Policy"] = "sandbox; default-src 'none'"
    response.headers["Cache-Control"] = PRIVATE
    return response


def as_download(name: str, data: Mapping[str, Any]) -> Response:
    """Return what is kept of somebody as JSON, to be saved by them and kept by nobody between."""
    text = json.dumps(data, default=_plain, ensure_ascii=False, indent=1)
    response = Response(text, mimetype="application/json")
    response.headers.set("Content-Disposition", "attachment", filename=f"{name}-personal-data.json")
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers["Cache-Control"] = PRIVATE
    return response


def _plain(value: Any) -> Any:
    """Return what JSON has no word for as the API writes it."""
    if isinstance(value, datetime):
        return value.isoformat().replace("+00:00", "Z")
    if isinstance(value, timedelta):
        return int(value.total_seconds())
    if isinstance(value, bytes):
        return value.hex()
    return value.isoformat() if isinstance(value, date) else str(value)


PRIVATE = "private, no-store"
