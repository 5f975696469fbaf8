"""The commitment report, as administrators see it."""

from marshmallow import Schema, fields

from marketplace.insights.commitment_rows import Group
from marketplace.web.fields import Choice, Moment
from marketplace.web.paging import CursorOf
from marketplace.web.reporting import ReportArgs


class FiguresSchema(Schema):
    """How often a first response came in time, and how soon it came."""

    by = Choice(Group)
    key = fields.String(metadata={"description": "a week by its Monday, a code, a provider's id"})
    name = fields.String()
    n = fields.Integer(metadata={"description": "met and missed"})
    met = fields.Integer()
    missed = fields.Integer()
    share_met = fields.Float(allow_none=True, metadata={"description": "of n"})
    ended = fields.Integer(metadata={"description": "before either: in no rate"})
    responses = fields.Integer(
        metadata={"description": "with a first response, in time or late: what the hours are of"}
    )
    median_hours = fields.Float(
        allow_none=True, metadata={"description": "to the first response, by the clock"}
    )
    p90_hours = fields.Float(
        allow_none=True, metadata={"description": "nine of ten first responses came this soon"}
    )


class CommitmentReportSchema(Schema):
    """What was decided in the period: of requests, and by provider of invitations."""

    from_ = Moment(data_key="from", attribute="since")
    until = Moment()
    n = fields.Integer(metadata={"description": "requests: met and missed"})
    total = fields.Nested(FiguresSchema)
    items = fields.List(fields.Nested(FiguresSchema))
    next = fields.String(allow_none=True)


class CommitmentArgs(ReportArgs):
    """Of which time, grouped by what: the last 90 days and all the groups by default."""

    since = Moment(load_default=None, metadata={"description": "from then on"})
    until = Moment(load_default=None, metadata={"description": "up to then, at most now"})
    by = Choice(
        Group,
        load_default=None,
        metadata={"description": "this group alone, or the total; else all of them"},
    )
    after = CursorOf(Group, str)
