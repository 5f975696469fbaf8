"""The outbox, for administrators."""

from typing import Any
from uuid import UUID

from flask.views import MethodView
from marshmallow import Schema, fields

from marketplace.leads.contact_reads import note_addresses_shown
from marketplace.notifications import queries, service
from marketplace.notifications.models import Notification
from marketplace.notifications.rules import NotificationState, Way
from marketplace.web.auth import current_actor, current_context
from marketplace.web.fields import Choice, Moment
from marketplace.web.paging import PageArgs, page
from marketplace.web.requests import Blueprint

blp = Blueprint(
    "admin_notifications",
    __name__,
    url_prefix="/api/v1/admin/notifications",
    description="The outbox",
)


class NotificationSchema(Schema):
    """A message, without its words and its link: those are its recipient's."""

    id = fields.UUID()
    channel = Choice(Way)
    template = fields.String()
    recipient = fields.String()
    subject_id = fields.UUID()
    state = Choice(NotificationState)
    attempts = fields.Integer()
    next_attempt_at = Moment()
    created_at = Moment()
    sent_at = Moment(allow_none=True)
    delivered_at = Moment(allow_none=True)
    last_error = fields.String(allow_none=True)


class NotificationPageSchema(Schema):
    """A page of the outbox."""

    items = fields.List(fields.Nested(NotificationSchema))
    next = fields.String(allow_none=True)


class NotificationPageArgs(PageArgs):
    """Which messages are wanted."""

    state = Choice(NotificationState, load_default=None)


@blp.route("")
class Notifications(MethodView):
    @blp.arguments(NotificationPageArgs, location="query")
    @blp.response(200, NotificationPageSchema)
    def get(self, args: dict[str, Any]) -> dict[str, Any]:
        """The outbox, newest first, or what of it is in one state."""
        ctx, rows = current_context(), queries.notifications(args.pop("state"))
        with ctx.reading() as session:
            items, after = page(session, rows, Notification.id, **args)
        note_addresses_shown(ctx, current_actor(), (each.recipient for each in items))
        return {"items": items, "next": after}


@blp.route("/<uuid:notification_id>/retry")
class NotificationRetry(MethodView):
    @blp.response(200, NotificationSchema)
    @blp.alt_response(409, description="It was not given up, or its address gets no mail")
    def post(self, notification_id: UUID) -> Notification:
        """Send once more what was given up, or held back from an address that gets mail again."""
        ctx, actor = current_context(), current_actor()
        retried = service.retry_notification(ctx, actor, notification_id)
        note_addresses_shown(ctx, actor, [retried.recipient])
        return retried
