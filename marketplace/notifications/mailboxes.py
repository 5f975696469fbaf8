"""Which mails anybody can cause who knows an address, and to which mailbox they go.

Of these a mailbox gets so many within an hour, and so many within a day (`core/policy.py`), of each
`Asked` for itself: so that nobody who fills one kind up keeps somebody from getting another.
"""

import unicodedata
from collections.abc import Mapping
from enum import StrEnum


class Asked(StrEnum):
    """What somebody without an account does that sends mail to an address of their choice."""

    FORM = "form"
    """Sends the lead form, or an application."""
    CONFIRMATION = "confirmation"
    """Asks for the confirmation of a form again."""
    LINK = "link"
    """Asks for a link that was lost."""
    PASSWORD = "password"  # nosec B105  # a name, no secret
    """Asks for another password."""
    COLLEAGUE = "colleague"
    """Invites somebody to sign in for a provider."""
    ADDRESS = "address"
    """Asks to sign in by another address."""
    DESK = "desk"
    """Sends what administrators are told of: all of it is on their desk, whatever is mailed."""


CAPPED: Mapping[str, Asked] = {
    "confirm_request": Asked.FORM,
    "confirm_request_again": Asked.CONFIRMATION,
    "request_running": Asked.FORM,
    "request_running_elsewhere": Asked.FORM,
    "application_received": Asked.FORM,
    "request_link": Asked.LINK,
    "password_reset": Asked.PASSWORD,
    "team_invited": Asked.COLLEAGUE,
    "team_invited_elsewhere": Asked.COLLEAGUE,
    "email_change_new": Asked.ADDRESS,
    "email_change_taken": Asked.ADDRESS,
    "application_to_review": Asked.DESK,
}
"""By template. Everything else is owed to somebody who confirmed an address, and never capped."""

CAPPED_UNCONFIRMED: Mapping[str, Asked] = {
    "request_opened": Asked.FORM,
    "request_in_review": Asked.FORM,
}
"""What a form sends at once where nobody has to confirm it."""

HOURLY = frozenset({Asked.PASSWORD})
"""Of which one within the hour still goes out where the day has had all of its own: a link that is
good for an hour. So whoever fills the day up keeps no owner from a new password: always one that
is good has been mailed, or is mailed now."""

OVER_CAP = "this mailbox had as many of these as anybody may cause"


def asked_by(template: str, *, is_confirmed: bool) -> Asked | None:
    """Return what of strangers sends this template; None where it is owed to its recipient."""
    return CAPPED.get(template) or (None if is_confirmed else CAPPED_UNCONFIRMED.get(template))


def templates_of(asked: Asked) -> list[str]:
    """Return the templates that count together."""
    both = {**CAPPED, **CAPPED_UNCONFIRMED}
    return [template for template, each in both.items() if each is asked]


_SAME_DOMAIN = {
    "googlemail.com": "gmail.com",
    "me.com": "icloud.com",
    "mac.com": "icloud.com",
    "protonmail.com": "proton.me",
    "pm.me": "proton.me",
    "ya.ru": "yandex.ru",
    "yandex.com": "yandex.ru",
}
"""Names under which one service has the same mailboxes."""

_LEFT_OUT = str.maketrans("", "", ".-_")


def mailbox_of(address: str) -> str:
    """Return what stands for the mailbox of an address: `jo.tran+iso@x.example` is `jotran@x...`.

    Much mail is sorted by what follows a plus, and some services leave dots, hyphens and
    underscores out. Where neither is so, a few mailboxes count together that are not one: that
    costs nobody anything.
    """
    plain = unicodedata.normalize("NFKC", address).strip().casefold()
    local, _, domain = plain.rpartition("@")
    kept = local.partition("+")[0].translate(_LEFT_OUT) or local
    return f"{kept}@{_SAME_DOMAIN.get(domain, domain)}"
