"""What may be shown of figures over a few, so that nothing smaller can be found from it."""

from collections import Counter
from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from marketplace.insights.disclosure import Enough, disclosed

ENOUGH = Enough(quotes=5, providers=5, share_at_most=0.5)


def of(*quotes, first="a"):
    """Return a group in which providers, from `first` on, have so many quotes each."""
    return Counter({chr(ord(first) + place): n for place, n in enumerate(quotes)})


@pytest.mark.parametrize(
    ("quotes", "holds"),
    [
        (of(), False),
        (of(1, 1, 1, 1), False),  # four quotes
        (of(1, 1, 1, 1, 1), True),  # five of five
        (of(2, 1, 1, 1), False),  # five of four
        (of(20, 20, 20, 20), False),  # any number of four
        (of(4, 1, 1, 1, 1), True),  # half of them by one
        (of(5, 1, 1, 1, 1), False),  # more than half by one
        (of(5, 5, 1, 1, 1), True),
    ],
)
def test_a_group_is_shown_from_five_quotes_by_five_providers_up_none_with_most(quotes, holds):
    assert ENOUGH.holds(quotes) is holds


NSW, VIC, SMALL, LARGE = ("au", 1, "nsw"), ("au", 1, "vic"), ("au", 1), ("au", 2)


@pytest.mark.parametrize(
    ("held", "shown", "hidden"),
    [
        ({}, [], []),
        ({NSW: of(1, 1, 1, 1)}, [], [("au",)]),
        # All of it in one place: each larger group is the same one.
        ({NSW: of(*[1] * 5)}, [("au",), SMALL, NSW], []),
        # The four outside New South Wales would be found by subtraction.
        ({NSW: of(*[1] * 5), VIC: of(*[1] * 4, first="f")}, [("au",), SMALL], [NSW, VIC]),
        (
            {NSW: of(*[1] * 5), VIC: of(*[1] * 5, first="f")},
            [("au",), SMALL, NSW, VIC],
            [],
        ),
        # In no region, and too few: the same.
        ({NSW: of(*[1] * 5), SMALL: of(1)}, [("au",), SMALL], [NSW]),
        # The smallest of those that could be shown is not, to hide the one that cannot.
        (
            {NSW: of(*[1] * 6), VIC: of(*[1] * 5, first="h"), ("au", 1, "qld"): of(1, first="o")},
            [("au",), SMALL, NSW],
            [VIC, ("au", 1, "qld")],
        ),
        # What is left is the one provider's own.
        ({NSW: of(*[1] * 5), VIC: of(0, 0, 0, 0, 0, 5)}, [("au",), SMALL], [NSW, VIC]),
        # Too few of a size, so that nothing is said of where they are.
        (
            {(*LARGE, "nsw"): of(*[1] * 5), NSW: of(*[1] * 4, first="f")},
            [("au",)],
            [LARGE, SMALL],
        ),
        # Two countries have nothing to do with each other.
        ({("au",): of(*[1] * 5), ("nz",): of(1)}, [("au",)], [("nz",)]),
        # The whole is mostly one provider's, and what it is made of goes with it.
        ({NSW: of(1, 1, 1, 1, 1), VIC: of(20)}, [], [("au",)]),
    ],
)
def test_what_is_left_of_a_whole_is_nothing_or_enough_as_well(held, shown, hidden):
    held = {path: +quotes for path, quotes in held.items()}
    found = disclosed(held, ENOUGH)
    assert set(found.shown) == set(shown)
    assert set(found.hidden) == set(hidden)


paths = st.sampled_from(
    [("au",), *(("au", size) for size in (1, 2)), ("nz",)]
    + [("au", size, region) for size in (1, 2) for region in ("nsw", "vic", "qld")]
)
groups = st.dictionaries(
    paths, st.dictionaries(st.sampled_from("abcdefgh"), st.integers(1, 4), min_size=1), max_size=10
)


@given(groups)
def test_whatever_is_added_and_subtracted_leaves_nothing_or_enough(given_groups):
    held = {path: Counter(quotes) for path, quotes in given_groups.items()}
    shown = disclosed(held, ENOUGH).shown
    for path, quotes in shown.items():
        inside = [each for each in held if each[: len(path)] == path]
        assert quotes == sum((held[each] for each in inside), Counter())
        # All that are below it, and none below another of them: any of these may be taken off.
        below = [each for each in shown if len(each) > len(path) and each[: len(path)] == path]
        for number in range(len(below) + 1):
            for taken in combinations(below, number):
                if any(a != b and b[: len(a)] == a for a in taken for b in taken):
                    continue
                rest = quotes - sum((shown[each] for each in taken), Counter())
                assert not rest or ENOUGH.holds(rest), (path, taken)


@given(groups)
def test_of_every_group_it_is_told_or_nothing_is_said_of_what_is_below_it(given_groups):
    held = {path: Counter(quotes) for path, quotes in given_groups.items()}
    found = disclosed(held, ENOUGH)
    every = {path[:length] for path in held for length in range(1, len(path) + 1)}
    for path in every:
        is_said = path in found.shown or path in found.hidden
        assert is_said == (len(path) == 1 or path[:-1] in found.shown)
