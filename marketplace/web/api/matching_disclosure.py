"""What decides who is invited, for programs to read: what the page says, from the same words."""

from typing import Any

from flask.views import MethodView
from marshmallow import Schema, fields

from marketplace.web.auth import current_context
from marketplace.web.pages.how_matching_works import disclosure
from marketplace.web.requests import Blueprint

blp = Blueprint(
    "matching disclosure",
    __name__,
    url_prefix="/api/v1/matching-disclosure",
    description="What decides who is invited",
)


class HardRuleSchema(Schema):
    """What has to be so of whoever is invited."""

    code = fields.String()
    says = fields.String()


class FitSchema(HardRuleSchema):
    """What makes one fit better than another."""

    points = fields.Integer()


class FairTurnSchema(Schema):
    """What decides among those that fit equally."""

    among_at_most = fields.Integer()
    least_share = fields.Float()
    largest_share = fields.Float()
    refunds_a_month = fields.Integer()
    refund_within = fields.String()


class DisclosureSchema(Schema):
    """All that decides who is invited, with the numbers in force."""

    rule_version = fields.String()
    places = fields.Integer()
    most_invitations = fields.Integer()
    hard_rules = fields.List(fields.Nested(HardRuleSchema))
    fit = fields.List(fields.Nested(FitSchema))
    fair_turn = fields.Nested(FairTurnSchema)
    misses_before_pause = fields.Integer()
    misses_within_days = fields.Integer()
    review = fields.String()


@blp.route("")
class MatchingDisclosure(MethodView):
    @blp.response(200, DisclosureSchema)
    def get(self) -> dict[str, Any]:
        """What decides who is invited, from the policy in force."""
        return disclosure(current_context().policy)
