"""The development mailbox: what `MAIL_BACKEND=mailbox` "delivered", to read and to click."""

from typing import Any
from uuid import UUID

from cryptography.fernet import InvalidToken
from flask import Blueprint, Response, jsonify, render_template, request
from marshmallow import EXCLUDE, Schema

from marketplace.core.errors import NotFound
from marketplace.notifications import queries
from marketplace.notifications.channels import Seal
from marketplace.notifications.models import MailboxMessage
from marketplace.notifications.wording import Words
from marketplace.web.auth import current_context
from marketplace.web.fields import Text
from marketplace.web.product import current_product
from marketplace.web.requests import load

pages = Blueprint("mailbox", __name__, url_prefix="/mailbox")

UNREADABLE = Words("(sealed under another secret)", "", "")
"""What is shown of a message from before the installation's secret was changed."""


@pages.get("")
def inbox() -> str:
    """Show what has arrived, and the newest of it."""
    found = letters()
    return render_template("mailbox.html", letters=found, shown=found[0] if found else None)


@pages.get("/<uuid:message_id>")
def one(message_id: UUID) -> str:
    """Show one message beside the others."""
    with current_context().reading() as session:
        message = queries.mailbox_message(session, message_id)
    if message is None:
        raise NotFound("there is no such message")
    return render_template("mailbox.html", letters=letters(), shown=letter(message))


@pages.get("/messages")
def messages() -> Response:
    """Give what has arrived as JSON, the newest first."""
    return jsonify(items=letters())


@pages.after_request
def fresh(response: Response) -> Response:
    """Keep links that work out of every cache, and out of the `Referer` of whatever they open."""
    response.headers["Cache-Control"] = "no-store"
    response.headers["Referrer-Policy"] = "no-referrer"
    return response


class MailboxArgs(Schema):
    """Whose messages."""

    class Meta:
        unknown = EXCLUDE

    to = Text(at_most=320, load_default=None)


def letters() -> list[dict[str, Any]]:
    """Return every message (to one address), the newest first."""
    asked = {name: value for name, value in request.args.items() if value.strip()}
    to = load(MailboxArgs(), asked).accept()["to"]
    with current_context().reading() as session:
        found = queries.mailbox(session, to=to)
    return [letter(message) for message in found]


def letter(message: MailboxMessage) -> dict[str, Any]:
    """Return a message as the contract shows it."""
    words = opened(message)
    return {
        "id": str(message.id),
        "to": message.recipient,
        "subject": words.subject,
        "text": words.text,
        "html": words.html,
        "template": message.template,
        "sent_at": message.sent_at.isoformat().replace("+00:00", "Z"),
    }


def opened(message: MailboxMessage) -> Words:
    """Return the words of a message; those of another secret cannot be read."""
    try:
        return seal().open(message.sealed)
    except InvalidToken:
        return UNREADABLE


def seal() -> Seal:
    """Return what opens the messages of this installation."""
    return Seal(current_product().settings.secret_keys)


@pages.app_template_filter("in_a_frame")
def in_a_frame(html: str) -> str:
    """Return a message whose links open beside the mailbox and not in the frame that shows it."""
    return html.replace("<head>", '<head><base target="_blank">', 1)
