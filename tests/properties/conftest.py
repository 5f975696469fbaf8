"""Markets in the database, for as long as they are looked at."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

import pytest
from sqlalchemy import delete
from sqlalchemy.orm import Session

from marketplace.bootstrap import Product
from marketplace.catalogue.models import AccreditationBody
from marketplace.core.db import db
from tests.fuzz.conftest import allowance
from tests.properties.markets import ACCREDITORS, Market
from tests.properties.product import put_accreditors, put_firms

__all__ = ["allowance"]

Stored = Callable[[Market], AbstractContextManager[Session]]


@pytest.fixture(scope="module")
def stored(installation: Product) -> Iterator[Stored]:
    """What stores a market and gives a session that sees it; then it was never there.

    A commit in the session is a savepoint.
    """

    @contextmanager
    def stored(market: Market) -> Iterator[Session]:
        with connection.begin() as transaction:
            put_firms(connection, market)
            with Session(connection, join_transaction_mode="create_savepoint") as session:
                yield session
            transaction.rollback()

    with installation.app.app_context(), db.engine.connect() as connection:
        with connection.begin():
            put_accreditors(connection)
        yield stored
        with connection.begin():
            ours = AccreditationBody.code.in_([*ACCREDITORS])
            connection.execute(delete(AccreditationBody).where(ours))
