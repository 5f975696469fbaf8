"""A provider's webhook, for people who signed in."""

from typing import Any

from flask.views import MethodView
from marshmallow import Schema, fields

from marketplace.core.forms import Form
from marketplace.core.sealing import Seal
from marketplace.notifications import queries
from marketplace.notifications.rules import NotificationState
from marketplace.providers import webhooks
from marketplace.web.auth import current_actor, current_context
from marketplace.web.fields import Choice, In, Moment, Text, YesNo
from marketplace.web.idempotency import idempotent
from marketplace.web.product import current_product
from marketplace.web.requests import Blueprint

blp = Blueprint(
    "webhook",
    __name__,
    url_prefix="/api/v1/portal/webhook",
    description="Where a provider's own software is told what happens to its invitations",
)

NONE = "There is none"


class NewWebhookSchema(In):
    """Where to, and whether."""

    url = Text(at_most=500, required=True, metadata={"format": "uri"})
    enabled = YesNo(load_default=True)


class CallSchema(Schema):
    """One message to the webhook, and what became of it."""

    id = fields.UUID()
    type = fields.String(attribute="template")
    state = Choice(NotificationState)
    attempts = fields.Integer()
    created_at = Moment()
    sent_at = Moment(allow_none=True)
    last_error = fields.String(allow_none=True)


class WebhookSchema(Schema):
    """A webhook, and the last messages to it."""

    url = fields.String()
    enabled = fields.Boolean()
    switched_off_because = fields.String(allow_none=True)
    created_at = Moment()
    calls = fields.List(fields.Nested(CallSchema))


class KeptWebhookSchema(WebhookSchema):
    """A webhook with its secret, which is shown where it is made and never again."""

    secret = fields.String(allow_none=True)


def keep(form: Form) -> webhooks.WebhookKept:
    """Take address and switch from whoever asks."""
    settings = current_product().settings
    return webhooks.put_webhook(
        current_context(),
        current_actor(),
        form,
        seal=Seal(settings.secret_keys, webhooks.WEBHOOK),
        loopback=settings.mail_backend == "mailbox",
    )


def shown() -> dict[str, Any]:
    """Return the webhook of whoever asks, or raise `NotFound`."""
    with current_context().reading() as session:
        webhook = webhooks.webhook_of(session, current_actor().own_provider())
        return {**webhook.columns, "calls": queries.last_calls(session, str(webhook.id))}


@blp.route("")
class OwnWebhook(MethodView):
    @blp.response(200, WebhookSchema)
    @blp.alt_response(404, description=NONE)
    def get(self) -> dict[str, Any]:
        """Where it leads, whether it is on, and what became of the last messages."""
        return shown()

    @blp.arguments(NewWebhookSchema)
    @blp.response(200, KeptWebhookSchema)
    def put(self, form: Form) -> dict[str, Any]:
        """Say where to, and whether; the first answer holds the secret that messages carry.

        They are signed with it, by the Standard Webhooks scheme. For another secret delete it and
        make it anew.
        """
        kept = keep(form)
        return {**shown(), "secret": kept.secret}

    @blp.response(204)
    @blp.alt_response(404, description=NONE)
    def delete(self) -> None:
        """Tell it nothing more, and forget address and secret."""
        webhooks.delete_webhook(current_context(), current_actor())


@blp.route("/test")
class Trial(MethodView):
    @idempotent
    @blp.response(202)
    @blp.alt_response(404, description=NONE)
    @blp.alt_response(409, description="It is switched off")
    def post(self) -> None:
        """Send a message of the type `webhook.test`; what became of it is listed above."""
        webhooks.try_webhook(current_context(), current_actor())
