"""The way out to providers' own software: signed by the Standard Webhooks scheme."""

import base64
import hashlib
import hmac
from http.client import HTTPException
from uuid import UUID

from marketplace.core.context import Context
from marketplace.core.sealing import Seal
from marketplace.notifications.channels import Message, wish
from marketplace.notifications.rules import Attempt, SendOutcome, outcome_of_call
from marketplace.providers import outward
from marketplace.providers.webhooks import PREFIX, Webhook, switch_off


class WebhookChannel:
    """Posts what happened to the address that the provider gave."""

    def __init__(self, *, seal: Seal, public_url: str, loopback: bool) -> None:
        """Call the public internet alone, or with `loopback` this machine alone.

        That is where mails stay in the mailbox: a rehearsal on the data of a real installation
        must not reach anybody's software either.
        """
        self.public_url = public_url
        self._seal = seal
        self._loopback = loopback

    def send(self, ctx: Context, message: Message) -> Attempt:
        """Post the message to where its webhook leads now."""
        webhook_id = UUID(message.recipient)
        with ctx.reading() as session:
            webhook = session.get(Webhook, webhook_id)
        if webhook is None or not webhook.enabled:
            return Attempt(SendOutcome.UNWANTED, "the webhook is switched off")
        if self._loopback and not outward.is_here(webhook.url):
            return Attempt(SendOutcome.UNWANTED, "nothing leaves this installation")
        secret = self._seal.open(webhook.sealed_secret).decode()
        body = message.words.text.encode()
        at = int(ctx.clock().timestamp())
        headers = {
            "Content-Type": "application/json",
            "User-Agent": "ISO quotes marketplace (webhooks)",
            "Connection": "close",
            "webhook-id": str(message.id),
            "webhook-timestamp": str(at),
            "webhook-signature": signature(secret, str(message.id), at, body),
        }
        try:
            answer = outward.post(webhook.url, body, headers, loopback=self._loopback)
        except outward.LeadsInside:
            return Attempt(SendOutcome.MESSAGE_REFUSED, "its address is not on the public internet")
        except (OSError, HTTPException) as fault:
            return Attempt(SendOutcome.PASSING, f"no answer: {type(fault).__name__}")
        outcome = outcome_of_call(answer.status)
        detail = "" if outcome is SendOutcome.SENT else f"it answered {answer.status}"
        if outcome is SendOutcome.UNWANTED:
            switch_off(ctx, webhook_id, webhook.url, because=detail)
        return Attempt(outcome, detail, wish(answer.headers))


def signature(secret: str, message_id: str, at: int, body: bytes) -> str:
    """Return `v1,<base64>`: HMAC-SHA256 over `id.timestamp.body`."""
    key = base64.b64decode(secret.removeprefix(PREFIX))
    signed = f"{message_id}.{at}.".encode() + body
    return "v1," + base64.b64encode(hmac.digest(key, signed, hashlib.sha256)).decode()
