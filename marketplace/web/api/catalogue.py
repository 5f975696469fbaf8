"""What a form may be filled in with."""

from typing import Any

from flask import Response, request
from flask.views import MethodView
from marshmallow import Schema, fields

from marketplace.catalogue import queries
from marketplace.catalogue.languages import languages
from marketplace.invitations.rules import DeclineReason
from marketplace.leads.rules import CloseReason, Outcome, OutcomeReason, Service, Timeframe
from marketplace.providers.rules import RelationshipKind
from marketplace.web.auth import current_context
from marketplace.web.requests import Blueprint

blp = Blueprint("catalogue", __name__, url_prefix="/api/v1/catalogue", description="Reference data")


class StandardSchema(Schema):
    """A standard or scheme."""

    code = fields.String()
    title = fields.String()
    edition = fields.String()
    certifiable = fields.Boolean()
    note = fields.String()


class RegionSchema(Schema):
    """A country or one of its subdivisions."""

    code = fields.String()
    name = fields.String()
    country = fields.String()


class SectorSchema(Schema):
    """A technical sector."""

    code = fields.String()
    name = fields.String()


class LanguageSchema(Schema):
    """A language, by its ISO 639-1 code."""

    code = fields.String()
    name = fields.String()


class CatalogueSchema(Schema):
    """Everything that a form may be filled in with."""

    standards = fields.List(fields.Nested(StandardSchema))
    regions = fields.List(fields.Nested(RegionSchema))
    sectors = fields.List(fields.Nested(SectorSchema))
    languages = fields.List(fields.Nested(LanguageSchema))
    services = fields.List(fields.String())
    timeframes = fields.List(fields.String())
    decline_reasons = fields.List(fields.String())
    close_reasons = fields.List(fields.String())
    outcomes = fields.List(fields.String())
    outcome_reasons = fields.List(fields.String())
    relationship_kinds = fields.List(fields.String())


@blp.route("")
class Catalogue(MethodView):
    @blp.response(200, CatalogueSchema)
    def get(self) -> dict[str, Any]:
        """Everything that a form may be filled in with; cacheable."""
        with current_context().reading() as session:
            return {
                "standards": queries.standards(session),
                "regions": queries.regions(session),
                "sectors": queries.sectors(session),
                "languages": [{"code": code, "name": name} for code, name in languages().items()],
                "services": list(Service),
                "timeframes": list(Timeframe),
                "decline_reasons": list(DeclineReason),
                "close_reasons": list(CloseReason),
                "outcomes": list(Outcome),
                "outcome_reasons": list(OutcomeReason),
                "relationship_kinds": list(RelationshipKind),
            }


@blp.after_request
def cacheable(response: Response) -> Response:
    """Let the catalogue be kept for an hour and asked for again by its ETag."""
    if response.status_code == 200:
        response.headers["Cache-Control"] = "public, max-age=3600"
        response.add_etag()
        response.make_conditional(request)
    return response
