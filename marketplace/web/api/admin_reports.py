"""Reports, and the queue of leads that wait for a provider."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any
from uuid import UUID

from flask import Response
from flask.views import MethodView
from marshmallow import EXCLUDE, Schema, fields, validate

from marketplace.insights.commitments import commitment_report
from marketplace.insights.coverage import coverage_report
from marketplace.insights.fairness import fairness
from marketplace.insights.funnel import Step, funnel_report
from marketplace.insights.quote_cells import Measure
from marketplace.insights.quote_ranges import quote_ranges
from marketplace.insights.worklist import waiting_leads
from marketplace.leads.rules import Outcome
from marketplace.privacy.retention import retention_report
from marketplace.providers.rules import ProviderKind
from marketplace.quotes.rules import QuoteKind
from marketplace.web.api.commitment_schemas import (
    CommitmentArgs,
    CommitmentReportSchema,
    FiguresSchema,
)
from marketplace.web.auth import current_actor, current_context
from marketplace.web.fields import Amount, Choice, Day, Moment
from marketplace.web.paging import CursorOf, PageArgs, a_moment, cursor, cursor_of
from marketplace.web.reporting import (
    Format,
    Month,
    ReportArgs,
    also_as_csv,
    csv_answer,
    format_field,
    wanted,
)
from marketplace.web.requests import Blueprint

blp = Blueprint(
    "admin reports",
    __name__,
    url_prefix="/api/v1/admin",
    description="Reports and the waiting queue, for administrators",
)


class CoverageCellSchema(Schema):
    """A standard, a region and a kind of provider: who could take it, and what was asked."""

    standard = fields.String()
    region = fields.String()
    kind = Choice(ProviderKind)
    providers = fields.Integer(
        metadata={"description": "verified ones, in the region or in all of its country"}
    )
    remote_providers = fields.Integer(
        metadata={"description": "verified ones elsewhere that work remotely"}
    )
    n = fields.Integer(metadata={"description": "leads of the period"})
    with_empty_place = fields.Integer(
        metadata={"description": "those of them with an empty place now, or when they finished"}
    )
    share_with_empty_place = fields.Float(allow_none=True, metadata={"description": "of n"})


class PeriodSchema(Schema):
    """Of which time the figures are."""

    from_ = Moment(data_key="from", attribute="since")
    until = Moment()


class CoverageReportSchema(PeriodSchema):
    """Where leads come and providers are missing; the cell to recruit for next comes first."""

    n = fields.Integer(metadata={"description": "leads that were opened in the period"})
    providers = fields.Integer(metadata={"description": "verified providers"})
    items = fields.List(fields.Nested(CoverageCellSchema))
    next = fields.String(allow_none=True)


class CoverageArgs(ReportArgs):
    """Which part of it, and in which format."""

    after = CursorOf(str, str, str)


class ProviderShareSchema(Schema):
    """What a provider was owed in the period and what it had; its account as it is now."""

    provider_id = fields.UUID()
    name = fields.String()
    kind = Choice(ProviderKind)
    joined_at = Moment()
    newcomer = fields.Boolean(metadata={"description": "joined within the period"})
    eligible = fields.Integer(
        metadata={"description": "runs in which somebody of its band was chosen"}
    )
    entitled = fields.Float(metadata={"description": "turns: its fair share"})
    invited = fields.Integer()
    by_hand = fields.Integer(metadata={"description": "of those invited, by an administrator"})
    turns_given_back = fields.Integer(
        metadata={"description": "of those invited, that cost nothing in the end"}
    )
    difference = fields.Float(
        metadata={"description": "invited, less what was given back, less entitled"}
    )
    balance = fields.Float()
    answered = fields.Float(metadata={"description": "older ones count less"})
    missed = fields.Float(metadata={"description": "older ones count less"})
    weight = fields.Float()


class GiniSchema(Schema):
    """How unequally turns follow what was owed, over providers that were owed one or more."""

    value = fields.Float(allow_none=True)
    n = fields.Integer()


class DifferenceSchema(Schema):
    """How far what was had and what was owed are apart, whichever way."""

    mean = fields.Float(allow_none=True)
    max = fields.Float(allow_none=True)
    n = fields.Integer()


class FairnessReportSchema(PeriodSchema):
    """Every provider that was owed a turn or invited; the largest differences first."""

    n = fields.Integer(metadata={"description": "providers"})
    gini = fields.Nested(GiniSchema)
    absolute_difference = fields.Nested(DifferenceSchema)
    items = fields.List(fields.Nested(ProviderShareSchema))
    next = fields.String(allow_none=True)


class FairnessArgs(ReportArgs):
    """Of which time: a month, or the last so many; else the months of the last 90 days."""

    month = Month(load_default=None)
    months = fields.Integer(
        load_default=None,
        validate=validate.Range(1, 12, error="must be from 1 to 12"),
        error_messages={"invalid": "must be a whole number"},
    )


class StageSchema(Schema):
    """How many leads took one step, and all those before it."""

    step = Choice(Step)
    n = fields.Integer()
    share = fields.Float(allow_none=True, metadata={"description": "of all that were sent"})
    share_of_previous = fields.Float(
        allow_none=True, metadata={"description": "of those that took the step before"}
    )


class CameToSchema(Schema):
    """How many leads came to one outcome, as their businesses say."""

    outcome = Choice(
        Outcome, allow_none=True, metadata={"description": "null: nobody has told yet"}
    )
    n = fields.Integer()
    share = fields.Float(allow_none=True, metadata={"description": "of all that were opened"})


class HeldBackSchema(Schema):
    """The leads that a doubt held for a person to look at, and how that was decided."""

    n = fields.Integer()
    let_in = fields.Integer()
    turned_away = fields.Integer()
    waiting = fields.Integer()
    precision = fields.Float(
        allow_none=True, metadata={"description": "share turned away of those decided"}
    )


class FunnelReportSchema(PeriodSchema):
    """How far the leads have come whose forms came in the period, and what came of them."""

    n = fields.Integer(metadata={"description": "leads that were sent in the period"})
    items = fields.List(fields.Nested(StageSchema))
    outcomes = fields.List(fields.Nested(CameToSchema))
    held = fields.Nested(HeldBackSchema)
    next = fields.String(allow_none=True)


class FunnelArgs(Schema):
    """In which format."""

    class Meta:
        unknown = EXCLUDE

    format = format_field()


class QuoteRangeSchema(Schema):
    """One figure of the quotes in one cell; without numbers where they are too few to be shown."""

    kind = Choice(QuoteKind)
    currency = fields.String()
    standards = fields.String(
        metadata={"description": "`ISO 9001 + ISO 14001`: quoted for together"}
    )
    country = fields.String(metadata={"description": "or `several`: of those, no region"})
    size = fields.String(
        allow_none=True, metadata={"description": "`26-65`, `626+`, by headcount; null: any"}
    )
    region = fields.String(
        allow_none=True,
        metadata={
            "description": "null: all of the country, requests over several of its regions included"
        },
    )
    measure = Choice(
        Measure,
        metadata={
            "description": "`total`: three years, or all phases, of quotes that leave nothing out "
            "of it; `per_day`: of that total, by all days of audits or work in it; days of stages "
            "1 and 2, of both surveillance audits, or of work"
        },
    )
    n = fields.Integer(allow_none=True, metadata={"description": "quotes; null: too few"})
    providers = fields.Integer(allow_none=True)
    lower = Amount(
        allow_none=True, metadata={"description": "first quartile: money without tax, or days"}
    )
    median = Amount(allow_none=True)
    upper = Amount(allow_none=True, metadata={"description": "third quartile"})
    left_out = fields.Integer(
        allow_none=True,
        metadata={"description": "of totals: how many more quotes leave something out"},
    )


class QuoteRangesSchema(PeriodSchema):
    """For how much, and how many days, the same is quoted; the most quoted for comes first."""

    n = fields.Integer(metadata={"description": "quotes that the totals shown are of"})
    quotes_at_least = fields.Integer(metadata={"description": "for a figure to be shown"})
    providers_at_least = fields.Integer(metadata={"description": "likewise"})
    items = fields.List(fields.Nested(QuoteRangeSchema))
    next = fields.String(allow_none=True)


class QuoteRangesArgs(ReportArgs):
    """Of which days (UTC), the first and the last among them: by default the last 90 days."""

    first = Day(load_default=None, data_key="from")
    last = Day(load_default=None, data_key="until")
    after = CursorOf(*[str] * 7)


class WaitingLeadSchema(Schema):
    """An open lead with an empty place that could not be filled."""

    id = fields.UUID(attribute="lead.id")
    reference = fields.String(attribute="lead.reference")
    company_name = fields.String(attribute="lead.company_name")
    service = fields.String(attribute="lead.service")
    standards = fields.List(fields.String(), attribute="lead.standards")
    regions = fields.List(fields.String(), attribute="lead.regions")
    waiting_since = Moment(allow_none=True, attribute="lead.waiting_since")
    waiting_seconds = fields.Integer(allow_none=True)
    waiting_code = fields.String(allow_none=True, attribute="lead.waiting_code")
    waiting_reason = fields.String(allow_none=True, attribute="lead.waiting_reason")
    empty_places = fields.Integer()
    invitations = fields.Integer()
    invitations_at_most = fields.Integer()
    next_try_at = Moment(
        allow_none=True,
        metadata={"description": "sooner if anything happens that could help; null: not again"},
    )


class WaitingPageSchema(Schema):
    """A page of the waiting queue."""

    items = fields.List(fields.Nested(WaitingLeadSchema))
    next = fields.String(allow_none=True)


class WaitingArgs(PageArgs):
    """Which part of the queue."""

    after = CursorOf(a_moment, UUID)


@blp.route("/reports/coverage")
class CoverageReport(MethodView):
    @blp.arguments(CoverageArgs, location="query")
    @blp.response(200, CoverageReportSchema)
    @also_as_csv(blp)
    def get(self, args: dict[str, Any]) -> dict[str, Any] | Response:
        """Who covers what was asked for in the last 90 days: where to recruit next."""
        found = coverage_report(current_context(), current_actor(), **wanted(args))
        if args["format"] is Format.CSV:
            return table("coverage", CoverageCellSchema(), found.cells, found.since, found.until)
        return {
            "since": found.since,
            "until": found.until,
            "n": found.n,
            "providers": found.providers,
            "items": found.cells,
            "next": cursor_of(*found.following) if found.following else None,
        }


@blp.route("/reports/fairness")
class FairnessReport(MethodView):
    @blp.arguments(FairnessArgs, location="query")
    @blp.response(200, FairnessReportSchema)
    @also_as_csv(blp)
    def get(self, args: dict[str, Any]) -> dict[str, Any] | Response:
        """What every provider was owed and what it had, the largest differences first."""
        found = fairness(current_context(), current_actor(), **wanted(args))
        if args["format"] is Format.CSV:
            since = found.months.starts_at
            return table("fairness", ProviderShareSchema(), found.shares, since, found.until)
        return {
            "since": found.months.starts_at,
            "until": found.until,
            "n": found.n,
            "gini": {"value": found.gini, "n": found.gini_n},
            "absolute_difference": {
                "mean": found.mean_difference,
                "max": found.max_difference,
                "n": found.n,
            },
            "items": found.shares,
            "next": cursor(found.following) if found.following else None,
        }


@blp.route("/reports/funnel")
class FunnelReport(MethodView):
    @blp.arguments(FunnelArgs, location="query")
    @blp.response(200, FunnelReportSchema)
    @also_as_csv(blp)
    def get(self, args: dict[str, Any]) -> dict[str, Any] | Response:
        """How far the leads of the last 90 days have come, from the form to the choice."""
        found = funnel_report(current_context(), current_actor())
        if args["format"] is Format.CSV:
            return table("funnel", StageSchema(), found.stages, found.since, found.until)
        return {
            "since": found.since,
            "until": found.until,
            "n": found.n,
            "items": found.stages,
            "outcomes": found.outcomes,
            "held": found.held,
            "next": None,
        }


@blp.route("/reports/quotes")
class QuoteRangesReport(MethodView):
    @blp.arguments(QuoteRangesArgs, location="query")
    @blp.response(200, QuoteRangesSchema)
    @also_as_csv(blp)
    def get(self, args: dict[str, Any]) -> dict[str, Any] | Response:
        """For how much, and with how many audit days, the same is quoted, where enough quote it."""
        found = quote_ranges(current_context(), current_actor(), **wanted(args))
        if args["format"] is Format.CSV:
            return table("quotes", QuoteRangeSchema(), found.ranges, found.since, found.until)
        return {
            "since": found.since,
            "until": found.until,
            "n": found.n,
            "quotes_at_least": found.quotes_at_least,
            "providers_at_least": found.providers_at_least,
            "items": found.ranges,
            "next": cursor_of(*found.following) if found.following else None,
        }


class RetentionSchema(Schema):
    """What of a rule is over, and waits to be forgotten."""

    rule = fields.String(attribute="rule.name")
    says = fields.String(attribute="rule.says")
    kept_days = fields.Float(metadata={"description": "for how many days it is kept"})
    over = fields.Integer(attribute="count")
    oldest = Moment(allow_none=True, metadata={"description": "since when the oldest counts"})


class RetentionReportSchema(Schema):
    """What is kept for how long, and what of it is over."""

    items = fields.List(fields.Nested(RetentionSchema))
    next = fields.String(allow_none=True)


@blp.route("/reports/retention")
class RetentionReport(MethodView):
    @blp.response(200, RetentionReportSchema)
    def get(self) -> dict[str, Any]:
        """What is over by each rule of retention and not forgotten yet; nothing is changed."""
        return {"items": retention_report(current_context(), current_actor()), "next": None}


@blp.route("/reports/commitment")
class CommitmentReport(MethodView):
    @blp.arguments(CommitmentArgs, location="query")
    @blp.response(200, CommitmentReportSchema)
    @also_as_csv(blp)
    def get(self, args: dict[str, Any]) -> dict[str, Any] | Response:
        """How often a first response came in time, and how soon: in all and by group."""
        found = commitment_report(current_context(), current_actor(), **wanted(args))
        if args["format"] is Format.CSV:
            rows = [found.total, *found.rows]
            return table("commitment", FiguresSchema(), rows, found.since, found.until)
        return {
            "since": found.since,
            "until": found.until,
            "n": found.total.n,
            "total": found.total,
            "items": found.rows,
            "next": cursor_of(*found.following) if found.following else None,
        }


def table(
    name: str, schema: Schema, rows: Iterable[Any], since: datetime, until: datetime
) -> Response:
    """Return a report as a table that says in every row of which time it is."""
    period = PeriodSchema().dump({"since": since, "until": until})
    return csv_answer(f"{name}_{since:%Y-%m-%d}_{until:%Y-%m-%d}", schema, rows, beside=period)


@blp.route("/waiting-leads")
class WaitingLeads(MethodView):
    @blp.arguments(WaitingArgs, location="query")
    @blp.response(200, WaitingPageSchema)
    def get(self, args: dict[str, Any]) -> dict[str, Any]:
        """Open leads with an empty place, the longest waiting first."""
        items, last = waiting_leads(current_context(), current_actor(), **args)
        following = cursor_of(last[0].isoformat(), str(last[1])) if last else None
        return {"items": items, "next": following}
