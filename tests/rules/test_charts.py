"""Charts of counts: marks at whole numbers, few of them, up to the largest."""

from xml.etree import ElementTree

import pytest

from marketplace.core import charts


@pytest.mark.parametrize(
    ("largest", "marks"),
    [
        (0, [0, 1]),
        (1, [0, 1]),
        (0.3, [0, 1]),
        (2.4, [0, 1, 2, 3]),
        (5, [0, 1, 2, 3, 4, 5]),
        (6, [0, 2, 4, 6]),
        (11, [0, 5, 10, 15]),
        (26, [0, 10, 20, 30]),
        (10_001, [0, 5_000, 10_000, 15_000]),
    ],
)
def test_an_axis_of_counts_has_few_marks_at_round_numbers(largest, marks):
    assert charts.whole_steps(largest) == marks


@pytest.mark.parametrize("values", [[None, None], [1, None], [0.4, 1], [3, 17]])
def test_a_chart_shows_whole_numbers_at_its_axis(values):
    drawing = charts.bars(["one", "other"], {"Had": values, "Owed": [1, 0]}, title="Turns")
    drawn = ElementTree.fromstring(charts.svg(drawing, name="turns", description="-"))
    (axis,) = [each for each in drawn.iter() if each.get("class", "").startswith("axis y")]
    marks = [each.text for each in axis.iter() if each.text and each.text.strip()]
    assert len(marks) > 1
    assert all(mark.isdigit() for mark in marks)
