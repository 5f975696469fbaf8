"""What a provider sees and changes of itself: profile, accreditations, pauses."""

from typing import Any
from uuid import UUID

from flask import Response, request
from flask.views import MethodView
from marshmallow import Schema, fields
from werkzeug.exceptions import BadRequest, RequestEntityTooLarge

from marketplace.core.files import SentFile
from marketplace.core.forms import Form
from marketplace.privacy.accounts import leave
from marketplace.providers import accreditations, directory, pauses, profile
from marketplace.providers.accreditations import Shown
from marketplace.providers.directory import Profile
from marketplace.providers.evidence import EVIDENCE_AT_MOST, SORTS, evidence, evidence_of
from marketplace.providers.models import Accreditation, Pause
from marketplace.web.api.account import ProvenIn
from marketplace.web.api.account_data import prove_and
from marketplace.web.api.provider_schemas import (
    AccreditationSchema,
    ChangedProviderSchema,
    NewAccreditationSchema,
    PauseSchema,
    ProfileSchema,
)
from marketplace.web.auth import current_actor, current_context
from marketplace.web.fields import IN_THIS_AGE, In, Moment
from marketplace.web.files import (
    MULTIPART,
    TooLarge,
    answers_file,
    download,
    looked_into,
    read_file,
    wrong_with,
)
from marketplace.web.idempotency import idempotent
from marketplace.web.paging import PageArgs, page
from marketplace.web.requests import MAX_BODY, Blueprint, load, parsed_json, read_json

blp = Blueprint(
    "provider", __name__, url_prefix="/api/v1/portal", description="A provider's own data"
)

leaving = Blueprint(
    "leaving",
    __name__,
    url_prefix="/api/v1/portal/provider",
    description="A whole provider leaves: an owner says so, and no software",
)


class NewPauseSchema(In):
    """A time without invitations."""

    from_ = Moment(required=True, data_key="from", attribute="from", validate=IN_THIS_AGE)
    until = Moment(required=True, validate=IN_THIS_AGE)


class AccreditationsSchema(Schema):
    """A page of a provider's accreditations."""

    items = fields.List(fields.Nested(AccreditationSchema))
    next = fields.String(allow_none=True)


class EvidenceUploadSchema(Schema):
    """A claim with a file: the claim as a part of JSON, the file as another."""

    accreditation = fields.Nested(NewAccreditationSchema, required=True)
    evidence = fields.Raw(metadata={"type": "string", "format": "binary"})


@blp.before_request
def allow_uploads() -> None:
    """Let a claim with a file be larger than other bodies."""
    if request.mimetype == MULTIPART and request.path.endswith("/accreditations"):
        request.max_content_length = EVIDENCE_AT_MOST + MAX_BODY


def own_profile() -> Profile:
    """Return the profile of whoever asks."""
    ctx = current_context()
    with ctx.reading() as session:
        return directory.profile_of(session, current_actor().own_provider(), now=ctx.clock())


@blp.route("/provider")
class OwnProvider(MethodView):
    @blp.response(200, ProfileSchema)
    def get(self) -> Profile:
        """Profile, coverage, capacity, state."""
        return own_profile()

    @blp.arguments(ChangedProviderSchema)
    @blp.response(200, ProfileSchema)
    def patch(self, form: Form) -> Profile:
        """Change website, contact, coverage or capacity; what is left out stays as it is."""
        profile.update_provider(current_context(), current_actor(), form)
        return own_profile()


@leaving.route("")
class Leaving(MethodView):
    @leaving.arguments(ProvenIn)
    @leaving.response(204)
    def delete(self, form: Form) -> None:
        """Leave for good, by an owner's password: people, keys, webhook and contact are erased."""
        prove_and(leave, form)


@blp.route("/accreditations")
class OwnAccreditations(MethodView):
    @blp.arguments(PageArgs, location="query")
    @blp.response(200, AccreditationsSchema)
    def get(self, args: dict[str, Any]) -> dict[str, Any]:
        """Accreditations, newest first, each with its state and the last look taken at it."""
        rows = accreditations.accreditations_held_by(current_actor().own_provider())
        with current_context().reading() as session:
            held, following = page(session, rows, Accreditation.id, **args)
            return {"items": accreditations.shown(session, held), "next": following}

    @idempotent
    @blp.response(201, AccreditationSchema)
    @blp.doc(
        requestBody={
            "required": True,
            "content": {
                "application/json": {"schema": NewAccreditationSchema},
                MULTIPART: {"schema": EvidenceUploadSchema},
            },
        }
    )
    def post(self) -> Shown:
        """Claim an accreditation, with a PDF, PNG or JPEG of at most 10 MiB where there is one."""
        form, file = read_claim()
        return accreditations.claim_accreditation(current_context(), current_actor(), form, file)


def read_claim() -> tuple[Form, SentFile | None]:
    """Read a claim and its file, if it has one, out of JSON or out of a form with parts."""
    if request.mimetype != MULTIPART:
        body = read_json(request)
        return load(NewAccreditationSchema(), {} if body is None else body), None
    try:
        body = parsed_json(request.form.get("accreditation", "{}"))
    except ValueError:
        raise BadRequest("the part `accreditation` is not well-formed JSON") from None
    return with_evidence(load(NewAccreditationSchema(), body))


def with_evidence(form: Form) -> tuple[Form, SentFile | None]:
    """Read the file that was sent along, if there is one; another kind is wrong with the form."""
    try:
        take = looked_into(current_context().policy, evidence)
        found = read_file("evidence", at_most=EVIDENCE_AT_MOST, take=take)
    except TooLarge:
        raise RequestEntityTooLarge("a file may have at most 10 MiB") from None
    if isinstance(found, str):
        return wrong_with(form, "evidence", found), None
    return form, found


@blp.route("/accreditations/<uuid:accreditation_id>/evidence")
class OwnEvidence(MethodView):
    @answers_file(blp, *SORTS)
    def get(self, accreditation_id: UUID) -> Response:
        """The file that was sent with an accreditation, as a download."""
        with current_context().reading() as session:
            return download(evidence_of(session, current_actor(), accreditation_id))


@blp.route("/pauses")
class Pauses(MethodView):
    @idempotent
    @blp.arguments(NewPauseSchema)
    @blp.response(201, PauseSchema)
    def post(self, form: Form) -> Pause:
        """No invitations from a time up to another."""
        return pauses.add_pause(current_context(), current_actor(), form)


@blp.route("/pauses/<uuid:pause_id>")
class OnePause(MethodView):
    @blp.response(204)
    def delete(self, pause_id: UUID) -> None:
        """End a pause, or take back one that has not begun."""
        pauses.delete_pause(current_context(), current_actor(), pause_id)
