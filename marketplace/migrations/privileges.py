"""Who may do what in the database, settled after every migration.

Where the role that the product connects as is another than the one that owns the tables, it gets
what the product needs and no more: rows of every table, but of the append-only ones only to read
and to add, and to call the functions that its statements call. Where one role is both, what is
append-only is taken from the owner itself: a step that it could undo, unlike a superuser, who is
held by nothing (`doctor` says which of these it is).
"""

from sqlalchemy import Connection, text

from marketplace.core.log_guard import LOG

ROWS = "SELECT, INSERT, UPDATE, DELETE"

APPEND_ONLY = {
    **dict.fromkeys(LOG, "SELECT, INSERT"),
    # From where somebody agreed is shortened in time, and forgotten with what identifies people.
    "consents": "SELECT, INSERT, UPDATE (address)",
}
"""What the product may do with tables that it may add to, and otherwise not change."""

EXCEPTIONS = {**APPEND_ONLY, "alembic_version": "SELECT"}

_OURS = text(
    "SELECT relname FROM pg_class WHERE relnamespace = current_schema()::regnamespace"
    " AND relkind IN ('r', 'p', 'v', 'm') AND pg_has_role(relowner, 'USAGE') ORDER BY 1"
)
"""Other software may have tables beside ours, which are not ours to give."""

_FUNCTIONS = text(
    "SELECT oid::regprocedure::text FROM pg_proc"
    " WHERE pronamespace = current_schema()::regnamespace"
    " AND prokind = 'f' AND prorettype <> 'trigger'::regtype AND pg_has_role(proowner, 'USAGE')"
)
"""Everybody may call these, unless somebody took that from them, as hardened servers have it."""


def settle(owner: Connection, role: str) -> None:
    """Give `role` its rights, as who owns the tables. Safe to call any number of times."""
    own, schema = owner.execute(text("SELECT current_user, current_schema()")).one()
    quote = owner.dialect.identifier_preparer.quote_identifier
    to, inside = quote(role), quote(schema)
    tables = ", ".join(quote(name) for name in owner.scalars(_OURS))
    if role == own:
        statements = [
            statement
            for table, rights in APPEND_ONLY.items()
            for statement in (
                f"REVOKE UPDATE, DELETE, TRUNCATE, TRIGGER ON {table} FROM {to}",
                f"GRANT {rights} ON {table} TO {to}",
            )
        ]
    else:
        statements = [
            f"GRANT USAGE ON SCHEMA {inside} TO {to}",
            f"REVOKE ALL ON {tables} FROM {to}",
            f"GRANT {ROWS} ON {tables} TO {to}",
            f"GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA {inside} TO {to}",
            *(f"REVOKE ALL ON {table} FROM {to}" for table in EXCEPTIONS),
            *(f"GRANT {rights} ON {table} TO {to}" for table, rights in EXCEPTIONS.items()),
            *(f"GRANT EXECUTE ON FUNCTION {each} TO {to}" for each in owner.scalars(_FUNCTIONS)),
            # For what the next migration makes, from its commit until this runs again.
            f"ALTER DEFAULT PRIVILEGES IN SCHEMA {inside} GRANT {ROWS} ON TABLES TO {to}",
            f"ALTER DEFAULT PRIVILEGES IN SCHEMA {inside} GRANT USAGE, SELECT ON SEQUENCES TO {to}",
            f"ALTER DEFAULT PRIVILEGES IN SCHEMA {inside} GRANT EXECUTE ON FUNCTIONS TO {to}",
        ]
    for statement in statements:
        owner.exec_driver_sql(statement)
