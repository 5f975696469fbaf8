"""What keeps the log append-only in this database, and where the role that asks could open it."""

from collections.abc import Iterator
from dataclasses import dataclass

from sqlalchemy.orm import Session

from marketplace.core.direct import driver

LOG = ("events", "event_seals", "consents")
"""Tables to which the product may add, and of which it may change and delete nothing.

Of a consent the address may be cut; of the others nothing.
"""

_REFUSE_CHANGE_OF_CONSENTS = """
    BEGIN
        IF TG_OP = 'UPDATE' AND to_jsonb(NEW) - 'address' = to_jsonb(OLD) - 'address'
           AND (NEW.address IS NULL OR NEW.address IS NOT DISTINCT FROM OLD.address
                OR (NEW.address LIKE '%/%' AND OLD.address::inet <<= NEW.address::cidr)) THEN
            RETURN NEW;
        END IF;
        RAISE EXCEPTION 'consents are append-only';
    END
"""

_TRIGGERS = {
    "events_are_append_only": (
        "BEFORE DELETE OR UPDATE OR TRUNCATE ON events FOR EACH STATEMENT",
        "BEGIN RAISE EXCEPTION 'events are append-only'; END",
    ),
    "event_seals_are_append_only": (
        "BEFORE DELETE OR UPDATE OR TRUNCATE ON event_seals FOR EACH STATEMENT",
        "BEGIN RAISE EXCEPTION '% are append-only', TG_TABLE_NAME; END",
    ),
    "events_are_to_be_sealed": (
        "AFTER INSERT ON events REFERENCING NEW TABLE AS written FOR EACH STATEMENT",
        "BEGIN INSERT INTO unsealed_events SELECT id FROM written; RETURN NULL; END",
    ),
    "consents_are_append_only": (
        "BEFORE DELETE OR UPDATE ON consents FOR EACH ROW",
        _REFUSE_CHANGE_OF_CONSENTS,
    ),
    "consents_are_not_emptied": (
        "BEFORE TRUNCATE ON consents FOR EACH STATEMENT",
        _REFUSE_CHANGE_OF_CONSENTS,
    ),
}
"""What each is, as PostgreSQL says it, and what its function does: one that is there by name alone,
or does nothing, holds nobody."""

_THERE = """
    SELECT tgname, pg_get_triggerdef(t.oid, true), prosrc, tgenabled IN ('O', 'A')
    FROM pg_trigger t JOIN pg_proc p ON p.oid = tgfoid
    WHERE tgrelid = ANY(%s::regclass[]) AND NOT tgisinternal ORDER BY 1
"""

_BESIDE = """
    SELECT 'rule ' || rulename || ' of ' || ev_class::regclass
    FROM pg_rewrite WHERE ev_class = ANY(%(tables)s::regclass[])
    UNION ALL
    SELECT 'row security of ' || oid::regclass
    FROM pg_class WHERE oid = ANY(%(tables)s::regclass[]) AND relrowsecurity
    ORDER BY 1
"""

_RIGHTS = ("UPDATE", "DELETE", "TRUNCATE", "TRIGGER")

_ROLE = """
    SELECT current_user, rolsuper,
        ARRAY(SELECT t || ': ' || r FROM unnest(%(tables)s::text[]) t, unnest(%(rights)s::text[]) r
            WHERE has_table_privilege(t, r)
                OR (r = 'UPDATE' AND t <> 'consents' AND has_any_column_privilege(t, r))
            ORDER BY 1),
        (SELECT pg_has_role(relowner, 'MEMBER') FROM pg_class WHERE oid = 'events'::regclass),
        has_schema_privilege(current_schema(), 'CREATE')
    FROM pg_roles WHERE rolname = current_user
"""


def open_doors(session: Session) -> Iterator[str]:
    """Yield what would let a change of the log through at once, whoever asked for it.

    And what stands between a writer and the log: what would keep an event out of it, or out of
    sight.
    """
    there = {
        name: (said.partition(f" {name} ")[2].rpartition(" EXECUTE FUNCTION ")[0], does, is_on)
        for name, said, does, is_on in driver(session).execute(_THERE, [list(LOG)])
    }
    for name, (said, does) in _TRIGGERS.items():
        said_now, does_now, is_on = there.pop(name, ("", "", False))
        if not is_on:
            yield f"trigger {name}: missing, or switched off"
        elif (said_now, _bare(does_now)) != (said, _bare(does)):
            yield f"trigger {name}: not what it was made as"
    yield from (f"trigger {name}: none of ours" for name in there)
    beside = driver(session).execute(_BESIDE, {"tables": list(LOG)})
    yield from (f"{what}: none of ours" for (what,) in beside)


def _bare(source: str) -> str:
    return " ".join(source.split())


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
    asked = {"tables": list(LOG), "rights": list(_RIGHTS)}
    ((*found,),) = driver(session).execute(_ROLE, asked).fetchall()
    return Role(*found)
