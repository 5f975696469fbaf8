"""Whatever is installed is pinned by its content, all of it, and comes from wherever one says."""

import re
import subprocess
import sys
import tomllib
from hashlib import sha256
from zipfile import ZipFile

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


NOUGHT = {
    "nought/__init__.py": "",
    "nought-1.dist-info/METADATA": "Metadata-Version: 2.1\nName: nought\nVersion: 1\n",
    "nought-1.dist-info/WHEEL": "Wheel-Version: 1.0\nTag: py3-none-any\nRoot-Is-Purelib: true\n",
    "nought-1.dist-info/RECORD": "",
}


@pytest.mark.parametrize("what", ["the file", "the lock", "nothing"])
def test_a_file_or_a_hash_that_was_changed_is_not_installed(tmp_path, what):
    """By the very options of `.ci/set-up`, from a folder in place of an index."""
    wheel = tmp_path / "nought-1-py3-none-any.whl"
    with ZipFile(wheel, "w") as packed:
        for name, text in NOUGHT.items():
            packed.writestr(name, text)
    digest = sha256(wheel.read_bytes()).hexdigest()
    if what == "the file":
        with ZipFile(wheel, "a") as packed:
            packed.writestr("nought/more.py", "")
    if what == "the lock":
        digest = digest[:-1] + ("0" if digest[-1] != "0" else "1")
    lock = tmp_path / "lock"
    lock.write_text(f"nought==1 \\\n    --hash=sha256:{digest}\n")
    (options,) = re.findall(
        r"-m pip install (--require-hashes --requirement) requirements\.lock",
        (ROOT / ".ci" / "set-up").read_text(),
    )
    done = subprocess.run(
        [
            *(sys.executable, "-m", "pip", "install", *options.split(), str(lock)),
            *("--no-index", "--find-links", str(tmp_path), "--target", str(tmp_path / "there")),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode == 0) is (what == "nothing"), done.stderr
    assert ("DO NOT MATCH THE HASHES" in done.stderr) is (what != "nothing")
    assert (tmp_path / "there" / "nought").exists() is (what == "nothing")


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
