"""How far a form can be trusted, in words: what its signals say to an administrator."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from flask_babel import gettext as _

from marketplace.leads.rules import FASTEST_HUMAN_SECONDS
from marketplace.web.pages.words import span


@dataclass(frozen=True)
class Told:
    """One signal, and whether it is a reason to doubt."""

    words: str
    is_doubt: bool = False


def signals_in_words(signals: Mapping[str, Any]) -> list[Told]:
    """Return what is known of a form, doubts first; nothing of a form without signals."""
    if not signals:
        return []
    found = [
        _email(signals),
        _number(signals["registration_number_valid"]),
        _domain(signals["domain_matches_website"]),
        _telephone(signals["phone_possible"]),
        _time(signals["seconds_to_fill"]),
        Told(_("A field that people do not see was filled in"), True)
        if signals["honeypot_filled"]
        else None,
        Told(
            _(
                "%(share)s %% of the optional fields filled in",
                share=round(100 * signals["completeness"]),
            ),
            signals["completeness"] < 0.1,
        ),
    ]
    return sorted(filter(None, found), key=lambda told: not told.is_doubt)


def _email(signals: Mapping[str, Any]) -> Told:
    if signals["disposable_mail"]:
        return Told(_("The e-mail address is a throw-away one"), True)
    confirmed = signals["email_confirmed"]
    if signals["free_mail"]:
        words = (
            _("E-mail confirmed, at a free service")
            if confirmed
            else _("E-mail not confirmed, at a free service")
        )
        return Told(words, True)
    if confirmed:
        return Told(_("E-mail confirmed, at a domain of its own"))
    return Told(_("E-mail not confirmed, at a domain of its own"))


def _number(is_valid: bool | None) -> Told:
    if is_valid is None:
        return Told(_("No registration number that could be checked"))
    if is_valid:
        return Told(_("The registration number has the right check digits"))
    return Told(_("The registration number has wrong check digits"), True)


def _domain(matches: bool | None) -> Told:
    if matches is None:
        return Told(_("No website to compare the e-mail address with"))
    if matches:
        return Told(_("The e-mail address is of the website's domain"))
    return Told(_("The e-mail address is not of the website's domain"), True)


def _telephone(is_possible: bool | None) -> Told:
    if is_possible is None:
        return Told(_("No telephone number"))
    if is_possible:
        return Told(_("The telephone number can exist"))
    return Told(_("The telephone number cannot exist"), True)


def _time(seconds: float | None) -> Told:
    if seconds is None or seconds < 0:
        return Told(_("How long the form took is not known"))
    took = span(timedelta(seconds=seconds))
    return Told(_("The form took %(time)s", time=took), seconds < FASTEST_HUMAN_SECONDS)
