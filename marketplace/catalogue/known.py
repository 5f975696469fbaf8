"""What the catalogue knows of the codes in one form: all of it asked at once."""

from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import ARRAY, Text, any_, bindparam, cast, literal_column, null, select, union_all
from sqlalchemy.orm import Session

from marketplace.catalogue.models import Region, Sector, Standard
from marketplace.catalogue.rules import CERTIFIABLE, WHERE_TO_TURN, Editions, StandardKind
from marketplace.core.direct import Direct
from marketplace.core.texts import Told


@dataclass(frozen=True)
class KnownStandard:
    """What a form can ask of a standard."""

    code: str
    kind: StandardKind
    editions: Editions

    @property
    def is_certifiable(self) -> bool:
        return self.kind in CERTIFIABLE

    @property
    def where_to_turn(self) -> str:
        """Return the sentence that says where to turn, for what cannot be certified."""
        return Told(WHERE_TO_TURN[self.kind], code=self.code)


@dataclass(frozen=True)
class Known:
    """Those of the codes that there are."""

    standards: dict[str, KnownStandard] = field(default_factory=dict)
    zones: dict[str, str] = field(default_factory=dict)
    """The time zone of every region, by its code."""
    sectors: set[str] = field(default_factory=set)


_region: Any = Region.__table__.c
_sector: Any = Sector.__table__.c
_standard: Any = Standard.__table__.c


def _listed(name: str) -> Any:
    return any_(bindparam(name, type_=ARRAY(Text())))


_KNOWN = Direct(
    union_all(
        select(
            literal_column("'standard'").label("what"),
            _standard.code,
            cast(_standard.kind, Text).label("word"),
            _standard.edition,
            _standard.previous_edition,
            _standard.last_new_certificate_to_previous,
            _standard.transition_end,
        ).where(_standard.code == _listed("standards")),
        select(
            literal_column("'region'"),
            _region.code,
            _region.time_zone,
            null(),
            null(),
            null(),
            null(),
        ).where(_region.code == _listed("regions")),
        select(
            literal_column("'sector'"), _sector.code, null(), null(), null(), null(), null()
        ).where(_sector.code == _listed("sectors")),
    )
)


def known(
    session: Session,
    *,
    standards: Collection[str] = (),
    regions: Collection[str] = (),
    sectors: Collection[str] = (),
) -> Known:
    """Return what is known of these codes."""
    asked = {"standards": list(standards), "regions": list(regions), "sectors": list(sectors)}
    found = Known()
    for what, code, word, *editions in _KNOWN.rows(session, asked):
        if what == "standard":
            found.standards[code] = KnownStandard(code, StandardKind(word), Editions(*editions))
        elif what == "region":
            found.zones[code] = word
        else:
            found.sectors.add(code)
    return found
