"""Whatever is installed is pinned by its content, all of it, and comes from wherever one says."""

import re
import tomllib

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.supply.licences import is_allowed, read_licences
from tests.supply.lock import LOCK, ROOT, read_lock

PINS = read_lock(LOCK.read_text())
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
WANTED = [
    Requirement(each)
    for each in (*PROJECT["dependencies"], *PROJECT["optional-dependencies"]["dev"])
]


def test_every_pin_has_a_version_and_hashes_and_no_address():
    assert len(PINS) > 100
    assert all(pin.hashes for pin in PINS)  # `read_lock` refuses what has none
    assert not re.search(r"://|--(extra-)?index|--find-links|\bfile:", LOCK.read_text())


@pytest.mark.parametrize(
    "entry",
    [
        "alpha==1.0",
        "alpha>=1.0 \\\n    --hash=sha256:" + "0" * 64,
        "alpha==1.* \\\n    --hash=md5:" + "0" * 32,
        "alpha @ https://a.example/alpha.whl \\\n    --hash=sha256:" + "0" * 64,
        "--index-url https://a.example",
        "-e .",
    ],
)
def test_what_is_not_pinned_by_its_content_is_refused(entry):
    with pytest.raises(ValueError, match=r".+"):
        read_lock(entry)


def test_what_the_project_needs_is_locked_in_a_version_that_it_takes():
    assert len(WANTED) > 40
    for wanted in WANTED:
        found = [pin for pin in PINS if pin.name == canonicalize_name(wanted.name)]
        assert found, wanted
        assert all(wanted.specifier.contains(pin.version) for pin in found), wanted
        assert any("marketplace" in pin.needed_by for pin in found), wanted


def test_nothing_is_locked_that_nothing_needs():
    names = {pin.name for pin in PINS} | {"marketplace"}
    assert all(pin.needed_by and set(pin.needed_by) <= names for pin in PINS)


def test_set_up_installs_nothing_that_the_lock_does_not_name():
    steps = re.findall(r"-m pip install (.*)", (ROOT / ".ci" / "set-up").read_text())
    assert steps
    for step in steps:
        assert "--require-hashes --requirement requirements.lock" in step or "--no-index" in step


def test_every_locked_package_has_a_licence_that_is_allowed():
    licences = read_licences()
    told = {pin.name: licences.of(pin.name) for pin in PINS}
    untold = [name for name, licence in told.items() if licence is None]
    assert not untold, "say it in licences.toml, with where it is stated"
    refused = {name: each for name, each in told.items() if not is_allowed(each, licences.allowed)}
    assert not refused


def test_no_licence_is_stated_for_what_is_not_locked():
    assert set(read_licences().stated) <= {pin.name for pin in PINS}


@pytest.mark.parametrize(
    ("expression", "may_be_used"),
    [
        ("MIT", True),
        ("MIT AND PSF-2.0", True),
        ("MIT AND GPL-3.0-only", False),
        ("GPL-3.0-only OR MIT", True),
        ("AGPL-3.0-or-later", False),
        ("LGPL-3.0-only WITH Classpath-exception-2.0", False),
        ("Proprietary", False),
        ("MIT AND (GPL-2.0-only OR ISC)", True),
    ],
)
def test_a_licence_is_allowed_as_a_whole(expression, may_be_used):
    assert is_allowed(expression, read_licences().allowed) == may_be_used
