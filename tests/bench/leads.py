"""Invented leads, open and waiting to be matched, written without the form."""

import random
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import insert, select

from marketplace.catalogue.models import Standard
from marketplace.core.context import Context
from marketplace.core.db import new_id
from marketplace.leads.models import Lead
from marketplace.leads.rules import CertificationStatus, LeadState
from marketplace.notifications.models import Commitment
from marketplace.notifications.rules import CommitmentState
from tests.bench.market import lead_wishes


def open_leads(
    ctx: Context,
    count: int,
    *,
    draw: random.Random,
    wishes: Callable[[random.Random], dict[str, Any]] = lead_wishes,
) -> list[UUID]:
    """Write `count` open leads with their commitments; return their ids."""
    with ctx.transaction() as tx:
        editions = dict(tx.session.execute(select(Standard.code, Standard.edition)).all())
        leads, promises = [], []
        for _ in range(count):
            wished, lead_id = wishes(draw), new_id()
            leads.append(
                {
                    "id": lead_id,
                    "reference": f"B-{lead_id}",
                    "state": LeadState.OPEN,
                    "business_key": f"bench:{lead_id}",
                    "form": {},
                    "company_name": "Invented Works Pty Ltd",
                    "country": "AU",
                    "contact_name": "Sam Invented",
                    "contact_email": "sam@works.example",
                    "editions": {code: editions[code] for code in wished["standards"]},
                    "sites": 1,
                    "certification_status": CertificationStatus.NONE,
                    "consultants_used": [],
                    "consent": {"share_with_matched_providers": True, "terms_version": "2026-11"},
                    "signals": {},
                    "review_reasons": [],
                    "time_zone": "Australia/Sydney",
                    "created_at": tx.now,
                    "confirm_by": tx.now + timedelta(hours=72),
                    "opened_at": tx.now,
                    "expires_at": tx.now + timedelta(days=30),
                    "waiting_since": tx.now,
                    "waiting_reason": "providers are being looked for",
                    "waiting_code": "searching",
                    **wished,
                }
            )
            promises.append(
                {
                    "lead_id": lead_id,
                    "state": CommitmentState.RUNNING,
                    "started_at": tx.now,
                    "at_risk_at": tx.now + timedelta(hours=18),
                    "due_at": tx.now + timedelta(hours=24),
                    "calendar": "clock_hours",
                    "policy": {},
                    "target": 3,
                }
            )
        tx.session.execute(insert(Lead), leads)
        tx.session.execute(insert(Commitment), promises)
    return [each["id"] for each in leads]
