"""Who agreed to what, to which words, when, from where and by which door; and who took it back.

Append-only, by a trigger: a withdrawal is a row as well. One thing may change: the network address
stands here for as long as what it proves stands, and is cut to its network when that is erased.
"""

from collections.abc import Collection, Sequence
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import Index, select
from sqlalchemy.orm import Mapped, Session

from marketplace.core import agreements
from marketplace.core.agreements import Agreed
from marketplace.core.context import Transaction
from marketplace.core.db import Base, Id, Json, new_id
from marketplace.core.networks import network_of


class Whose(StrEnum):
    """Whose consent it is."""

    LEAD = "lead"
    PROVIDER = "provider"
    USER = "user"


class Consent(Base):
    """One consent, or its withdrawal."""

    __tablename__ = "consents"
    __table_args__ = (Index(None, "subject_id", "id"),)

    id: Mapped[Id]
    subject_kind: Mapped[Whose]
    subject_id: Mapped[UUID]
    """The request, the provider or the user; no key, since nothing may keep those from going."""
    agreed: Mapped[Agreed]
    version: Mapped[str]
    """As it was named: software may name one that there never was, and then has no `words`."""
    words: Mapped[str | None]
    """SHA-256 of the words that were shown (`agreements.WORDINGS`), where we showed any."""
    numbers: Mapped[Json]
    """The numbers that were filled in there (`agreements.numbers_in`)."""
    is_withdrawal: Mapped[bool]
    at: Mapped[datetime]
    door: Mapped[str]
    """`page`, `embed`, `api`, `link`, or what did it without anybody asking."""
    address: Mapped[str | None]
    """From where; once what it proves is erased, its network alone (`network_of`)."""


COLUMNS = (
    "id", "subject_kind", "subject_id", "agreed", "version", "words", "numbers", "is_withdrawal",
    "at", "door", "address",
)  # fmt: skip
"""What `written` returns of a consent."""


def agree(
    tx: Transaction,
    whose: Whose,
    subject_id: UUID,
    agreed: Agreed,
    version: str | None = None,
    *,
    door: str | None = None,
) -> None:
    """Write down that somebody agreed, to the words of today unless a `version` is named."""
    _write(tx, whose, subject_id, agreed, version, door=door, is_withdrawal=False)


def withdraw(
    tx: Transaction, whose: Whose, subject_id: UUID, agreed: Agreed, *, door: str | None = None
) -> None:
    """Write down that somebody agrees no longer, if they did."""
    last = _last(tx.session, subject_id, agreed)
    if last is not None and not last.is_withdrawal:
        _write(tx, whose, subject_id, agreed, last.version, door=door, is_withdrawal=True)


def withdraw_all(tx: Transaction, whose: Whose, subject_id: UUID) -> None:
    """Write down that somebody agrees to nothing any longer, and cut off from where they did."""
    tx.session.flush()
    for agreed in sorted({each.agreed for each in consents_of(tx.session, [subject_id])}):
        withdraw(tx, whose, subject_id, agreed)
    tx.session.flush()
    forget_addresses(tx, [subject_id])


def consents_of(session: Session, subject_ids: Collection[UUID]) -> Sequence[Consent]:
    """Return what these agreed to and took back, in the order in which they did."""
    rows = select(Consent).where(Consent.subject_id.in_(subject_ids))
    return session.scalars(rows.order_by(Consent.at, Consent.id)).all()


def forget_addresses(
    tx: Transaction, subject_ids: Collection[UUID], *, but: Collection[Agreed] = ()
) -> None:
    """Cut the addresses of consents to their networks; what was cut stays as it is.

    `but`: of what they still prove, they stand.
    """
    for each in consents_of(tx.session, subject_ids):
        if each.agreed in but:
            continue
        each.address = each.address and network_of(each.address)


def _last(session: Session, subject_id: UUID, agreed: Agreed) -> Consent | None:
    return session.scalar(
        select(Consent)
        .where(Consent.subject_id == subject_id, Consent.agreed == agreed)
        .order_by(Consent.at.desc(), Consent.id.desc())
        .limit(1)
    )


def _write(
    tx: Transaction,
    whose: Whose,
    subject_id: UUID,
    agreed: Agreed,
    version: str | None,
    *,
    door: str | None,
    is_withdrawal: bool,
) -> None:
    row = written(tx, whose, subject_id, agreed, version)
    row |= {"door": door or tx.origin.door, "is_withdrawal": is_withdrawal}
    tx.session.add(Consent(**row))


def written(
    tx: Transaction, whose: Whose, subject_id: UUID, agreed: Agreed, version: str | None = None
) -> Json:
    """Return the columns of a consent that is given where the change comes from."""
    version = version or agreements.current_version(agreed, tx.policy)
    shown = agreements.WORDINGS.get((agreed, version))
    return {
        "id": new_id(),
        "subject_kind": whose,
        "subject_id": subject_id,
        "agreed": agreed,
        "version": version,
        "words": shown and shown.digest,
        "numbers": agreements.numbers_in(tx.policy),
        "is_withdrawal": False,
        "at": tx.now,
        "door": tx.origin.door,
        "address": tx.origin.address,
    }
