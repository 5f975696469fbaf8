"""Whether a provider looks at briefs in order to answer them, or to gather them.

What a business wrote is shown to a provider in order to be answered. One that looks and never
answers is told to administrators; one that holds many that it has looked at and said neither yes
nor no to answers one of them before it looks at the next. A no is an answer there, and never a
miss: so nobody is kept from an invitation that they might take.
"""

from dataclasses import dataclass
from enum import StrEnum


@dataclass(frozen=True)
class Looks:
    """What a provider has looked at."""

    undecided: int
    """Live ones that it has looked at and neither accepted nor declined."""
    looked_at: int
    """Different ones within the window ..."""
    answered: int
    """... and to how many of these it said yes, or asked or quoted."""


class Verdict(StrEnum):
    """What that means for looking at another one."""

    FINE = "fine"
    TELL = "tell"
    """Administrators are told; nothing is held back."""
    ANSWER_FIRST = "answer_first"
    """One of those that are undecided is answered first."""


def verdict(
    looks: Looks, *, undecided_at_most: int, looks_from: int, answered_share: float
) -> Verdict:
    """Return what holds for the next look. `looks` are those before it.

    Few looks tell nothing. From `looks_from` on, fewer answers than this share are told.
    """
    if looks.undecided >= undecided_at_most:
        return Verdict.ANSWER_FIRST
    is_many = looks.looked_at >= looks_from
    if is_many and looks.answered < looks.looked_at * answered_share:
        return Verdict.TELL
    return Verdict.FINE
