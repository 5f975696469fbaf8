"""How the catalogue is asked."""

from collections.abc import Collection, Sequence
from typing import Any, TypeVar

from sqlalchemy import ARRAY, Text, any_, bindparam, func, select
from sqlalchemy.orm import Session

from marketplace.catalogue.models import AccreditationBody, AuditTime, Region, Sector, Standard
from marketplace.catalogue.rules import Editions, country_of, has_postcode, parts_by_country
from marketplace.core.direct import Direct

Entry = TypeVar("Entry", Standard, Sector, Region, AccreditationBody)


def entries(
    session: Session, table: type[Entry], *, limit: int, after: str | None
) -> Sequence[Entry]:
    """Return entries of one reference table by code, from behind the code `after` on."""
    rows = select(table).order_by(table.code).limit(limit)
    if after is not None:
        rows = rows.where(table.code > after)
    return session.scalars(rows).all()


def standards(session: Session) -> list[Standard]:
    """Return every standard, in the catalogue's order."""
    return list(session.scalars(select(Standard).order_by(Standard.position)))


def standards_by_code(session: Session, codes: Collection[str]) -> dict[str, Standard]:
    """Return those of the standards that exist."""
    found = session.scalars(select(Standard).where(Standard.code.in_(codes)))
    return {standard.code: standard for standard in found}


def audit_times(session: Session, tables: Collection[str]) -> Sequence[Any]:
    """Return the columns of every row of these audit-time tables."""
    columns = (
        AuditTime.basis,
        AuditTime.audit,
        AuditTime.complexity,
        AuditTime.personnel_max,
        AuditTime.days,
    )
    return session.execute(select(*columns).where(AuditTime.basis.in_(tables))).all()


_standard: Any = Standard.__table__.c
_EDITIONS = Direct(
    select(
        _standard.code,
        _standard.edition,
        _standard.previous_edition,
        _standard.last_new_certificate_to_previous,
        _standard.transition_end,
    ).where(_standard.code == any_(bindparam("codes", type_=ARRAY(Text()))))
)


def editions_of(session: Session, codes: Collection[str]) -> dict[str, Editions]:
    """Return the editions of those of the standards that exist, as fast as can be."""
    return {
        code: Editions(*columns)
        for code, *columns in _EDITIONS.rows(session, {"codes": list(codes)})
    }


def regions(session: Session) -> Sequence[Any]:
    """Return code, name and country of every region by code: a country before its subdivisions.

    Columns and no objects: there are thousands, and whoever begins a form asks for them.
    """
    columns = (Region.code, Region.name, Region.country)
    return session.execute(select(*columns).order_by(Region.code)).all()


def region_codes(session: Session) -> set[str]:
    """Return the code of every region: without the thousands of rows that are theirs."""
    return set(session.scalars(select(Region.code)))


def known_regions(session: Session, codes: Collection[str]) -> set[str]:
    """Return those of the codes that are regions."""
    return set(session.scalars(select(Region.code).where(Region.code.in_(codes))))


def sectors(session: Session) -> list[Sector]:
    """Return every sector, in the catalogue's order."""
    return list(session.scalars(select(Sector).order_by(Sector.position)))


def known_sectors(session: Session, codes: Collection[str]) -> set[str]:
    """Return those of the codes that are sectors."""
    return set(session.scalars(select(Sector.code).where(Sector.code.in_(codes))))


_sector: Any = Sector.__table__.c
_of_system = Sector.__table__.alias()
_CODES_BESIDE = Direct(
    select(_of_system.c.code)
    .join(Sector.__table__, _sector.system == _of_system.c.system)
    .where(_sector.code == bindparam("code", type_=Text()))
)


def codes_beside(session: Session, sector: str) -> list[str]:
    """Return all the codes of the system that a sector is of, as fast as can be."""
    return [row.code for row in _CODES_BESIDE.rows(session, {"code": sector})]


def accreditation_bodies(session: Session) -> list[AccreditationBody]:
    """Return every accreditation body, by code."""
    return list(session.scalars(select(AccreditationBody).order_by(AccreditationBody.code)))


def known_bodies(session: Session, codes: Collection[str]) -> set[str]:
    """Return those of the codes that are accreditation bodies."""
    return set(
        session.scalars(select(AccreditationBody.code).where(AccreditationBody.code.in_(codes)))
    )


def time_zone_of(session: Session, region: str) -> str:
    """Return the time zone of a region, of its country where it is unknown, or UTC."""
    rows = session.execute(
        select(Region.code, Region.time_zone).where(Region.code.in_([region, country_of(region)]))
    )
    zones = dict(rows.all())
    return zones.get(region) or zones.get(country_of(region)) or "UTC"


def countries(session: Session) -> list[Region]:
    """Return every country, by name."""
    return list(
        session.scalars(
            select(Region).where(Region.code == Region.country).order_by(Region.name, Region.code)
        )
    )


def subdivisions(session: Session, country: str) -> list[Region]:
    """Return the parts of a country, by name."""
    return list(
        session.scalars(
            select(Region)
            .where(Region.country == country, Region.code != country)
            .order_by(Region.name, Region.code)
        )
    )


def parts_of_countries(session: Session, regions: Collection[str]) -> dict[str, set[str]]:
    """Return all the parts of the countries that these regions are of, by country."""
    countries = {country_of(region) for region in regions}
    return parts_by_country(
        session.scalars(select(Region.code).where(Region.country.in_(countries)))
    )


_region: Any = Region.__table__.c
_NAMES = Direct(
    select(_region.code, _region.name).where(
        _region.code == any_(bindparam("codes", type_=ARRAY(Text())))
    )
)


def region_names(session: Session, codes: Collection[str]) -> dict[str, str]:
    """Return what those of the codes that are regions are called."""
    return dict(_NAMES.rows(session, {"codes": list(codes)}))


def regions_called(session: Session, names: Collection[str]) -> dict[str, list[str]]:
    """Return the codes of the regions with these names in lower case, asked for all at once."""
    # PostgreSQL knows no text with a NUL in it, and no region has one.
    sought = [name.lower() for name in names if "\0" not in name]
    found: dict[str, list[str]] = {}
    named = func.lower(Region.name)
    rows = select(named, Region.code).where(
        named == any_(bindparam("names", sought, type_=ARRAY(Text())))
    )
    for name, code in session.execute(rows):
        found.setdefault(name, []).append(code)
    return found


def region_of_postcode(session: Session, country: str, postcode: str) -> Region | None:
    """Return the region of a country that a postcode is most likely of, if postcodes tell it.

    A guess: delivery areas cross borders in places, and the ranges do not.
    """
    rows = session.scalars(
        select(Region)
        .where(Region.country == country, Region.postcode_ranges.is_not(None))
        .order_by(Region.code)
    )
    return next((each for each in rows if has_postcode(each.postcode_ranges or (), postcode)), None)


def sector_names(session: Session, codes: Collection[str]) -> dict[str, str]:
    """Return what those of the codes that are sectors are called."""
    rows = session.execute(select(Sector.code, Sector.name).where(Sector.code.in_(codes)))
    return dict(rows.all())
