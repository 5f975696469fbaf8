"""What a body may name: nothing that is the product's to decide (mass assignment)."""

import pytest

from marketplace.web.openapi import METHODS, document

OURS = (
    "id", "state", "status", "created_at", "verified_at", "provider_id", "lead_id", "user_id",
    "made_by", "team_role", "disabled_at", "password_hash", "totp_secret", "token_hash", "is_admin",
    "place", "respond_by", "opened_at", "accepted_at", "taken_at", "score", "credit", "shuffle",
)  # fmt: skip
"""Names of what the product decides: of columns, and of what is commonly guessed."""

THEIRS = {
    # An administrator names the provider.
    ("post", "/api/v1/admin/leads/{lead_id}/invitations"): {"provider_id"},
    ("post", "/api/v1/admin/leads/{lead_id}/consultants"): {"provider_id"},
    ("post", "/api/v1/admin/relationships"): {"provider_id"},
}
"""Who may name one of these after all, and where."""

ROLES = {
    # Only an owner gets there, and an owner may give every role.
    ("post", "/api/v1/portal/team"),
    ("patch", "/api/v1/portal/team/{member_id}"),
}


@pytest.fixture
def bodies(app):
    """The fields of every JSON body by method and route, those of nested objects included."""
    spec = document(app)
    schemas = spec["components"]["schemas"]

    def fields(schema, at=""):
        if "$ref" in schema:
            schema = schemas[schema["$ref"].rpartition("/")[2]]
        for name, below in schema.get("properties", {}).items():
            yield at + name
            for each in (below, below.get("items", {}), *below.get("anyOf", [])):
                yield from (
                    fields(each, f"{at}{name}.") if each is not below or "$ref" in each else ()
                )

    return {
        (method, path): set(fields(content["schema"]))
        for path, item in spec["paths"].items()
        for method in METHODS
        if method in item
        for content in [
            item[method].get("requestBody", {}).get("content", {}).get("application/json")
        ]
        if content is not None
    }


def test_no_body_names_what_the_product_decides(bodies, counted):
    assert len(bodies) > 40
    for where, fields in bodies.items():
        named = {each for each in fields if each.rpartition(".")[2] in OURS} - THEIRS.get(
            where, set()
        )
        assert not named, where
        if "role" in fields:
            assert where in ROLES, where
    counted["bodies"], counted["fields"] = len(bodies), sum(map(len, bodies.values()))


def test_every_body_refuses_fields_that_it_does_not_name(app, bodies):
    spec = document(app)
    for method, path in bodies:
        schema = spec["paths"][path][method]["requestBody"]["content"]["application/json"]["schema"]
        if "$ref" in schema:
            schema = spec["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
        parts = schema.get("oneOf") or schema.get("anyOf") or [schema]
        for part in parts:
            if "$ref" in part:
                part = spec["components"]["schemas"][part["$ref"].rpartition("/")[2]]
            assert part.get("additionalProperties") is False, (method, path)
