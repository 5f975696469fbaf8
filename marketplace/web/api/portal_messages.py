"""A provider's inbox: what was mailed to it."""

from typing import Any

from flask.views import MethodView
from marshmallow import Schema, fields

from marketplace.notifications import inbox
from marketplace.quotes.inbox import note_letters_shown
from marketplace.web.auth import current_actor, current_context
from marketplace.web.fields import Moment
from marketplace.web.paging import PageArgs, cursor
from marketplace.web.product import current_product
from marketplace.web.requests import Blueprint

blp = Blueprint(
    "messages",
    __name__,
    url_prefix="/api/v1/portal/messages",
    description="What was written to a provider",
)


class MessageSchema(Schema):
    """A message, in the words in which it was mailed."""

    id = fields.UUID()
    template = fields.String()
    subject = fields.String()
    text = fields.String()
    path = fields.String(allow_none=True, metadata={"description": "where its action leads"})
    written_at = Moment()
    was_read = fields.Boolean(metadata={"description": "before this look"})


class InboxSchema(Schema):
    """A page of messages, the newest first."""

    items = fields.List(fields.Nested(MessageSchema))
    unread = fields.Integer(metadata={"description": "on all pages, before this look"})
    next = fields.String(allow_none=True)


@blp.route("")
class Messages(MethodView):
    @blp.arguments(PageArgs, location="query")
    @blp.response(200, InboxSchema)
    def get(self, args: dict[str, Any]) -> dict[str, Any]:
        """What was written to you, the newest first. A person's look marks it as read."""
        found = own_inbox(args)
        following = cursor(found.last) if found.last else None
        return {"items": found.items, "unread": found.unread, "next": following}


def own_inbox(args: dict[str, Any]) -> inbox.Inbox:
    """Return a page of the inbox of whoever asks."""
    public_url = current_product().settings.public_url
    ctx, actor = current_context(), current_actor()
    found = inbox.own_messages(ctx, actor, public_url=public_url, **args)
    note_letters_shown(ctx, actor, ((each.template, each.subject_id) for each in found.items))
    return found
