"""What the holder of an invitation is told, and where."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import ARRAY, Uuid, any_, bindparam, func, select
from sqlalchemy.orm import aliased

from marketplace.catalogue.models import Region
from marketplace.core.context import Transaction
from marketplace.invitations.models import Invitation
from marketplace.notifications.service import Message, Recipient, notify_each
from marketplace.providers.models import Coverage, Provider

_first = func.coalesce(Coverage.regions[1], Provider.country)
_region, _country = aliased(Region), aliased(Region)
_HOLDERS = (
    select(
        Provider.id,
        Provider.contact_email,
        Provider.contact_name,
        func.coalesce(_region.time_zone, _country.time_zone, "UTC"),
    )
    .outerjoin(Coverage, Coverage.provider_id == Provider.id)
    .outerjoin(_region, _region.code == _first)
    .outerjoin(_country, _country.code == func.split_part(_first, "-", 1))
    .where(Provider.id == any_(bindparam("ids", type_=ARRAY(Uuid()))))
)


def holders(tx: Transaction, provider_ids: Collection[UUID]) -> dict[UUID, Recipient]:
    """Return whom mails to these providers go to, with times as told where each works.

    That is the first region it covers, or that region's country, or its own.
    """
    rows = tx.session.execute(_HOLDERS, {"ids": list(provider_ids)})
    return {each: Recipient(address, name, zone) for each, address, name, zone in rows}


def tell_holder(
    tx: Transaction, template: str, invitation: Invitation, *, occasion: str = "", **values: Any
) -> None:
    """Write to the provider that holds an invitation; the one action leads to it."""
    tell_holders(tx, template, [invitation], values, occasion=occasion)


def tell_holders(
    tx: Transaction,
    template: str,
    invitations: Sequence[Invitation],
    values: Mapping[str, Any],
    *,
    occasion: str = "",
) -> None:
    """Write the same to the providers that hold these invitations, each about its own."""
    to = holders(tx, [each.provider_id for each in invitations])
    notify_each(
        tx,
        [
            Message(
                template,
                to[each.provider_id],
                each.id,
                values,
                occasion=occasion,
                path=f"/portal/invitations/{each.id}",
            )
            for each in invitations
        ],
    )
