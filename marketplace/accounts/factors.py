"""The second factor: one-time codes of an authenticator, and recovery codes for its loss.

Secrets are sealed, since they have to be read again; recovery codes have 140 random bits, so that
their plain hash is enough (ASVS 6.5.2). A code of either sort is good once.
"""

import secrets
from collections.abc import Callable
from uuid import UUID

from cryptography.fernet import InvalidToken
from sqlalchemy import delete, func, select, update
from sqlalchemy.orm import Session

from marketplace.accounts import credentials, notices, passwords, rules
from marketplace.accounts.models import RecoveryCode, User
from marketplace.core.context import Transaction
from marketplace.core.events import record
from marketplace.core.links import token_hash
from marketplace.core.sealing import Seal

PURPOSE = "totp"
"""For what secrets of authenticators are sealed."""

SealFor = Callable[[str], Seal]


def give_secret(user: User, secret: str, seal_for: SealFor) -> None:
    """Store the secret of an authenticator, sealed; codes count from now on."""
    user.totp_sealed = seal_for(PURPOSE).close(f"{user.id} {secret}".encode())
    user.totp_secret = user.totp_used_step = None


def secret_of(user: User, seal_for: SealFor) -> str | None:
    """Return the secret of a user's authenticator, or None where there is none that can be read.

    One from before migration 0032 is plain; one that was sealed for somebody else is none.
    """
    if user.totp_sealed is None:
        return user.totp_secret
    try:
        whose, _, secret = seal_for(PURPOSE).open(user.totp_sealed).decode().partition(" ")
    except InvalidToken:
        return None
    return secret if whose == str(user.id) else None


_IS_PLAIN = User.totp_secret.is_not(None)


def count_plain(session: Session) -> int:
    """Return how many secrets are kept as they are, from before migration 0032."""
    return session.scalars(select(func.count()).where(_IS_PLAIN)).one()


def seal_plain(tx: Transaction, seal_for: SealFor, at_most: int) -> int:
    """Seal secrets from before migration 0032, so many; return how many there were. Locks them."""
    plain = select(User).where(_IS_PLAIN).order_by(User.id).limit(at_most)
    users = tx.session.scalars(plain.with_for_update()).all()
    for user in users:
        secret, used_step = secret_of(user, seal_for), user.totp_used_step
        if secret is not None:
            give_secret(user, secret, seal_for)
        user.totp_secret, user.totp_used_step = None, used_step
    return len(users)


def use_code(tx: Transaction, user: User, code: str | None, seal_for: SealFor) -> bool:
    """Use a code up, of the authenticator or for its loss; return whether it was good. Locked."""
    recovery = rules.recovery_code(code or "")
    if recovery is not None:
        return _use_recovery_code(tx, user, recovery)
    secret = secret_of(user, seal_for)
    if secret is None:
        return False
    step = credentials.totp_step(secret, code or "", now=tx.now, used_step=user.totp_used_step)
    if step is None:
        return False
    # Sealed anew at every use: one that is plain, or sealed by an older key, does not stay so.
    give_secret(user, secret, seal_for)
    user.totp_used_step = step
    return True


def _use_recovery_code(tx: Transaction, user: User, code: str) -> bool:
    used = tx.session.execute(
        update(RecoveryCode)
        .where(
            RecoveryCode.user_id == user.id,
            RecoveryCode.code_hash == token_hash(code),
            RecoveryCode.used_at.is_(None),
        )
        .values(used_at=tx.now)
        .returning(RecoveryCode.code_hash)
    )
    if used.first() is None:
        return False
    left = codes_left(tx.session, user.id)
    record(tx, passwords.actor_of(user), "user.recovery_code_used", user.id, left=left)
    notices.tell_owner(tx, user, "recovery_code_used", left=left)
    return True


def make_recovery_codes(tx: Transaction, user: User) -> list[str]:
    """Return fresh recovery codes, which are told once; earlier ones are good no more. Locked."""
    tx.session.execute(delete(RecoveryCode).where(RecoveryCode.user_id == user.id))
    codes = [_new_code() for _ in range(tx.policy.recovery_codes)]
    tx.session.add_all(
        RecoveryCode(user_id=user.id, code_hash=token_hash(code), made_at=tx.now) for code in codes
    )
    record(tx, passwords.actor_of(user), "user.recovery_codes_made", user.id)
    return [rules.in_groups(code) for code in codes]


def _new_code() -> str:
    return "".join(secrets.choice(rules.CODE_LETTERS) for _ in range(rules.CODE_LENGTH))


def codes_left(session: Session, user_id: UUID) -> int:
    """Return how many recovery codes are still good."""
    unused = select(func.count()).where(
        RecoveryCode.user_id == user_id, RecoveryCode.used_at.is_(None)
    )
    return session.scalars(unused).one()


def forget(tx: Transaction, user: User) -> None:
    """Take a user's second factor and recovery codes away. Locked."""
    user.totp_secret = user.totp_sealed = user.totp_used_step = None
    tx.session.execute(delete(RecoveryCode).where(RecoveryCode.user_id == user.id))
