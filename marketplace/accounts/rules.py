"""Who may sign in, and with what."""

import re
import unicodedata
from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from enum import StrEnum

from marketplace.core.errors import FieldError
from marketplace.core.texts import Told


class Role(StrEnum):
    """What a user is here for."""

    ADMIN = "admin"
    PROVIDER = "provider"


PASSWORD_LENGTH = (12, 128)
"""At least, at most. Length is what counts (NIST SP 800-63B); no rule about sorts of characters."""

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]")


def normal_email(email: str) -> str:
    """Return the form by which an address is told from another: nobody has two by case alone.

    It is also where mail goes, so not `casefold`: that makes another mailbox of one with a sharp s,
    and of one whose domain ends in a Greek sigma.
    """
    return email.strip().lower()


def normal_password(password: str) -> str:
    """Return the form that is hashed: the same keys on two keyboards must give the same text.

    Otherwise it is taken as it is, spaces at its ends included (NIST SP 800-63B, 3.1.1.2).
    """
    return unicodedata.normalize("NFC", password)


def own_words(*said: str) -> list[str]:
    """Return the words of names and addresses that are long enough to tell somebody by."""
    words = re.split(r"[\W_]+", " ".join(said).casefold())
    whole = [re.sub(r"[\W_]+", "", each.casefold().partition("@")[0]) for each in said]
    return sorted({word for word in [*words, *whole] if len(word) >= 3})


def password_problems(password: str, *, words: Collection[str]) -> list[FieldError]:
    """Return what can be seen to be wrong with a new password; `words` may be half of it at most.

    Written as they are or in capitals, joined by whatever stands between words.
    """
    least, most = PASSWORD_LENGTH
    lowered = password.casefold()
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
    if len(_without(lowered, words)) * 2 < len(re.sub(r"[\W_]+", "", lowered)):
        return [
            FieldError(
                "/password",
                "must not be made of your own name or address, or of words of this site",
            )
        ]
    return []


def _without(lowered: str, words: Collection[str]) -> str:
    """Return the letters and digits of a text that are in none of these words."""
    known = sorted(words, key=len, reverse=True)
    rest = re.sub("|".join(map(re.escape, known)), " ", lowered) if known else lowered
    return re.sub(r"[\W_]+", "", rest)


def needs_second_factor(role: Role, *, totp_for_admins: str, totp_for_providers: str) -> bool:
    """Return whether a user of this role may do anything only with a second factor."""
    setting = totp_for_admins if role is Role.ADMIN else totp_for_providers
    return setting == "required"


CODE_LETTERS = "0123456789abcdefghjkmnpqrstvwxyz"
"""Of recovery codes: no letter that is taken for another one, or for a digit (Crockford's 32)."""
CODE_LENGTH = 28
"""Letters of a recovery code: 140 bits, so that a plain hash of it is enough (ASVS 6.5.2)."""

_MISREAD = str.maketrans("oil", "011")


def recovery_code(typed: str) -> str | None:
    """Return the recovery code that somebody typed, however it is grouped; None if it is none."""
    code = re.sub(r"[\s-]", "", typed.casefold()).translate(_MISREAD)
    is_one = len(code) == CODE_LENGTH and all(letter in CODE_LETTERS for letter in code)
    return code if is_one else None


def in_groups(code: str) -> str:
    """Return a recovery code as it is shown: in groups of four."""
    return "-".join(code[at : at + 4] for at in range(0, len(code), 4))


def wait_after(
    failures: int,
    last_at: datetime | None,
    *,
    now: datetime,
    free: int,
    waits: Sequence[timedelta],
) -> timedelta:
    """Return how long to wait until the next try, after so many that failed; zero if not at all.

    The first `free` cost nothing, and each after them the next of `waits`, the last one for ever.
    """
    if failures < free or last_at is None:
        return timedelta(0)
    wait = waits[min(failures - free, len(waits) - 1)]
    return max(timedelta(0), last_at + wait - now)
