"""Fill in every text of every operation: a body by its schema, mended by what refusals name."""

import copy
from collections.abc import Callable, Iterator
from typing import Any

Json = Any

KNOWN = {
    "country": "AU",
    "standard": "ISO 9001", "standards": "ISO 9001", "code": "ISO 9001",
    "region": "AU-NSW", "regions": "AU-NSW",
    "sector": "17", "sectors": "17",
    "currency": "AUD",
    "language": "en", "languages": "en",
    "edition": "2026",
    "body": "JASANZ",
    "terms_version": "2026-11",
    "month": "2026-11",
}  # fmt: skip
"""What only the catalogue can tell of a field of this name."""

BY_FORMAT = {
    "date": "2027-03-31",
    "date-time": "2027-03-31T09:00:00Z",
    "email": "sam@fuzzed.example",
    "uri": "https://fuzzed.example",
    "password": "nine calm otters swim",
}


class Filler:
    """Makes bodies by the schemas of one OpenAPI document; `text` gives free texts."""

    def __init__(
        self, spec: Json, id_for: Callable[[str], str], text: Callable[[str], str]
    ) -> None:
        self.schemas = spec["components"]["schemas"]
        self.id_for, self.text = id_for, text

    def value(self, schema: Json, name: str) -> Json:
        """Return something that may stand in a field of this name."""
        if "$ref" in schema:
            schema = self.schemas[schema["$ref"].rpartition("/")[2]]
        for several in ("allOf", "anyOf", "oneOf"):
            if several in schema:
                return self.value(schema[several][0], name)
        kind = schema.get("type")
        kind = (
            next((each for each in kind if each != "null"), None)
            if isinstance(kind, list)
            else kind
        )
        if "enum" in schema:
            return next(each for each in schema["enum"] if each is not None)
        if kind == "object" or "properties" in schema:
            return {
                key: self.value(below, key) for key, below in schema.get("properties", {}).items()
            }
        if kind == "array":
            return [self.value(schema["items"], name)] * max(1, schema.get("minItems", 0))
        if kind in ("integer", "number"):
            return max(1, schema.get("minimum", 1))
        if kind == "boolean":
            return True
        return self._text(schema, name)

    def _text(self, schema: Json, name: str) -> str:
        if schema.get("format") == "uuid":
            return self.id_for(name)
        if name in KNOWN:
            return KNOWN[name]
        if "pattern" in schema:
            return "100.00"
        if schema.get("format") in BY_FORMAT:
            return BY_FORMAT[schema["format"]]
        return self.text(name)[: schema.get("maxLength", 200)]


def send_until_taken(send: Callable[[Json], Any], body: Json, marker: str) -> tuple[Any, Json]:
    """Send a body, what a refusal names put plainly and then left out; return answer and body."""
    answer = send(body)
    for _ in range(4):
        if answer.status_code != 422:
            break
        body = copy.deepcopy(body)
        for wrong in answer.json["errors"]:
            _mend(body, wrong["pointer"], marker)
        answer = send(body)
    return answer, body


def _mend(body: Json, pointer: str, marker: str) -> None:
    *path, last = [step.replace("~1", "/").replace("~0", "~") for step in pointer[1:].split("/")]
    place = body
    for step in path:
        if isinstance(place, list):
            place = place[int(step)] if step.isdigit() and int(step) < len(place) else {}
        else:
            place = place.get(step, {}) if isinstance(place, dict) else {}
    if isinstance(place, list):
        if last.isdigit() and int(last) < len(place):
            place[int(last)] = "Plain" if marker in str(place[int(last)]) else None
    elif isinstance(place, dict):
        if marker in str(place.get(last, "")) and not isinstance(place[last], dict | list):
            place[last] = "Plain words"
        else:
            place.pop(last, None)


def texts_in(body: Json) -> Iterator[str]:
    """Yield every text of a body."""
    if isinstance(body, dict):
        for below in body.values():
            yield from texts_in(below)
    elif isinstance(body, list):
        for below in body:
            yield from texts_in(below)
    elif isinstance(body, str):
        yield body
