"""What migrations do that is easily done wrong while the version before them serves."""

from typing import Any

from alembic import op

from marketplace.migrations.schema import LIMITS


def index_beside_writers(
    name: str, table: str, columns: list[Any], *, unique: bool = False, **options: Any
) -> None:
    """Build an index while the table is written to, and from the start where that was cut off.

    Outside a transaction, so nothing else stands in the same migration. It waits for every
    transaction that is under way, and nobody waits for it: so it may take its time.
    """
    with op.get_context().autocommit_block():
        op.execute("SET lock_timeout = 0")
        op.execute("SET statement_timeout = 0")
        # One that was cut off is there and holds nobody: IF NOT EXISTS would leave it at that.
        op.execute(f"-- squawk-ignore ban-drop-index\nDROP INDEX CONCURRENTLY IF EXISTS {name}")
        op.create_index(
            name, table, columns, unique=unique, postgresql_concurrently=True, **options
        )
        for limit in LIMITS:
            op.execute(limit)
