"""How providers are looked up by themselves and by administrators."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import Select, or_, select
from sqlalchemy.orm import Session

from marketplace.accounts.rules import normal_email
from marketplace.core.errors import NotFound
from marketplace.notifications import suppressions
from marketplace.notifications.models import Suppression
from marketplace.notifications.rules import address_key
from marketplace.providers.models import Coverage, Pause, Provider, Relationship
from marketplace.providers.rules import ProviderKind, ProviderState, month_of, name_key


@dataclass(frozen=True)
class Profile:
    """A provider with what it covers and when it is away."""

    provider: Provider
    coverage: Coverage
    pauses: tuple[Pause, ...]
    used_this_month: int
    mail_stopped: Suppression | None
    """That its contact's address gets no mail, if it gets none."""


def providers_like(
    state: ProviderState | None, kind: ProviderKind | None, q: str | None
) -> Select[Provider]:
    """Return the providers that an administrator asks for, to be paged.

    `q` is part of a name, or all of an e-mail address or registration number.
    """
    rows = select(Provider)
    if state is not None:
        rows = rows.where(Provider.state == state)
    if kind is not None:
        rows = rows.where(Provider.kind == kind)
    if q:
        by_key = [Provider.name_key.contains(name_key(q), autoescape=True)] if name_key(q) else []
        rows = rows.where(
            or_(
                *by_key,
                Provider.name.icontains(q, autoescape=True),
                Provider.contact_email == normal_email(q),
                Provider.registration_number == q.replace(" ", "").upper(),
            )
        )
    return rows


def profiles(session: Session, providers: Sequence[Provider], *, now: datetime) -> list[Profile]:
    """Return the profiles of these providers, in their order, in three queries."""
    ids = [provider.id for provider in providers]
    covered = session.scalars(select(Coverage).where(Coverage.provider_id.in_(ids)))
    coverage = {row.provider_id: row for row in covered}
    pauses: dict[UUID, list[Pause]] = {each: [] for each in ids}
    for pause in session.scalars(
        select(Pause)
        .where(Pause.provider_id.in_(ids), or_(Pause.ends_at.is_(None), Pause.ends_at > now))
        .order_by(Pause.starts_at, Pause.id)
    ):
        pauses[pause.provider_id].append(pause)
    stopped = suppressions.suppressions_of(session, [each.contact_email for each in providers])
    found = []
    for provider in providers:
        row = coverage[provider.id]
        used = row.month_count if row.month >= month_of(now) else 0
        silence = stopped.get(address_key(provider.contact_email))
        found.append(Profile(provider, row, tuple(pauses[provider.id]), used, silence))
    return found


def profile_of(session: Session, provider_id: UUID, *, now: datetime) -> Profile:
    """Return a provider's profile, or raise `NotFound`."""
    provider = session.get(Provider, provider_id)
    if provider is None:
        raise NotFound("there is no such provider")
    return profiles(session, [provider], now=now)[0]


def relationships_of(session: Session, provider_id: UUID) -> list[Relationship]:
    """Return every relationship that a provider has, whichever side declared it."""
    sides = or_(Relationship.provider_id == provider_id, Relationship.other_id == provider_id)
    return list(session.scalars(select(Relationship).where(sides).order_by(Relationship.id)))
