"""The same request sent twice is done once: the first answer is kept for a day under its key."""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import delete
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Mapped, mapped_column

from marketplace.core.context import Context
from marketplace.core.db import Base
from marketplace.core.errors import Conflict, FieldError, Invalid

TAKEN_OVER_AFTER = timedelta(minutes=1)
"""A request that has not ended by then was killed: longer than any request may run."""


class IdempotentRequest(Base):
    """A creating request that carried an `Idempotency-Key`."""

    __tablename__ = "idempotent_requests"

    scope_hash: Mapped[bytes] = mapped_column(primary_key=True)
    """Of credential, route and key together: a key belongs to who sent it and what it was for."""
    body_hash: Mapped[bytes]
    begun_at: Mapped[datetime] = mapped_column(index=True)
    status: Mapped[int | None]
    """None while it runs."""
    answer: Mapped[bytes | None]


@dataclass(frozen=True, repr=False)
class Answer:
    """What was answered the first time."""

    status: int
    body: bytes


def digest(*parts: str | bytes) -> bytes:
    """Return one hash of several parts, none of which can be mistaken for another."""
    sha = hashlib.sha256()
    for part in parts:
        raw = part.encode() if isinstance(part, str) else part
        sha.update(len(raw).to_bytes(8, "big") + raw)
    return sha.digest()


def begin(ctx: Context, scope_hash: bytes, body_hash: bytes) -> Answer | None:
    """Claim the key for a first time and return None, or return the first answer.

    Another body under the same key raises `Invalid`, a first request still running `Conflict`.
    """
    with ctx.transaction() as tx:
        row = tx.session.get(IdempotentRequest, scope_hash, with_for_update=True)
        if row is None:
            fresh = {"scope_hash": scope_hash, "body_hash": body_hash, "begun_at": tx.now}
            claimed = tx.session.scalar(
                insert(IdempotentRequest)
                .values(fresh)
                .on_conflict_do_nothing()
                .returning(IdempotentRequest.scope_hash)
            )
            if claimed is None:
                raise Conflict("a request with this Idempotency-Key is still running")
            return None
        if row.begun_at <= tx.now - tx.policy.idempotency_window:
            row.body_hash, row.begun_at, row.status, row.answer = body_hash, tx.now, None, None
            return None
        if row.body_hash != body_hash:
            raise Invalid(
                [FieldError("", "this Idempotency-Key was used before with another body")]
            )
        if row.status is not None:
            return Answer(row.status, row.answer or b"")
        if row.begun_at > tx.now - TAKEN_OVER_AFTER:
            raise Conflict("a request with this Idempotency-Key is still running")
        row.begun_at = tx.now
        return None


def finish(ctx: Context, scope_hash: bytes, answer: Answer) -> None:
    """Keep the first answer."""
    with ctx.transaction() as tx:
        row = tx.session.get(IdempotentRequest, scope_hash, with_for_update=True)
        if row is not None:
            row.status, row.answer = answer.status, answer.body


def abandon(ctx: Context, scope_hash: bytes) -> None:
    """Forget the claim of a request that was refused, so that a corrected one may follow."""
    with ctx.transaction() as tx:
        tx.session.execute(
            delete(IdempotentRequest).where(
                IdempotentRequest.scope_hash == scope_hash, IdempotentRequest.status.is_(None)
            )
        )


@contextmanager
def once(ctx: Context, scope_hash: bytes) -> Iterator[None]:
    """Let what happens inside happen once for this key; the second time raise `Conflict`.

    What was refused did not happen, so that a corrected one may follow.
    """
    if begin(ctx, scope_hash, scope_hash) is not None:
        raise Conflict("this was done before")
    try:
        yield
    except BaseException:
        abandon(ctx, scope_hash)
        raise
    finish(ctx, scope_hash, Answer(303, b""))


def forget_old_answers(ctx: Context) -> int:
    """Delete what is past its day; return how many there were."""
    with ctx.transaction() as tx:
        result = tx.session.execute(
            delete(IdempotentRequest)
            .where(IdempotentRequest.begun_at <= tx.now - tx.policy.idempotency_window)
            .returning(IdempotentRequest.scope_hash)
        )
        return len(result.all())
