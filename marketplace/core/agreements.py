"""What people agree to here, in which words: every version of them stays, and is known by its hash.

The words of a version never change: other words are another version, beside it. Long ones are
pages, one file for each version (`web/templates/terms/`), in which a few numbers of the policy are
filled in; a consent keeps those too (`numbers`), so that what somebody read can be shown again.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from enum import StrEnum
from typing import Any

from marketplace.core.calendars import CalendarKind
from marketplace.core.policy import Policy
from marketplace.core.texts import N_


class Agreed(StrEnum):
    """What somebody can agree to."""

    SHARING = "share_with_matched_providers"
    """A business, with its form."""
    REMINDERS = "reminders"
    """A business, of a certificate's dates."""
    REVIEW_SHOWN = "review_shown"
    """A business, with a review: it is shown to others."""
    PROVIDER_TERMS = "provider_terms"
    """Whoever applies for a provider, and whoever joins its team."""


@dataclass(frozen=True)
class Wording:
    """What was said where somebody agreed."""

    sentence: str
    """Beside the box that is ticked, or the button that is pressed."""
    page: str | None
    """The file of the terms that it leads to."""
    digest: str
    """SHA-256 of both, in hexadecimal (`tests/rules/test_agreements.py` says how)."""


_SHARING = N_(
    "Share my request with up to three matched providers, and my contact details with those of "
    "them that accept"
)
_REMINDERS = N_("Yes, write to me before these dates, about them and about asking for quotes")
_REVIEW = N_(
    "Once per provider. Your rating and comment are shown to other businesses, and to the "
    "provider, which can reply. Of you they see your sector, your region and the month. Leave out "
    "names, also of other providers, addresses and numbers: then it shows at once."
)
_PROVIDER = N_("Whoever sends this agrees to the terms for providers.")

WORDINGS: Mapping[tuple[Agreed, str], Wording] = {
    (Agreed.SHARING, "2026-11"): Wording(
        _SHARING,
        "terms/2026-11.html",
        "c0436287ebe8b588fb04b3b255a0cd765e4a9cfd60a1e52630f1dac4c190956e",
    ),
    (Agreed.REMINDERS, "2026-11"): Wording(
        _REMINDERS,
        None,
        "cd6b89095099391baad327400fafc55ece1f6afd334355b5a1c2598f4a9fd1eb",
    ),
    (Agreed.REVIEW_SHOWN, "2026-11"): Wording(
        _REVIEW,
        "terms/2026-11.html",
        "2844e8d5fff71ae37c430e71c0475b8dfc68d50b6fe0f18f78175257fc3ddd13",
    ),
    (Agreed.PROVIDER_TERMS, "2026-11"): Wording(
        _PROVIDER,
        "terms/providers-2026-11.html",
        "9d533b5884e0412e8e7b84bb312fa496ac734e675d272dfbe34badd2372d4e24",
    ),
    (Agreed.SHARING, "2026-12"): Wording(
        _SHARING,
        "terms/2026-12.html",
        "426f0114cbc16841170aa741fbe096ba49569b3c05f2a775346fba875f8b2283",
    ),
    (Agreed.REVIEW_SHOWN, "2026-12"): Wording(
        _REVIEW,
        "terms/2026-12.html",
        "e3210da5d57f8db901eb0ed0ea3f44aba9a8233514337007a0f078540c7d12e8",
    ),
    (Agreed.PROVIDER_TERMS, "2026-12"): Wording(
        _PROVIDER,
        "terms/providers-2026-12.html",
        "77400d7cb8716925df215e31ad30f35f390dc4607ec6545b3aca49574c32a6e1",
    ),
}
"""Every version that anybody was ever shown."""


def current_version(agreed: Agreed, policy: Policy) -> str:
    """Return the version that is shown today."""
    return {
        Agreed.REMINDERS: policy.reminders_wording,
        Agreed.PROVIDER_TERMS: policy.provider_terms_version,
    }.get(agreed, policy.terms_version)


def current(agreed: Agreed, policy: Policy) -> Wording:
    """Return the words that are shown today."""
    return WORDINGS[agreed, current_version(agreed, policy)]


def versions(agreed: Agreed) -> list[str]:
    """Return the versions of something that there were, the latest first."""
    return sorted((version for what, version in WORDINGS if what is agreed), reverse=True)


def numbers_in(policy: Policy) -> dict[str, Any]:
    """Return the numbers that the pages of terms fill in, to be kept with a consent."""
    return {
        "places": policy.places,
        "max_invitations": policy.max_invitations,
        "response_window_seconds": int(policy.response_window.total_seconds()),
        "calendar": policy.calendar.value,
        "lead_review": policy.lead_review,
        "lead_lifetime_days": policy.lead_lifetime.days,
        "contact_seen_after_loss_days": policy.contact_seen_after_loss.days,
    }


def as_agreed(policy: Policy, numbers: Mapping[str, Any]) -> Policy:
    """Return the policy with the numbers that somebody read; those of today where none are kept."""
    if not numbers:
        return policy
    # What an earlier version did not fill in was not kept with it, and is not shown by it.
    seen = numbers.get("contact_seen_after_loss_days", policy.contact_seen_after_loss.days)
    return replace(
        policy,
        places=numbers["places"],
        max_invitations=numbers["max_invitations"],
        response_window=timedelta(seconds=numbers["response_window_seconds"]),
        calendar=CalendarKind(numbers["calendar"]),
        lead_review=numbers["lead_review"],
        lead_lifetime=timedelta(days=numbers["lead_lifetime_days"]),
        contact_seen_after_loss=timedelta(days=seen),
    )
