"""The audit log, for administrators."""

from typing import Any

from flask.views import MethodView
from marshmallow import Schema, fields
from marshmallow.validate import Regexp

from marketplace.core.events import Event, recorded
from marketplace.core.sealing_log import head, tail
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
    verb = fields.String(
        load_default=None,
        validate=Regexp(r"[a-z_]+\.[a-z_]+\Z", error="must be such as lead.opened"),
    )


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
    sealed = fields.Integer(metadata={"description": "how many events the chain of seals holds"})
    head = fields.String(
        metadata={"description": "its end, for `marketplace verify-log --expect`, to be noted"}
    )
    unsealed = fields.Integer(metadata={"description": "how many wait to be sealed"})


@blp.route("")
class Events(MethodView):
    @blp.arguments(EventArgs, location="query")
    @blp.response(200, EventPageSchema)
    def get(self, args: dict[str, Any]) -> dict[str, Any]:
        """What happened, newest first; `subject`, `actor` and `verb` narrow it down."""
        rows = recorded(subject_id=args["subject"], actor_id=args["actor"], verb=args["verb"])
        with current_context().reading() as session:
            items, following = page(
                session, rows, Event.id, limit=args["limit"], after=args["after"]
            )
            end, waits = head(session), tail(session)
            return {
                "items": items,
                "next": following,
                "sealed": end.seq,
                "head": str(end),
                "unsealed": waits.count,
            }
