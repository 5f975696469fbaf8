"""The audit log, for administrators."""

from typing import Any

from flask.views import MethodView
from marshmallow import Schema, fields

from marketplace.core.events import Event, recorded
from marketplace.web.auth import current_context
from marketplace.web.fields import Moment
from marketplace.web.paging import PageArgs, page
from marketplace.web.requests import Blueprint

blp = Blueprint(
    "admin events",
    __name__,
    url_prefix="/api/v1/admin/events",
    description="The audit log: append-only, who did what to what, when, from where",
)


class EventArgs(PageArgs):
    """Which part of the log."""

    subject = fields.UUID(load_default=None, error_messages={"invalid_uuid": "must be an id"})
    actor = fields.UUID(load_default=None, error_messages={"invalid_uuid": "must be an id"})


class ActorSchema(Schema):
    """Who did it; no id where it was nobody in particular."""

    kind = fields.String(attribute="actor_kind")
    id = fields.UUID(attribute="actor_id", allow_none=True)


class EventSchema(Schema):
    """One thing that happened."""

    id = fields.UUID()
    at = Moment()
    actor = fields.Function(
        lambda event: ActorSchema().dump(event), metadata={"type": "object"}, dump_only=True
    )
    verb = fields.String()
    subject_id = fields.UUID()
    facts = fields.Dict()
    request_id = fields.String()
    address = fields.String(allow_none=True)


class EventPageSchema(Schema):
    """A page of the log."""

    items = fields.List(fields.Nested(EventSchema))
    next = fields.String(allow_none=True)


@blp.route("")
class Events(MethodView):
    @blp.arguments(EventArgs, location="query")
    @blp.response(200, EventPageSchema)
    def get(self, args: dict[str, Any]) -> dict[str, Any]:
        """What happened, newest first; `subject` and `actor` narrow it down."""
        rows = recorded(subject_id=args["subject"], actor_id=args["actor"])
        with current_context().reading() as session:
            items, following = page(
                session, rows, Event.id, limit=args["limit"], after=args["after"]
            )
            return {"items": items, "next": following}
