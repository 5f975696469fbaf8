"""The OpenAPI document, and the same as a page to read: made on the server, without scripts."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from flask import Blueprint, Response, current_app, jsonify, render_template

from marketplace.web import openapi
from marketplace.web.openapi import Json

pages = Blueprint("docs", __name__, url_prefix="/api")

STATIC = Path(__file__).parent.parent / "static"

POLICY = "default-src 'none'; style-src 'self'"

DEEPEST = 4
"""How many levels of a body are unfolded on the page."""


@dataclass(frozen=True)
class Field:
    """One line of the table that explains a body."""

    name: str
    type: str
    required: bool
    note: str


@pages.get("/openapi.json")
def openapi_json() -> Response:
    """Serve the document."""
    return jsonify(openapi.document(current_app))


@pages.get("/docs")
def docs() -> Response:
    """Show the document as a page."""
    spec = openapi.document(current_app)
    page = render_template("api_docs.html", spec=spec, groups=groups(spec))
    return Response(page, headers={"Content-Security-Policy": POLICY})


@pages.get("/docs/style.css")
def style() -> Response:
    """Serve the page's style sheet."""
    css = (STATIC / "api_docs.css").read_text(encoding="utf-8")
    headers = {"Cache-Control": "public, max-age=3600"}
    return Response(css, headers=headers, content_type="text/css; charset=utf-8")


def groups(spec: Json) -> list[Json]:
    """Return the operations as the page shows them, below the groups that they are in."""
    shown = [_shown(spec, *each) for each in openapi.operations(spec)]
    return [
        {**tag, "operations": [each for each in shown if each["tag"] == tag["name"]]}
        for tag in spec["tags"]
    ]


def _shown(spec: Json, path: str, method: str, operation: Json) -> Json:
    item: Json = spec["paths"][path]
    content = operation.get("requestBody", {}).get("content", {})
    return {
        "id": operation["operationId"],
        "tag": operation["tags"][0],
        "path": path,
        "method": method.upper(),
        "summary": operation.get("summary", ""),
        "description": operation.get("description", ""),
        "open_to": operation["x-open-to"],
        "parameters": [
            Field(p["name"], _type(p["schema"]), p.get("required", False), _note(p))
            for p in [*item.get("parameters", []), *operation.get("parameters", [])]
        ],
        "bodies": {kind: list(fields(spec, body["schema"])) for kind, body in content.items()},
        "responses": [_answer(spec, *each) for each in operation["responses"].items()],
    }


def _answer(spec: Json, status: str, response: Json) -> Json:
    response = _resolved(spec, response)
    content = response.get("content", {}).get("application/json", {})
    shown = list(fields(spec, content["schema"])) if "schema" in content else []
    return {"status": status, "description": response["description"], "fields": shown}


def fields(spec: Json, schema: Json, prefix: str = "", depth: int = 0) -> Iterator[Field]:
    """Yield the fields of a schema and of what is inside it, outermost first."""
    schema = _object_in(spec, schema)
    required = schema.get("required", [])
    for name, inner in schema.get("properties", {}).items():
        resolved = _resolved(spec, inner)
        yield Field(prefix + name, _type(resolved), name in required, _note(resolved))
        if depth < DEEPEST:
            mark = "[]" if "items" in resolved else ""
            yield from fields(spec, resolved, f"{prefix}{name}{mark}.", depth + 1)


def _object_in(spec: Json, schema: Json) -> Json:
    """Return what a list is a list of, and anything else itself."""
    schema = _resolved(spec, schema)
    return _object_in(spec, schema["items"]) if "items" in schema else schema


def _resolved(spec: Json, node: Json) -> Json:
    """Return what a reference refers to; one of several that may be null is the other one."""
    several: list[Json] = node.get("anyOf") or node.get("oneOf") or []
    choices = [each for each in several if each.get("type") != "null"]
    if len(choices) == 1:
        node = choices[0]
    if "$ref" not in node:
        return node
    found: Any = spec
    for step in node["$ref"].removeprefix("#/").split("/"):
        found = found[step]
    return {**found, **{name: value for name, value in node.items() if name != "$ref"}}


def _type(schema: Json) -> str:
    kinds = schema.get("type", "object" if "properties" in schema else "any")
    words = [w for w in ([kinds] if isinstance(kinds, str) else kinds) if w != "null"]
    form = schema.get("format")
    return " or ".join(words) + (f" ({form})" if form else "")


def _note(schema: Json) -> str:
    """Return in a few words what a value may be."""
    inner = schema.get("schema", schema)
    bounds = {
        "minimum": "at least {}",
        "maximum": "at most {}",
        "minItems": "at least {} entries",
        "maxItems": "at most {} entries",
        "maxLength": "at most {} characters",
    }
    said = [words.format(inner[name]) for name, words in bounds.items() if inner.get(name)]
    if "enum" in inner:
        said.append("one of " + ", ".join(str(each) for each in inner["enum"] if each is not None))
    if schema.get("description"):
        said.insert(0, schema["description"])
    return "; ".join(said)
