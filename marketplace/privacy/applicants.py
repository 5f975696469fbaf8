"""Whoever applied to join and was not let in yet takes that back, by the link of the first mail."""

from sqlalchemy import delete, select

from marketplace.core import links
from marketplace.core.actors import ANYBODY
from marketplace.core.context import Context
from marketplace.core.errors import Conflict
from marketplace.core.events import record
from marketplace.core.forms import Form
from marketplace.core.links import Purpose
from marketplace.notifications.forgetting import forget_messages
from marketplace.privacy.leaving import NEVER_LET_IN, erase_contact
from marketplace.privacy.people import ERASED
from marketplace.providers.coverage import hold_provider
from marketplace.providers.models import Accreditation, AccreditationCheck, Provider
from marketplace.providers.rules import ProviderEvent, ProviderState

WITHDRAWN = "It was taken back."


def withdraw_application(ctx: Context, form: Form) -> None:
    """Forget an application, its contact and what it is called; or raise `Gone`, or `Conflict`.

    With it go the accreditations that it claimed, whose numbers would say who it was.
    Nobody was invited or has quoted under its name, so that stays nowhere either. Who was verified
    meanwhile signs in and leaves there. Whoever named a provider that was here already has their
    letter forgotten: the provider is somebody else's.
    """
    token = form.accept()["token"]
    with ctx.transaction() as tx:
        link = links.use(tx, Purpose.WITHDRAW, token)
        if tx.session.get(Provider, link.subject_id) is None:
            forget_messages(tx, [link.subject_id])
            return
        provider, coverage = hold_provider(tx, link.subject_id)
        if provider.state not in NEVER_LET_IN:
            raise Conflict("it was verified meanwhile: sign in, and leave at Account")
        if provider.state is ProviderState.APPLIED:
            provider.apply(ProviderEvent.REJECT, now=tx.now)
            coverage.state = provider.state
        erase_contact(tx, ANYBODY, provider)
        provider.name = provider.name_key = ERASED
        provider.registration_number = provider.legal_entity = provider.website = None
        provider.state_reason = WITHDRAWN
        claimed = select(Accreditation.id).where(Accreditation.provider_id == provider.id)
        of_claimed = AccreditationCheck.accreditation_id.in_(claimed)
        tx.session.execute(delete(AccreditationCheck).where(of_claimed))
        tx.session.execute(delete(Accreditation).where(Accreditation.provider_id == provider.id))
        record(tx, ANYBODY, "provider.application_withdrawn", provider.id)
