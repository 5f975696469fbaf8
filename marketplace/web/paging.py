"""Lists, a page at a time: newest first, in an order that stays, with an opaque cursor."""

import base64
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, TypeVar
from uuid import UUID

from marshmallow import EXCLUDE, Schema, ValidationError, fields, validate
from sqlalchemy import Select
from sqlalchemy.orm import InstrumentedAttribute, Session

T = TypeVar("T")


class Cursor(fields.Field[UUID]):
    """Where a page begins: behind the row with this id."""

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> UUID:
        try:
            return UUID(bytes=base64.urlsafe_b64decode(str(value) + "=="))
        except ValueError:
            raise ValidationError("is not a cursor from an earlier page") from None


class CursorOf(fields.Field[tuple[Any, ...]]):
    """Where a page begins: behind what these words name, each read by a reader of its own.

    For orders that an id alone does not tell: its row may have moved by the time of the next page.
    """

    def __init__(
        self,
        *readers: Callable[[str], Any],
        into: Callable[..., tuple[Any, ...]] = lambda *words: words,
        **kwargs: Any,
    ) -> None:
        super().__init__(load_default=None, metadata={"type": "string"}, **kwargs)
        self.readers, self.into = readers, into

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> tuple[Any, ...]:
        try:
            words = base64.urlsafe_b64decode(str(value) + "==").decode().split("\n")
            if all(word.isprintable() for word in words):
                return self.into(
                    *(read(word) for read, word in zip(self.readers, words, strict=True))
                )
        except ValueError:
            pass
        raise ValidationError("is not a cursor from an earlier page")


def a_moment(word: str) -> datetime:
    """Read a moment of a cursor; one without an offset is none."""
    moment = datetime.fromisoformat(word)
    if moment.tzinfo is None:
        raise ValueError(word)
    return moment


class PageArgs(Schema):
    """What every list takes."""

    class Meta:
        unknown = EXCLUDE

    limit = fields.Integer(
        load_default=25,
        validate=validate.Range(1, 100, error="must be from 1 to 100"),
        error_messages={"invalid": "must be a whole number"},
    )
    after: fields.Field[Any] = Cursor(load_default=None, metadata={"type": "string"})


def page(
    session: Session,
    rows: Select[T],
    by: InstrumentedAttribute[UUID],
    *,
    limit: int,
    after: UUID | None,
) -> tuple[Sequence[T], str | None]:
    """Return one page of `rows`, newest first by a version 7 id, and the cursor of the next."""
    if after is not None:
        rows = rows.where(by < after)
    found = session.scalars(rows.order_by(by.desc()).limit(limit + 1)).all()
    if len(found) <= limit:
        return found, None
    kept = found[:limit]
    return kept, cursor(getattr(kept[-1], by.key))


def cursor(last: UUID) -> str:
    """Return the cursor of the page behind the row with this id."""
    return base64.urlsafe_b64encode(last.bytes).rstrip(b"=").decode()


def cursor_of(*words: str) -> str:
    """Return the cursor of the page behind what these words name, for `CursorOf`."""
    return base64.urlsafe_b64encode("\n".join(words).encode()).rstrip(b"=").decode()
