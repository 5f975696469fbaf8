"""What stands in the columns of a comparison: of one quote each, beside what was asked for.

The same lines in the same order for all; what a quote does not say is named, never counted as zero.
Certification and consulting stand each on their own, since their totals are for different things.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any
from uuid import UUID

from marketplace.core.policy import Policy
from marketplace.providers.rules import accreditation_counts
from marketplace.quotes import audit_time, judging, ordering, rules
from marketplace.quotes.audit_time import Expected, Need, Table
from marketplace.quotes.models import Quote
from marketplace.quotes.ordering import Order, Placed
from marketplace.quotes.phases import LABELS, covered
from marketplace.quotes.rules import CERTIFICATION_LINES, QuoteKind


@dataclass(frozen=True)
class Asked:
    """What a comparison needs to know of the request."""

    standards: list[str]
    editions: Mapping[str, str | None]
    needed_by: date | None
    currency: str | None
    """The business' own, by its country."""
    headcount: int
    bases: Mapping[str, str]
    """What the audit time of each standard rests on."""
    sites: int
    sector: str | None
    is_transfer: bool
    today: date
    """The day as of which is judged what stands: of a finished request the day on which it was."""
    is_finished: bool


@dataclass(frozen=True)
class Quoted:
    """One quote, and what the business sees of its provider."""

    invitation_id: UUID
    provider: str
    accreditations: Sequence[Mapping[str, Any]]
    quote: Quote
    withdrawn_because: str | None


def compared(
    asked: Asked,
    quoted: Sequence[Quoted],
    tables: Mapping[str, Table],
    *,
    policy: Policy,
    order: Order,
) -> dict[str, Any]:
    """Return the quotes side by side; `quoted` in the order in which providers were invited."""
    kinds = {}
    for kind in QuoteKind:
        of_kind = [each for each in quoted if each.quote.kind == kind]
        if of_kind:
            kinds[str(kind)] = _side_by_side(asked, kind, of_kind, tables, policy, order)
    return {
        "order": ordering.IN_WORDS[order],
        "ordered_by": order,
        "orders": [{"key": each, "label": ordering.LABELS[each]} for each in Order],
        "needed_by": asked.needed_by,
        "kinds": kinds,
    }


def _side_by_side(
    asked: Asked,
    kind: QuoteKind,
    quoted: Sequence[Quoted],
    tables: Mapping[str, Table],
    policy: Policy,
    order: Order,
) -> dict[str, Any]:
    currency = ordering.common_currency([each.quote.currency for each in quoted], asked.currency)
    by_key = {each.invitation_id: each for each in quoted}
    placed = [_placed(asked, each) for each in quoted]
    keys = ordering.ordered(placed, order, currency=currency)
    columns = [by_key[key] for key in keys]
    return {
        "currency": currency,
        "is_one_currency": len({each.quote.currency for each in columns}) == 1,
        "lines": _lines(kind, [each.quote for each in columns]),
        "columns": [_column(asked, each, tables, policy, currency) for each in columns],
    }


def _placed(asked: Asked, each: Quoted) -> Placed:
    quote = each.quote
    start = quote.body.get("earliest_start")
    return Placed(
        key=each.invitation_id,
        currency=quote.currency,
        total=quote.total,
        # Of consulting the certificate is never a part, so that makes none of them incomplete.
        is_complete=not set(left_out(quote, asked.standards)) - {rules.CERTIFIERS_FEES},
        per_day=judging.per_day(quote.total, days_of(quote)),
        days=days_of(quote),
        earliest_start=date.fromisoformat(start) if start else None,
        is_past=each.withdrawn_because is not None or quote.valid_until < asked.today,
    )


def _lines(kind: QuoteKind, quotes: Sequence[Quote]) -> list[dict[str, Any]]:
    if kind is QuoteKind.CONSULTING:
        return []
    return [
        {
            "key": line.key,
            "label": line.label,
            "in_three_years": line.in_three_years,
            "amounts": [
                _money(rules.line_amount(line, quote.body["fees"], quote.body.get("travel_basis")))
                for quote in quotes
            ],
            "days": [
                quote.body["audit_days"].get(line.key) if line.key in rules.AUDITS else None
                for quote in quotes
            ],
        }
        for line in CERTIFICATION_LINES
    ]


def _column(
    asked: Asked,
    each: Quoted,
    tables: Mapping[str, Table],
    policy: Policy,
    currency: str | None,
) -> dict[str, Any]:
    quote, body = each.quote, each.quote.body
    days = days_of(quote)
    is_certification = quote.kind == QuoteKind.CERTIFICATION
    return {
        "invitation_id": each.invitation_id,
        "provider": each.provider,
        "currency": quote.currency,
        "is_in_common_currency": quote.currency == currency,
        "total": _money(quote.total),
        "total_covers": "three years" if is_certification else "all phases",
        "tax_rate": body.get("tax_rate"),
        "total_with_tax": _money(rules.with_tax(quote.total, body.get("tax_rate"), quote.currency)),
        "missing": rules.missing(quote.kind, body),
        "left_out": left_out(quote, asked.standards),
        "travel_basis": body.get("travel_basis"),
        "days": float(days),
        "days_left_out": rules.days_left_out(quote.kind, body),
        "per_day": _money(judging.per_day(quote.total, days)),
        "phases": body.get("phases"),
        "duration_weeks": body.get("duration_weeks"),
        "exclusions": body.get("exclusions") or [],
        "client_duties": body.get("client_duties") or [],
        "assumptions": body.get("assumptions") or [],
        "notes": body.get("notes"),
        "earliest_start": body.get("earliest_start"),
        "in_time": judging.in_time(
            quote.kind,
            body,
            asked.needed_by,
            at_best=policy.certificate_at_best,
            as_a_rule=(
                policy.certificate_as_a_rule if is_certification else policy.consulting_slack
            ),
        ),
        "valid_until": quote.valid_until,
        "stands": None
        if asked.is_finished
        else judging.stands(
            quote.valid_until, asked.today, briefly_within=policy.quote_stands_briefly
        ),
        "version": quote.version,
        "submitted_at": quote.submitted_at,
        "withdrawn_because": each.withdrawn_because,
        **(_of_certification(asked, each, tables) if is_certification else _of_consulting(quote)),
    }


def _of_certification(asked: Asked, each: Quoted, tables: Mapping[str, Table]) -> dict[str, Any]:
    body = each.quote.body
    counted = body.get("effective_personnel")
    wanted = _expected(asked, body, tables, counted=counted)
    is_fewer = counted is not None and counted < asked.headcount
    for_all = _expected(asked, body, tables, counted=None) if is_fewer else None
    under = body.get("accreditation_id")
    named = next((held for held in each.accreditations if str(held["id"]) == under), None)
    return {
        "standards": body["standards"],
        "standards_missing": judging.standards_missing(asked.standards, body["standards"]),
        "other_editions": judging.other_editions(asked.editions, body["standards"]),
        "accreditation": named,
        "accredited": list(_accredited(asked, each, named)),
        "effective_personnel": counted,
        "headcount": asked.headcount,
        "years": [
            {"year": year.number, "amount": _money(year.amount), "left_out": list(year.left_out)}
            for year in judging.years(body)
        ],
        "travel": _money(judging.travel(body)),
        "per_year": _money(judging.per_year(each.quote.total)),
        "expected": {
            "standards": list(wanted.standards),
            "personnel": wanted.personnel,
            "gaps": dict(wanted.gaps),
            "assumptions": list(wanted.assumptions),
            "sites": wanted.sites,
            "visited": wanted.visited,
        },
        "audits": [
            {
                "audit": found.audit,
                "quoted": None if found.quoted is None else float(found.quoted),
                "least": float(found.expected.least),
                "most": float(found.expected.most),
                "verdict": found.verdict,
                "least_for_headcount": found.for_all and float(found.for_all.least),
                "most_for_headcount": found.for_all and float(found.for_all.most),
            }
            for found in judging.judged(wanted, body["audit_days"], for_all=for_all)
        ],
    }


def _accredited(
    asked: Asked, each: Quoted, named: Mapping[str, Any] | None
) -> Iterator[dict[str, Any]]:
    """Return under which accreditation each standard of a quote would be certified.

    A quote names one at the most. For its other standards it is one that its provider holds, for
    the edition that is quoted where there is a choice; or none that is known here.
    """
    for quoted in each.quote.body["standards"]:
        if named is not None and named["standard"] == quoted["code"]:
            yield {"standard": quoted["code"], "held": named, "is_named": True}
            continue
        held = [
            one
            for one in each.accreditations
            if one["standard"] == quoted["code"]
            and accreditation_counts(
                one["state"],
                valid_from=one["valid_from"],
                valid_until=one["valid_until"],
                today=asked.today,
            )
        ]
        held.sort(key=lambda one: one["edition"] != quoted.get("edition"))
        yield {"standard": quoted["code"], "held": next(iter(held), None), "is_named": False}


def _of_consulting(quote: Quote) -> dict[str, Any]:
    return {
        "travel": quote.body.get("travel"),
        "work": [
            {
                "key": each.work,
                "label": LABELS[each.work],
                "phases": list(each.phases),
                "is_stated": each.is_stated,
            }
            for each in covered(quote.body["phases"])
        ],
    }


def _expected(
    asked: Asked, body: Mapping[str, Any], tables: Mapping[str, Table], *, counted: int | None
) -> Expected:
    """Return the range for the standards of a quote, and the people it counted; else for all."""
    codes = [each["code"] for each in body["standards"]]
    need = Need(
        {code: asked.bases.get(code, "") for code in codes},
        personnel=counted or asked.headcount,
        is_counted=counted is not None,
        sites=asked.sites,
        sector=asked.sector,
        is_transfer=asked.is_transfer,
    )
    return audit_time.expected(need, tables)


def left_out(quote: Quote, asked: list[str]) -> list[str]:
    """Return, in words, what would make a quote's total larger: a standard it leaves out as well.

    `asked` are the standards of the request.
    """
    standards = (
        judging.standards_missing(asked, quote.body["standards"])
        if quote.kind == QuoteKind.CERTIFICATION
        else []
    )
    return [*standards, *rules.left_out(quote.kind, quote.body)]


def days_of(quote: Quote) -> Decimal:
    """Return the days that the total pays for."""
    if quote.kind == QuoteKind.CONSULTING:
        stated = [phase.get("days") for phase in quote.body["phases"]]
    else:
        in_cycle = [audit for audit in rules.AUDITS if audit != "recertification"]
        stated = [quote.body["audit_days"].get(audit) for audit in in_cycle]
    return sum((Decimal(str(days)) for days in stated if days is not None), Decimal(0))


def _money(amount: Decimal | None) -> str | None:
    return None if amount is None else f"{amount:.2f}"
