"""Eligibility as the database asks for it: one condition per filter, in the order of the funnel.

The same rules as `eligibility`, which has the last word on everybody who is locked; a property test
holds the two together.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import (
    ColumnElement,
    Select,
    and_,
    any_,
    exists,
    not_,
    or_,
    select,
    true,
    union_all,
)
from sqlalchemy.orm import InstrumentedAttribute

from marketplace.catalogue.models import AccreditationBody
from marketplace.catalogue.rules import Recognition, covering
from marketplace.matching.eligibility import Adviser, Filter, Wanted, years_before
from marketplace.providers.models import Accreditation, Coverage, Pause, Provider, Relationship
from marketplace.providers.rules import (
    AccreditationState,
    ProviderFacts,
    ProviderKind,
    ProviderState,
    month_of,
)

Condition = ColumnElement[bool]


def conditions(
    wanted: Wanted,
    *,
    invited: Mapping[UUID, ProviderFacts],
    now: datetime,
    impartiality_years: int,
    covered: Any = Coverage,
) -> list[tuple[Filter, Condition]]:
    """Return what the coverage row of an eligible provider has to satisfy, filter by filter.

    `invited`: every provider that was ever invited to this lead. `covered`: the coverage rows that
    are asked about, all of them or an alias of some.
    """
    return _Asked(wanted, invited, now, impartiality_years, covered).conditions()


@dataclass(frozen=True)
class _Asked:
    wanted: Wanted
    invited: Mapping[UUID, ProviderFacts]
    now: datetime
    impartiality_years: int
    covered: Any

    def conditions(self) -> list[tuple[Filter, Condition]]:
        covered, wanted = self.covered, self.wanted
        return [
            (Filter.KIND, covered.kind.in_(sorted(wanted.kinds))),
            (Filter.STATE, covered.state == ProviderState.VERIFIED),
            (Filter.STANDARDS, covered.standards.contains(list(wanted.editions))),
            (Filter.REGIONS, self._reached()),
            (
                Filter.HEADCOUNT,
                and_(
                    covered.headcount_min <= wanted.headcount,
                    covered.headcount_max >= wanted.headcount,
                ),
            ),
            (Filter.CAPACITY, self._has_capacity()),
            (Filter.PAUSE, not_(self._paused())),
            (Filter.ACCREDITATION, self._accredited()),
            (
                Filter.INVITED,
                covered.provider_id.not_in(list(self.invited)) if self.invited else true(),
            ),
            (Filter.IMPARTIALITY, and_(true(), *self._impartial())),
        ]

    @property
    def _today(self) -> date:
        return self.now.date()

    def _reached(self) -> Condition:
        in_every_region = and_(
            *(self.covered.regions.overlap(covering(region)) for region in self.wanted.regions)
        )
        return (
            or_(in_every_region, self.covered.remote) if self.wanted.remote_ok else in_every_region
        )

    def _has_capacity(self) -> Condition:
        return and_(
            self.covered.open_count < self.covered.open_capacity,
            self.covered.monthly_capacity > 0,
            or_(
                self.covered.month < month_of(self.now),
                self.covered.month_count < self.covered.monthly_capacity,
            ),
        )

    def _paused(self) -> Condition:
        return exists().where(
            Pause.provider_id == self.covered.provider_id,
            Pause.starts_at <= self.now,
            Pause.ends_at > self.now,
        )

    def _accredited(self) -> Condition:
        """Verified, in force, by a recognised body and in scope, for every standard of the lead."""
        if ProviderKind.CERTIFICATION_BODY not in self.wanted.kinds:
            return true()
        held = (
            exists().where(
                Accreditation.provider_id == self.covered.provider_id,
                Accreditation.standard == standard,
                Accreditation.state == AccreditationState.VERIFIED,
                or_(Accreditation.valid_from.is_(None), Accreditation.valid_from <= self._today),
                Accreditation.valid_until >= self._today,
                or_(Accreditation.edition.is_(None), Accreditation.edition == edition),
                self._for_sector(),
                AccreditationBody.code == Accreditation.body,
                AccreditationBody.recognition == Recognition.RECOGNISED,
                or_(
                    AccreditationBody.recognised_for.is_(None),
                    Accreditation.standard == any_(AccreditationBody.recognised_for),
                ),
            )
            for standard, edition in self.wanted.editions.items()
        )
        return or_(self.covered.kind != ProviderKind.CERTIFICATION_BODY, and_(*held))

    def _for_sector(self) -> Condition:
        if self.wanted.sector is None:
            return true()
        unknown: Condition = Accreditation.sectors.is_(None)
        return or_(unknown, Accreditation.sectors.contains([self.wanted.sector]))

    def _impartial(self) -> list[Condition]:
        kept = [
            not_(and_(self.covered.kind == kind, self._related_to(others)))
            for kind in ProviderKind
            if (others := [each for each in self.invited.values() if each.kind is not kind])
        ]
        if ProviderKind.CERTIFICATION_BODY in self.wanted.kinds:
            since = years_before(self._today, self.impartiality_years)
            advisers = [
                each
                for each in self.wanted.advisers
                if each.ended_on is None or each.ended_on > since
            ]
            if advisers:
                is_body = self.covered.kind == ProviderKind.CERTIFICATION_BODY
                kept.append(not_(and_(is_body, self._advised(advisers, since))))
        return kept

    def _related_to(self, others: Collection[ProviderFacts]) -> Condition:
        """Of one legal entity with one of them, or related to one today."""
        relative = self._relative_of([each.id for each in others], since=self._today)
        entities = [each.legal_entity for each in others if each.legal_entity is not None]
        if not entities:
            return relative
        same = select(Provider.id).where(Provider.legal_entity.in_(entities))
        return or_(self.covered.provider_id.in_(same), relative)

    def _advised(self, advisers: Collection[Adviser], since: date) -> Condition:
        ids = [each.provider_id for each in advisers if each.provider_id is not None]
        named = select(Provider.id).where(
            Provider.name_key.in_(sorted({each.name_key for each in advisers}))
        )
        return or_(
            self.covered.provider_id.in_(ids),
            self.covered.provider_id.in_(named),
            self._relative_of(ids, since=since),
        )

    def _relative_of(self, ids: Sequence[UUID], *, since: date) -> Condition:
        """Related to one of them at any time from `since` on; whoever declared it, both are."""

        def on_side(
            own: InstrumentedAttribute[UUID], other: InstrumentedAttribute[UUID]
        ) -> Select[Any]:
            return select(other).where(
                own.in_(ids),
                or_(Relationship.valid_from.is_(None), Relationship.valid_from <= self._today),
                or_(Relationship.valid_until.is_(None), Relationship.valid_until >= since),
            )

        relatives = union_all(
            on_side(Relationship.provider_id, Relationship.other_id),
            on_side(Relationship.other_id, Relationship.provider_id),
        )
        found: Condition = self.covered.provider_id.in_(relatives)
        return found
