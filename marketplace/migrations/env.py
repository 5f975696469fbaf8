"""How Alembic reaches the database: through the application's engine, or a given connection."""

from alembic import context
from flask import current_app

from marketplace.core.db import db


def run() -> None:
    """Run the migrations in one transaction each, one migrator at a time."""
    with db.engine.connect() as connection:
        context.configure(
            connection=connection,
            target_metadata=current_app.extensions["migrate"].db.metadata,
            compare_type=True,
            transaction_per_migration=True,
        )
        with context.begin_transaction():
            context.execute("SELECT pg_advisory_xact_lock(815)")
            context.run_migrations()


run()
