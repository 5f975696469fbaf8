"""The one database: engine and session from Flask-SQLAlchemy, and the types that models share."""

import enum
import re
from datetime import datetime
from enum import StrEnum
from functools import reduce
from typing import Annotated, Any
from uuid import UUID

from flask import Flask
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import (
    ColumnElement,
    DateTime,
    Engine,
    Enum,
    MetaData,
    Text,
    inspect,
    literal_column,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.orm import DeclarativeBase, mapped_column
from uuid6 import uuid7

from marketplace.core.connections import look_before_use
from marketplace.core.primary import follow_primary

Id = Annotated[UUID, mapped_column(primary_key=True)]
"""A version 7 UUID: unique without asking anyone, and ordered by the time it was made."""

Words = list[str]
"""A list of short texts, stored as a PostgreSQL array."""

Json = dict[str, Any]
"""A document whose shape its owner's docstring gives, stored as `jsonb`."""


def one_of(column: Any, *states: StrEnum) -> ColumnElement[bool]:
    """Return that a column is one of these states, which stand in the statement's own text.

    A statement that is sent often is planned once for whatever its parameters may be; then only
    what stands in its text tells PostgreSQL that a partial index serves (its manual, 11.8).
    """
    is_one: ColumnElement[bool] = column.in_([literal_column(f"'{each}'") for each in states])
    return is_one


def words_of(*columns: str) -> str:
    """Return the words in these columns of a row as PostgreSQL indexes and searches them.

    By the text of the statement, since an index serves only an expression that is the very same;
    with brackets as PostgreSQL puts them, so that the two can be compared.
    """
    joined = reduce(lambda before, column: f"(({before} || ' ') || {column})", columns)
    split = f"regexp_split_to_array(lower({joined[1:-1]}), '{_BETWEEN_WORDS}')"
    return f"array_to_tsvector(array_remove({split}, ''))"


def words_begin(typed: str) -> str:
    """Return the question for rows in which every typed word begins a word, or all as one do.

    `51 824 753 556` finds the number that is stored without its gaps.
    """
    words = [word for word in re.split(_BETWEEN_WORDS, typed) if word][:WORDS_SEARCHED]
    begun = [f"'{word}':*" for word in words]
    together = [f"'{''.join(words)}':*"] if len(words) > 1 else []
    return " | ".join([" & ".join(begun), *together])


_BETWEEN_WORDS = r"[\s!-/:-@[-`{-~]+"
"""Gaps and what ASCII has of signs: the same in Python, and in PostgreSQL whatever its locale."""

WORDS_SEARCHED = 8
"""Of those typed: nobody means more."""


def new_id() -> UUID:
    """Return a fresh version 7 UUID."""
    return UUID(int=uuid7().int)


class Base(DeclarativeBase):
    """What every table shares: names of constraints, and how Python types are stored."""

    @property
    def columns(self) -> Json:
        """The values of this row by name of column."""
        return {attr.key: getattr(self, attr.key) for attr in inspect(self).mapper.column_attrs}

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map = {
        datetime: DateTime(timezone=True),
        str: Text(),
        Words: ARRAY(Text()),
        Json: JSONB(),
        # By value and not as a native type: indexes and people read `state = 'open'`, and a new
        # state needs no ALTER TYPE. Which words are allowed, the rules and their tables say.
        StrEnum: Enum(
            enum.Enum, native_enum=False, create_constraint=False, length=40,
            values_callable=lambda states: [state.value for state in states],
        ),
    }  # fmt: skip


class Database(SQLAlchemy):
    """Flask-SQLAlchemy's, whose engines follow the primary and lend no connection that is lost."""

    def _make_engine(self, bind_key: str | None, options: dict[str, Any], app: Flask) -> Engine:
        engine = super()._make_engine(bind_key, options, app)
        return look_before_use(follow_primary(engine))


# `expire_on_commit=False`: what a use case returns can be read after its transaction has ended.
db = Database(metadata=Base.metadata, session_options={"expire_on_commit": False})
