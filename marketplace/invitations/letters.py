"""What the holder of an invitation is told, and where."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import ARRAY, Uuid, any_, bindparam, func, select

from marketplace.catalogue.models import Region
from marketplace.core.context import Transaction
from marketplace.core.direct import Direct
from marketplace.invitations.models import Invitation
from marketplace.notifications.service import Message, Recipient, notify_each
from marketplace.providers.models import Coverage, Provider

_providers: Any = Provider.__table__
_coverage: Any = Coverage.__table__
_region, _country = (Region.__table__.alias(name) for name in ("region", "country"))
_first = func.coalesce(_coverage.c.regions[1], _providers.c.country)
_HOLDERS = Direct(
    select(
        _providers.c.id,
        _providers.c.contact_email,
        _providers.c.contact_name,
        func.coalesce(_region.c.time_zone, _country.c.time_zone, "UTC").label("time_zone"),
    )
    .select_from(_providers)
    .outerjoin(_coverage, _coverage.c.provider_id == _providers.c.id)
    .outerjoin(_region, _region.c.code == _first)
    .outerjoin(_country, _country.c.code == func.split_part(_first, "-", 1))
    .where(_providers.c.id == any_(bindparam("ids", type_=ARRAY(Uuid()))))
)


def holders(tx: Transaction, provider_ids: Collection[UUID]) -> dict[UUID, Recipient]:
    """Return whom mails to these providers go to, with times as told where each works.

    That is the first region it covers, or that region's country, or its own.
    """
    rows = _HOLDERS.rows(tx.session, {"ids": list(provider_ids)})
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
                provider_id=each.provider_id,
            )
            for each in invitations
        ],
    )
