"""What a provider sees of an invitation: masked until it accepts, and never any other provider."""

from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from marketplace.core.policy import Policy
from marketplace.invitations.extension import MINUTE
from marketplace.invitations.models import Invitation
from marketplace.invitations.questions import thread_for
from marketplace.invitations.waits import Window
from marketplace.leads.advisers import told
from marketplace.leads.masking import masked_brief
from marketplace.leads.models import Lead


def summary(
    invitation: Invitation, lead: Lead, stands: Window, *, now: datetime, policy: Policy
) -> dict[str, Any]:
    """Return an invitation for its holder's list, with its window as it stands."""
    sees_contact = invitation.sees_contact(
        lead, now=now, policy=policy, respond_by=stands.respond_by
    )
    until = invitation.contact_until(lead, now=now, policy=policy)
    return {
        "id": invitation.id,
        "state": invitation.state,
        "sent_at": invitation.sent_at,
        "open_by": invitation.open_by,
        "respond_by": stands.respond_by,
        "extended_minutes": int(stands.extended_by / MINUTE),
        "stands_still": stands.stands_still,
        "opened_at": invitation.opened_at,
        "accepted_at": invitation.accepted_at,
        "responded_at": invitation.responded_at,
        "quoted_at": invitation.quoted_at,
        "released_at": invitation.released_at,
        "ended_at": invitation.ended_at,
        "contact_until": until if sees_contact else None,
        "decline_reason": invitation.decline_reason,
        "decline_comment": invitation.decline_comment,
        "lead": lead_for(lead, sees_contact=sees_contact, sees_notes=invitation.notes_are_visible),
    }


def lead_for(lead: Lead, *, sees_contact: bool, sees_notes: bool) -> dict[str, Any]:
    """Return the brief of the lead, with who the business is for whoever sees that.

    What it wrote is for whoever looks at the invitation by itself, which is counted.
    """
    fields = {
        name: getattr(lead, name)
        for name in (
            "reference", "service", "standards", "editions", "country", "regions", "headcount",
            "sites", "sector", "certification_status", "timeframe", "needed_by", "remote_ok",
            "language", "notes",
        )
    }  # fmt: skip
    if not sees_notes:
        fields["notes"] = None
    if not sees_contact:
        # Whether anybody has advised a business a certification body has to ask before it quotes
        # (ISO/IEC 17021-1, 9.1.1); by whom would say who the business is.
        is_advised = bool(lead.consultants_used)
        return {**masked_brief(fields, lead.identity), "masked": True, "is_advised": is_advised}
    return {
        **fields,
        "masked": False,
        "company": {
            "name": lead.company_name,
            "country": lead.country,
            "registration_number": lead.registration_number,
            "website": lead.website,
        },
        "contact": {
            "name": lead.contact_name,
            "email": lead.contact_email,
            "phone": lead.contact_phone,
            "role": lead.contact_role,
        },
        "consultants_used": [told(each) for each in lead.consultants_used],
    }


def full(
    session: Session,
    invitation: Invitation,
    lead: Lead,
    stands: Window,
    *,
    now: datetime,
    policy: Policy,
) -> dict[str, Any]:
    """Return an invitation for its holder's page: the brief and the thread of questions."""
    sees_contact = invitation.sees_contact(
        lead, now=now, policy=policy, respond_by=stands.respond_by
    )
    return {
        **summary(invitation, lead, stands, now=now, policy=policy),
        "questions": thread_for(session, lead, invitation, sees_contact=sees_contact),
    }
