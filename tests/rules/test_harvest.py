"""When a provider that looks at briefs has to answer first, and when administrators are told."""

import pytest

from marketplace.core.policy import Policy
from marketplace.invitations.harvest import Looks, Verdict, verdict

POLICY = Policy()


@pytest.mark.parametrize(
    ("undecided", "looked_at", "answered", "expected"),
    [
        (0, 0, 0, Verdict.FINE),
        (1, 1, 0, Verdict.FINE),
        # A busy one that takes its time over a dozen at once.
        (14, 30, 16, Verdict.FINE),
        # One that declines most, and quotes for what suits.
        (2, 40, 4, Verdict.FINE),
        (0, 19, 0, Verdict.FINE),
        (0, 20, 2, Verdict.FINE),
        (0, 20, 1, Verdict.TELL),
        (0, 20, 0, Verdict.TELL),
        (14, 200, 19, Verdict.TELL),
        (15, 15, 0, Verdict.ANSWER_FIRST),
        (15, 400, 399, Verdict.ANSWER_FIRST),
        (40, 40, 0, Verdict.ANSWER_FIRST),
    ],
)
def test_a_verdict_on_looks(undecided, looked_at, answered, expected):
    found = verdict(
        Looks(undecided, looked_at, answered),
        undecided_at_most=POLICY.undecided_at_most,
        looks_from=POLICY.looks_from,
        answered_share=POLICY.looks_answered_share,
    )
    assert found is expected
