"""How far a form can be trusted, in words: what its signals say to an administrator."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from flask_babel import gettext as _

from marketplace.core.policy import Policy
from marketplace.leads.rules import Signals
from marketplace.leads.trust import doubtful, score
from marketplace.web.pages.words import span


@dataclass(frozen=True)
class Fact:
    """What one signal says, and whether that is a reason to doubt."""

    words: str
    is_doubt: bool


def signals_in_words(stored: Mapping[str, Any]) -> list[Fact]:
    """Return what is known of a form, doubts first; nothing of a form without signals."""
    if not stored:
        return []
    signals = Signals(**stored)
    against = doubtful(signals)
    said = {
        "honeypot_filled": _("A field that people do not see was filled in")
        if signals.honeypot_filled
        else "",
        "free_mail" if "free_mail" in against else "disposable_mail": _email(signals),
        "registration_number_valid": {
            None: _("No registration number that could be checked"),
            True: _("The registration number has the right check digits"),
            False: _("The registration number has wrong check digits"),
        }[signals.registration_number_valid],
        "domain_matches_website": {
            None: _("No website to compare the e-mail address with"),
            True: _("The e-mail address is of the website's domain"),
            False: _("The e-mail address is not of the website's domain"),
        }[signals.domain_matches_website],
        "phone_possible": {
            None: _("No telephone number"),
            True: _("The telephone number can exist"),
            False: _("The telephone number cannot exist"),
        }[signals.phone_possible],
        "seconds_to_fill": _time(signals.seconds_to_fill),
        "completeness": _(
            "%(share)s %% of the optional fields filled in", share=round(100 * signals.completeness)
        ),
        **_odd(signals, against),
    }
    facts = [Fact(words, name in against) for name, words in said.items() if words]
    return sorted(facts, key=lambda fact: not fact.is_doubt)


def score_in_words(stored: Mapping[str, Any], policy: Policy) -> str:
    """Return how much speaks against a form, and what follows from which sum."""
    if not stored:
        return ""
    against = score(Signals(**stored), policy.doubt_points)
    return str(
        _(
            "%(score)s points speak against it. From %(held)s on a person looks first; from "
            "%(silent)s on nobody is mailed about it, and it waits on the desk alone.",
            score=against,
            held=policy.held_from,
            silent=policy.silent_from,
        )
    )


def _odd(signals: Signals, against: Sequence[str]) -> dict[str, str]:
    """Return what is odd about a form, which most are not."""
    said = {
        "link_in_name": _("There is a link where a name should be"),
        "markup_in_notes": _("The notes hold the markup of a page"),
        "same_text": _(
            "%(n)s forms of others had the same notes, or nearly, within a week",
            n=signals.same_text,
        ),
        "links_in_notes": _("The notes hold %(n)s links", n=signals.links_in_notes),
        "gibberish": _("A name looks typed at random"),
        "from_network": _(
            "%(n)s other forms came from the same network within the hour", n=signals.from_network
        ),
        "unconfirmed": _(
            "%(n)s forms for the same mailbox were sent within a day and never confirmed",
            n=signals.unconfirmed,
        ),
        "odd_headcount": _("The headcount does not go with the sites, or is a large city's"),
        "link_in_notes": _("The notes hold a link"),
        "phone_elsewhere": _("The telephone number is of another country"),
        "shouting": _("The contact's name is all in capitals"),
    }
    return {name: words for name, words in said.items() if name in against}


def _email(signals: Signals) -> str:
    words: str = {
        (True, True): _("E-mail confirmed, at a free service"),
        (True, False): _("E-mail confirmed, at a domain of its own"),
        (False, True): _("E-mail not confirmed, at a free service"),
        (False, False): _("E-mail not confirmed, at a domain of its own"),
    }[signals.email_confirmed, signals.free_mail]
    return _("The e-mail address is a throw-away one") if signals.disposable_mail else words


def _time(seconds: float | None) -> str:
    if seconds is None or seconds < 0:
        return str(_("How long the form took is not known"))
    return str(_("The form took %(time)s", time=span(timedelta(seconds=seconds))))
