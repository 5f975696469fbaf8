"""Files that prove an accreditation: what may come in, and to whom they go out."""

import re
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import ScalarSelect, Select, select
from sqlalchemy.orm import Session, undefer

from marketplace.core.actors import Actor
from marketplace.core.errors import NotFound
from marketplace.providers.models import Accreditation, EvidenceFile

EVIDENCE_AT_MOST = 10 * 1024 * 1024
"""Bytes."""

_BEGINNINGS = (
    (b"%PDF-", "application/pdf", ".pdf"),
    (b"\x89PNG\r\n\x1a\n", "image/png", ".png"),
    (b"\xff\xd8\xff", "image/jpeg", ".jpg"),
)


@dataclass(frozen=True)
class Evidence:
    """A file that came in, known for what it is by how it begins."""

    name: str
    media_type: str
    content: bytes


def evidence(name: str | None, content: bytes) -> Evidence | None:
    """Return the file if it is a PDF, PNG or JPEG; what its sender calls it does not count."""
    for beginning, media_type, ending in _BEGINNINGS:
        if content.startswith(beginning):
            bare = re.split(r"[/\\]", name or "")[-1].rpartition(".")[0]
            tidy = re.sub(r"[^\w \-().]", "", bare).strip(" .")[:100]
            return Evidence((tidy or "evidence") + ending, media_type, content)
    return None


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
