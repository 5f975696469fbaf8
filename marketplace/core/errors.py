"""Refusals: what a use case says when it will not do what was asked.

Each is a sentence for the person who asked; the doors turn the class into a status or an exit code.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from math import ceil


class MarketplaceError(Exception):
    """Something was refused, and the message says what and why."""


class NotFound(MarketplaceError):
    """It does not exist, or it is not yours: nobody may learn which."""


class Conflict(MarketplaceError):
    """The thing has moved on: what was asked is no longer, or not yet, possible."""


class Gone(MarketplaceError):
    """A link that was used or has lapsed."""


class NotSignedIn(MarketplaceError):
    """No credential, or one that is not (or no longer) good."""


class NotAllowed(MarketplaceError):
    """The right person in the wrong role."""


class ProofNeeded(NotAllowed):
    """It is long ago that who asks has proved to be who they are, and this takes a fresh proof."""


class TooManyAttempts(MarketplaceError):
    """It was tried in vain too often: the next try has to wait."""

    def __init__(self, wait: timedelta) -> None:
        self.seconds = max(1, ceil(wait.total_seconds()))
        super().__init__(
            "this was tried too often and was not right: please wait before you try again"
        )


class Unavailable(MarketplaceError):
    """Something that is needed is away for a moment; asking again later will do."""


@dataclass(frozen=True)
class FieldError:
    """One wrong field: a JSON pointer (RFC 6901) into what was sent, and what is wrong there."""

    pointer: str
    detail: str


class Invalid(MarketplaceError):
    """What was sent cannot be accepted; every wrong field is named."""

    def __init__(self, errors: Iterable[FieldError]) -> None:
        self.errors = list(errors)
        super().__init__("; ".join(f"{e.pointer}: {e.detail}" for e in self.errors))
