"""Files that prove an accreditation: what may come in, and to whom they go out."""

from uuid import UUID

from sqlalchemy import ScalarSelect, Select, select
from sqlalchemy.orm import Session, undefer

from marketplace.core.actors import Actor
from marketplace.core.errors import NotFound
from marketplace.core.files import JPEG, PDF, PNG, SentFile, sent_file
from marketplace.core.texts import N_
from marketplace.providers.models import Accreditation, EvidenceFile

SORTS = (PDF, PNG, JPEG)

EVIDENCE_AT_MOST = 10 * 1024 * 1024
"""Bytes."""


def evidence(name: str | None, content: bytes) -> SentFile | str:
    """Return the file if it is a PDF, PNG or JPEG, else what it must be."""
    found = sent_file(name, content, SORTS, otherwise="evidence")
    return found or N_("must be a PDF, PNG or JPEG file")


def latest_evidence() -> ScalarSelect[str]:
    """Return the name of the latest file of an accreditation, as a column beside it."""
    return (
        select(EvidenceFile.name)
        .where(EvidenceFile.accreditation_id == Accreditation.id)
        .order_by(EvidenceFile.id.desc())
        .limit(1)
        .correlate(Accreditation)
        .scalar_subquery()
    )


def latest_evidence_of(accreditation_id: UUID) -> Select[EvidenceFile]:
    """Return the latest file of an accreditation, with its content."""
    return (
        select(EvidenceFile)
        .where(EvidenceFile.accreditation_id == accreditation_id)
        .order_by(EvidenceFile.id.desc())
        .limit(1)
        .options(undefer(EvidenceFile.content))
    )


def evidence_of(
    session: Session, actor: Actor, accreditation_id: UUID, *, provider_id: UUID | None = None
) -> EvidenceFile:
    """Return the latest file of an accreditation, for its holder and for administrators.

    `provider_id`: whose it has to be, where an administrator looks at one provider.
    """
    wanted = latest_evidence_of(accreditation_id).join(
        Accreditation, Accreditation.id == EvidenceFile.accreditation_id
    )
    if not actor.is_admin:
        provider_id = actor.own_provider()
    if provider_id is not None:
        wanted = wanted.where(Accreditation.provider_id == provider_id)
    found = session.scalar(wanted)
    if found is None:
        raise NotFound("there is no such file")
    return found
