"""The OpenAPI document agrees with the routes of the running application.

That every operation answers as it says is tried by `tests/fuzz/test_openapi_campaign.py`.
"""

import re

import pytest
from schemathesis.specs.openapi.definitions import OPENAPI_31_VALIDATOR

from marketplace.core.actors import Kind
from marketplace.web import doors, openapi

PROBLEM = "application/problem+json"
EVIDENCE = {"application/pdf", "image/png", "image/jpeg"}


@pytest.fixture
def spec(client):
    answer = client.get("/api/openapi.json")
    assert answer.status_code == 200
    assert answer.content_type == "application/json"
    return answer.json


def operations(spec):
    return list(openapi.operations(spec))


def test_it_is_an_openapi_document(spec):
    assert spec["openapi"].startswith("3.1.")
    assert [error.message for error in OPENAPI_31_VALIDATOR.iter_errors(spec)] == []


def test_every_reference_leads_somewhere(spec):
    found = set(re.findall(r"'\$ref': '#/([^']+)'", str(spec)))
    assert found
    for reference in found:
        node = spec
        for step in reference.split("/"):
            node = node[step]


def test_every_route_is_in_it_and_nothing_else(app, spec):
    routes = {
        (openapi.path_of(rule), method.lower())
        for rule in app.url_map.iter_rules()
        if rule.rule.startswith("/api/v1")
        for method in rule.methods - {"HEAD", "OPTIONS"}
    }
    assert {(path, method) for path, method, _ in operations(spec)} == routes


def test_its_path_parameters_are_those_of_the_routes(app, spec):
    rules = {openapi.path_of(rule): rule for rule in app.url_map.iter_rules()}
    for path, item in spec["paths"].items():
        parameters = [p for p in item.get("parameters", []) if p["in"] == "path"]
        assert {p["name"] for p in parameters} == rules[path].arguments, path
        assert all(p["required"] for p in parameters)


SCHEMES = {
    Kind.BUSINESS: "requestToken",
    Kind.PROVIDER: "sessionToken",
    Kind.ADMIN: "sessionToken",
    Kind.SETTING_UP: "sessionToken",
    Kind.API_KEY: "apiKey",
}


def test_its_credentials_are_those_of_the_doors(app, spec):
    by_blueprint = {blueprint.name: door for blueprint, door in doors.API_DOORS}
    rules = {
        (openapi.path_of(rule), method.lower()): rule
        for rule in app.url_map.iter_rules()
        for method in rule.methods
    }
    for path, method, operation in operations(spec):
        door = by_blueprint[rules[path, method].endpoint.rpartition(".")[0]]
        named = {name for choice in operation["security"] for name in choice}
        assert named == {SCHEMES[kind] for kind in door.kinds or ()}, path
        assert operation.get("x-takes") == door.takes(rules[path, method].endpoint, method), path
        assert named <= spec["components"]["securitySchemes"].keys()


def test_every_closed_door_is_closed(client, spec):
    for path, method, operation in operations(spec):
        if operation["security"]:
            somewhere = re.sub(r"\{[^}]+\}", "0192f3c1-7d2e-7c3b-9c37-6f3f7c1a2b3c", path)
            answer = client.open(somewhere, method=method.upper())
            assert answer.status_code == 401, (method, path)
            assert answer.content_type == PROBLEM


def test_every_refusal_is_a_problem_document(spec):
    for path, method, operation in operations(spec):
        for status, response in operation["responses"].items():
            if int(status) >= 400:
                name = response.get("$ref", "").rpartition("/")[2]
                shown = spec["components"]["responses"][name] if name else response
                assert list(shown["content"]) == [PROBLEM], (method, path, status)


def test_what_comes_in_is_closed_to_unknown_fields(spec):
    for path, method, operation in operations(spec):
        content = operation.get("requestBody", {}).get("content", {})
        reference = content.get("application/json", {}).get("schema", {}).get("$ref")
        if reference:
            schema = spec["components"]["schemas"][reference.rpartition("/")[2]]
            assert schema["additionalProperties"] is False, (method, path)


def nodes(node):
    yield node
    for each in node.values() if isinstance(node, dict) else node if isinstance(node, list) else ():
        yield from nodes(each)


def test_where_null_may_stand_it_is_among_the_words_that_may(spec):
    several = [each for each in nodes(spec) if isinstance(each, dict) and each.get("enum")]
    assert {"null" in each.get("type", ()) for each in several} == {True, False}
    wrong = [each for each in several if ("null" in each["type"]) != (None in each["enum"])]
    assert wrong == []


def test_every_file_that_is_answered_is_one_of_a_stated_type(spec):
    for path, files in {
        "/request/comparison.pdf": {"application/pdf"},
        "/request/attachments/{attachment_id}": {"application/pdf"},
        "/portal/invitations/{invitation_id}/attachments/{attachment_id}": {"application/pdf"},
        "/admin/leads/{lead_id}/comparison.pdf": {"application/pdf"},
        "/admin/leads/{lead_id}/attachments/{attachment_id}": {"application/pdf"},
        "/portal/accreditations/{accreditation_id}/evidence": EVIDENCE,
        "/admin/accreditations/{accreditation_id}/evidence": EVIDENCE,
    }.items():
        shown = spec["paths"][f"/api/v1{path}"]["get"]["responses"]["200"]["content"]
        assert set(shown) == files, path


def test_every_success_with_a_body_says_how_it_looks(spec):
    silent = {
        (method, path)
        for path, method, operation in operations(spec)
        if method == "get" and not operation["responses"]["200"].get("content")
    }
    assert silent == set()


def test_every_list_says_where_it_goes_on(spec):
    lists = [each for each in nodes(spec) if isinstance(each, dict) and "properties" in each]
    lists = [each for each in lists if each["properties"].get("items", {}).get("type") == "array"]
    assert len(lists) > 20
    assert [each for each in lists if "next" not in each["properties"]] == []


def test_every_operation_has_a_sentence_and_an_id_of_its_own(spec):
    ids = [operation["operationId"] for _, _, operation in operations(spec)]
    assert len(ids) == len(set(ids))
    assert all(operation.get("summary") for _, _, operation in operations(spec))


def test_the_page_shows_every_operation_and_runs_no_script(client, spec):
    page = client.get("/api/docs")
    assert page.status_code == 200
    assert page.content_type == "text/html; charset=utf-8"
    assert "script" not in page.text.lower()
    assert " style=" not in page.text
    assert "script-src" not in page.headers["Content-Security-Policy"]
    for _, _, operation in operations(spec):
        assert f'<article id="{operation["operationId"]}">' in page.text
    for address in re.findall(r'(?:href|src)="([^"#]+)"', page.text):
        assert client.get(address).status_code == 200, address
