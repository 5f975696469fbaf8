"""What keeps the log append-only in this database, and where the role that asks could open it."""

from collections.abc import Iterator

from sqlalchemy.orm import Session

from marketplace.core.direct import driver

LOG = ("events", "event_seals")
"""Tables to which the product may add, and of which it may change and delete nothing."""

_TRIGGERS = ("events_are_append_only", "event_seals_are_append_only", "events_are_to_be_sealed")

_RIGHTS = ("UPDATE", "DELETE", "TRUNCATE", "TRIGGER")

_ROLE = """
    SELECT current_user, rolsuper,
        ARRAY(SELECT t || ': ' || r FROM unnest(%s::text[]) t, unnest(%s::text[]) r
            WHERE has_table_privilege(t, r) ORDER BY 1),
        (SELECT pg_has_role(relowner, 'MEMBER') FROM pg_class WHERE oid = 'events'::regclass),
        has_schema_privilege(current_schema(), 'CREATE')
    FROM pg_roles WHERE rolname = current_user
"""


def open_doors(session: Session) -> Iterator[str]:
    """Yield what would let a change of the log through at once, whoever asked for it."""
    found = driver(session).execute(
        "SELECT tgname FROM pg_trigger WHERE tgname = ANY(%s) AND tgenabled IN ('O', 'A')",
        [list(_TRIGGERS)],
    )
    on = {name for (name,) in found}
    yield from (f"trigger {name}: missing, or switched off" for name in _TRIGGERS if name not in on)


def role_weaknesses(session: Session) -> Iterator[str]:
    """Yield what the role that the product connects as could do to the log beyond adding to it."""
    row = driver(session).execute(_ROLE, [list(LOG), list(_RIGHTS)]).fetchone()
    role, is_superuser, rights, is_owner, may_create = row  # type: ignore[misc]  # one's own role
    if is_superuser:
        yield f"The product's role {role} is a superuser, whom nothing in a database holds."
        return
    if rights:
        yield f"The product's role {role} may more than add to the log ({', '.join(rights)})."
    if is_owner:
        yield (
            f"The product's role {role} owns the tables of the log, so it could give itself back "
            "what was taken from it, and switch triggers off."
        )
    elif may_create:
        yield f"The product's role {role} may create tables and functions beside ours."
