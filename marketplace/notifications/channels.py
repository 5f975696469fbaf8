"""The ways out: SendGrid, and the development mailbox that takes its place on one's own machine."""

import json
import logging
from dataclasses import dataclass
from datetime import timedelta
from http.client import HTTPException
from typing import Any, Protocol
from uuid import UUID

from email_validator import EmailNotValidError, validate_email
from python_http_client.exceptions import HTTPError
from sendgrid import SendGridAPIClient
from sendgrid.helpers.mail import (
    ClickTracking,
    CustomArg,
    From,
    Header,
    Mail,
    OpenTracking,
    SubscriptionTracking,
    To,
    TrackingSettings,
)
from sqlalchemy.dialects.postgresql import insert

from marketplace.core import sealing
from marketplace.core.context import Context
from marketplace.notifications.models import MailboxMessage
from marketplace.notifications.rules import Attempt, SendOutcome, outcome_of_status
from marketplace.notifications.wording import SENDER_NAME, Words

# At its most talkative the client of SendGrid logs whole messages and the API key.
logging.getLogger("python_http_client").setLevel(logging.WARNING)

SEND_TIMEOUT = 10.0
"""Seconds without a sign of life from the mail service after which a send is given up."""

LONGEST_WISH = timedelta(hours=1)
"""How far a `Retry-After` is followed."""


@dataclass(frozen=True, repr=False)
class Message:
    """What is handed on: one message to one address."""

    id: UUID
    """The notification's, by which a second copy can be told."""
    recipient: str
    template: str
    words: Words
    stop_url: str | None = None
    """Of mail that sells something: what stops it, by an empty form and without another question.
    """


class Channel(Protocol):
    """A way out."""

    @property
    def public_url(self) -> str:
        """The address of this site, in front of every link."""
        ...

    def send(self, ctx: Context, message: Message) -> Attempt:
        """Hand the message on, outside any transaction, and say how it went."""
        ...


class SendGridChannel:
    """Mail by SendGrid's official client."""

    def __init__(
        self,
        *,
        api_key: str,
        base_url: str,
        sender: str,
        public_url: str,
        timeout: float = SEND_TIMEOUT,
    ) -> None:
        self.public_url = public_url
        self._sender = sender
        self._client = SendGridAPIClient(api_key, host=base_url)
        self._client.client.timeout = timeout

    def send(self, ctx: Context, message: Message) -> Attempt:
        """Post the message. No answer, or half of one, is a fault that may pass."""
        try:
            answer = self._client.send(self._mail(message))
        except HTTPError as refusal:
            return Attempt(
                outcome_of_status(refusal.status_code),
                f"the mail service answered {refusal.status_code}",
                wish(refusal.headers),
            )
        except (OSError, HTTPException) as fault:
            return Attempt(SendOutcome.PASSING, f"no answer: {type(fault).__name__}")
        return Attempt(outcome_of_status(answer.status_code))

    def _mail(self, message: Message) -> Mail:
        mail = Mail(
            from_email=From(self._sender, SENDER_NAME),
            # Without the person's name: strangers type it in, and an odd one would be refused.
            to_emails=To(_ascii_domain(message.recipient)),
            subject=message.words.subject,
            plain_text_content=message.words.text,
            html_content=message.words.html,
        )
        mail.add_custom_arg(CustomArg("notification_id", str(message.id)))
        if message.stop_url is not None:
            mail.add_header(Header("List-Unsubscribe", f"<{message.stop_url}>"))
            mail.add_header(Header("List-Unsubscribe-Post", "List-Unsubscribe=One-Click"))
        tracking = TrackingSettings()
        tracking.click_tracking = ClickTracking(enable=False, enable_text=False)
        tracking.open_tracking = OpenTracking(enable=False)
        # Theirs would stop all mail to the address, that about a running request too.
        tracking.subscription_tracking = SubscriptionTracking(enable=False)
        mail.tracking_settings = tracking
        return mail


def _ascii_domain(address: str) -> str:
    """Return the address with its domain in the form that mail servers take."""
    try:
        checked = validate_email(address, check_deliverability=False, test_environment=True)
    except EmailNotValidError:
        return address
    return f"{checked.local_part}@{checked.ascii_domain}"


def wish(headers: Any) -> timedelta:
    """Return how long whoever answered so asks us to wait, in whole seconds of `Retry-After`."""
    asked = str((headers or {}).get("Retry-After", "")).strip()
    if not (asked.isascii() and asked.isdecimal()):
        return timedelta(0)
    return min(timedelta(seconds=min(int(asked), 86_400)), LONGEST_WISH)


MAILBOX = "mailbox"
"""What the seal of the mailbox is called."""


class Seal:
    """Encrypts what the mailbox holds, with a key that only this installation's secret gives."""

    def __init__(self, secrets: sealing.Secrets) -> None:
        self._seal = sealing.Seal(secrets, MAILBOX)

    def close(self, words: Words) -> bytes:
        """Return the words, encrypted."""
        letter = {"subject": words.subject, "text": words.text, "html": words.html}
        return self._seal.close(json.dumps(letter).encode())

    def open(self, sealed: bytes) -> Words:
        """Return the words, or raise `cryptography.fernet.InvalidToken` under another secret."""
        return Words(**json.loads(self._seal.open(sealed)))


class MailboxChannel:
    """An inbox in the database, for development: anybody who can open `/mailbox` reads it all."""

    def __init__(self, *, secrets: sealing.Secrets, public_url: str) -> None:
        self.public_url = public_url
        self._seal = Seal(secrets)

    def send(self, ctx: Context, message: Message) -> Attempt:
        """Keep the message. One that comes a second time is kept once."""
        with ctx.transaction() as tx:
            tx.session.execute(
                insert(MailboxMessage)
                .values(
                    id=message.id,
                    recipient=message.recipient,
                    template=message.template,
                    sent_at=tx.now,
                    sealed=self._seal.close(message.words),
                )
                .on_conflict_do_nothing()
            )
        return Attempt(SendOutcome.SENT)
