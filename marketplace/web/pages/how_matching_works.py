"""What decides who is invited, said to everybody, with the numbers that are in force.

The disclosure of automated decisions: GDPR, Articles 13(2)(f), 14(2)(g) and 22, and Australian
Privacy Principles 1.7 to 1.9, in force from 10 December 2026 (Privacy and Other Legislation
Amendment Act 2024 (Cth), schedule 1, part 15): which personal information a program uses, what it
decides alone, and where it does something substantial for a decision of a person.
"""

from collections.abc import Mapping
from typing import Any

from flask_babel import gettext as _

from marketplace.core.policy import Policy
from marketplace.core.texts import N_
from marketplace.matching.bands import Lack
from marketplace.matching.eligibility import Filter
from marketplace.matching.rules import RULE_VERSION
from marketplace.web.pages.words import span

HARD: Mapping[Filter, str] = {
    Filter.KIND: N_("It is of the kind that the request calls for."),
    Filter.EDITION: N_("The edition of the standard can still be asked for."),
    Filter.STATE: N_("We have verified it, and have not suspended it."),
    Filter.STANDARDS: N_("It offers every standard that is asked for."),
    Filter.REGIONS: N_(
        "It covers every region, or works remotely where the request allows for that."
    ),
    Filter.HEADCOUNT: N_("It takes businesses of that size."),
    Filter.CAPACITY: N_(
        "It has room: fewer open invitations, and fewer in this month, than it takes."
    ),
    Filter.PAUSE: N_("It is not on leave, and not paused for invitations that it let lapse."),
    Filter.ACCREDITATION: N_(
        "A certification body holds a verified and current accreditation, by a recognised body, "
        "for every standard, in the edition that is wanted."
    ),
    Filter.INVITED: N_("It was not invited to the same request before."),
    Filter.IMPARTIALITY: N_(
        "It is impartial: not related to another that is invited, and not the consultant, or "
        "related to one, that advised the business in the last %(years)s years."
    ),
}
"""What has to be so of whoever is invited, by what it can fail by. None of it is ever relaxed."""

FIT: Mapping[Lack, str] = {
    Lack.SECTOR: N_("It is known to cover the sector."),
    Lack.EDITION: N_("Its accreditation says for which edition it is."),
    Lack.PRESENCE: N_("It is present in the region, and not only remotely."),
    Lack.INTEGRATION: N_("One body stands behind all its accreditations for these standards."),
    Lack.TIMEFRAME: N_("It can start as soon as is asked for."),
    Lack.LANGUAGE: N_("It works in the language that is asked for."),
}
"""What makes one fit better than another, by what it can lack."""


def disclosure(policy: Policy) -> dict[str, Any]:
    """Return all that decides who is invited, in words and with the numbers of a policy."""
    return {
        "rule_version": RULE_VERSION,
        "places": policy.places,
        "most_invitations": policy.max_invitations,
        "hard_rules": [
            {"code": code, "says": _(says, years=policy.impartiality_years)}
            for code, says in HARD.items()
        ],
        "fit": [
            {"code": code, "says": _(says), "points": policy.band_points.get(code, 1)}
            for code, says in FIT.items()
        ],
        "fair_turn": {
            "among_at_most": policy.bench_size,
            "least_share": policy.weight_bounds[0],
            "largest_share": policy.weight_bounds[1],
            "refunds_a_month": policy.decline_refunds_per_month,
            "refund_within": span(policy.decline_refund_within),
        },
        "misses_before_pause": policy.misses_before_pause,
        "misses_within_days": policy.misses_window.days,
        "review": policy.lead_review,
    }
