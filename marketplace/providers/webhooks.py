"""A provider's webhook: what happens to its invitations, told to its own software.

By the Standard Webhooks scheme: signed with a secret that is shown once, and delivered by the
outbox like mail, with the same claims, waits and states.
"""

import base64
import secrets
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import ForeignKey, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from marketplace.core.actors import SYSTEM, Actor
from marketplace.core.context import Context, Transaction
from marketplace.core.db import Base, Id, new_id
from marketplace.core.errors import Conflict, FieldError, NotFound
from marketplace.core.events import record
from marketplace.core.forms import Form
from marketplace.core.sealing import Seal
from marketplace.notifications.rules import Way
from marketplace.notifications.service import Message, Recipient, notify_each
from marketplace.providers.models import Provider
from marketplace.providers.outward import problem_with
from marketplace.providers.service import tell

PREFIX = "whsec_"

WEBHOOK = "webhook"
"""What its secret is sealed for."""

TEST = "webhook.test"
"""What a trial is called."""


class Webhook(Base):
    """Where a provider's own software is told; at most one for each provider."""

    __tablename__ = "webhooks"

    id: Mapped[Id]
    provider_id: Mapped[UUID] = mapped_column(ForeignKey(Provider.id), unique=True)
    url: Mapped[str]
    sealed_secret: Mapped[bytes]
    """Encrypted with a key from `SECRET_KEY`: a dump of the database lets nobody sign."""
    enabled: Mapped[bool]
    switched_off_because: Mapped[str | None]
    """Why we switched it off, if we did."""
    created_at: Mapped[datetime]


@dataclass(frozen=True, repr=False)
class WebhookKept:
    """A webhook, and its secret where it has just been made."""

    webhook: Webhook
    secret: str | None


def webhook_of(session: Session, provider_id: UUID) -> Webhook:
    """Return the provider's webhook, or raise `NotFound`."""
    webhook = session.scalar(select(Webhook).where(Webhook.provider_id == provider_id))
    if webhook is None:
        raise NotFound("there is no webhook")
    return webhook


def put_webhook(
    ctx: Context, actor: Actor, form: Form, *, seal: Seal, loopback: bool
) -> WebhookKept:
    """Say where the provider's software is told, and whether; the secret stays as it is."""
    provider_id = actor.own_provider()
    problem = problem_with(form.values["url"], loopback=loopback) if "url" in form.values else None
    wanted = form.accept([FieldError("/url", problem)] if problem else [])
    with ctx.transaction() as tx:
        tx.session.get_one(Provider, provider_id, with_for_update=True)
        webhook = tx.session.scalar(select(Webhook).where(Webhook.provider_id == provider_id))
        if webhook is not None:
            webhook.url, webhook.enabled = wanted["url"], wanted["enabled"]
            webhook.switched_off_because = None
            record(tx, actor, "webhook.changed", webhook.id, enabled=webhook.enabled)
            return WebhookKept(webhook, None)
        secret = PREFIX + base64.b64encode(secrets.token_bytes(32)).decode()
        webhook = Webhook(
            id=new_id(),
            provider_id=provider_id,
            sealed_secret=seal.close(secret.encode()),
            created_at=tx.now,
            **wanted,
        )
        tx.session.add(webhook)
        record(tx, actor, "webhook.made", webhook.id, enabled=webhook.enabled)
        return WebhookKept(webhook, secret)


def delete_webhook(ctx: Context, actor: Actor) -> None:
    """Forget address and secret; what was still to be told is told no more."""
    with ctx.transaction() as tx:
        webhook = webhook_of(tx.session, actor.own_provider())
        tx.session.delete(webhook)
        record(tx, actor, "webhook.deleted", webhook.id)


def try_webhook(ctx: Context, actor: Actor) -> None:
    """Send a message that says nothing, as every other is sent."""
    with ctx.transaction() as tx:
        webhook = webhook_of(tx.session, actor.own_provider())
        if not webhook.enabled:
            raise Conflict("this webhook is switched off")
        call = Message(
            TEST,
            Recipient(str(webhook.id), ""),
            webhook.id,
            {},
            occasion=tx.now.isoformat(),
            channel=Way.WEBHOOK,
        )
        notify_each(tx, [call])
        record(tx, actor, "webhook.tried", webhook.id)


def switch_off(ctx: Context, webhook_id: UUID, url: str, *, because: str) -> None:
    """Call this address no more, since its owner wants none, and tell the provider by mail."""
    with ctx.transaction() as tx:
        webhook = tx.session.get(Webhook, webhook_id, with_for_update=True)
        if webhook is None or not webhook.enabled or webhook.url != url:
            return
        webhook.enabled, webhook.switched_off_because = False, because
        record(tx, SYSTEM, "webhook.switched_off", webhook.id)
        _tell(tx, webhook, because)


def _tell(tx: Transaction, webhook: Webhook, because: str) -> None:
    provider = tx.session.get_one(Provider, webhook.provider_id)
    tell(tx, provider, "webhook_switched_off", url=webhook.url, reason=because)
