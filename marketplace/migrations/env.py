"""How Alembic reaches the database: as the role that owns the tables."""

from alembic import context
from flask import current_app

from marketplace.migrations.schema import as_owner


def run() -> None:
    """Run the migrations in one transaction each, one migrator at a time."""
    with as_owner(current_app) as connection:
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
