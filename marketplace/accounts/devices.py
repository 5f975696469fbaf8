"""A word to whoever signs in from something new: if it was not them, they have to know.

A browser is known by a random cookie of ours, and a program by what it calls itself; where from on
the network tells nothing, people move. Only hashes are stored.
"""

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import select

from marketplace.accounts import notices
from marketplace.accounts.models import KnownDevice, User
from marketplace.core.context import Transaction
from marketplace.core.links import token_hash
from marketplace.notifications.service import notify

BROWSERS = (("Edg/", "Edge"), ("OPR/", "Opera"), ("Firefox/", "Firefox"), ("Chrome/", "Chrome"),
            ("Safari/", "Safari"))  # fmt: skip
SYSTEMS = (("Android", "Android"), ("iPhone", "an iPhone"), ("iPad", "an iPad"),
           ("Windows", "Windows"), ("Mac OS X", "a Mac"), ("Linux", "Linux"))  # fmt: skip
"""What the headers of browsers contain, the more telling first: most name others as well."""


@dataclass(frozen=True)
class Device:
    """What somebody signs in with."""

    mark: str
    """What it is known by."""
    described: str
    """In words that its owner knows it by."""


def browser(token: str, user_agent: str) -> Device:
    """Return the browser that holds this token in a cookie."""
    return Device(f"browser {token}", described(user_agent))


def program(user_agent: str) -> Device:
    """Return the program that calls itself so."""
    name = user_agent[:200]
    return Device(
        f"program {name}", f"the program {name.split(' ')[0][:40]}" if name else A_PROGRAM
    )


A_PROGRAM = "a program that does not say its name"


def described(user_agent: str) -> str:
    """Return what a browser is, as far as it says: `Firefox on Windows`."""
    name = next((said for mark, said in BROWSERS if mark in user_agent), "a browser")
    system = next((said for mark, said in SYSTEMS if mark in user_agent), None)
    return f"{name} on {system}" if system else name


def mark_of(user_id: UUID, device: Device) -> bytes:
    """Return what is stored of a device that a user signs in with."""
    return token_hash(f"{user_id} {device.mark}")


def remember_device(tx: Transaction, user: User, device: Device) -> bool:
    """Remember what a user signs in with; return whether it is new. Locked."""
    mark = mark_of(user.id, device)
    known = tx.session.get(KnownDevice, (user.id, mark))
    if known is not None:
        known.last_used_at = tx.now
        return False
    tx.session.add(
        KnownDevice(user_id=user.id, mark_hash=mark, first_used_at=tx.now, last_used_at=tx.now)
    )
    return True


def note_device(tx: Transaction, user: User, device: Device) -> None:
    """Remember what a user signed in with; tell them if it is new, but for their first. Locked."""
    if not remember_device(tx, user, device):
        return
    mark = mark_of(user.id, device)
    others = select(KnownDevice.user_id).where(
        KnownDevice.user_id == user.id, KnownDevice.mark_hash != mark
    )
    if tx.session.scalar(others.limit(1)) is None:
        return
    notify(
        tx,
        "signed_in_elsewhere",
        notices.owner(tx, user),
        user.id,
        occasion=mark.hex(),
        path="/forgot-password",
        device=device.described,
        at=tx.now,
    )
