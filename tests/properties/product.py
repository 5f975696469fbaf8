"""A generated market as the product sees it: as facts for the rules, and as rows."""

import json
from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection, text

from marketplace.catalogue.models import AccreditationBody
from marketplace.catalogue.rules import Recognition
from marketplace.core.db import Base
from marketplace.leads.rules import Service
from marketplace.matching.eligibility import Adviser, Wanted
from marketplace.providers.models import Accreditation, Coverage, Pause, Provider, Relationship
from marketplace.providers.rules import (
    AccreditationFacts,
    AccreditationState,
    ProviderFacts,
    ProviderKind,
    ProviderState,
    RelationFacts,
    RelationshipKind,
)
from tests.properties.markets import ACCREDITORS, SYSTEMS, Firm, Held, Market
from tests.properties.oracle import ended, stands_for


def id_of(number: int) -> UUID:
    return UUID(int=number)


def numbers(ids) -> list[int]:
    return [each.int for each in ids]


def wanted_of(market: Market) -> Wanted:
    """Return the lead; advice by one entry of a legal entity is advice by all of it."""
    ask = market.ask
    advisers = []
    for advice in ask.advice:
        known = None if advice.firm is None else market.firm(advice.firm)
        firms = [firm for firm in market.firms if known and stands_for(firm, known)]
        ids = {id_of(firm.number) for firm in firms} | {known and id_of(known.number)}
        advisers += [Adviser(advice.name, each, advice.ended_on) for each in ids]
    return Wanted(
        service=Service(ask.service),
        editions=ask.editions,
        ended=tuple(ended(market)),
        regions=ask.regions,
        headcount=ask.headcount,
        sector=ask.sector,
        sector_codes=frozenset(
            code for codes in SYSTEMS.values() if ask.sector in codes for code in codes
        ),
        remote_ok=ask.remote_ok,
        advisers=tuple(advisers),
    )


def facts_of(market: Market, firm: Firm) -> ProviderFacts:
    most, month, had = firm.month
    at_once, is_open = firm.open
    return ProviderFacts(
        id=id_of(firm.number),
        name=firm.name,
        name_key=firm.name,
        kind=ProviderKind(firm.kind),
        state=ProviderState(firm.state),
        legal_entity=firm.entity,
        standards=frozenset(firm.standards),
        regions=frozenset(firm.regions),
        sectors=frozenset(firm.sectors),
        headcount_min=firm.size[0],
        headcount_max=firm.size[1],
        remote=firm.remote,
        open_capacity=at_once,
        open_count=is_open,
        monthly_capacity=most,
        month=month,
        month_count=had,
        weeks_to_start=firm.weeks,
        languages=frozenset(firm.languages),
        accreditations=tuple(
            _accreditation_facts(firm, index, held) for index, held in enumerate(firm.held)
        ),
        pauses=tuple(pause for pause in firm.pauses if pause[1] > market.now),
        related=frozenset(
            RelationFacts(id_of(other), RelationshipKind.DECLARED, tie.since, tie.until)
            for tie in market.ties
            for own, other in ((tie.one, tie.other), (tie.other, tie.one))
            if own == firm.number
        ),
    )


def _accreditation_facts(firm: Firm, index: int, held: Held) -> AccreditationFacts:
    recognition, only_for = ACCREDITORS[held.accreditor]
    return AccreditationFacts(
        id=_held_id(firm, index),
        body=held.accreditor,
        standard=held.standard,
        edition=held.edition,
        sectors=None if held.sectors is None else frozenset(held.sectors),
        state=AccreditationState(held.state),
        valid_from=held.since,
        valid_until=held.until,
        recognised=recognition == "yes" and (only_for is None or held.standard in only_for),
    )


def _held_id(firm: Firm, index: int) -> UUID:
    return id_of(1_000 * firm.number + index)


def put_accreditors(connection: Connection) -> None:
    """Insert the accreditation bodies that generated accreditations are by."""
    rows = [
        {
            "code": code,
            "name": code,
            "countries": [],
            "recognition": Recognition(recognition),
            "recognised_for": only_for,
            "evidence": "",
            "note": "",
        }
        for code, (recognition, only_for) in ACCREDITORS.items()
    ]
    put(connection, AccreditationBody, rows)


def put_firms(connection: Connection, market: Market) -> None:
    """Insert the firms of a market, and what hangs on them."""
    now = market.now
    rows = {
        Provider: [_provider(firm, now) for firm in market.firms],
        Coverage: [_coverage(firm) for firm in market.firms],
        Accreditation: [
            _accreditation(firm, index, held, now)
            for firm in market.firms
            for index, held in enumerate(firm.held)
        ],
        Pause: [
            {
                "id": id_of(1_000 * firm.number + index),
                "provider_id": id_of(firm.number),
                "starts_at": start,
                "ends_at": end,
                "created_at": now,
            }
            for firm in market.firms
            for index, (start, end) in enumerate(firm.pauses)
        ],
        Relationship: [
            {
                "id": id_of(index),
                "provider_id": id_of(tie.one),
                "other_id": id_of(tie.other),
                "kind": RelationshipKind.DECLARED,
                "valid_from": tie.since,
                "valid_until": tie.until,
            }
            for index, tie in enumerate(market.ties)
        ],
    }
    for model, values in rows.items():
        put(connection, model, values)


def put(connection: Connection, model: type[Base], rows: list[dict]) -> None:
    """Insert rows by one statement however many there are; what is not given is null."""
    if rows:
        table = model.__tablename__
        of_rows = f"jsonb_populate_recordset(NULL::{table}, CAST(:rows AS jsonb))"
        statement = text(f"INSERT INTO {table} SELECT * FROM {of_rows}")
        connection.execute(statement, {"rows": json.dumps(rows, default=str)})


def _provider(firm: Firm, created_at: datetime) -> dict:
    return {
        "id": id_of(firm.number),
        "kind": ProviderKind(firm.kind),
        "state": ProviderState(firm.state),
        "name": firm.name,
        "name_key": firm.name,
        "country": "AU",
        "legal_entity": firm.entity,
        "contact_name": "Somebody",
        "contact_email": f"quotes@firm{firm.number}.example",
        "created_at": created_at,
    }


def _coverage(firm: Firm) -> dict:
    most, month, had = firm.month
    at_once, is_open = firm.open
    return {
        "provider_id": id_of(firm.number),
        "kind": ProviderKind(firm.kind),
        "state": ProviderState(firm.state),
        "standards": list(firm.standards),
        "regions": list(firm.regions),
        "sectors": list(firm.sectors),
        "headcount_min": firm.size[0],
        "headcount_max": firm.size[1],
        "remote": firm.remote,
        "weeks_to_start": firm.weeks,
        "languages": list(firm.languages),
        "open_capacity": at_once,
        "open_count": is_open,
        "monthly_capacity": most,
        "month": month,
        "month_count": had,
        "shuffle": firm.shuffle,
    }


def _accreditation(firm: Firm, index: int, held: Held, created_at: datetime) -> dict:
    return {
        "id": _held_id(firm, index),
        "provider_id": id_of(firm.number),
        "body": held.accreditor,
        "standard": held.standard,
        "edition": held.edition,
        "certificate_number": "C-1",
        "sectors": None if held.sectors is None else list(held.sectors),
        "valid_from": held.since,
        "valid_until": held.until,
        "state": AccreditationState(held.state),
        "created_at": created_at,
    }
