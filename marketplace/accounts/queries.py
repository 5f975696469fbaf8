"""How users, sessions and keys are found."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import ARRAY, Select, Text, column, func, or_, select, table
from sqlalchemy.orm import Session

from marketplace.accounts.models import ApiKey, User
from marketplace.accounts.rules import Role, normal_email
from marketplace.catalogue import queries as catalogue
from marketplace.core.links import token_hash


def user_by_email(session: Session, email: str) -> User | None:
    """Return the user with this address, however it is written."""
    return session.scalar(select(User).where(User.email == normal_email(email)))


def lock_user(session: Session, user_id: UUID) -> User:
    """Return the user, afresh, and hold the row until the transaction ends."""
    return session.get_one(User, user_id, with_for_update=True, populate_existing=True)


def admin_rows() -> Select[User]:
    """Return every administrator who is not disabled, to be ordered, paged or held."""
    return select(User).where(User.role == Role.ADMIN, User.disabled_at.is_(None))


def admins(session: Session) -> list[User]:
    """Return every administrator who is not disabled, the first one first."""
    return list(session.scalars(admin_rows().order_by(User.id)))


def users_of_provider(session: Session, provider_id: UUID) -> list[User]:
    """Return whoever signs in for the provider and is not disabled, the first one first."""
    rows = select(User).where(User.provider_id == provider_id, User.disabled_at.is_(None))
    return list(session.scalars(rows.order_by(User.id)))


def good_api_key(session: Session, token: str, *, now: datetime) -> tuple[ApiKey, User] | None:
    """Return the key with this secret, and who answers for it, unless it was revoked or lapsed.

    Who left the provider answers for none of its keys any more.
    """
    found = session.execute(
        select(ApiKey, User)
        .join(User, User.id == ApiKey.made_by)
        .where(
            ApiKey.token_hash == token_hash(token),
            ApiKey.revoked_at.is_(None),
            or_(ApiKey.expires_at.is_(None), ApiKey.expires_at > now),
            User.provider_id == ApiKey.provider_id,
            User.disabled_at.is_(None),
        )
    ).one_or_none()
    return None if found is None else (found[0], found[1])


def api_keys_of(provider_id: UUID) -> Select[ApiKey]:
    """Return the provider's keys that were not revoked, to be paged."""
    return select(ApiKey).where(ApiKey.provider_id == provider_id, ApiKey.revoked_at.is_(None))


# By name: providers stand above accounts, so their classes cannot be imported here.
_provider = table("providers", column("id"), column("country"), column("name", Text()))
_covered = table("coverage", column("provider_id"), column("regions", ARRAY(Text())))


def zone_of(session: Session, user: User) -> str:
    """Return the time zone in which a user is told times: that of their provider, or UTC."""
    if user.provider_id is None:
        return "UTC"
    region = session.scalar(
        select(func.coalesce(_covered.c.regions[1], _provider.c.country))
        .select_from(_provider)
        .outerjoin(_covered, _covered.c.provider_id == _provider.c.id)
        .where(_provider.c.id == user.provider_id)
    )
    return catalogue.time_zone_of(session, region) if region else "UTC"


def provider_name(session: Session, user: User) -> str:
    """Return what the provider is called that a user signs in for; nothing for administrators."""
    return session.scalar(select(_provider.c.name).where(_provider.c.id == user.provider_id)) or ""
