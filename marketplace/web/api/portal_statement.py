"""What a provider was owed in a month, what it had, and what it made of it."""

from typing import Any

from flask.views import MethodView
from marshmallow import EXCLUDE, Schema, fields

from marketplace.insights.statements import Statement, own_statement
from marketplace.web.auth import current_actor, current_context
from marketplace.web.fields import Moment
from marketplace.web.reporting import Month
from marketplace.web.requests import Blueprint

blp = Blueprint(
    "statement",
    __name__,
    url_prefix="/api/v1/portal/statement",
    description="A provider's fair share, and what became of it",
)


class StatementArgs(Schema):
    """Of which month (UTC): the current one by default."""

    class Meta:
        unknown = EXCLUDE

    month = Month(load_default=None)


class StatementSchema(Schema):
    """One month; an invitation belongs to the month in which it was sent."""

    month = Month(attribute="months.first")
    from_ = Moment(data_key="from", attribute="months.starts_at")
    until = Moment(attribute="months.ends_at")
    eligible = fields.Integer(
        metadata={"description": "leads in which a provider that fits as well was chosen"}
    )
    entitled = fields.Float(metadata={"description": "its fair share of turns in them"})
    invited = fields.Integer()
    opened = fields.Integer(metadata={"description": "looked at, accepted or quoted"})
    answered = fields.Integer(metadata={"description": "by a quote, a question or a no"})
    answered_in_time = fields.Integer(
        metadata={"description": "not by a question alone that no quote followed in time"}
    )
    declined = fields.Integer()
    released = fields.Integer()
    expired = fields.Integer()
    won = fields.Integer()
    turns_given_back = fields.Integer(
        metadata={"description": "invitations that cost nothing in the end"}
    )
    balance = fields.Float(metadata={"description": "turns that it is owed now"})
    balance_means = fields.String()


@blp.route("")
class OwnStatement(MethodView):
    @blp.arguments(StatementArgs, location="query")
    @blp.response(200, StatementSchema)
    def get(self, args: dict[str, Any]) -> Statement:
        """A month of its own: eligible, entitled, invited, opened, answered, won."""
        return own_statement(current_context(), current_actor(), **args)
