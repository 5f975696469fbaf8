"""Quotes side by side, as the business sees them."""

from marshmallow import EXCLUDE, Schema, fields

from marketplace.providers.rules import AccreditationState
from marketplace.quotes.audit_time import Assumption, Gap
from marketplace.quotes.judging import InTime, Stands, Verdict
from marketplace.quotes.ordering import DEFAULT, Order
from marketplace.quotes.phases import Work
from marketplace.quotes.rules import QuoteKind
from marketplace.web.fields import Choice, Moment


class ComparisonArgs(Schema):
    """In which order quotes stand side by side."""

    class Meta:
        unknown = EXCLUDE

    order = Choice(Order, load_default=DEFAULT)


class LineSchema(Schema):
    """One sort of fee, with every quote's amount in the order of the columns."""

    key = fields.String()
    label = fields.String()
    in_three_years = fields.Boolean()
    amounts = fields.List(fields.String(allow_none=True))
    days = fields.List(fields.Float(allow_none=True))


class BadgeSchema(Schema):
    """A fact about a certification body, with when it was last checked."""

    standard = fields.String()
    edition = fields.String(allow_none=True)
    body = fields.String()
    certificate_number = fields.String()
    sectors = fields.List(fields.String(), allow_none=True)
    state = Choice(AccreditationState)
    valid_until = fields.Date()
    checked_on = fields.Date(allow_none=True)


class AccreditedSchema(Schema):
    """Under which accreditation a standard of a quote would be certified."""

    standard = fields.String()
    held = fields.Nested(
        BadgeSchema, allow_none=True, metadata={"description": "Null where none is known."}
    )
    is_named = fields.Boolean(
        metadata={"description": "The quote names it; otherwise it is one that its provider holds."}
    )


class YearSchema(Schema):
    """What falls due in one of the three years, without travel and tax."""

    year = fields.Integer()
    amount = fields.String(allow_none=True)
    left_out = fields.List(fields.String())


class AuditSchema(Schema):
    """The days of one audit against the range that the tables suggest for it."""

    audit = fields.String(
        metadata={"enum": ["initial", "surveillance_1", "surveillance_2", "recertification"]}
    )
    quoted = fields.Float(allow_none=True)
    least = fields.Float()
    most = fields.Float()
    verdict = Choice(Verdict)
    least_for_headcount = fields.Float(
        allow_none=True,
        metadata={
            "description": "The range for everybody, where the quote counts fewer people than were "
            "named and has too few days for all of them."
        },
    )
    most_for_headcount = fields.Float(allow_none=True)


class ExpectedSchema(Schema):
    """What a range of audit days is for, and what it rests on."""

    standards = fields.List(fields.String())
    personnel = fields.Integer()
    gaps = fields.Dict(keys=fields.String(), values=Choice(Gap))
    assumptions = fields.List(Choice(Assumption))
    sites = fields.Integer()
    visited = fields.Integer()


class OtherEditionSchema(Schema):
    """A standard that is offered in another edition than the one that was asked for."""

    code = fields.String()
    wanted = fields.String()
    quoted = fields.String()


class WorkSchema(Schema):
    """Usual work of a consultant, and the phases of a quote that cover it."""

    key = Choice(Work)
    label = fields.String()
    phases = fields.List(fields.String())
    is_stated = fields.Boolean(
        metadata={"description": "The consultant says so; otherwise the words suggest it."}
    )


class ColumnSchema(Schema):
    """One quote among the others of its kind."""

    invitation_id = fields.UUID()
    provider = fields.String()
    currency = fields.String()
    is_in_common_currency = fields.Boolean()
    total = fields.String(allow_none=True)
    total_covers = fields.String()
    tax_rate = fields.String(allow_none=True)
    total_with_tax = fields.String(allow_none=True)
    missing = fields.List(fields.String())
    left_out = fields.List(fields.String())
    travel_basis = fields.String(allow_none=True)
    standards = fields.List(fields.Dict())
    standards_missing = fields.List(fields.String())
    other_editions = fields.List(fields.Nested(OtherEditionSchema))
    accreditation = fields.Nested(BadgeSchema, allow_none=True)
    accredited = fields.List(fields.Nested(AccreditedSchema))
    effective_personnel = fields.Integer(allow_none=True)
    headcount = fields.Integer()
    years = fields.List(fields.Nested(YearSchema))
    travel = fields.String(allow_none=True)
    per_year = fields.String()
    expected = fields.Nested(ExpectedSchema)
    audits = fields.List(fields.Nested(AuditSchema))
    work = fields.List(fields.Nested(WorkSchema))
    days = fields.Float()
    days_left_out = fields.List(
        fields.String(),
        metadata={"description": "what has a fee in the total and no days stated"},
    )
    per_day = fields.String(allow_none=True)
    phases = fields.List(fields.Dict(), allow_none=True)
    duration_weeks = fields.Integer(allow_none=True)
    exclusions = fields.List(fields.String())
    client_duties = fields.List(fields.String())
    assumptions = fields.List(fields.String())
    notes = fields.String(allow_none=True)
    earliest_start = fields.String(allow_none=True)
    in_time = Choice(InTime, allow_none=True)
    valid_until = fields.Date()
    stands = Choice(
        Stands, allow_none=True, metadata={"description": "Null once the request is finished."}
    )
    version = fields.Integer()
    submitted_at = Moment()
    withdrawn_because = fields.String(allow_none=True)


class SideBySideSchema(Schema):
    """The quotes of one kind: what each line costs, and each quote as a whole."""

    currency = fields.String(
        allow_none=True,
        metadata={"description": "The one to compare in: the business' own, or that of all."},
    )
    is_one_currency = fields.Boolean()
    lines = fields.List(fields.Nested(LineSchema))
    columns = fields.List(fields.Nested(ColumnSchema))


class OrderSchema(Schema):
    """An order that can be asked for."""

    key = Choice(Order)
    label = fields.String()


class ComparisonSchema(Schema):
    """All quotes, each kind on its own, and in which order they stand."""

    order = fields.String()
    ordered_by = Choice(Order)
    orders = fields.List(fields.Nested(OrderSchema))
    needed_by = fields.Date(allow_none=True)
    kinds = fields.Dict(
        keys=fields.String(metadata={"enum": [kind.value for kind in QuoteKind]}),
        values=fields.Nested(SideBySideSchema),
    )
