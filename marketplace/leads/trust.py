"""How far a form can be trusted: a score from facts, and why a person should look, in words.

Each doubt has points (`Policy.doubt_points`); from `held_from` on a form waits for an administrator
when it is confirmed. Nothing is dropped, and the sender is answered alike whatever the score.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from marketplace.leads.folding import folded
from marketplace.leads.rules import Signals

FASTEST_HUMAN_SECONDS = 3.0
FEWEST_FILLED = 0.1
HEADCOUNT_AT_MOST_LIKELY = 500_000
FORMS_OF_AN_OFFICE = 5
"""So many forms from one network within an hour an office sends, or a site that many sit behind."""
TRIES = 2
"""So many forms to one mailbox that nobody confirmed are somebody trying again."""

DOUBTS = {
    "honeypot_filled": "a field that people do not see was filled in",
    "seconds_to_fill": "the form was filled in faster than a person can",
    "link_in_name": "there is a link where a name should be",
    "markup_in_notes": "the notes hold the markup of a page",
    "disposable_mail": "the e-mail address is a throw-away one",
    "phone_possible": "the telephone number cannot exist",
    "same_text": "other businesses sent the same notes, or nearly, within a week",
    "links_in_notes": "the notes hold several links",
    "gibberish": "a name looks typed at random",
    "from_network": "many forms came from the same network within the hour",
    "unconfirmed": "forms for the same mailbox were sent before, and none was confirmed",
    "free_mail": "a free e-mail address and no registration number",
    "domain_matches_website": "the e-mail address is not of the website's domain",
    "completeness": "hardly any of the optional fields is filled in",
    "odd_headcount": "the headcount does not go with the sites, or is that of a large city",
    "link_in_notes": "the notes hold a link",
    "phone_elsewhere": "the telephone number is of another country than the business",
    "shouting": "the contact's name is all in capitals",
}
"""What each doubt says, the gravest first."""


def doubtful(signals: Signals) -> list[str]:
    """Return the names of the doubts that a form raises, the gravest first."""
    seconds = signals.seconds_to_fill
    found = {
        "honeypot_filled": signals.honeypot_filled,
        "seconds_to_fill": seconds is not None and 0 <= seconds < FASTEST_HUMAN_SECONDS,
        "link_in_name": signals.link_in_name,
        "markup_in_notes": signals.markup_in_notes,
        "disposable_mail": signals.disposable_mail,
        "phone_possible": signals.phone_possible is False,
        "same_text": signals.same_text > 0,
        "links_in_notes": signals.links_in_notes > 1,
        "gibberish": signals.gibberish,
        "from_network": signals.from_network >= FORMS_OF_AN_OFFICE,
        "unconfirmed": signals.unconfirmed >= TRIES,
        "free_mail": signals.free_mail and signals.registration_number_valid is None,
        "domain_matches_website": signals.domain_matches_website is False,
        "completeness": signals.completeness < FEWEST_FILLED,
        "odd_headcount": signals.odd_headcount,
        "link_in_notes": signals.links_in_notes == 1,
        "phone_elsewhere": signals.phone_elsewhere,
        "shouting": signals.shouting,
    }
    return [name for name in DOUBTS if found[name]]


def score(signals: Signals, points: Mapping[str, int]) -> int:
    """Return how much speaks against a form."""
    return sum(points[name] for name in doubtful(signals))


def review_reasons(signals: Signals, *, points: Mapping[str, int], held_from: int) -> list[str]:
    """Return why a person should look before the lead opens, in words; empty if nobody need.

    That an adviser may be a provider here is a reason by itself, whatever the score.
    """
    reasons = [doubt(name, like) for name, like in signals.consultants_in_doubt.items()]
    if score(signals, points) >= held_from:
        reasons += [DOUBTS[name] for name in doubtful(signals)]
    return reasons


def doubt(name: str, like: Sequence[str]) -> str:
    """Return in words that a consultant may be one of the providers called like this."""
    return f"a consultant that is named, {name}, may be {' or '.join(like)}, a provider here"


_LINK = re.compile(r"https?://|www\.", re.IGNORECASE)
_LINK_IN_NAME = re.compile(r"://|www\.|\.[a-z]{2,6}/|@", re.IGNORECASE)
_MARKUP = re.compile(r"</?[a-z]+[^<>]*>|\[/?(?:url|link|b|img)\b|]\(https?:", re.IGNORECASE)
_WORD = re.compile(r"[^\W\d_]+")
_NO_VOWEL = re.compile(r"[bcdfghjklmnpqrstvwxz]{7,}")


@dataclass(frozen=True)
class Oddities:
    """What the words of a form show by themselves."""

    links_in_notes: int
    markup_in_notes: bool
    link_in_name: bool
    gibberish: bool
    shouting: bool
    odd_headcount: bool


def oddities(
    *, company: str, contact: str, notes: str | None, headcount: int, sites: int
) -> Oddities:
    """Return what is odd about the words and figures of a form, in any language."""
    names = (company, contact)
    return Oddities(
        links_in_notes=len(_LINK.findall(notes or "")),
        markup_in_notes=bool(_MARKUP.search(notes or "")),
        link_in_name=any(_LINK_IN_NAME.search(each) for each in names),
        gibberish=any(_is_gibberish(each) for each in names),
        shouting=contact.isupper() and len(contact) >= 6,
        odd_headcount=headcount < sites or headcount >= HEADCOUNT_AT_MOST_LIKELY,
    )


def _is_gibberish(name: str) -> bool:
    """Return whether a word has a row of consonants that no language writes; capitals may."""
    return any(
        not word.isupper() and _NO_VOWEL.search(folded(word)) for word in _WORD.findall(name)
    )


FINGERPRINT_AT_MOST = 600
FINGERPRINT_AT_LEAST = 40
"""Letters: shorter notes are alike without having been copied (`For a tender.`)."""


def fingerprint(notes: str | None) -> str | None:
    """Return what notes are compared by: letters and digits in a row; None where they are short."""
    words = " ".join(re.findall(r"\w+", folded((notes or "")[: 4 * FINGERPRINT_AT_MOST])))
    return words[:FINGERPRINT_AT_MOST] if len(words) >= FINGERPRINT_AT_LEAST else None
