"""Which Python the set-up takes of those that are on PATH; they are stood in for by scripts."""

import os
import subprocess
from pathlib import Path

import pytest

CHOOSE = Path(__file__).parents[2] / ".ci" / "choose-python"

PYTHON = """#!/bin/sh
case "$2" in
*version_info*) exit {is_old} ;;
*ensurepip*) exit {lacks_venv} ;;
*) echo {takes} ;;
esac
"""


@pytest.fixture
def choose(tmp_path):
    def choose(*pythons):
        """Choose of `(folder, name, takes, ...)`; the folders are on PATH in this order."""
        path = []
        for folder, name, takes, *trouble in pythons:
            place = tmp_path / folder
            place.mkdir(exist_ok=True)
            script = place / name
            script.write_text(
                PYTHON.format(
                    is_old=int("old" in trouble), lacks_venv=int("no venv" in trouble), takes=takes
                )
            )
            script.chmod(0o755)
            path.append(str(place))
        found = subprocess.run(
            ["/bin/bash", CHOOSE],
            env={"PATH": os.pathsep.join(path)},
            capture_output=True,
            text=True,
            check=False,
        )
        if found.returncode:
            return found.stderr
        return found.stdout.strip().removeprefix(f"{tmp_path}/")

    return choose


@pytest.mark.parametrize(
    ("pythons", "chosen"),
    [
        ([("a", "python3.11", 100), ("b", "python3.11", 70)], "b/python3.11"),
        ([("a", "python3.11", 100), ("b", "python3.12", 70)], "b/python3.12"),
        ([("a", "python3.11", 100), ("b", "python3.11", 95)], "a/python3.11"),
        ([("a", "python3.11", 100), ("b", "python3.13", 50)], "a/python3.11"),
        ([("a", "python3.11", 100, "no venv"), ("b", "python3.13", 50)], "b/python3.13"),
        ([("a", "python3", 50, "old"), ("b", "python3", 100)], "b/python3"),
    ],
    ids=["the quickest", "of either version", "of equals the first", "of those that have wheels",
         "that can make a .venv", "that is new enough"],
)  # fmt: skip
def test_it_takes(choose, pythons, chosen):
    assert choose(*pythons) == chosen


def test_what_is_missing_is_named(choose):
    assert "apt install python3-venv" in choose(("a", "python3.11", 1, "no venv"))
    assert "there is none on PATH" in choose(("b", "python3", 1, "old"))
