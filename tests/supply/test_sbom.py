"""The bill of materials is sound, complete, and the same for the same lock."""

import json
import subprocess
import sys
from functools import cache
from importlib.resources import files

import jsonschema_rs
import pytest

from tests.supply.licences import read_licences
from tests.supply.lock import LOCK, ROOT, read_lock
from tests.supply.sbom import project_bill

PINS = read_lock(LOCK.read_text())


@pytest.fixture(scope="module")
def bill():
    return json.loads(project_bill())


@cache
def schema_of(name):
    return json.loads((files("cyclonedx.schema._res") / name).read_text())


def test_it_is_valid_by_its_schema(bill):
    served = {
        f"http://cyclonedx.org/schema/{name}": schema_of(name)
        for name in ("spdx.SNAPSHOT.schema.json", "jsf-0.82.SNAPSHOT.schema.json")
    }
    checks = jsonschema_rs.Draft7Validator(
        schema_of("bom-1.6.SNAPSHOT.schema.json"),
        registry=jsonschema_rs.Registry(served.items()),
        validate_formats=True,
    )
    checks.validate(bill)
    assert not checks.is_valid({**bill, "components": [{"name": "no type"}]})


def test_every_pin_is_in_it_with_its_hashes_and_its_licence(bill):
    parts = {(part["name"], part["version"]): part for part in bill["components"]}
    assert set(parts) == {(pin.name, pin.version) for pin in PINS}
    licences = read_licences()
    for pin in PINS:
        part = parts[pin.name, pin.version]
        assert {each["content"] for each in part["hashes"]} == set(pin.hashes)
        (stated,) = part["licenses"]
        said = stated.get("expression") or stated["license"]["id"]
        assert said == licences.of(pin.name)
        assert part["purl"] == f"pkg:pypi/{pin.name}@{pin.version}"


def test_it_says_what_needs_what(bill):
    edges = {each["ref"]: each.get("dependsOn", []) for each in bill["dependencies"]}
    name = bill["metadata"]["component"]["bom-ref"]
    assert any(ref.startswith("pkg:pypi/flask@") for ref in edges[name])
    flask = next(ref for ref in edges if ref.startswith("pkg:pypi/flask@"))
    assert any(ref.startswith("pkg:pypi/werkzeug@") for ref in edges[flask])


def test_the_same_lock_gives_the_same_bytes_in_another_process(tmp_path):
    output = tmp_path / "bill.json"
    command = [sys.executable, "-m", "tests.supply.sbom", "--output", str(output)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    assert output.read_text() == project_bill() + "\n"
