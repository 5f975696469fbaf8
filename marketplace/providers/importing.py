"""`import-providers`: a file becomes providers, all of it or nothing, however long it is.

The file is staged in temporary tables, compared, and written by a handful of statements in the one
transaction. A provider that is known is updated where its row says something else; what an
administrator decided (rejected, suspended, withdrawn) is left as it is.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from sqlalchemy import text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from marketplace.accounts import service as accounting
from marketplace.accounts.models import User
from marketplace.catalogue import queries as catalogue
from marketplace.catalogue.languages import languages
from marketplace.core.actors import Actor
from marketplace.core.context import Context, Transaction
from marketplace.core.errors import Conflict
from marketplace.core.jobs import Job
from marketplace.providers import writing
from marketplace.providers.cells import Reference
from marketplace.providers.comparing import compare
from marketplace.providers.staging import RowProblem, stage

BATCH = 500

WITHOUT_PASSWORD = """
SELECT u.id, s.name FROM staged s JOIN users u ON u.email = s.email
WHERE u.password_hash IS NULL AND u.disabled_at IS NULL ORDER BY u.id
"""  # nosec B105  # a query


UNKNOWN_BODIES = """
INSERT INTO accreditation_bodies (code, name, countries, recognition, evidence, note)
SELECT DISTINCT body, body, '{}'::text[], 'unverified', 'named in an import of providers', ''
FROM staged_accreditations ON CONFLICT (code) DO NOTHING RETURNING code
"""
"""A body nobody has heard of is imported as it is; its word makes no provider eligible."""


@dataclass(frozen=True)
class ImportReport:
    """What an import did, or would do; with problems it did nothing."""

    rows: int = 0
    created: int = 0
    changed: int = 0
    unchanged: int = 0
    left_rejected: int = 0
    """Rows of providers that an administrator has rejected."""
    approved: int = 0
    """Known ones that had applied and are verified now."""
    accreditations: int = 0
    """New or changed."""
    relationships: int = 0
    new_bodies: tuple[str, ...] = ()
    """Accreditation bodies the catalogue did not know: there now, and recognised by nobody yet."""
    invited: int = 0
    """Contacts that have no password yet, each written to once a day."""
    problems: tuple[RowProblem, ...] = ()
    dry_run: bool = False

    @property
    def is_accepted(self) -> bool:
        return not self.problems


class _Undo(Exception):
    """Ends a transaction whose work is not wanted."""

    def __init__(self, report: ImportReport) -> None:
        self.report = report


def import_providers(
    ctx: Context,
    actor: Actor,
    path: Path,
    *,
    dry_run: bool = False,
    verified: bool = False,
    invite: bool = False,
    progress: Callable[[int, int], None] = lambda done, of: None,
) -> ImportReport:
    """Take in every row of the file, or none; the report names every row that is wrong, and why.

    With `verified` whoever acts vouches for the file. With `invite` every contact that has no
    password is mailed a link to set one. `progress` is told how many bytes of how many are read.
    The same file a second time changes nothing.
    """
    actor.require_admin()
    size = path.stat().st_size
    try:
        with path.open("rb") as file, ctx.transaction() as tx:
            # One import at a time: two of the same file would both find its providers missing.
            tx.session.execute(text("SELECT pg_advisory_xact_lock(hashtext('import_providers'))"))
            reference = _reference(tx.session)
            problems = stage(tx.session, file, reference, lambda done: progress(done, size))
            if _is_staged(problems):
                problems += compare(tx.session)
            if problems:
                found = tuple(sorted(problems, key=lambda each: (each.line, each.column or "")))
                raise _Undo(ImportReport(problems=found, dry_run=dry_run))
            report = _write(tx, actor, verified=verified)
            if invite and not dry_run:
                report = replace(report, invited=_invite(tx))
            if dry_run:
                raise _Undo(replace(report, dry_run=True))
            return report
    except _Undo as undone:
        return undone.report
    except IntegrityError as error:
        raise Conflict(
            "somebody changed the same providers meanwhile: please import the file again"
        ) from error


def _is_staged(problems: list[RowProblem]) -> bool:
    """Return whether there are rows to compare: not if already the header is wrong."""
    return not any(problem.line == 1 for problem in problems)


def _reference(session: Session) -> Reference:
    regions = catalogue.region_codes(session)
    return Reference(
        standards={each.code: each.editions for each in catalogue.standards(session)},
        countries={code for code in regions if "-" not in code},
        regions=regions,
        sectors={sector.code for sector in catalogue.sectors(session)},
        languages=languages().keys(),
    )


def _write(tx: Transaction, actor: Actor, *, verified: bool) -> ImportReport:
    rows, rejected = tx.session.execute(
        text("SELECT count(*), count(*) FILTER (WHERE match_state = 'rejected') FROM staged")
    ).one()
    tx.session.execute(text("DELETE FROM staged WHERE match_state = 'rejected'"))
    tx.session.execute(
        text("DELETE FROM staged_accreditations WHERE line NOT IN (SELECT line FROM staged)")
    )
    new_bodies = tx.session.scalars(text(UNKNOWN_BODIES)).all()
    done = writing.write(tx, actor, verified=verified)
    if done.created or done.changed or done.approved:
        tx.afterwards(Job.REMATCH_WAITING_LEADS)
    if done.changed or done.relationships:
        tx.afterwards(Job.RECHECK_STANDING)
    return ImportReport(
        rows=rows,
        created=done.created,
        changed=done.changed,
        unchanged=rows - rejected - done.created - done.changed,
        left_rejected=rejected,
        approved=done.approved,
        accreditations=done.accreditations,
        relationships=done.relationships,
        new_bodies=tuple(sorted(new_bodies)),
    )


def _invite(tx: Transaction) -> int:
    """Mail a set-password link to every contact in the file that has no password yet."""
    people = tx.session.execute(text(WITHOUT_PASSWORD)).all()
    invited = 0
    for start in range(0, len(people), BATCH):
        for user_id, provider in people[start : start + BATCH]:
            user = tx.session.get_one(User, user_id)
            accounting.send_set_password(
                tx, user, "set_password", occasion=f"{tx.now:%Y-%m-%d}", provider=provider
            )
            invited += 1
        tx.session.flush()
        tx.session.expunge_all()
    return invited
