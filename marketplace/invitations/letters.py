"""What the holder of an invitation is told, and where."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC
from typing import Any
from uuid import UUID

from sqlalchemy import ARRAY, Uuid, and_, any_, bindparam, func, select

from marketplace.catalogue.models import Region
from marketplace.core.context import Transaction
from marketplace.core.direct import Direct
from marketplace.invitations.models import Invitation
from marketplace.notifications.rules import Way
from marketplace.notifications.service import Message, Recipient, notify_each
from marketplace.providers.models import Coverage, Provider
from marketplace.providers.webhooks import Webhook

_providers: Any = Provider.__table__
_coverage: Any = Coverage.__table__
_webhooks: Any = Webhook.__table__
_region, _country = (Region.__table__.alias(name) for name in ("region", "country"))
_first = func.coalesce(_coverage.c.regions[1], _providers.c.country)
_HOLDERS = Direct(
    select(
        _providers.c.id,
        _providers.c.contact_email,
        _providers.c.contact_name,
        func.coalesce(_region.c.time_zone, _country.c.time_zone, "UTC").label("time_zone"),
        _webhooks.c.id.label("webhook_id"),
    )
    .select_from(_providers)
    .outerjoin(_coverage, _coverage.c.provider_id == _providers.c.id)
    .outerjoin(_region, _region.c.code == _first)
    .outerjoin(_country, _country.c.code == func.split_part(_first, "-", 1))
    .outerjoin(_webhooks, and_(_webhooks.c.provider_id == _providers.c.id, _webhooks.c.enabled))
    .where(_providers.c.id == any_(bindparam("ids", type_=ARRAY(Uuid()))))
)


CALLED = {
    "invitation": "invitation.sent",
    "invitation_reminder": "invitation.reminder",
    "invitation_released": "invitation.released",
    "invitation_expired": "invitation.expired",
    "invitation_withdrawn": "invitation.withdrawn",
    "invitation_won": "invitation.won",
    "invitation_lost": "invitation.lost",
    "question_answered": "question.answered",
    "deadline_extended": "invitation.extended",
}
"""Which mails a provider's own software hears of as well, and by which name."""


NAMES_THE_CONTACT = ("invitation_won",)
"""Mails to a provider that say how the business is reached."""


@dataclass(frozen=True, repr=False)
class Holder:
    """Whom mails to a provider go to, and its webhook, if it has one that is switched on."""

    contact: Recipient
    webhook_id: UUID | None


def holders(tx: Transaction, provider_ids: Collection[UUID]) -> dict[UUID, Holder]:
    """Return how these providers are told, with times as told where each works.

    That is the first region it covers, or that region's country, or its own.
    """
    rows = _HOLDERS.rows(tx.session, {"ids": list(provider_ids)})
    return {
        each: Holder(Recipient(address, name, zone), webhook_id)
        for each, address, name, zone, webhook_id in rows
    }


@dataclass(frozen=True, repr=False)
class Letter:
    """What the holder of an invitation is told; the one action leads to it."""

    template: str
    invitation: Invitation
    values: Mapping[str, Any]
    occasion: str = ""


def tell_holder(
    tx: Transaction, template: str, invitation: Invitation, *, occasion: str = "", **values: Any
) -> None:
    """Write one letter to the provider that holds an invitation."""
    tell_holders(tx, [Letter(template, invitation, values, occasion)])


def tell_holders(tx: Transaction, letters: Sequence[Letter]) -> None:
    """Write these letters, each to the provider that holds its invitation."""
    to = holders(tx, [each.invitation.provider_id for each in letters])
    mails = [
        Message(
            each.template,
            to[each.invitation.provider_id].contact,
            each.invitation.id,
            each.values,
            occasion=each.occasion,
            path=f"/portal/invitations/{each.invitation.id}",
            provider_id=each.invitation.provider_id,
        )
        for each in letters
    ]
    calls = [
        _call(webhook_id, each)
        for each in letters
        if each.template in CALLED and (webhook_id := to[each.invitation.provider_id].webhook_id)
    ]
    notify_each(tx, mails + calls)


def _call(webhook_id: UUID, letter: Letter) -> Message:
    """Return what a provider's software is told: that, of which invitation, and nothing of whom."""
    invitation = letter.invitation
    return Message(
        CALLED[letter.template],
        Recipient(str(webhook_id), ""),
        invitation.id,
        {
            "invitation_id": str(invitation.id),
            "reference": letter.values["reference"],
            "state": invitation.state,
            "respond_by": invitation.respond_by.astimezone(UTC).isoformat().replace("+00:00", "Z"),
        },
        occasion=letter.occasion,
        channel=Way.WEBHOOK,
    )
