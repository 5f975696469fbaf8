"""What the README says to type is there: files, commands, and every step of the three ways."""

import re

import pytest

from tests.deploy.files import DEPLOY, ROOT, is_a_command, run
from tests.deploy.newcomer import blocks

README = (DEPLOY / "README.md").read_text()

TYPED = "\n".join(re.findall(r"^ *```(?:sh)?\n(.*?)^ *```", README, flags=re.M | re.S))


def test_what_is_typed_is_a_command():
    said = re.findall(r"(?:^ *|&& |-- |web )(?:marketplace )(?=[a-z-]+ ?)([^&\n]+)", TYPED, re.M)
    commands = [re.sub(r"\"[^\"]*\"", "name", each).split() for each in said]
    assert len(commands) >= 6
    for words in commands:
        assert is_a_command(words), words


def test_every_file_that_is_named_is_there():
    named = re.findall(
        r"(?<![\w/.])((?:config/deploy|systemd|nginx|postgres|kubernetes|compose)/[\w./-]*)", README
    )
    assert len(named) > 10
    for each in {name.rstrip(".") for name in named}:
        where = ROOT if each.startswith("config/") else DEPLOY
        assert (where / each.removesuffix("marketplace*")).exists(), each


@pytest.mark.parametrize("block", blocks())
def test_a_block_is_a_script(block):
    """As a shell reads it, without doing any of it."""
    assert run("bash", "-n", "-c", block).stderr == ""


def test_the_way_by_hand_brings_all_of_it():
    typed = "\n".join(blocks())
    for each in ("make-secrets", "postgres/roles.sql", "nginx -t", "marketplace doctor"):
        assert each in typed
    copied = [DEPLOY.glob(each) for each in re.findall(r"(?<= )systemd/\S+", typed)]
    there = {path for found in copied for path in found}
    assert there == {*(DEPLOY / "systemd").iterdir()}
