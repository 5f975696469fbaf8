"""Forget who the contact of a provider was; what it is called stays with those it quoted to."""

from uuid import UUID

from sqlalchemy import delete, select

from marketplace.core import consents
from marketplace.core.actors import SYSTEM, Actor
from marketplace.core.consents import Whose
from marketplace.core.context import Transaction
from marketplace.core.events import record
from marketplace.notifications.forgetting import forget_messages, forget_reader, forget_readers_of
from marketplace.notifications.rules import GONE
from marketplace.notifications.suppressions import forget_bounces
from marketplace.privacy.people import ERASED
from marketplace.providers.coverage import hold_provider
from marketplace.providers.models import Accreditation, EvidenceFile, Provider
from marketplace.providers.rules import ProviderState


def forget_contact(tx: Transaction, provider_id: UUID) -> None:
    """Forget the contact of a provider that was turned away long ago."""
    provider, _ = hold_provider(tx, provider_id)
    if provider.state is ProviderState.REJECTED:
        erase_contact(tx, SYSTEM, provider)


def erase_contact(tx: Transaction, actor: Actor, provider: Provider) -> None:
    """Erase what names a provider's contact, and what was written to them. Held.

    Of one that was never let in the files go as well that it sent to be: they prove nothing to
    anybody any more, and may name anybody.
    """
    if provider.erased_at is not None:
        return
    forget_messages(tx, [provider.id])
    forget_reader(tx, provider.contact_email)
    forget_readers_of(tx, provider.id)  # who was its contact before as well
    forget_bounces(tx, provider.contact_email)
    consents.withdraw_all(tx, Whose.PROVIDER, provider.id)
    provider.contact_name, provider.contact_phone = ERASED, None
    provider.contact_email = f"{provider.id}{GONE}"
    provider.state_reason = None
    provider.erased_at = tx.now
    if provider.state in NEVER_LET_IN:
        claimed = select(Accreditation.id).where(Accreditation.provider_id == provider.id)
        tx.session.execute(delete(EvidenceFile).where(EvidenceFile.accreditation_id.in_(claimed)))
    record(tx, actor, "provider.contact_erased", provider.id)


NEVER_LET_IN = (ProviderState.APPLIED, ProviderState.REJECTED)
