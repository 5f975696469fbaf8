"""How users, sessions and keys are found."""

from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from marketplace.accounts.models import ApiKey, SignIn, User
from marketplace.accounts.rules import normal_email
from marketplace.core.links import token_hash


def user_by_email(session: Session, email: str) -> User | None:
    """Return the user with this address, however it is written."""
    return session.scalar(select(User).where(User.email == normal_email(email)))


def user_signed_in(session: Session, token: str, *, now: datetime) -> User | None:
    """Return whose session this token is, while it runs and its user is not disabled."""
    return session.scalar(
        select(User)
        .join(SignIn, SignIn.user_id == User.id)
        .where(
            SignIn.token_hash == token_hash(token),
            SignIn.ended_at.is_(None),
            SignIn.expires_at > now,
            User.disabled_at.is_(None),
        )
    )


def good_api_key(session: Session, token: str) -> ApiKey | None:
    """Return the key with this secret, unless it was revoked."""
    return session.scalar(
        select(ApiKey).where(ApiKey.token_hash == token_hash(token), ApiKey.revoked_at.is_(None))
    )
