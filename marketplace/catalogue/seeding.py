"""Fill the catalogue from its own files: what is missing is added, what is there is left alone."""

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pycountry
from sqlalchemy.dialects.postgresql import insert

from marketplace.catalogue.models import AccreditationBody, AuditTime, Region, Sector, Standard
from marketplace.catalogue.reading import day, rows, short_edition, time_zone
from marketplace.catalogue.rules import Recognition, StandardKind
from marketplace.core.context import Context, Transaction
from marketplace.core.db import Base, new_id

Row = dict[str, Any]

PARTIAL_RECOGNITION = {"ISMS-AC": ["ISO/IEC 27001", "ISO/IEC 20000-1", "ISO 22301"]}
"""Bodies whose recognition reaches to some standards only."""

AUDIT_TIME_TABLES = (
    "md5_qms",
    "md5_ems",
    "md5_ohsms",
    "isms_27006",
    "md9_mdqms",
    "iso50003_enms",
)


def seed_catalogue(ctx: Context) -> dict[str, int]:
    """Add whatever of the reference data is missing; return how many rows of each sort were.

    Safe to call any number of times, and at once from several processes: a row that exists,
    changed by an administrator or not, stays as it is.
    """
    with ctx.transaction() as tx:
        return {
            "standards": _add(tx, Standard, list(_standards())),
            "regions": _add(tx, Region, list(_regions())),
            "sectors": _add(tx, Sector, list(_sectors())),
            "accreditation_bodies": _add(tx, AccreditationBody, list(_bodies())),
            "audit_times": _add(tx, AuditTime, list(audit_times())),
        }


def _add(tx: Transaction, table: type[Base], values: list[Row]) -> int:
    """Insert, always in the same order, so that two processes at once never block crosswise."""
    key = table.__mapper__.primary_key[0]
    statement = insert(table).on_conflict_do_nothing().returning(key)
    return len(tx.session.execute(statement, values).all())


def _standards() -> Iterator[Row]:
    for position, row in enumerate(rows("standards")):
        edition, amendment = short_edition(row["current_edition"])
        previous, previous_remark = short_edition(row["previous_edition"])
        end = row["transition_end"]
        remarks = [
            row["note"],
            amendment and f"Edition {edition}: {amendment}",
            previous_remark and f"Edition {previous}: {previous_remark}",
            "(" in end and f"Transition end: {end}",
        ]
        yield {
            "code": row["code"],
            "title": row["title"],
            "abbreviation": row["abbrev"],
            "edition": edition,
            "published": row["current_published"],
            "previous_edition": previous or None,
            "last_new_certificate_to_previous": day(row["last_new_cert_to_previous"]),
            "transition_end": day(end),
            "kind": StandardKind(row["kind"]),
            "audit_time_basis": row["audit_time_basis"],
            "scope_code_system": row["scope_code_system"],
            "confidence": row["confidence"],
            "note": ". ".join(remark for remark in remarks if remark),
            "position": position,
        }


def _regions() -> Iterator[Row]:
    postcodes = {row["iso3166_2"]: row["postcode_ranges"].split(";") for row in rows("au_states")}
    named = [
        (country.alpha_2, getattr(country, "common_name", country.name))
        for country in pycountry.countries
    ]
    named += [(division.code, division.name) for division in pycountry.subdivisions]
    for code, name in sorted(named):
        yield {
            "code": code,
            "name": name,
            "country": code.partition("-")[0],
            "time_zone": time_zone(code),
            "postcode_ranges": postcodes.get(code),
        }


def _sectors() -> Iterator[Row]:
    position = 0
    for row in rows("iaf_codes"):
        excluded = row["nace_excluded"] and f"NACE excluded: {row['nace_excluded']}"
        yield {
            "code": row["iaf_code"],
            "system": "iaf",
            "name": row["name"],
            "nace": row["nace_rev2"],
            "note": ". ".join(remark for remark in (excluded, row["note"]) if remark),
            "position": (position := position + 1),
        }
    for row in rows("food_chain_categories"):
        in_scheme = f"In FSSC 22000 Version 6.0: {row['in_fssc_v6']}"
        yield {
            "code": row["category"],
            "system": "food_chain",
            "name": row["description"],
            "nace": "",
            "note": ". ".join(remark for remark in (in_scheme, row["note"]) if remark),
            "position": (position := position + 1),
        }


def _bodies() -> Iterator[Row]:
    for row in rows("accreditation_bodies"):
        yield {
            "code": row["acronym"],
            "name": row["name"],
            "countries": row["country_codes"].split(";"),
            "recognition": Recognition(row["ms_mla_signatory"]),
            "recognised_for": PARTIAL_RECOGNITION.get(row["acronym"]),
            "evidence": row["evidence"],
            "note": row["note"],
        }


def audit_times() -> Iterator[Row]:
    """Yield the rows of every audit-time table, each column by itself."""
    bands = {"personnel_min", "personnel_max", "persons_min", "persons_max", "audit_type"}
    for basis in AUDIT_TIME_TABLES:
        for row in rows(basis):
            least = row.get("personnel_min") or row["persons_min"]
            most = row.get("personnel_max") or row["persons_max"]
            for column in (name for name in row if name not in bands):
                yield {
                    "id": new_id(),
                    "basis": basis,
                    "audit": row.get("audit_type", "initial"),
                    "complexity": "any" if column == "stage1_plus_stage2_days" else column,
                    "personnel_min": int(least),
                    "personnel_max": int(most),
                    "days": Decimal(row[column]),
                }
