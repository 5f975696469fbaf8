"""What the holder of an invitation is told, and where."""

from typing import Any
from uuid import UUID

from marketplace.catalogue import queries as catalogue
from marketplace.core.context import Transaction
from marketplace.invitations.models import Invitation
from marketplace.notifications.service import Recipient, notify
from marketplace.providers.models import Coverage, Provider


def holder_of(tx: Transaction, provider_id: UUID) -> Recipient:
    """Return whom mails to a provider go to, with times as told where it works."""
    provider = tx.session.get_one(Provider, provider_id)
    covered = tx.session.get(Coverage, provider_id)
    region = covered.regions[0] if covered and covered.regions else provider.country
    zone = catalogue.time_zone_of(tx.session, region)
    return Recipient(provider.contact_email, provider.contact_name, zone)


def tell_holder(tx: Transaction, template: str, invitation: Invitation, **values: Any) -> None:
    """Write to the provider that holds an invitation; the one action leads to it."""
    notify(
        tx,
        template,
        holder_of(tx, invitation.provider_id),
        invitation.id,
        path=f"/portal/invitations/{invitation.id}",
        **values,
    )
