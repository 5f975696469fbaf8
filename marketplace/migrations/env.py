"""How Alembic reaches the database: as the role that owns the tables."""

from alembic import context
from flask import current_app

from marketplace.migrations.schema import alone, limits_from, revision_at


def run() -> None:
    """Run the migrations in one transaction each, one migrator at a time."""
    common = {
        "target_metadata": current_app.extensions["migrate"].db.metadata,
        "compare_type": True,
        "transaction_per_migration": True,
    }
    if context.is_offline_mode():  # their statements are written down, for whoever looks at them
        context.configure(dialect_name="postgresql", literal_binds=True, **common)
        start = context.get_starting_revision_argument()
        for limit in limits_from(start if isinstance(start, str) else None):
            context.execute(limit)
        with context.begin_transaction():
            context.run_migrations()
        return
    with alone(current_app) as connection:
        for limit in limits_from(revision_at(connection)):
            connection.exec_driver_sql(limit)
        connection.commit()
        context.configure(connection=connection, **common)
        with context.begin_transaction():
            context.run_migrations()


run()
