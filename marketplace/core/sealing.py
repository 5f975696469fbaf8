"""Secrets that have to be read again: encrypted with a key that only this installation has.

The key comes from the installation's secret. Where that was changed, what older ones closed can be
opened as long as they are named, and is closed anew by `marketplace reseal`.
"""

import base64
import hashlib
from collections.abc import Sequence

from cryptography.fernet import Fernet, InvalidToken, MultiFernet

Secrets = str | Sequence[str]
"""The secret of an installation, or all that are known: the one of now first."""


class Seal:
    """Encrypts for one purpose; what was closed for another cannot be opened."""

    def __init__(self, secrets: Secrets, purpose: str) -> None:
        known = [secrets] if isinstance(secrets, str) else secrets
        fernets = [Fernet(_key(each, purpose)) for each in known]
        self._newest, self._all = fernets[0], MultiFernet(fernets)

    def close(self, secret: bytes) -> bytes:
        """Return the secret, encrypted with the key of now."""
        return self._newest.encrypt(secret)

    def open(self, sealed: bytes) -> bytes:
        """Return the secret, or raise `cryptography.fernet.InvalidToken` under an unknown key."""
        return self._all.decrypt(sealed)

    def opens(self, sealed: bytes) -> bool:
        """Return whether any of the known keys opens it."""
        try:
            self._all.decrypt(sealed)
        except InvalidToken:
            return False
        return True

    def is_current(self, sealed: bytes) -> bool:
        """Return whether the key of now opens it, so that it needs no older one."""
        try:
            self._newest.decrypt(sealed)
        except InvalidToken:
            return False
        return True

    def renewed(self, sealed: bytes) -> bytes:
        """Return the same secret closed with the key of now, or raise `InvalidToken`."""
        return self._all.rotate(sealed)


def _key(secret: str, purpose: str) -> bytes:
    digest = hashlib.sha256(f"marketplace {purpose}\0{secret}".encode()).digest()
    return base64.urlsafe_b64encode(digest)
