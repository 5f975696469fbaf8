"""Who may sign in, and with what."""

import re
import unicodedata
from enum import StrEnum

from marketplace.core.errors import FieldError
from marketplace.core.texts import Told


class Role(StrEnum):
    """What a user is here for."""

    ADMIN = "admin"
    PROVIDER = "provider"


PASSWORD_LENGTH = (12, 128)
"""At least, at most. Length is what counts (NIST SP 800-63B); no rule about sorts of characters."""

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")


def normal_email(email: str) -> str:
    """Return the form by which an address is told from another: nobody has two by case alone."""
    return email.strip().casefold()


def normal_password(password: str) -> str:
    """Return the form that is hashed: the same keys on two keyboards must give the same text."""
    return unicodedata.normalize("NFC", password).strip()


def password_problems(password: str, *, email: str, name: str) -> list[FieldError]:
    """Return what is wrong with a new password."""
    least, most = PASSWORD_LENGTH
    lowered = password.casefold()
    own_words = [word.casefold() for word in (email.partition("@")[0], name) if len(word) >= 4]
    if not least <= len(password) <= most:
        return [
            FieldError(
                "/password",
                Told("must have %(least)d to %(most)d characters", least=least, most=most),
            )
        ]
    if _CONTROL.search(password):
        return [FieldError("/password", "must not contain control characters")]
    if len(set(lowered)) < 5:
        return [FieldError("/password", "must have at least five different characters")]
    if any(len(lowered.replace(word, "")) * 2 < len(lowered) for word in own_words):
        return [FieldError("/password", "must not be made of your own name or address")]
    return []


def needs_second_factor(role: Role, *, totp_for_admins: str) -> bool:
    """Return whether a user of this role may sign in only with a one-time code."""
    return role is Role.ADMIN and totp_for_admins == "required"
