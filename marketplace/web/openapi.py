"""The OpenAPI document: what the endpoints declare, completed here with what they all share.

That is: who may ask (from the list of doors), which refusals there are and how they look
(RFC 9457), and where an `Idempotency-Key` is honoured. So no endpoint repeats it, and none can
forget it.
"""

import re
from collections.abc import Collection, Iterator
from typing import Any, cast

from flask import Flask
from werkzeug.routing import Rule

from marketplace.core.actors import Kind
from marketplace.web.auth import Door
from marketplace.web.errors import TITLE
from marketplace.web.limit_table import line_of

Json = dict[str, Any]

PROBLEM = "application/problem+json"

METHODS = ("get", "put", "post", "delete", "patch")

ABOUT = (
    "One form, up to three comparable quotes. Ids are UUIDs, times RFC 3339 in UTC, money is a "
    "decimal string beside its currency. Unknown fields are refused, and a 422 names every wrong "
    "field by a JSON pointer. Lists are paged by `limit` and `after`. Every response carries an "
    "`X-Request-Id`."
)

SCHEMES: dict[str, tuple[str, Collection[Kind]]] = {
    "requestToken": ("A business, by the link in its e-mail.", (Kind.BUSINESS,)),
    "sessionToken": (
        "A user, from `POST /sessions`.",
        (Kind.PROVIDER, Kind.ADMIN, Kind.SETTING_UP),
    ),
    "apiKey": ("A provider's own software.", (Kind.API_KEY,)),
}
"""Every sort of bearer token: what it is, and whose."""

WAIT = {"Retry-After": {"description": "Seconds to wait.", "schema": {"type": "integer"}}}

PROBLEM_SCHEMA: Json = {
    "type": "object",
    "description": "A refusal (RFC 9457).",
    "required": ["type", "title", "status", "detail"],
    "properties": {
        "type": {"type": "string", "format": "uri-reference", "examples": ["/problems/conflict"]},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
    },
}

INVALID_SCHEMA: Json = {
    "description": "A refusal that names every wrong field.",
    "allOf": [{"$ref": "#/components/schemas/Problem"}],
    "required": ["errors"],
    "properties": {
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["pointer", "detail"],
                "properties": {
                    "pointer": {"type": "string", "description": "A JSON pointer (RFC 6901)."},
                    "detail": {"type": "string"},
                },
            },
        }
    },
}

IDEMPOTENCY_KEY: Json = {
    "in": "header",
    "name": "Idempotency-Key",
    "required": False,
    "description": "The same key and body within 24 hours are answered by the first response.",
    "schema": {"type": "string", "minLength": 1, "maxLength": 255, "pattern": r"^[\x21-\x7e]+$"},
}

Doors = dict[str, Door]


def document(app: Flask) -> Json:
    """Return the document of the running application; it is made once."""
    if "openapi" not in app.extensions:
        api = app.extensions["flask-smorest"]["apis"][""]["ext_obj"]
        app.extensions["openapi"] = _completed(api.spec.to_dict(), app)
    return cast(Json, app.extensions["openapi"])


def path_of(rule: Rule) -> str:
    """Return a route as OpenAPI writes it: `/leads/{lead_id}`."""
    return re.sub(r"<(?:[^<>:]+:)?([^<>]+)>", r"{\1}", rule.rule)


def _completed(spec: Json, app: Flask) -> Json:
    doors: Doors = app.extensions["doors"]
    rules = {
        (path_of(rule), method.lower()): rule
        for rule in app.url_map.iter_rules()
        for method in rule.methods or ()
    }
    schemas = spec["components"]["schemas"]
    for path, method, operation in operations(spec):
        rule = rules[path, method]
        door = doors[rule.endpoint.rpartition(".")[0]]
        kinds = door.kinds
        operation["operationId"] = _operation_id(method, path)
        operation["security"] = [
            {name: []}
            for name, (_, whose) in SCHEMES.items()
            if kinds is not None and set(kinds) & set(whose)
        ]
        _say_who(operation, kinds)
        right = door.takes(rule.endpoint, method)
        if right is not None:
            operation["x-takes"] = right.value
        _say_whether_body_is_needed(operation, schemas)
        if _honours_key(app, rule, method):
            operation.setdefault("parameters", []).append(IDEMPOTENCY_KEY)
        _add_refusals(operation, _refusals(method, path, rule, operation, schemas))
    for name in _sent(spec):
        schemas[name].setdefault("additionalProperties", False)
    for unused in ("Error", "PaginationMetadata"):
        schemas.pop(unused, None)
    schemas |= {"Problem": PROBLEM_SCHEMA, "Invalid": INVALID_SCHEMA}
    spec["components"]["responses"] = {_name(status): _refusal(status) for status in TITLE}
    spec["components"]["securitySchemes"] = {
        name: {"type": "http", "scheme": "bearer", "description": about}
        for name, (about, _) in SCHEMES.items()
    }
    spec["info"]["description"] = ABOUT
    spec["servers"] = [{"url": "/"}]
    return spec


def operations(spec: Json) -> Iterator[tuple[str, str, Json]]:
    """Yield every operation with its path and its method in small letters."""
    for path, item in spec["paths"].items():
        for method in METHODS:
            if method in item:
                yield path, method, item[method]


def _operation_id(method: str, path: str) -> str:
    words = re.findall(r"[a-z0-9]+", path.removeprefix("/api/v1").replace("_id}", "}"))
    return "_".join([method, *words])


def _say_who(operation: Json, kinds: Collection[Kind] | None) -> None:
    who = "anybody" if kinds is None else ", ".join(sorted(kind.value for kind in kinds))
    operation["x-open-to"] = who


def _say_whether_body_is_needed(operation: Json, schemas: Json) -> None:
    """Where no field is required the body may be left out."""
    if "application/json" in operation.get("requestBody", {}).get("content", {}):
        needed = _body_schema(operation, schemas).get("required", [])
        operation["requestBody"]["required"] = bool(needed)


def _honours_key(app: Flask, rule: Rule, method: str) -> bool:
    view = getattr(app.view_functions[rule.endpoint], "view_class", None)
    return hasattr(getattr(view, method, None), "honours_idempotency_key")


def _refusals(method: str, path: str, rule: Rule, operation: Json, schemas: Json) -> set[int]:
    """Return the statuses with which this operation may be refused, its own aside."""
    statuses = {503}
    parameters = operation.get("parameters", [])
    if "requestBody" in operation:
        statuses |= {400, 413, 415, 422}
    if any(parameter["in"] in ("query", "header") for parameter in parameters):
        statuses.add(422)
    if operation["security"]:
        statuses |= {401, 403}
    body = _body_schema(operation, schemas).get("properties", {})
    if rule.arguments or any(name.endswith("_id") for name in body):
        statuses.add(404)
    if method != "get":
        statuses |= {409}
    if "token" in body:
        statuses.add(410)
    if not line_of(method.upper(), rule.rule).is_exempt:
        statuses.add(429)
    return statuses


def _add_refusals(operation: Json, statuses: set[int]) -> None:
    """Document each refusal once, in the words of the endpoint where it has some."""
    declared: Json = {
        status: response
        for status, response in operation["responses"].items()
        if status != "default" and "$ref" not in response
    }
    for status, response in declared.items():
        if int(status) >= 400:
            declared[status] = _refusal(int(status)) | {"description": response["description"]}
    for each in statuses:
        declared.setdefault(str(each), {"$ref": f"#/components/responses/{_name(each)}"})
    operation["responses"] = dict(sorted(declared.items()))


def _refusal(status: int) -> Json:
    schema = {"$ref": f"#/components/schemas/{'Invalid' if status == 422 else 'Problem'}"}
    response: Json = {
        "description": TITLE[status][1],
        "content": {PROBLEM: {"schema": schema}},
    }
    if status in (429, 503):
        response["headers"] = WAIT
    return response


def _name(status: int) -> str:
    return "".join(word.capitalize() for word in TITLE[status][0].split("-"))


def _body_schema(operation: Json, schemas: Json) -> Json:
    content = operation.get("requestBody", {}).get("content", {})
    reference = content.get("application/json", {}).get("schema", {}).get("$ref", "")
    return cast(Json, schemas.get(reference.rpartition("/")[2], {}))


def _sent(spec: Json) -> set[str]:
    """Return the names of the schemas that can be part of a body: unknown fields are refused."""
    waiting: list[Any] = [
        operation.get("requestBody", {}).get("content", {}).get("application/json", {})
        for _, _, operation in operations(spec)
    ]
    found: set[str] = set()
    while waiting:
        node = waiting.pop()
        if isinstance(node, list):
            waiting.extend(node)
        elif isinstance(node, dict):
            waiting.extend(node.values())
            name = str(node.get("$ref", "")).rpartition("/")[2]
            if name and name not in found:
                found.add(name)
                waiting.append(spec["components"]["schemas"][name])
    return found
