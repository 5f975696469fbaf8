"""The reference tables. Their first content comes from `data/`; administrators may change it."""

from datetime import date
from decimal import Decimal

from sqlalchemy import CheckConstraint, Column, Numeric, Table, UniqueConstraint, Uuid
from sqlalchemy.orm import Mapped, mapped_column

from marketplace.catalogue.rules import (
    CERTIFIABLE,
    THREE_YEAR_CYCLE,
    WHERE_TO_TURN,
    Editions,
    Recognition,
    StandardKind,
)
from marketplace.core.db import Base, Id, Words
from marketplace.core.texts import Told


class Standard(Base):
    """A standard or scheme: its editions, and whether anybody can be certified to it."""

    __tablename__ = "standards"

    code: Mapped[str] = mapped_column(primary_key=True)
    title: Mapped[str]
    abbreviation: Mapped[str]
    edition: Mapped[str]
    """The current edition in short: `2026`, `Version 7.0`; amendments stand in `note`."""
    published: Mapped[str]
    previous_edition: Mapped[str | None]
    last_new_certificate_to_previous: Mapped[date | None]
    transition_end: Mapped[date | None]
    kind: Mapped[StandardKind]
    audit_time_basis: Mapped[str]
    scope_code_system: Mapped[str]
    confidence: Mapped[str]
    note: Mapped[str]
    position: Mapped[int]
    """Where it stands in a list: the order of the catalogue's file."""

    @property
    def certifiable(self) -> bool:
        return self.kind in CERTIFIABLE

    @property
    def has_three_year_cycle(self) -> bool:
        return self.kind in THREE_YEAR_CYCLE

    @property
    def where_to_turn(self) -> str:
        """Return the sentence that says where to turn, for what cannot be certified."""
        return Told(WHERE_TO_TURN[self.kind], code=self.code)

    @property
    def editions(self) -> Editions:
        return Editions(
            self.edition,
            self.previous_edition,
            self.last_new_certificate_to_previous,
            self.transition_end,
        )


class Region(Base):
    """A country (ISO 3166-1) or one of its subdivisions (ISO 3166-2)."""

    __tablename__ = "regions"

    code: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str]
    country: Mapped[str]
    time_zone: Mapped[str]
    """An IANA name; where a region has several, the one that most people live in."""
    postcode_ranges: Mapped[Words | None]
    """`2000-2099`: where a postcode tells the region (Australia only, so far)."""


class Sector(Base):
    """A technical sector by which accreditations are scoped."""

    __tablename__ = "sectors"

    code: Mapped[str] = mapped_column(primary_key=True)
    """`17` (IAF ID 1) or `CIV` (food chain category, ISO 22003-1)."""
    system: Mapped[str]
    """`iaf` or `food_chain`."""
    name: Mapped[str]
    nace: Mapped[str]
    """NACE Rev. 2 divisions inside the sector, separated by `;`."""
    note: Mapped[str]
    position: Mapped[int]


class AccreditationBody(Base):
    """A body that accredits certification bodies. Acronyms clash, so each has a code of its own."""

    __tablename__ = "accreditation_bodies"

    code: Mapped[str] = mapped_column(primary_key=True)
    """The acronym, with a country behind it where two bodies share one: `GAC (GE)`."""
    name: Mapped[str]
    countries: Mapped[Words]
    recognition: Mapped[Recognition]
    recognised_for: Mapped[Words | None]
    """The standards its recognition is limited to; none means management systems in general."""
    evidence: Mapped[str]
    note: Mapped[str]


class AuditTime(Base):
    """One row of an audit-time table: days for a band of effective personnel."""

    __tablename__ = "audit_times"
    __table_args__ = (
        UniqueConstraint("basis", "audit", "complexity", "personnel_min"),
        CheckConstraint("personnel_min <= personnel_max", "band_runs_upwards"),
    )

    id: Mapped[Id]
    basis: Mapped[str]
    """Which table: `md5_qms`, `md5_ems`, `md5_ohsms`, `isms_27006`, `md9_mdqms`, `iso50003_enms`"""
    audit: Mapped[str]
    """`initial` (stages 1 and 2 together), `surveillance` or `recertification`."""
    complexity: Mapped[str]
    """The column: `high`, `medium`, `low`, `limited`, or `any` where the table has one column."""
    personnel_min: Mapped[int]
    personnel_max: Mapped[int]
    days: Mapped[Decimal] = mapped_column(Numeric(5, 1))


catalogue_version = Table(
    "catalogue_version", Base.metadata, Column("version", Uuid, nullable=False)
)
"""One row: what standards, regions and sectors are called as they are now. A trigger on them draws
another name with every change."""
