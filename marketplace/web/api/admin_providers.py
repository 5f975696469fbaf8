"""Providers, their accreditations and relationships, as administrators deal with them."""

from typing import Any
from uuid import UUID

from flask import Response
from flask.views import MethodView
from marshmallow import Schema, fields

from marketplace.core.forms import Form
from marketplace.providers import accreditations, directory, relationships, service
from marketplace.providers.accreditations import Shown
from marketplace.providers.directory import Profile
from marketplace.providers.evidence import SORTS, evidence_of
from marketplace.providers.models import Accreditation, Provider, Relationship
from marketplace.providers.rules import (
    AccreditationState,
    CheckResult,
    ProviderKind,
    ProviderState,
    RelationshipKind,
)
from marketplace.web.api.provider_schemas import (
    AccreditationSchema,
    NewProviderSchema,
    ProfileSchema,
)
from marketplace.web.auth import current_actor, current_context
from marketplace.web.fields import Choice, Day, In, Text, optional
from marketplace.web.files import answers_file, download
from marketplace.web.idempotency import idempotent
from marketplace.web.paging import PageArgs, page
from marketplace.web.requests import Blueprint

blp = Blueprint(
    "providers (administration)",
    __name__,
    url_prefix="/api/v1/admin",
    description="Providers, accreditations and relationships",
)


class ProviderFilterSchema(PageArgs):
    """Which providers."""

    state = Choice(ProviderState, load_default=None)
    kind = Choice(ProviderKind, load_default=None)
    q = Text(at_most=200, at_least=0, load_default=None)


class ProviderPageSchema(Schema):
    """A page of providers."""

    items = fields.List(fields.Nested(ProfileSchema))
    next = fields.String(allow_none=True)


class AccreditationFilterSchema(PageArgs):
    """Which accreditations."""

    state = Choice(AccreditationState, load_default=None)


class HeldAccreditationSchema(AccreditationSchema):
    """An accreditation with who holds it."""

    provider_id = fields.UUID(attribute="accreditation.provider_id")


class AccreditationPageSchema(Schema):
    """A page of accreditations."""

    items = fields.List(fields.Nested(HeldAccreditationSchema))
    next = fields.String(allow_none=True)


class RelationshipSchema(Schema):
    """That two providers are related."""

    id = fields.UUID()
    provider_id = fields.UUID()
    other_id = fields.UUID()
    kind = Choice(RelationshipKind)
    from_ = fields.Date(attribute="valid_from", data_key="from", allow_none=True)
    until = fields.Date(attribute="valid_until", allow_none=True)


class WholeProviderSchema(ProfileSchema):
    """A provider with everything that is known of it."""

    accreditations = fields.List(fields.Nested(AccreditationSchema))
    relationships = fields.List(fields.Nested(RelationshipSchema))


class ReasonSchema(In):
    """Why, in words that the provider will read."""

    reason = Text(at_most=1000, lines=True, required=True)


class NewCheckSchema(In):
    """What a look into a register showed."""

    result = Choice(CheckResult, required=True)
    checked_on = Day(required=True)
    source = Text(at_most=300, required=True)


class NewRelationshipSchema(In):
    """That two providers are related, and when: both days count."""

    provider_id = fields.UUID(required=True, error_messages={"invalid_uuid": "must be an id"})
    other_id = fields.UUID(required=True, error_messages={"invalid_uuid": "must be an id"})
    kind = Choice(RelationshipKind, required=True)
    from_ = Day(data_key="from", attribute="from", **optional())
    until = Day(**optional())


def shown(provider_id: UUID) -> dict[str, Any]:
    """Return everything that is known of a provider."""
    ctx = current_context()
    with ctx.reading() as session:
        whole = directory.profile_of(session, provider_id, now=ctx.clock())
        return {
            **vars(whole),
            "accreditations": accreditations.accreditations_of(session, provider_id),
            "relationships": directory.relationships_of(session, provider_id),
        }


@blp.route("/providers")
class Providers(MethodView):
    @blp.arguments(ProviderFilterSchema, location="query")
    @blp.response(200, ProviderPageSchema)
    def get(self, args: dict[str, Any]) -> dict[str, Any]:
        """Providers, newest first; `q` is part of a name, or an address, or a number."""
        ctx, cut = current_context(), {"limit": args.pop("limit"), "after": args.pop("after")}
        with ctx.reading() as session:
            found, following = page(session, directory.providers_like(**args), Provider.id, **cut)
            items: list[Profile] = directory.profiles(session, found, now=ctx.clock())
            return {"items": items, "next": following}

    @idempotent
    @blp.arguments(NewProviderSchema)
    @blp.response(201, WholeProviderSchema)
    def post(self, form: Form) -> dict[str, Any]:
        """Write a provider down; it is invited only once it is approved."""
        return shown(service.create_provider(current_context(), current_actor(), form).id)


@blp.route("/providers/<uuid:provider_id>")
class OneProvider(MethodView):
    @blp.response(200, WholeProviderSchema)
    def get(self, provider_id: UUID) -> dict[str, Any]:
        """A provider with its accreditations and relationships."""
        return shown(provider_id)


@blp.route("/providers/<uuid:provider_id>/approval")
class Approval(MethodView):
    @blp.response(200, WholeProviderSchema)
    def post(self, provider_id: UUID) -> dict[str, Any]:
        """Verify a provider; its contact gets a link to set a password."""
        service.approve_provider(current_context(), current_actor(), provider_id)
        return shown(provider_id)


@blp.route("/providers/<uuid:provider_id>/rejection")
class Rejection(MethodView):
    @blp.arguments(ReasonSchema)
    @blp.response(200, WholeProviderSchema)
    def post(self, form: Form, provider_id: UUID) -> dict[str, Any]:
        """Turn an application away."""
        why = form.accept()["reason"]
        service.reject_provider(current_context(), current_actor(), provider_id, reason=why)
        return shown(provider_id)


@blp.route("/providers/<uuid:provider_id>/suspension")
class Suspension(MethodView):
    @blp.arguments(ReasonSchema)
    @blp.response(200, WholeProviderSchema)
    def post(self, form: Form, provider_id: UUID) -> dict[str, Any]:
        """Stop inviting a provider."""
        why = form.accept()["reason"]
        service.suspend_provider(current_context(), current_actor(), provider_id, reason=why)
        return shown(provider_id)


@blp.route("/providers/<uuid:provider_id>/reinstatement")
class Reinstatement(MethodView):
    @blp.response(200, WholeProviderSchema)
    def post(self, provider_id: UUID) -> dict[str, Any]:
        """Invite a suspended provider again."""
        service.reinstate_provider(current_context(), current_actor(), provider_id)
        return shown(provider_id)


@blp.route("/accreditations")
class Accreditations(MethodView):
    @blp.arguments(AccreditationFilterSchema, location="query")
    @blp.response(200, AccreditationPageSchema)
    def get(self, args: dict[str, Any]) -> dict[str, Any]:
        """Accreditations, newest first; `?state=claimed` are those that wait for a look."""
        rows = accreditations.accreditations_in(args.pop("state"))
        with current_context().reading() as session:
            found, following = page(session, rows, Accreditation.id, **args)
            return {"items": accreditations.shown(session, found), "next": following}


@blp.route("/accreditations/<uuid:accreditation_id>/verification")
class Verification(MethodView):
    @blp.arguments(NewCheckSchema)
    @blp.response(200, AccreditationSchema)
    def post(self, form: Form, accreditation_id: UUID) -> Shown:
        """Note what a register showed: found and confidential verify, the rest takes it back."""
        return accreditations.verify_accreditation(
            current_context(), current_actor(), accreditation_id, form
        )


@blp.route("/accreditations/<uuid:accreditation_id>/suspension")
class AccreditationSuspension(MethodView):
    @blp.response(200, AccreditationSchema)
    def post(self, accreditation_id: UUID) -> Shown:
        """Let an accreditation no longer count."""
        return accreditations.suspend_accreditation(
            current_context(), current_actor(), accreditation_id
        )


@blp.route("/accreditations/<uuid:accreditation_id>/reinstatement")
class AccreditationReinstatement(MethodView):
    @blp.response(200, AccreditationSchema)
    def post(self, accreditation_id: UUID) -> Shown:
        """Let a suspended accreditation count again."""
        return accreditations.reinstate_accreditation(
            current_context(), current_actor(), accreditation_id
        )


@blp.route("/accreditations/<uuid:accreditation_id>/evidence")
class EvidenceDownload(MethodView):
    @answers_file(blp, *SORTS)
    def get(self, accreditation_id: UUID) -> Response:
        """The file that was sent with an accreditation, as a download."""
        with current_context().reading() as session:
            return download(evidence_of(session, current_actor(), accreditation_id))


@blp.route("/relationships")
class Relationships(MethodView):
    @idempotent
    @blp.arguments(NewRelationshipSchema)
    @blp.response(201, RelationshipSchema)
    def post(self, form: Form) -> Relationship:
        """Declare two providers related, for impartiality."""
        return relationships.declare_relationship(current_context(), current_actor(), form)
