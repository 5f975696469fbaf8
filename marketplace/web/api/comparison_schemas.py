"""Quotes side by side, as the business sees them."""

from marshmallow import Schema, fields

from marketplace.quotes.rules import QuoteKind
from marketplace.web.fields import Moment


class LineSchema(Schema):
    """One sort of fee, with every quote's amount in the order of the columns."""

    key = fields.String()
    label = fields.String()
    in_three_years = fields.Boolean()
    amounts = fields.List(fields.String(allow_none=True))


class ColumnSchema(Schema):
    """One quote among the others of its kind."""

    invitation_id = fields.UUID()
    provider = fields.String()
    currency = fields.String()
    total = fields.String(allow_none=True)
    total_covers = fields.String()
    tax_rate = fields.String(allow_none=True)
    total_with_tax = fields.String(allow_none=True)
    missing = fields.List(fields.String())
    left_out = fields.List(fields.String())
    travel_basis = fields.String(allow_none=True)
    standards = fields.List(fields.Dict())
    effective_personnel = fields.Integer(allow_none=True)
    days = fields.Float()
    per_day = fields.String(allow_none=True)
    phases = fields.List(fields.Dict(), allow_none=True)
    earliest_start = fields.String(allow_none=True)
    valid_until = fields.Date()
    version = fields.Integer()
    submitted_at = Moment()
    withdrawn_because = fields.String(allow_none=True)


class SideBySideSchema(Schema):
    """The quotes of one kind: what each line costs, and each quote as a whole."""

    is_one_currency = fields.Boolean()
    lines = fields.List(fields.Nested(LineSchema))
    columns = fields.List(fields.Nested(ColumnSchema))


class ComparisonSchema(Schema):
    """All quotes, each kind on its own, and in which order they stand."""

    order = fields.String()
    kinds = fields.Dict(
        keys=fields.String(metadata={"enum": [kind.value for kind in QuoteKind]}),
        values=fields.Nested(SideBySideSchema),
    )
