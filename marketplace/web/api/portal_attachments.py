"""PDF files that a provider attaches to its quote."""

from typing import Any
from uuid import UUID

from flask import Response, request
from flask.views import MethodView
from marshmallow import Schema, fields
from werkzeug.exceptions import UnsupportedMediaType

from marketplace.core.errors import FieldError
from marketplace.core.files import PDF, SentFile, sent_file
from marketplace.core.forms import Form
from marketplace.core.pdfs import NO_PDF
from marketplace.core.policy import Policy
from marketplace.core.texts import N_, Told
from marketplace.quotes import attachments
from marketplace.quotes.attachments import Held
from marketplace.web.auth import current_actor, current_context
from marketplace.web.fields import Moment
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
from marketplace.web.requests import MAX_UPLOAD, Blueprint, pointer_of

blp = Blueprint(
    "portal attachments",
    __name__,
    url_prefix="/api/v1/portal/invitations/<uuid:invitation_id>/attachments",
    description="Files of a provider's quote",
)

MEBIBYTE = 1024 * 1024


class AttachmentSchema(Schema):
    """A file of a quote."""

    id = fields.UUID(attribute="attachment.id")
    name = fields.String(attribute="attachment.name")
    size = fields.Integer(attribute="attachment.size", metadata={"description": "bytes"})
    added_at = Moment(attribute="attachment.added_at")
    is_with_business = fields.Boolean(
        metadata={
            "description": "whether the quote as it stands brought it; else the next one does"
        }
    )
    is_removed = fields.Boolean(
        metadata={"description": "whether the next version of the quote leaves it out"}
    )


class AttachmentsSchema(Schema):
    """The files of a quote."""

    items = fields.List(fields.Nested(AttachmentSchema))
    next = fields.String(allow_none=True)


class AttachmentUploadSchema(Schema):
    """A form of one part, the file."""

    file = fields.Raw(required=True, metadata={"type": "string", "format": "binary"})


@blp.before_request
def allow_uploads() -> None:
    """Let a file be larger than other bodies."""
    if request.mimetype == MULTIPART:
        request.max_content_length = MAX_UPLOAD


@blp.route("")
class Attachments(MethodView):
    @blp.response(200, AttachmentsSchema)
    def get(self, invitation_id: UUID) -> dict[str, Any]:
        """The files of the quote as it stands, and of its next version."""
        with current_context().reading() as session:
            held = attachments.attachments_of(session, current_actor(), invitation_id)
            return {"items": held, "next": None}

    @idempotent
    @blp.response(201, AttachmentSchema)
    @blp.doc(
        requestBody={
            "required": True,
            "content": {MULTIPART: {"schema": AttachmentUploadSchema}},
        }
    )
    def post(self, invitation_id: UUID) -> Held:
        """Attach a PDF to the quote; the business gets it with the quote that is sent next."""
        if request.mimetype != MULTIPART:
            raise UnsupportedMediaType("send the file as the part `file` of multipart/form-data")
        ctx, actor = current_context(), current_actor()
        return attachments.add_attachment(ctx, actor, invitation_id, read_upload())


@blp.route("/<uuid:attachment_id>")
class OneAttachment(MethodView):
    @answers_file(blp, PDF)
    def get(self, invitation_id: UUID, attachment_id: UUID) -> Response:
        """A file, as a download."""
        with current_context().reading() as session:
            return download(
                attachments.own_attachment(session, current_actor(), invitation_id, attachment_id)
            )

    @blp.response(204)
    def delete(self, invitation_id: UUID, attachment_id: UUID) -> None:
        """Leave a file out of the next version of the quote; one never sent is gone."""
        ctx, actor = current_context(), current_actor()
        attachments.remove_attachment(ctx, actor, invitation_id, attachment_id)


def read_upload() -> Form:
    """Read a form of one part, with everything that is wrong with it."""
    others = {*request.form, *request.files} - {"file"}
    problems = [FieldError(pointer_of(each), N_("is not a field of this form")) for each in others]
    form = with_pdf(Form({}, tuple(problems)))
    if form.is_sound("file") and "file" not in form.values:
        return wrong_with(form, "file", N_("is required"))
    return form


def with_pdf(form: Form) -> Form:
    """Read the PDF that was sent along, if there is one, and look into it."""
    policy = current_context().policy
    if len(request.files.getlist("file")) > 1:
        return wrong_with(form, "file", N_("must be one file at a time"))
    try:
        found = read_file(
            "file", at_most=policy.attachment_at_most, take=looked_into(policy, _a_pdf)
        )
    except TooLarge:
        return wrong_with(form, "file", too_large(policy))
    if isinstance(found, str):
        return wrong_with(form, "file", found)
    return form if found is None else Form({**form.values, "file": found}, form.problems)


def too_large(policy: Policy) -> str:
    """Return what is said of a file with more bytes than it may have."""
    return Told("must have at most %(most)d MiB", most=policy.attachment_at_most // MEBIBYTE)


def _a_pdf(name: str | None, content: bytes) -> SentFile | str:
    return sent_file(name, content, (PDF,), otherwise="file") or NO_PDF
