"""How a request body is read: JSON only, of a bounded size, with every wrong field named."""

import json
from functools import cache
from tempfile import SpooledTemporaryFile
from typing import IO, Any, cast

import flask
import flask_smorest
from flask import g
from marshmallow import Schema, ValidationError, fields
from webargs.flaskparser import FlaskParser
from werkzeug.exceptions import BadRequest, RequestEntityTooLarge, UnsupportedMediaType
from werkzeug.local import LocalProxy

from marketplace.core.errors import FieldError, Invalid
from marketplace.core.forms import Form
from marketplace.core.texts import N_
from marketplace.web.fields import In

MAX_BODY = 256 * 1024
MAX_UPLOAD = 10 * 1024 * 1024


MAX_FIELDS = 1_000
"""How many fields a form may have: as many as the library reads of one that brings files along."""

IN_MEMORY = 500 * 1024
"""Bytes of a file that stay in memory; more of it goes to disk while its request lasts."""


class _Upload(SpooledTemporaryFile[bytes]):
    """A file that was sent: of one too large no more is kept than shows that it is."""

    def write(self, content: Any) -> int:
        room = MAX_UPLOAD + 1 - self.tell()
        return super().write(content[: max(0, room)])


class Request(flask.Request):
    """A request whose files are never larger than any may be, nor what it says besides them."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._uploads: list[IO[bytes]] = []

    def _load_form_data(self) -> None:
        try:
            super()._load_form_data()
        except BaseException:
            for each in self._uploads:  # nobody else knows of them where the form was not read
                each.close()
            raise
        # The library has a limit for each field of a form with files, and none for all of them.
        sent = list(self.form.items(multi=True))
        if sum(len(name) + len(text) for name, text in sent) > MAX_BODY or len(sent) > MAX_FIELDS:
            raise RequestEntityTooLarge

    def _get_file_stream(self, *args: Any, **kwargs: Any) -> IO[bytes]:
        self._uploads.append(_Upload(max_size=IN_MEMORY, mode="rb+"))
        return self._uploads[-1]


def pointers(messages: Any, prefix: str = "") -> list[FieldError]:
    """Flatten marshmallow's nested messages into JSON pointers, one entry for every wrong field."""
    if isinstance(messages, dict):
        found = []
        for key, below in messages.items():
            step = "" if key == "_schema" else pointer_of(str(key))
            found.extend(pointers(below, prefix + step))
        return found
    several = messages if isinstance(messages, list) else [messages]
    # One alone stays as it is, for translation.
    detail = several[0] if len(several) == 1 else " ".join(str(each) for each in several)
    return [FieldError(prefix, detail)]


def pointer_of(name: str) -> str:
    """Return the JSON pointer to a field of this name."""
    return "/" + name.replace("~", "~0").replace("/", "~1")


def load(schema: Schema, data: Any) -> Form:
    """Read `data` by `schema`: what is valid, and what is wrong with the rest."""
    try:
        return Form(schema.load(data))
    except ValidationError as error:
        valid = error.valid_data if isinstance(error.valid_data, dict) else {}
        return Form(valid, tuple(pointers(error.messages)))


def read_json(request: flask.Request) -> Any:
    """Return the body as JSON, or raise 400 or 415. A request without a body gives None."""
    if "body" in g:
        return g.body
    raw = request.get_data(cache=True)
    if not raw:
        return None
    if request.content_length is None and len(raw) >= (request.max_content_length or MAX_BODY):
        # Sent in chunks, its length not said before: werkzeug cuts off at the limit and goes on.
        raise RequestEntityTooLarge
    if request.mimetype != "application/json":
        raise UnsupportedMediaType("send the body as application/json")
    try:
        g.body = parsed_json(raw.decode("utf-8"))
    except ValueError:
        raise BadRequest(
            "the body is not well-formed JSON in which every name is there once"
        ) from None
    return g.body


def takes_body(view: Any, method: str) -> bool:
    """Return whether what answers this method reads a body, as it says for the documentation."""
    said = getattr(getattr(view.view_class, method.lower()), "_apidoc", {})
    read = (each["in"] for each in said.get("arguments", {}).get("parameters", ()))
    return "json" in read or "requestBody" in said.get("manual_doc", {})


def refuse_body(request: flask.Request) -> None:
    """Refuse what is sent where nothing is read, as any field is refused that is not known."""
    body = read_json(request)
    if request.get_data(cache=True):
        load(_schema(In), body).accept()


def parsed_json(text: str) -> Any:
    """Return what a text says as JSON, or raise `ValueError`.

    What says something twice, such as a fee, is refused: which is meant, readers differ on.
    """
    try:
        return json.loads(text, parse_constant=_no_such_number, object_pairs_hook=_each_name_once)
    except RecursionError:
        raise ValueError("nothing is that deep") from None


def _no_such_number(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


def _each_name_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a name is there twice")
    return found


@cache
def _schema(kind: type[Schema]) -> Schema:
    """Return the one schema of a kind: reading leaves nothing in it, and it is slow to make."""
    return kind()


class Parser(FlaskParser):
    """Reads bodies into a `Form` and query parameters into a checked dictionary."""

    def get_default_request(self) -> flask.Request:
        """Return the request itself; what stands for it would look for it at every word."""
        return cast(LocalProxy[flask.Request], flask.request)._get_current_object()

    def parse(self, argmap: Any, req: Any = None, *, location: Any = None, **kwargs: Any) -> Any:
        schema = _schema(argmap) if isinstance(argmap, type) else argmap
        request = self.get_default_request() if req is None else req
        if location == "query":
            _each_parameter_once(schema, request)
        if location != "json":
            return super().parse(argmap, request, location=location, **kwargs)
        body = read_json(request)
        # `null` is not the same as nothing: it is no object.
        return load(schema, body if request.get_data(cache=True) else {})

    def handle_error(self, error: ValidationError, *args: Any, **kwargs: Any) -> Any:
        """Turn what is wrong with the query into the one kind of refusal that there is."""
        by_location = error.messages_dict
        found = [each for below in by_location.values() for each in pointers(below)]
        raise Invalid(found) from None


def _each_parameter_once(schema: Schema, request: flask.Request) -> None:
    """Refuse what a query says twice: which is meant, readers differ on."""
    known = {
        each.data_key or name
        for name, each in schema.fields.items()
        if not isinstance(each, fields.List)
    }
    twice = [name for name, values in request.args.lists() if len(values) > 1 and name in known]
    if twice:
        raise Invalid([FieldError(pointer_of(name), N_("is there twice")) for name in twice])


class Blueprint(flask_smorest.Blueprint):
    """A group of endpoints whose bodies are read by `Parser`."""

    ARGUMENTS_PARSER = Parser()

    @staticmethod
    def _prepare_response_content(data: Any) -> Any:
        """Answer an empty object where there is nothing to say, never a bare null."""
        return {} if data is None else data
