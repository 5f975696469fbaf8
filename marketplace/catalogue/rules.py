"""What a standard, an edition, a region may mean, given what the catalogue says of it."""

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from marketplace.core.texts import N_


class StandardKind(StrEnum):
    """What can be had against a standard, and from whom (`kind` in the catalogue's file)."""

    MANAGEMENT_SYSTEM = "certifiable_ms"
    PRIVATE_OVERSIGHT = "certifiable_ms_private_oversight"
    SCHEME = "certifiable_scheme"
    PRODUCT = "product_certification_17065"
    ACCREDITATION = "accreditation"
    GUIDANCE = "guidance_not_certifiable"
    EXTENSION = "extension_of_27001"
    VERIFICATION = "verification_not_certification"
    ATTESTATION = "attestation_not_certification"
    WITHDRAWN = "withdrawn"


CERTIFIABLE = frozenset(
    {
        StandardKind.MANAGEMENT_SYSTEM,
        StandardKind.PRIVATE_OVERSIGHT,
        StandardKind.SCHEME,
        StandardKind.PRODUCT,
    }
)

THREE_YEAR_CYCLE = frozenset({StandardKind.MANAGEMENT_SYSTEM, StandardKind.PRIVATE_OVERSIGHT})
"""Kinds whose certificates live as ISO/IEC 17021-1, 9.1.3 has it; others have rules of their own,
a yearly audit most often."""

WHERE_TO_TURN = {
    StandardKind.ACCREDITATION: N_(
        "%(code)s is not certified but accredited, by a national accreditation body (in Australia "
        "NATA, in New Zealand IANZ): please ask there"
    ),
    StandardKind.GUIDANCE: N_(
        "%(code)s gives guidance and no organisation can be certified to it: please choose the "
        "requirements standard nearest to it, such as ISO 9001, ISO/IEC 27001 or ISO 22301"
    ),
    StandardKind.EXTENSION: N_(
        "%(code)s is certified only as an addition to an ISO/IEC 27001 certificate: please choose "
        "ISO/IEC 27001 and name %(code)s in the notes"
    ),
    StandardKind.VERIFICATION: N_(
        "%(code)s is verified, not certified: please ask a verification body accredited to "
        "ISO 14065"
    ),
    StandardKind.ATTESTATION: N_(
        "%(code)s is a report by a licensed audit firm and not a certificate: please ask such a "
        "firm, or choose ISO/IEC 27001"
    ),
    StandardKind.WITHDRAWN: N_(
        "%(code)s was withdrawn and nobody certifies to it any more: please choose ISO 45001"
    ),
}
"""For what cannot be certified: the sentence that says where to turn instead."""


class Recognition(StrEnum):
    """Whether an accreditation body is a signatory for management systems certification."""

    RECOGNISED = "yes"
    NOT_RECOGNISED = "no"
    UNVERIFIED = "unverified"
    """Counts as not recognised until an administrator has looked."""


@dataclass(frozen=True)
class Editions:
    """The editions of a standard that a business may ask for."""

    current: str
    previous: str | None
    last_new_certificate_to_previous: date | None
    transition_end: date | None

    def offered(self, today: date, *, is_new: bool) -> list[str]:
        """Return the current edition, and the previous one while it can be asked for.

        `is_new`: by who holds no certificate that runs on.
        """
        last = self._last_day_of_previous(is_new=is_new)
        if self.previous and last and today <= last:
            return [self.current, self.previous]
        return [self.current]

    def has_ended(self, edition: str, today: date, *, is_new: bool) -> bool:
        """Return whether an edition could be asked for once, and cannot be any more."""
        last = self._last_day_of_previous(is_new=is_new)
        return edition == self.previous and last is not None and today > last

    def refusal(self, edition: str, today: date, *, is_new: bool) -> str | None:
        """Return why an edition cannot be asked for, and what can be; None if it can."""
        offered = self.offered(today, is_new=is_new)
        if edition in offered:
            return None
        last = self._last_day_of_previous(is_new=is_new)
        if last is None or not self.has_ended(edition, today, is_new=is_new):
            return f"can be certified to edition {' or '.join(offered)} now"
        what = f"new certificates to edition {edition}" if is_new else f"edition {edition}"
        said = f"{what} ended on {last.day} {last:%B %Y}: please ask for edition {self.current}"
        if self.has_ended(edition, today, is_new=False):
            return said
        return f"{said}, or say so if you hold a certificate that runs on"

    def _last_day_of_previous(self, *, is_new: bool) -> date | None:
        """Return the last day of the previous edition, if it is known.

        A certificate that runs on is kept up and transferred until the transition ends; audits for
        a new one end before it.
        """
        days = [self.last_new_certificate_to_previous] if is_new else []
        return min((day for day in (*days, self.transition_end) if day), default=None)

    def is_known(self, edition: str) -> bool:
        """Return whether there is or was such an edition: these two, or a year before them."""
        if edition in (self.current, self.previous):
            return True
        years = (edition, self.current)
        return all(re.fullmatch(r"(19|20)\d\d", each) for each in years) and edition < self.current


def country_of(region: str) -> str:
    """Return the ISO 3166-1 country of a region: `AU` of `AU-NSW`, and of `AU` itself."""
    return region.partition("-")[0]


def parts_by_country(regions: Iterable[str]) -> dict[str, set[str]]:
    """Return the subdivisions among these regions, by country."""
    parts: dict[str, set[str]] = {}
    for region in regions:
        if country_of(region) != region:
            parts.setdefault(country_of(region), set()).add(region)
    return parts


def in_whole(named: Collection[str], parts: Mapping[str, set[str]]) -> list[str]:
    """Return the regions named, with a country in place of all of its `parts`.

    Who covers each of them covers the country, and so a lead that is for all of it.
    """
    mine = parts_by_country(named)
    whole = {country for country, some in mine.items() if parts.get(country) == some}
    places = (country_of(each) if country_of(each) in whole else each for each in named)
    return list(dict.fromkeys(places))


def covering(region: str) -> list[str]:
    """Return the codes by which a provider may say that it covers `region`."""
    country = country_of(region)
    return [region] if region == country else [region, country]


def has_postcode(ranges: Iterable[str], postcode: str) -> bool:
    """Return whether a postcode of four digits is inside one of `ranges`, such as `2000-2099`."""
    ends = (each.partition("-") for each in ranges)
    return any(first <= postcode <= (last or first) for first, _, last in ends)
