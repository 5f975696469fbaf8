"""How a password and a one-time code are kept and checked: Argon2id (RFC 9106), TOTP (RFC 6238)."""

import secrets
from datetime import datetime
from functools import cache
from hmac import compare_digest

import pyotp
from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

ISSUER = "ISO quotes"
"""Under which name an authenticator files the codes."""

STEP = 30
"""Seconds that one code is shown."""

DRIFT = 1
"""By how many steps a telephone's clock may be off."""

# The library's defaults are the low-memory profile of RFC 9106; where they rise, so does every
# hash at its owner's next sign-in.
_hasher = PasswordHasher()


def hash_password(password: str) -> str:
    """Return what is stored of a password. Slow on purpose: not inside a transaction."""
    return _hasher.hash(password)


def is_password(password: str, stored: str | None, *, is_exact: bool = True) -> bool:
    """Return whether this is the password, in like time whether or not there is one stored.

    Hashes from before passwords were taken as they are (not `is_exact`) leave spaces at the ends
    out. How often is hashed goes by what was sent alone.
    """
    right = _is_hash_of(stored, password)
    trimmed = password.strip()
    if trimmed != password:
        right |= _is_hash_of(None if is_exact else stored, trimmed)
    return right


def _is_hash_of(stored: str | None, password: str) -> bool:
    try:
        _hasher.verify(_nobodys_hash() if stored is None else stored, password)
    except (VerificationError, InvalidHashError):
        return False
    return stored is not None


def is_outdated(stored: str) -> bool:
    """Return whether a hash was made with other parameters than today's."""
    return _hasher.check_needs_rehash(stored)


@cache
def _nobodys_hash() -> str:
    return _hasher.hash(secrets.token_urlsafe())


def new_totp_secret() -> str:
    """Return a fresh secret for an authenticator."""
    return pyotp.random_base32()


def provisioning_address(secret: str, email: str) -> str:
    """Return the `otpauth://` address that an authenticator reads, from a QR code or by hand."""
    return pyotp.TOTP(secret, interval=STEP).provisioning_uri(name=email, issuer_name=ISSUER)


def totp_step(secret: str, code: str, *, now: datetime, used_step: int | None) -> int | None:
    """Return the step that `code` is good for, or None; a step up to `used_step` is used up."""
    totp = pyotp.TOTP(secret, interval=STEP)
    current = int(now.timestamp()) // STEP
    sent = "".join(code.split()).encode()
    for step in range(current - DRIFT, current + DRIFT + 1):
        is_fresh = used_step is None or step > used_step
        if is_fresh and compare_digest(totp.at(step * STEP).encode(), sent):
            return step
    return None
