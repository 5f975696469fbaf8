"""Whether the holder of an invitation may (still) take part, as the database asks it.

Between an invitation and its answer a provider may be suspended, lose its accreditation or let it
lapse, or turn out to be related to somebody. One condition serves both who asks of one invitation,
at the instant of its answer, and the sweep that looks for all who may not stay. Matching's rule
takes the place back, answered or not, and says why in words.

`i` is an invitation, `l` its lead, `p` its holder.
"""

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ARRAY, Date, Integer, Uuid, bindparam, text
from sqlalchemy.orm import Session

from marketplace.core.direct import Direct
from marketplace.core.policy import Policy
from marketplace.invitations.rules import ANSWERED_YES, LIVE, InvitationState
from marketplace.providers.conditions import accredited, related
from marketplace.providers.rules import years_before


def _words(states: Collection[InvitationState]) -> str:
    return ", ".join(f"'{state}'" for state in states)


_ACCREDITED = accredited(
    "p.id",
    wanted="jsonb_each_text(l.editions)",
    sector="l.sector",
    sector_codes="""(
        SELECT array_agg(s.code) FROM sectors s JOIN sectors own USING (system)
        WHERE own.code = l.sector)""",
)

_YES = f"({_words(ANSWERED_YES)})"

_RELATED_NOW = related("p.id", is_other="= o.provider_id", since=":today")

# Of two who may not both stay the one that has said yes does, or else the one that was there
# before (`rules.precedence`): the same as when their places are taken back. Who left does not come
# back to either.
_BESIDE_A_RELATIVE = f"""
    EXISTS (
        SELECT FROM invitations o
        JOIN providers other ON other.id = o.provider_id
        WHERE o.lead_id = i.lead_id AND other.kind <> p.kind AND o.state IN ({_words(LIVE)})
          AND (i.state NOT IN ({_words(LIVE)})
               OR (o.state NOT IN {_YES}, o.id) < (i.state NOT IN {_YES}, i.id))
          AND (other.legal_entity = p.legal_entity OR {_RELATED_NOW})
    )
"""  # nosec B608  # our own names; values are bound

_IS_ADVISER = "= CAST(adviser->>'provider_id' AS uuid)"
_RELATED_TO_ADVISER = related("p.id", is_other=_IS_ADVISER, since=":since")
_ADVISED = f"""
    p.kind = 'certification_body' AND EXISTS (
        SELECT FROM jsonb_array_elements(l.consultants_used) AS adviser
        WHERE adviser->>'provider_id' IS NOT NULL
          AND (adviser->>'ended_on' IS NULL OR left(adviser->>'ended_on', 10)::date > :since)
          AND (p.id {_IS_ADVISER}
               OR {_RELATED_TO_ADVISER})
    )
"""  # nosec B608  # our own names; values are bound

_OBSTACLES = {
    "{who} is not verified at present, so it cannot take part": "p.state <> 'verified'",
    "{who} holds no verified and current accreditation for what is asked for": (
        f"p.kind = 'certification_body' AND NOT {_ACCREDITED}"
    ),
    "impartiality (ISO/IEC 17021-1, 5.2) does not allow {who} to take part": (
        f"{_BESIDE_A_RELATIVE} OR ({_ADVISED})"
    ),
}
"""What keeps a holder from taking part, in words that say nothing of others."""

_ANY = " OR ".join(f"({condition})" for condition in _OBSTACLES.values())
_WHICH = " ".join(
    f"WHEN {condition} THEN {number}" for number, condition in enumerate(_OBSTACLES.values())
)
_FROM = """
    FROM invitations i JOIN leads l ON l.id = i.lead_id
    JOIN providers p ON p.id = i.provider_id
"""

_DATES = {"today": Date(), "since": Date()}


def _statement(sql: str, **types: Any) -> Direct:
    binds = [bindparam(name, type_=of) for name, of in {**_DATES, **types}.items()]
    return Direct(text(" ".join(sql.split())).bindparams(*binds))


_OF_EACH = _statement(
    f"SELECT i.id, CASE {_WHICH} END AS obstacle {_FROM} WHERE i.id = ANY(:ids)", ids=ARRAY(Uuid())
)

_LEADS = _statement(
    f"""
    SELECT DISTINCT i.lead_id {_FROM}
    WHERE i.state IN ({_words(LIVE)}) AND l.state = 'open' AND ({_ANY}) LIMIT :most
    """,
    most=Integer(),
)


def _dates(policy: Policy, now: datetime) -> Mapping[str, Any]:
    today = now.date()
    return {"today": today, "since": years_before(today, policy.impartiality_years)}


def obstacle_of(
    session: Session,
    invitation_id: UUID,
    *,
    policy: Policy,
    now: datetime,
    who: str = "your organisation",
) -> str | None:
    """Return what keeps the holder of an invitation from taking part now.

    In words for it; `who` calls it by its name for others.
    """
    obstacles = obstacles_of(session, [invitation_id], policy=policy, now=now)
    return obstacles[invitation_id].format(who=who) if obstacles else None


def obstacles_of(
    session: Session, invitation_ids: Collection[UUID], *, policy: Policy, now: datetime
) -> dict[UUID, str]:
    """Return what keeps the holders of these invitations from taking part, where something does.

    The words say `{who}` for the holder.
    """
    words = list(_OBSTACLES)
    rows = _OF_EACH.rows(session, {**_dates(policy, now), "ids": list(invitation_ids)})
    return {row.id: words[row.obstacle] for row in rows if row.obstacle is not None}


def leads_to_look_at(session: Session, *, policy: Policy, now: datetime, most: int) -> list[UUID]:
    """Return leads in which somebody who may not stay holds a live invitation."""
    rows = _LEADS.rows(session, {**_dates(policy, now), "most": most})
    return [row.lead_id for row in rows]
