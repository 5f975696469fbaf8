"""Everything that is kept under seal: opened with old keys once, and closed with the key of now."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from cryptography.fernet import InvalidToken
from sqlalchemy import select, update
from sqlalchemy.orm import InstrumentedAttribute, Session

from marketplace.accounts import factors
from marketplace.accounts.models import User
from marketplace.core.context import Context
from marketplace.core.sealing import Seal
from marketplace.notifications.channels import MAILBOX
from marketplace.notifications.models import MailboxMessage
from marketplace.providers.webhooks import WEBHOOK, Webhook

AT_ONCE = 200
"""Rows in one transaction."""


@dataclass(frozen=True)
class Kept:
    """A column that holds what was sealed for one purpose."""

    called: str
    purpose: str
    key: InstrumentedAttribute[Any]
    column: InstrumentedAttribute[Any]


KEPT = (
    Kept("secrets of webhooks", WEBHOOK, Webhook.id, Webhook.sealed_secret),
    Kept("secrets of authenticators", factors.PURPOSE, User.id, User.totp_sealed),
    Kept("messages in the mailbox", MAILBOX, MailboxMessage.id, MailboxMessage.sealed),
)


@dataclass
class Count:
    """What became of the rows of one column."""

    called: str
    rows: int = 0
    renewed: int = 0
    lost: int = 0
    """No key that is known opens them."""


def reseal(ctx: Context, secrets: Sequence[str]) -> list[Count]:
    """Close everything anew that an older key closed, or none; safe at any time, and as often.

    What it says stays the same, so nobody else notices, and it leaves no event.
    """
    while True:
        with ctx.transaction() as tx:
            plain = factors.seal_plain(tx, lambda purpose: Seal(secrets, purpose), AT_ONCE)
        if plain < AT_ONCE:
            return [_reseal(ctx, each, Seal(secrets, each.purpose)) for each in KEPT]


def _reseal(ctx: Context, kept: Kept, seal: Seal) -> Count:
    count = Count(kept.called)
    last = None
    while True:
        with ctx.transaction() as tx:
            there = select(kept.key, kept.column).where(kept.column.is_not(None))
            few = there.order_by(kept.key).limit(AT_ONCE).with_for_update()
            rows = tx.session.execute(few if last is None else few.where(kept.key > last)).all()
            for key, sealed in rows:
                count.rows += 1
                if seal.is_current(sealed):
                    continue
                try:
                    renewed = seal.renewed(sealed)
                except InvalidToken:
                    count.lost += 1
                    continue
                change = update(kept.column.class_).where(kept.key == key)
                tx.session.execute(change.values({kept.column.key: renewed}))
                count.renewed += 1
        if len(rows) < AT_ONCE:
            return count
        last = rows[-1][0]


def shut_to(session: Session, secrets: Sequence[str]) -> dict[str, int]:
    """Return of what how much none of these secrets opens, where there is any."""
    found = {}
    for kept in KEPT:
        seal = Seal(secrets, kept.purpose)
        there = session.scalars(select(kept.column).where(kept.column.is_not(None)))
        shut = sum(not seal.opens(each) for each in there)
        if shut:
            found[kept.called] = shut
    return found
