"""What other services tell us: SendGrid's signed Event Webhook."""

import json
from datetime import timedelta
from typing import Any

import structlog
from flask import request
from flask.views import MethodView
from sendgrid.helpers.eventwebhook import EventWebhook, EventWebhookHeader
from werkzeug.exceptions import BadRequest

from marketplace.core.errors import NotAllowed
from marketplace.notifications import reports
from marketplace.web.auth import current_context
from marketplace.web.product import current_product
from marketplace.web.requests import MAX_UPLOAD, Blueprint

blp = Blueprint("hooks", __name__, url_prefix="/api/v1/hooks", description="From other services")

log = structlog.get_logger(__name__)

FRESH_FOR = timedelta(minutes=10)
"""How far the signed time may be from ours: what was recorded cannot be played back later."""


@blp.route("/sendgrid")
class SendGridEvents(MethodView):
    @blp.response(204)
    @blp.alt_response(403, description="No public key is set, or the signature is bad or stale")
    def post(self) -> None:
        """Take delivery events in. What is not about a message of ours is passed over."""
        reports.note_reports(current_context(), reports.reports_in(signed_events()))


def signed_events() -> list[Any]:
    """Return the events of this request, or refuse what SendGrid has not signed just now."""
    request.max_content_length = MAX_UPLOAD  # SendGrid sends a thousand events at a time
    raw = request.get_data()
    if not is_signed(raw):
        log.warning("bad_signature")
        raise NotAllowed("the signature of this event body is missing, bad or stale")
    try:
        events = json.loads(raw)
    except (ValueError, RecursionError):
        raise BadRequest("the body is not well-formed JSON") from None
    if not isinstance(events, list):
        raise BadRequest("the body is not a list of events")
    return events


def is_signed(raw: bytes) -> bool:
    """Return whether the body carries a signature by SendGrid's key over a time of just now."""
    public_key = current_product().settings.sendgrid_webhook_public_key
    signature = request.headers.get(EventWebhookHeader.SIGNATURE, "")
    signed_at = request.headers.get(EventWebhookHeader.TIMESTAMP, "")
    if not public_key or not (signed_at.isascii() and signed_at.isdecimal()):
        return False
    now = current_context().clock().timestamp()
    if abs(now - min(int(signed_at[:12]), 10**11)) > FRESH_FOR.total_seconds():
        return False
    try:
        hook = EventWebhook(public_key)
        return bool(hook.verify_signature(raw.decode(), signature, signed_at))
    except (
        ValueError
    ):  # a signature that is not base64, a body that is not UTF-8, a key that is none
        return False
