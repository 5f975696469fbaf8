"""Accreditations: claimed by their holder, looked up by an administrator, suspended, reinstated."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import Select, func, select
from sqlalchemy.orm import Session

from marketplace.catalogue import queries as catalogue
from marketplace.core.actors import Actor, Kind
from marketplace.core.context import Context, Transaction
from marketplace.core.db import new_id
from marketplace.core.errors import Conflict, FieldError, NotFound
from marketplace.core.events import record
from marketplace.core.files import SentFile
from marketplace.core.forms import Form
from marketplace.core.jobs import Job
from marketplace.core.texts import Told
from marketplace.providers.coverage import hold_provider
from marketplace.providers.evidence import latest_evidence_of
from marketplace.providers.models import Accreditation, AccreditationCheck, EvidenceFile
from marketplace.providers.rules import (
    AccreditationEvent,
    AccreditationState,
    ProviderKind,
    check_event,
)

IN_USE = (
    AccreditationState.CLAIMED,
    AccreditationState.VERIFIED,
    AccreditationState.SUSPENDED,
)
"""What an accreditation is that its holder still goes by."""


@dataclass(frozen=True)
class Shown:
    """An accreditation with the last look that was taken at it, and whether it has evidence."""

    accreditation: Accreditation
    last_check: AccreditationCheck | None
    evidence: str | None
    """The name of the latest file."""


def claim_accreditation(
    ctx: Context, actor: Actor, form: Form, evidence: SentFile | None = None
) -> Shown:
    """Note what a certification body says it holds; it does not count until it is verified."""
    with ctx.transaction() as tx:
        provider, _ = hold_provider(tx, actor.own_provider())
        if provider.kind is not ProviderKind.CERTIFICATION_BODY:
            raise Conflict("only a certification body holds accreditations")
        claimed = form.accept(_problems(tx, form))
        same = tx.session.scalar(
            select(Accreditation.id).where(
                Accreditation.provider_id == provider.id,
                Accreditation.body == claimed["body"],
                Accreditation.standard == claimed["standard"],
                Accreditation.edition == claimed["edition"],
                Accreditation.certificate_number == claimed["certificate_number"],
                Accreditation.valid_until == claimed["valid_until"],
                Accreditation.state.not_in(
                    [AccreditationState.WITHDRAWN, AccreditationState.EXPIRED]
                ),
            )
        )
        if same is not None:
            raise Conflict("this accreditation is among yours already")
        held = Accreditation(
            id=new_id(),
            provider_id=provider.id,
            state=AccreditationState.CLAIMED,
            created_at=tx.now,
            **claimed,
        )
        tx.session.add(held)
        tx.session.flush()
        if evidence is not None:
            _keep(tx, held, evidence)
        record(tx, actor, "accreditation.claimed", held.id, standard=held.standard, body=held.body)
        return Shown(held, None, evidence.name if evidence else None)


def _keep(tx: Transaction, held: Accreditation, evidence: SentFile) -> None:
    """Keep a file. The provider is held, so that no two of its files are the last one."""
    kept = tx.session.scalar(
        select(func.count())
        .select_from(EvidenceFile)
        .join(Accreditation, Accreditation.id == EvidenceFile.accreditation_id)
        .where(Accreditation.provider_id == held.provider_id)
    )
    if kept is not None and kept >= tx.policy.evidence_kept_at_most:
        raise Conflict("so many files were sent already that no other is kept: please write to us")
    tx.session.add(
        EvidenceFile(
            id=new_id(),
            accreditation_id=held.id,
            name=evidence.name,
            media_type=evidence.media_type,
            content=evidence.content,
            uploaded_at=tx.now,
        )
    )


def add_evidence(ctx: Context, actor: Actor, accreditation_id: UUID, form: Form) -> None:
    """Add a file to an accreditation of one's own; the latest is shown, earlier ones are kept."""
    with ctx.transaction() as tx:
        held = _hold_own(tx, actor, accreditation_id)
        evidence = form.accept()["evidence"]
        if held.state not in IN_USE:
            raise Conflict(f"this accreditation is {held.state}: enter the new one")
        latest = tx.session.scalar(latest_evidence_of(held.id))
        if latest is not None and latest.content == evidence.content:
            return  # sent twice
        _keep(tx, held, evidence)
        record(tx, actor, "accreditation.evidence_sent", held.id, standard=held.standard)


def take_back_claim(ctx: Context, actor: Actor, accreditation_id: UUID) -> None:
    """Withdraw what one claimed by mistake, while nobody has found it to be so."""
    with ctx.transaction() as tx:
        held = _hold_own(tx, actor, accreditation_id)
        if held.state is AccreditationState.WITHDRAWN:
            return
        if held.state is not AccreditationState.CLAIMED:
            raise Conflict(
                "this accreditation has been verified, so an administrator takes it back: please "
                "write to us"
            )
        held.apply(AccreditationEvent.WITHDRAW, now=tx.now)
        record(tx, actor, "accreditation.withdrawn", held.id, standard=held.standard)


def _hold_own(tx: Transaction, actor: Actor, accreditation_id: UUID) -> Accreditation:
    held = tx.session.get(Accreditation, accreditation_id)
    if held is None or held.provider_id != actor.own_provider():
        raise NotFound("there is no such accreditation")
    return _hold(tx, accreditation_id)


def _problems(tx: Transaction, form: Form) -> list[FieldError]:
    values = form.values
    found = []
    code, body = values.get("standard"), values.get("body")
    if code is not None:
        standard = catalogue.standards_by_code(tx.session, [code]).get(code)
        if standard is None:
            found.append(FieldError("/standard", "is not a standard of the catalogue"))
        elif not standard.certifiable:
            found.append(FieldError("/standard", "is not a standard that anybody is certified to"))
        elif values.get("edition") and not standard.editions.is_known(values["edition"]):
            current = " or ".join(filter(None, [standard.edition, standard.previous_edition]))
            wrong = Told("must be an edition of %(code)s, such as %(now)s", code=code, now=current)
            found.append(FieldError("/edition", wrong))
    if body is not None and not catalogue.known_bodies(tx.session, [body]):
        found.append(FieldError("/body", "is not an accreditation body of the catalogue"))
    if form.is_sound("sectors"):
        sectors = values.get("sectors") or []
        known = catalogue.known_sectors(tx.session, sectors)
        found += [
            FieldError(f"/sectors/{index}", "is not a sector of the catalogue")
            for index, sector in enumerate(sectors)
            if sector not in known
        ]
    start, end = values.get("valid_from"), values.get("valid_until")
    if end is not None and end < tx.now.date():
        found.append(FieldError("/valid_until", "is in the past"))
    elif end is not None and start is not None and start > end:
        found.append(FieldError("/valid_until", "must not be before its beginning"))
    return found


def verify_accreditation(ctx: Context, actor: Actor, accreditation_id: UUID, form: Form) -> Shown:
    """Write down what a look into a register showed, and what follows from it."""
    actor.require_admin()
    with ctx.transaction() as tx:
        held = _hold(tx, accreditation_id)
        day = form.values.get("checked_on")
        in_future = day is not None and day > tx.now.date()
        seen = form.accept([FieldError("/checked_on", "is in the future")] if in_future else [])
        check = AccreditationCheck(
            id=new_id(),
            accreditation_id=held.id,
            checked_by=actor.id if actor.kind is Kind.ADMIN else None,
            recorded_at=tx.now,
            **seen,
        )
        tx.session.add(check)
        _move(tx, actor, held, check_event(seen["result"]), "checked", result=seen["result"])
        return shown(tx.session, [held])[0]


def suspend_accreditation(ctx: Context, actor: Actor, accreditation_id: UUID) -> Shown:
    """Let an accreditation no longer count, from now on."""
    return _change(ctx, actor, accreditation_id, AccreditationEvent.SUSPEND, "suspended")


def reinstate_accreditation(ctx: Context, actor: Actor, accreditation_id: UUID) -> Shown:
    """Let a suspended accreditation count again."""
    return _change(ctx, actor, accreditation_id, AccreditationEvent.REINSTATE, "reinstated")


def _change(
    ctx: Context, actor: Actor, accreditation_id: UUID, event: AccreditationEvent, done: str
) -> Shown:
    actor.require_admin()
    with ctx.transaction() as tx:
        held = _hold(tx, accreditation_id)
        _move(tx, actor, held, event, done)
        return shown(tx.session, [held])[0]


def _move(
    tx: Transaction,
    actor: Actor,
    held: Accreditation,
    event: AccreditationEvent,
    done: str,
    **facts: str,
) -> None:
    held.apply(event, now=tx.now)
    record(tx, actor, f"accreditation.{done}", held.id, state=held.state, **facts)
    if held.state is AccreditationState.VERIFIED:
        tx.afterwards(Job.REMATCH_WAITING_LEADS, held.provider_id)
    else:
        tx.afterwards(Job.RECHECK_PROVIDER, held.provider_id)


def _hold(tx: Transaction, accreditation_id: UUID) -> Accreditation:
    """Return an accreditation afresh, with its holder locked so that no match runs past it."""
    held = tx.session.get(Accreditation, accreditation_id)
    if held is None:
        raise NotFound("there is no such accreditation")
    hold_provider(tx, held.provider_id)
    tx.session.refresh(held)
    return held


def accreditations_of(session: Session, provider_id: UUID) -> list[Shown]:
    """Return a provider's accreditations, by standard, the newest first."""
    rows = accreditations_held_by(provider_id)
    in_order = rows.order_by(Accreditation.standard, Accreditation.id.desc())
    return shown(session, list(session.scalars(in_order)))


def accreditations_held_by(provider_id: UUID) -> Select[Accreditation]:
    """Return a provider's accreditations, to be paged."""
    return select(Accreditation).where(Accreditation.provider_id == provider_id)


def accreditations_in(state: AccreditationState | None) -> Select[Accreditation]:
    """Return everybody's accreditations, or those in one state, to be paged."""
    rows = select(Accreditation)
    return rows if state is None else rows.where(Accreditation.state == state)


def shown(session: Session, held: Sequence[Accreditation]) -> list[Shown]:
    """Return accreditations with their last checks and the names of their latest files."""
    session.flush()
    ids = [each.id for each in held]
    checks = {
        check.accreditation_id: check
        for check in session.scalars(
            select(AccreditationCheck)
            .where(AccreditationCheck.accreditation_id.in_(ids))
            .order_by(AccreditationCheck.id)
        )
    }
    files = session.execute(
        select(EvidenceFile.accreditation_id, EvidenceFile.name)
        .where(EvidenceFile.accreditation_id.in_(ids))
        .order_by(EvidenceFile.id)
    )
    names = dict(files.all())
    return [Shown(each, checks.get(each.id), names.get(each.id)) for each in held]
