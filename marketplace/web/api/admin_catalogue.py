"""The reference data, as administrators see and change it."""

import base64
import binascii
from typing import Any

from flask.views import MethodView
from marshmallow import Schema, ValidationError, fields

from marketplace.catalogue import queries, service
from marketplace.catalogue.models import AccreditationBody, Region, Sector, Standard
from marketplace.catalogue.queries import Entry
from marketplace.catalogue.rules import Recognition, StandardKind
from marketplace.core.forms import Form
from marketplace.web.auth import current_actor, current_context
from marketplace.web.fields import Choice, Day, In, ListOf, Text
from marketplace.web.paging import PageArgs
from marketplace.web.requests import Blueprint

blp = Blueprint(
    "catalogue (administration)",
    __name__,
    url_prefix="/api/v1/admin/catalogue",
    description="Standards, sectors, regions and accreditation bodies",
)


class CodeCursor(fields.Field[str]):
    """Where a page begins: behind the entry with this code."""

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> str:
        try:
            code = base64.urlsafe_b64decode(str(value) + "==").decode()
        except (ValueError, binascii.Error):
            code = ""
        if not code or "\0" in code:
            raise ValidationError("is not a cursor from an earlier page")
        return code


class CodePageArgs(PageArgs):
    """What a list takes whose entries are known by a code."""

    after = CodeCursor(load_default=None, metadata={"type": "string"})


class KeptStandardSchema(Schema):
    """A standard or scheme with everything that is kept of it."""

    code = fields.String()
    title = fields.String()
    abbreviation = fields.String()
    edition = fields.String()
    published = fields.String()
    previous_edition = fields.String(allow_none=True)
    last_new_certificate_to_previous = fields.Date(allow_none=True)
    transition_end = fields.Date(allow_none=True)
    kind = Choice(StandardKind)
    certifiable = fields.Boolean()
    audit_time_basis = fields.String()
    scope_code_system = fields.String()
    confidence = fields.String()
    note = fields.String()


class ChangedStandardSchema(In):
    """What changes about a standard."""

    title = Text(at_most=300)
    abbreviation = Text(at_most=40)
    edition = Text(at_most=40)
    published = Text(at_most=40)
    previous_edition = Text(at_most=40, allow_none=True)
    last_new_certificate_to_previous = Day(allow_none=True)
    transition_end = Day(allow_none=True)
    kind = Choice(StandardKind)
    audit_time_basis = Text(at_most=300, at_least=0)
    scope_code_system = Text(at_most=300, at_least=0)
    confidence = Text(at_most=100, at_least=0)
    note = Text(at_most=2000, at_least=0, lines=True)


class KeptRegionSchema(Schema):
    """A region with its time zone."""

    code = fields.String()
    name = fields.String()
    country = fields.String()
    time_zone = fields.String()
    postcode_ranges = fields.List(fields.String(), allow_none=True)


class ChangedRegionSchema(In):
    """What changes about a region."""

    name = Text(at_most=200)
    time_zone = Text(at_most=60)
    postcode_ranges = ListOf(Text(at_most=20), most=100, allow_none=True)


class KeptSectorSchema(Schema):
    """A technical sector."""

    code = fields.String()
    system = fields.String()
    name = fields.String()
    nace = fields.String()
    note = fields.String()


class ChangedSectorSchema(In):
    """What changes about a sector."""

    name = Text(at_most=300)
    nace = Text(at_most=300, at_least=0)
    note = Text(at_most=2000, at_least=0, lines=True)


class AccreditationBodySchema(Schema):
    """An accreditation body, and what its word counts for."""

    code = fields.String()
    name = fields.String()
    countries = fields.List(fields.String())
    recognition = Choice(Recognition)
    recognised_for = fields.List(fields.String(), allow_none=True)
    evidence = fields.String()
    note = fields.String()


class ChangedBodySchema(In):
    """What changes about an accreditation body; `recognised_for` null means management systems."""

    name = Text(at_most=300)
    countries = ListOf(Text(at_most=2), least=1, most=50)
    recognition = Choice(Recognition)
    recognised_for = ListOf(Text(at_most=40), least=1, most=100, allow_none=True)
    evidence = Text(at_most=1000, at_least=0)
    note = Text(at_most=2000, at_least=0, lines=True)


def page_of(one: type[Schema]) -> type[Schema]:
    """Return the shape of a page of such entries."""
    name = one.__name__.removesuffix("Schema")
    return Schema.from_dict(
        {"items": fields.List(fields.Nested(one)), "next": fields.String(allow_none=True)},
        name=f"Catalogue{name}Page",
    )


def entries(table: type[Entry], *, limit: int, after: str | None) -> dict[str, Any]:
    """Return a page of a table's entries, by code."""
    with current_context().reading() as session:
        found = queries.entries(session, table, limit=limit + 1, after=after)
    following = None
    if len(found) > limit:
        following = base64.urlsafe_b64encode(found[limit - 1].code.encode()).rstrip(b"=").decode()
    return {"items": found[:limit], "next": following}


@blp.route("/standards")
class Standards(MethodView):
    @blp.arguments(CodePageArgs, location="query")
    @blp.response(200, page_of(KeptStandardSchema))
    def get(self, args: dict[str, Any]) -> dict[str, Any]:
        """Standards, by code."""
        return entries(Standard, **args)


@blp.route("/standards/<path:code>")
class OneStandard(MethodView):
    @blp.arguments(ChangedStandardSchema)
    @blp.response(200, KeptStandardSchema)
    def patch(self, form: Form, code: str) -> Standard:
        """Change a standard: its editions, its transition dates."""
        return service.change_entry(current_context(), current_actor(), Standard, code, form)


@blp.route("/sectors")
class Sectors(MethodView):
    @blp.arguments(CodePageArgs, location="query")
    @blp.response(200, page_of(KeptSectorSchema))
    def get(self, args: dict[str, Any]) -> dict[str, Any]:
        """Sectors, by code."""
        return entries(Sector, **args)


@blp.route("/sectors/<code>")
class OneSector(MethodView):
    @blp.arguments(ChangedSectorSchema)
    @blp.response(200, KeptSectorSchema)
    def patch(self, form: Form, code: str) -> Sector:
        """Change a sector."""
        return service.change_entry(current_context(), current_actor(), Sector, code, form)


@blp.route("/regions")
class Regions(MethodView):
    @blp.arguments(CodePageArgs, location="query")
    @blp.response(200, page_of(KeptRegionSchema))
    def get(self, args: dict[str, Any]) -> dict[str, Any]:
        """Regions, by code: a country before its subdivisions."""
        return entries(Region, **args)


@blp.route("/regions/<code>")
class OneRegion(MethodView):
    @blp.arguments(ChangedRegionSchema)
    @blp.response(200, KeptRegionSchema)
    def patch(self, form: Form, code: str) -> Region:
        """Change a region: its name, its time zone."""
        return service.change_entry(current_context(), current_actor(), Region, code, form)


@blp.route("/accreditation-bodies")
class Bodies(MethodView):
    @blp.arguments(CodePageArgs, location="query")
    @blp.response(200, page_of(AccreditationBodySchema))
    def get(self, args: dict[str, Any]) -> dict[str, Any]:
        """Accreditation bodies, by code."""
        return entries(AccreditationBody, **args)


@blp.route("/accreditation-bodies/<code>")
class OneBody(MethodView):
    @blp.arguments(ChangedBodySchema)
    @blp.response(200, AccreditationBodySchema)
    def patch(self, form: Form, code: str) -> AccreditationBody:
        """Change an accreditation body: whether and for which standards it is recognised."""
        return service.change_entry(
            current_context(), current_actor(), AccreditationBody, code, form
        )
