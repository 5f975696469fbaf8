"""Secrets that have to be read again: encrypted with a key that only this installation has."""

import base64
import hashlib

from cryptography.fernet import Fernet


class Seal:
    """Encrypts for one purpose; what was closed for another cannot be opened."""

    def __init__(self, secret_key: str, purpose: str) -> None:
        key = hashlib.sha256(f"marketplace {purpose}\0{secret_key}".encode()).digest()
        self._fernet = Fernet(base64.urlsafe_b64encode(key))

    def close(self, secret: bytes) -> bytes:
        """Return the secret, encrypted."""
        return self._fernet.encrypt(secret)

    def open(self, sealed: bytes) -> bytes:
        """Return the secret, or raise `cryptography.fernet.InvalidToken` under another key."""
        return self._fernet.decrypt(sealed)
