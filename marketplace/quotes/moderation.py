"""Which reviews and replies show, and which a person looks at first. Pure."""

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from enum import StrEnum
from urllib.parse import urlsplit

from marketplace.core.lifecycle import Lifecycle
from marketplace.leads.masking import Identity, names_any_of, says_how_to_reach


class ReviewState(StrEnum):
    """Of a review, and of the reply to one."""

    SHOWN = "shown"
    QUEUED = "queued"
    """A person looks first; until then nobody sees it, and it counts for nothing."""
    HIDDEN = "hidden"


class ReviewEvent(StrEnum):
    QUEUE = "queue"
    """It was written anew, and raises doubts."""
    SHOW = "show"
    """It is let through, let stand, or was written anew without doubts."""
    HIDE = "hide"


_S, _E = ReviewState, ReviewEvent

LIFECYCLE = Lifecycle(
    "review",
    {
        (_S.QUEUED, _E.SHOW): _S.SHOWN,
        (_S.QUEUED, _E.HIDE): _S.HIDDEN,
        (_S.QUEUED, _E.QUEUE): _S.QUEUED,
        (_S.SHOWN, _E.SHOW): _S.SHOWN,  # reported, and let stand
        (_S.SHOWN, _E.HIDE): _S.HIDDEN,
        (_S.SHOWN, _E.QUEUE): _S.QUEUED,
        (_S.HIDDEN, _E.SHOW): _S.SHOWN,
    },
)


class Part(StrEnum):
    """What is looked at: the review, or the reply to it."""

    REVIEW = "review"
    REPLY = "reply"


class Doubt(StrEnum):
    """Why a person looks before something shows."""

    OWN = "own"
    """Who wrote it may be the provider itself, or somebody related to it."""
    CONTACT = "contact"
    """It holds an address, a web site or a telephone number."""
    PERSON = "person"
    """It may name a person, or the business."""
    OTHER = "other"
    """It may name another provider that was invited (invariant 6)."""


_TITLE = re.compile(r"\b(?:mr|mrs|ms|miss|mx|dr|prof)\b\.?\s+[^\W\d_]", re.IGNORECASE)
"""How people are named by whom we do not know."""


def doubts_about(text: str | None, *, named: Iterable[Identity]) -> list[Doubt]:
    """Return why a person should read a text before it shows; a clean one raises none.

    `named`: the business and the people whom it may name. A text that is read once too often costs
    a day, one that names somebody costs them more: so it is read where a word only might be a name.
    """
    if text is None:
        return []
    found = [Doubt.CONTACT] if says_how_to_reach(text) else []
    if _TITLE.search(text) or names_any_of(text, named):
        found.append(Doubt.PERSON)
    return found


def names_another(text: str | None, others: Iterable[str]) -> bool:
    """Return whether a text may name another provider, of which its reader must not learn."""
    return text is not None and names_any_of(text, [Identity(each, "", "") for each in others])


@dataclass(frozen=True, repr=False)
class Party:
    """By what an organisation is known to be another one."""

    emails: Collection[str]
    website: str | None
    legal_entity: str | None


def is_own(business: Party, providers: Iterable[Party], *, is_free_mail: bool) -> bool:
    """Return whether a business may be one of these providers.

    By its registration number, by an address of theirs, by its web site, or by the domain of its
    address unless anybody can have one there (`is_free_mail`).
    """
    addresses = {each.lower() for each in business.emails}
    domains = set() if is_free_mail else {_domain(each) for each in addresses}
    domains |= _host(business.website)
    for each in providers:
        if business.legal_entity is not None and business.legal_entity == each.legal_entity:
            return True
        theirs = {address.lower() for address in each.emails}
        if addresses & theirs:
            return True
        hosts = {_domain(address) for address in theirs} | _host(each.website)
        if any(_is_one_domain(one, other) for one in domains for other in hosts):
            return True
    return False


def _domain(email: str) -> str:
    return email.rpartition("@")[2]


def _host(website: str | None) -> set[str]:
    host = (urlsplit(website or "").hostname or "").removeprefix("www.")
    return {host} if host else set()


def _is_one_domain(one: str, other: str) -> bool:
    return one == other or one.endswith(f".{other}") or other.endswith(f".{one}")


def mean(total: int, n: int, *, at_least: int) -> float | None:
    """Return the mean of `n` ratings that add up to `total`, or None where they are too few."""
    return round(total / n, 1) if n and n >= at_least else None
