"""What keeps the log append-only in this database, and where the role that asks could open it."""

from collections.abc import Iterator
from dataclasses import dataclass

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


@dataclass(frozen=True)
class Role:
    """What the role that the product connects as could do to the log beyond adding to it."""

    name: str
    is_superuser: bool
    """Whom nothing in a database holds."""
    rights: list[str]
    """Such as `events: UPDATE`: rights that it has and does not need."""
    is_owner: bool
    """Of the tables: it could give itself back what was taken from it, and switch triggers off."""
    may_create: bool
    """Tables and functions beside ours."""


def own_role(session: Session) -> Role:
    """Return what the role that asks may do."""
    ((*found,),) = driver(session).execute(_ROLE, [list(LOG), list(_RIGHTS)]).fetchall()
    return Role(*found)
