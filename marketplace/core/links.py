"""Links that work without signing in: minted when they are sent, stored only as hashes.

A raw token exists in the message (or the answer) that carries it and nowhere else. Earlier links
for the same thing stay good; reading one uses nothing up.
"""

import hashlib
import secrets
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import Index, insert, select, update
from sqlalchemy.orm import Mapped, Session, mapped_column

from marketplace.core.context import Transaction
from marketplace.core.db import Base
from marketplace.core.direct import Direct
from marketplace.core.errors import Gone


class Purpose(StrEnum):
    """What a link opens. The value is also the token's prefix, so that a person can tell them."""

    CONFIRM_LEAD = "confirm"
    REQUEST = "request"
    OUTCOME = "outcome"
    """Opens a request as well, where it is told what came of it."""
    SET_PASSWORD = "password"  # nosec B105  # a name, no secret
    EMAIL_OLD = "leaving"
    """Another address to sign in by, confirmed or stopped from the one of now ..."""
    EMAIL_NEW = "taking"
    """... and confirmed from the one that is wanted."""
    NOT_OURS = "notours"
    COME_BACK = "back"
    JOIN_TEAM = "join"
    WITHDRAW = "withdraw"
    """Takes an application to join back, and has who sent it forgotten."""
    ASK_AGAIN = "again"
    """The form, filled in with what is known of a certificate."""
    REMINDERS = "dates"
    """The reminders of a certificate's dates: to change them, or to stop them."""


class Link(Base):
    """One link that was given out."""

    __tablename__ = "links"
    __table_args__ = (Index(None, "subject_id"), Index(None, "expires_at"))

    token_hash: Mapped[bytes] = mapped_column(primary_key=True)
    purpose: Mapped[Purpose]
    subject_id: Mapped[UUID]
    minted_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    used_at: Mapped[datetime | None]


_links: Any = Link.__table__
_WRITE = Direct(
    insert(_links),
    columns=("token_hash", "purpose", "subject_id", "minted_at", "expires_at"),
)


def new_token(prefix: str) -> str:
    """Return a random token of 192 bits, as text that needs no quoting in a URL."""
    return f"{prefix}_{secrets.token_urlsafe(24)}"


def token_hash(token: str) -> bytes:
    """Return what is stored of a token. Random input needs no slow hash."""
    return hashlib.sha256(token.encode()).digest()


def mint(tx: Transaction, purpose: Purpose, subject_id: UUID, *, expires_at: datetime) -> str:
    """Make a link and return its raw token, which is kept nowhere."""
    token = new_token(purpose)
    row = {
        "token_hash": token_hash(token),
        "purpose": purpose,
        "subject_id": subject_id,
        "minted_at": tx.now,
        "expires_at": expires_at,
    }
    _WRITE.run(tx.session, row)
    return token


def link_for(session: Session, purpose: Purpose, token: str, *, now: datetime) -> Link | None:
    """Return the link this token stands for, if it is known and its time has not passed."""
    return session.scalar(
        select(Link).where(
            Link.token_hash == token_hash(token), Link.purpose == purpose, Link.expires_at > now
        )
    )


def use(tx: Transaction, purpose: Purpose, token: str, *, once: bool = True) -> Link:
    """Use the link up, and every other one for the same purpose and subject; or raise `Gone`.

    What can be done `once` stays done: a link that was made after another was used is no good
    either. Otherwise, as with passwords, such a link is good.
    """
    link = link_for(tx.session, purpose, token, now=tx.now)
    if link is not None:
        siblings = tx.session.scalars(
            select(Link)
            .where(Link.purpose == purpose, Link.subject_id == link.subject_id)
            .order_by(Link.token_hash)
            .with_for_update()
            .execution_options(populate_existing=True)
        ).all()
        unused = [sibling for sibling in siblings if sibling.used_at is None]
        if link in unused and (not once or len(unused) == len(siblings)):
            for sibling in unused:
                sibling.used_at = tx.now
            return link
    raise Gone("this link was used or has lapsed")


def void(tx: Transaction, purpose: Purpose, subject_id: UUID) -> None:
    """Let no link for this purpose and subject be good any more."""
    tx.session.execute(
        update(Link)
        .where(Link.purpose == purpose, Link.subject_id == subject_id, Link.used_at.is_(None))
        .values(used_at=tx.now)
    )
