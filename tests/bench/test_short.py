"""The load plan at its smallest: every request of it is answered, and the figures are printed.

How large they are is for `make bench` to say, on a quiet machine: here nothing is timed.
"""

import re
import subprocess
import sys

import pytest

from tests.fleet import ROOT

FORMS = ["forms", "--users", "2", "--rounds", "1", "--seconds", "0.5"]
ROAD = ["road", "--users", "2", "--walks", "3"]

STEPS = ("form", "confirmation", "match, to the third mail", "open")


@pytest.mark.parametrize(
    ("only", "figures"),
    [
        (FORMS, [r"bare +│ +\d+ ", r"product +│ +\d+ ", r"To the floor: \d\.\d\d "]),
        (ROAD, [*(rf"{step} +│ +\d+ │" for step in STEPS), r"mail handed over: \d+ ms in"]),
    ],
    ids=["forms", "road"],
)
def test_the_load_plan_prints_its_figures(only, figures):
    bench = [sys.executable, "-m", "tests.bench", "--only", *only]
    ran = subprocess.run(bench, cwd=ROOT, capture_output=True, text=True, timeout=300)
    assert ran.returncode == 0, ran.stderr[-2000:]
    for figure in figures:
        assert re.search(figure, ran.stdout), ran.stdout
