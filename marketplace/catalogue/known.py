"""What a form is checked against: all of it, kept in the process by the version that it is.

It changes a few times a year and is asked for by every form. So nobody asks for it who can see, in
a statement that is sent anyway, whether it still is `VERSION`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import Text, cast, literal_column, null, select, union_all
from sqlalchemy.orm import Session

from marketplace.catalogue.models import Region, Sector, Standard, catalogue_version
from marketplace.catalogue.rules import CERTIFIABLE, WHERE_TO_TURN, Editions, StandardKind
from marketplace.core.direct import Direct
from marketplace.core.errors import Unavailable
from marketplace.core.texts import Told


@dataclass(frozen=True)
class KnownStandard:
    """What a form can ask of a standard."""

    code: str
    kind: str
    """One of `StandardKind`, or what only a newer version knows: then nobody asks for it yet."""
    editions: Editions

    @property
    def is_certifiable(self) -> bool:
        return self.kind in CERTIFIABLE

    @property
    def where_to_turn(self) -> str:
        """Return the sentence that says where to turn, for what cannot be certified."""
        return Told(WHERE_TO_TURN[StandardKind(self.kind)], code=self.code)


@dataclass(frozen=True)
class Known:
    """All codes that there are."""

    version: UUID
    standards: Mapping[str, KnownStandard]
    zones: Mapping[str, str]
    """The time zone of every region, by its code."""
    sectors: frozenset[str]


VERSION: Any = select(catalogue_version.c.version).scalar_subquery()
"""Which version of the catalogue is in force, for a statement that relies on another's words."""

_region: Any = Region.__table__.c
_sector: Any = Sector.__table__.c
_standard: Any = Standard.__table__.c
_nothing = (null(), null(), null(), null(), null())

_ALL = Direct(
    union_all(
        select(
            literal_column("'standard'").label("what"),
            _standard.code,
            cast(_standard.kind, Text).label("word"),
            _standard.edition,
            _standard.previous_edition,
            _standard.last_new_certificate_to_previous,
            _standard.transition_end,
        ),
        select(literal_column("'region'"), _region.code, _region.time_zone, *_nothing[1:]),
        select(literal_column("'sector'"), _sector.code, *_nothing),
        select(literal_column("'version'"), cast(catalogue_version.c.version, Text), *_nothing),
    )
)
"""In one statement, so all of one moment."""
_VERSION = Direct(select(catalogue_version.c.version))

_kept: Known | None = None


class Outdated(Unavailable):
    """What was relied on is no longer what the catalogue says; nothing was written."""


def known(session: Session) -> Known:
    """Return what the catalogue says."""
    versions = [each.version for each in _VERSION.rows(session, {})]
    return _kept if _kept is not None and versions == [_kept.version] else _read(session)


def kept(session: Session) -> Known:
    """Return what it said when this process last looked: it may be another `VERSION` by now."""
    return _kept or _read(session)


def _read(session: Session) -> Known:
    global _kept
    standards, zones, sectors, version = {}, {}, set(), None
    for what, code, word, *editions in _ALL.rows(session, {}):
        if what == "standard":
            standards[code] = KnownStandard(code, word, Editions(*editions))
        elif what == "region":
            zones[code] = word
        elif what == "sector":
            sectors.add(code)
        else:
            version = UUID(code)
    if version is None:
        raise LookupError("the catalogue has no version: has `marketplace migrate` run?")
    _kept = Known(version, standards, zones, frozenset(sectors))
    return _kept
