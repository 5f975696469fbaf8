"""How well the audit log is kept, for `doctor`."""

from collections.abc import Iterator
from datetime import datetime

from sqlalchemy.orm import Session

from marketplace.core.log_guard import Role, open_doors, own_role
from marketplace.core.policy import Policy
from marketplace.core.sealing_log import tail

ONE_ROLE = (
    "One database role does all: it may only add to the audit log, but could take that back. Two "
    "are stronger: see MARKETPLACE_MIGRATION_DATABASE_URL."
)


def log_findings(session: Session, policy: Policy, now: datetime) -> Iterator[tuple[str, bool]]:
    """Yield what was looked at, a sentence each, and whether it is wrong."""
    doors = [*open_doors(session)]
    yield from ((f"The audit log is not append-only: {each}.", True) for each in doors)
    weak = _weak(own_role(session))
    if weak is not None:
        yield weak
    elif not doors:
        yield "The audit log is append-only, by permission and by triggers.", False
    waits = tail(session)
    if waits.since is not None and now - waits.since > policy.seal_within:
        yield (
            f"Events of the audit log that are not sealed: {waits.count}, the oldest since "
            f"{waits.since:%Y-%m-%d %H:%M} UTC. Does a worker run?",
            True,
        )
    else:
        yield f"Events of the audit log that wait to be sealed: {waits.count}.", False


def _weak(role: Role) -> tuple[str, bool] | None:
    if role.is_superuser:
        return (
            f"The product connects as {role.name}, a superuser of the database: nothing there "
            "keeps it from changing the audit log. Give it a role of its own.",
            True,
        )
    if role.rights:
        may = ", ".join(role.rights)
        return f"The product may change the audit log ({may}). Run `marketplace migrate`.", True
    if role.is_owner:
        return ONE_ROLE, False
    if role.may_create:
        return (
            f"The product's role {role.name} may create tables and functions beside ours. Say "
            "`REVOKE CREATE ON SCHEMA public FROM PUBLIC` as the owner of the database.",
            True,
        )
    return None
