"""What businesses say of providers that answered them, what those reply, and whether it shows.

Only who was invited by a real request, and answered it, is reviewed: by the link that went to the
address of the request, so whoever reviews reads the mail there. Whoever writes here holds the lead
first, and with it the review and its reply.
"""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import select, update

from marketplace.accounts import queries as accounts
from marketplace.accounts.letters import tell_admins
from marketplace.core import consents
from marketplace.core.actors import Actor
from marketplace.core.agreements import Agreed
from marketplace.core.consents import Whose
from marketplace.core.context import Context, Transaction
from marketplace.core.db import new_id
from marketplace.core.errors import Conflict, NotFound
from marketplace.core.events import record
from marketplace.invitations import queries as invitations
from marketplace.invitations.letters import holders
from marketplace.invitations.models import Invitation
from marketplace.leads import queries as leads
from marketplace.leads import service as leading
from marketplace.leads.masking import Identity
from marketplace.leads.models import Lead
from marketplace.leads.rules import CloseReason, legal_entity_in
from marketplace.notifications.service import notify
from marketplace.providers.models import Provider
from marketplace.quotes import moderation, opinions
from marketplace.quotes.models import Moderated, Review, ReviewReply
from marketplace.quotes.moderation import Doubt, Part, Party, ReviewEvent, ReviewState


def review_provider(
    ctx: Context, actor: Actor, invitation_id: UUID, *, rating: int, comment: str | None
) -> Review:
    """Take what the business says of a provider that answered it; once per invitation."""
    with ctx.transaction() as tx:
        lead = leads.lock_lead(tx.session, actor.own_lead())
        lead.require_not_erased()
        reviewed = invitations.invitation_of(tx.session, actor, invitation_id)
        if lead.finish_reason == CloseReason.NOT_OURS:
            raise Conflict("this request was not yours, as you have said")
        if reviewed.responded_at is None:
            raise Conflict("only a provider that answered can be reviewed")
        if opinions.is_reviewed(tx.session, reviewed.id):
            raise Conflict("this provider was reviewed already")
        doubts = _doubts(tx, lead, reviewed.provider_id, comment)
        if moderation.names_another(comment, _others(tx, lead, reviewed.provider_id)):
            doubts.append(Doubt.OTHER)
        if _is_own(tx, lead, reviewed.provider_id):
            doubts.insert(0, Doubt.OWN)
        review = Review(
            id=new_id(),
            invitation_id=reviewed.id,
            lead_id=lead.id,
            provider_id=reviewed.provider_id,
            rating=rating,
            comment=comment,
            created_at=tx.now,
            state=_first_state(doubts),
            doubts=doubts,
        )
        tx.session.add(review)
        tx.session.flush()
        consents.agree(tx, Whose.LEAD, lead.id, Agreed.REVIEW_SHOWN)
        record(tx, actor, "review.given", reviewed.id, rating=rating, doubts=doubts)
        if review.is_shown:
            _tell_provider(tx, "review_given", review, rating=rating)
        else:
            _ask_admins(tx, review, Part.REVIEW, review)
        return review


def _first_state(doubts: Sequence[Doubt]) -> ReviewState:
    return ReviewState.QUEUED if doubts else ReviewState.SHOWN


def _doubts(tx: Transaction, lead: Lead, provider_id: UUID, text: str | None) -> list[Doubt]:
    """Return what a text may tell of the business or of the provider's people.

    What the provider is called may stand in it: it stands beside it anyway. Of a business that had
    itself forgotten it cannot be told any more, so that a person reads whatever is said.
    """
    provider = tx.session.get_one(Provider, provider_id)
    people = {each.name for each in accounts.users_of_provider(tx.session, provider_id)}
    named = [Identity("", each, "") for each in sorted(people | {provider.contact_name})]
    if lead.erased_at is None:
        named.append(lead.identity)
    found = moderation.doubts_about(text, named=named)
    if lead.erased_at is not None and Doubt.PERSON not in found:
        found.append(Doubt.PERSON)
    return found


def _others(tx: Transaction, lead: Lead, provider_id: UUID) -> list[str]:
    """Return what the others are called that were invited, of whom this provider may not know."""
    held = invitations.invitations_for_lead(tx.session, lead.id)
    ids = {each.provider_id for each in held} - {provider_id}
    rows = select(Provider.name).where(Provider.id.in_(ids)).order_by(Provider.name)
    return list(tx.session.scalars(rows))


def _is_own(tx: Transaction, lead: Lead, provider_id: UUID) -> bool:
    """Return whether the business may be the provider itself, or one related to it."""
    business = Party(
        emails=[lead.contact_email],
        website=lead.website,
        legal_entity=legal_entity_in(lead.business_key),
    )
    return moderation.is_own(
        business,
        opinions.parties(tx.session, provider_id),
        is_free_mail=lead.signals["free_mail"] or lead.signals["disposable_mail"],
    )


def reply_to_review(ctx: Context, actor: Actor, review_id: UUID, *, text: str) -> Review:
    """Take what a provider says to a review of it, or take it anew.

    It may be put otherwise until it is reported, or an administrator has looked at it: what others
    have judged does not change behind their backs.
    """
    with ctx.transaction() as tx:
        lead, review, reply = _lock_shown(tx, actor, review_id)
        doubts = _doubts(tx, lead, review.provider_id, text)
        invitation = tx.session.get_one(Invitation, review.invitation_id)
        if invitation.accepted_at is None and Doubt.PERSON not in doubts:
            # It does not know who wrote: a name that it guessed must not be told by what shows.
            doubts.append(Doubt.PERSON)
        if reply is None:
            reply = ReviewReply(
                review_id=review.id,
                text=text,
                written_at=tx.now,
                state=_first_state(doubts),
                doubts=doubts,
            )
            tx.session.add(reply)
        elif reply.text == text:
            return review
        else:
            reply.put(text, doubts, now=tx.now)
        tx.session.flush()
        record(tx, actor, "review.replied", review.invitation_id, doubts=doubts)
        if reply.is_shown:
            _tell_business_of_reply(tx, lead, review)
        else:
            _ask_admins(tx, review, Part.REPLY, reply)
        return review


def _lock_shown(
    tx: Transaction, actor: Actor, review_id: UUID
) -> tuple[Lead, Review, ReviewReply | None]:
    """Hold a review of the actor's own that shows, or raise `NotFound`."""
    lead, review, reply = _lock(tx, review_id)
    is_theirs = review.provider_id == actor.own_provider()
    if not (is_theirs and review.is_shown):
        raise NotFound("no such review")
    return lead, review, reply


def _lock(tx: Transaction, review_id: UUID) -> tuple[Lead, Review, ReviewReply | None]:
    found = tx.session.get(Review, review_id)
    if found is None:
        raise NotFound("no such review")
    lead = leads.lock_lead(tx.session, found.lead_id)
    tx.session.refresh(found)
    reply = tx.session.get(ReviewReply, review_id, populate_existing=True)
    return lead, found, reply


def report_review(ctx: Context, actor: Actor, review_id: UUID, *, reason: str) -> Review:
    """Ask, as the provider it is about, for a review to be looked at; it shows meanwhile."""
    with ctx.transaction() as tx:
        lead, review, _ = _lock_shown(tx, actor, review_id)
        lead.require_not_erased()
        review.be_reported(reason, now=tx.now)
        record(tx, actor, "review.reported", review.invitation_id)
        _ask_admins(tx, review, Part.REVIEW, review)
        return review


def report_reply(ctx: Context, actor: Actor, review_id: UUID, *, reason: str) -> Review:
    """Ask, as the business, for the reply to its review to be looked at; it shows meanwhile."""
    own_lead = actor.own_lead()
    with ctx.transaction() as tx:
        lead, review, reply = _lock(tx, review_id)
        if review.lead_id != own_lead or not review.is_shown or not (reply and reply.is_shown):
            raise NotFound("no such reply")
        lead.require_not_erased()
        reply.be_reported(reason, now=tx.now)
        record(tx, actor, "review.reply_reported", review.invitation_id)
        _ask_admins(tx, review, Part.REPLY, reply)
        return review


def hide(ctx: Context, actor: Actor, review_id: UUID, *, reason: str, part: Part) -> Review:
    """Take a review (and with it its reply), or the reply alone, out of sight."""
    return _decide(ctx, actor, review_id, ReviewEvent.HIDE, reason=reason, part=part)


def restore(ctx: Context, actor: Actor, review_id: UUID, *, reason: str, part: Part) -> Review:
    """Let a review or a reply show: one that was queued or hidden, or was reported and stands."""
    return _decide(ctx, actor, review_id, ReviewEvent.SHOW, reason=reason, part=part)


DECIDED = {
    (Part.REVIEW, ReviewEvent.HIDE): "review.hidden",
    (Part.REVIEW, ReviewEvent.SHOW): "review.kept",
    (Part.REPLY, ReviewEvent.HIDE): "review.reply_hidden",
    (Part.REPLY, ReviewEvent.SHOW): "review.reply_kept",
}
"""How the audit log says what was decided."""


def _decide(
    ctx: Context, actor: Actor, review_id: UUID, event: ReviewEvent, *, reason: str, part: Part
) -> Review:
    actor.require_admin()
    with ctx.transaction() as tx:
        lead, review, reply = _lock(tx, review_id)
        decided: Moderated | None = reply if part is Part.REPLY else review
        if decided is None:
            raise NotFound("no such reply")
        reason = lead.unnamed(reason)  # both sides read that
        is_known = decided.is_shown or decided.decided_at is not None
        decided.decide(event, reason, by=actor.id, now=tx.now)
        record(
            tx,
            actor,
            DECIDED[part, event],
            review.invitation_id,
            provider=str(review.provider_id),
        )
        _tell_both(tx, lead, review, decided, part, reason, is_known=is_known)
        if lead.erased_at is not None:
            _forget_why(decided)
        return review


def _forget_why(decided: Moderated) -> None:
    """Forget what was said of one who had itself erased before, but for what shows."""
    decided.report = decided.decision_reason = None
    if isinstance(decided, ReviewReply) and not decided.is_shown:
        decided.text = None


def _tell_both(
    tx: Transaction,
    lead: Lead,
    review: Review,
    decided: Moderated,
    part: Part,
    reason: str,
    *,
    is_known: bool,
) -> None:
    """Tell both sides what was decided, and the one that has not seen it yet that it is there.

    Of what the other side never knew (`is_known`) it is not told that it was hidden.
    """
    said: dict[str, Any] = {
        "occasion": f"{part}/{decided.state}/{tx.now.isoformat()}",
        "part": part,
        "is_shown": decided.is_shown,
        "reason": reason,
    }
    if part is Part.REVIEW or is_known:
        _tell_business(tx, "review_decided", lead, review, **said)
    if part is Part.REPLY or is_known:
        _tell_provider(tx, "review_of_you_decided", review, **said)
    if not decided.is_shown:
        return
    # Each is told once, and so only where that was not done when it was written.
    if part is Part.REVIEW:
        _tell_provider(tx, "review_given", review, rating=review.rating)
    else:
        _tell_business_of_reply(tx, lead, review)


def _tell_provider(tx: Transaction, template: str, review: Review, **values: Any) -> None:
    to = holders(tx, [review.provider_id])[review.provider_id].contact
    notify(
        tx,
        template,
        to,
        review.invitation_id,
        path="/portal/reviews",
        provider_id=review.provider_id,
        **values,
    )


def _tell_business_of_reply(tx: Transaction, lead: Lead, review: Review) -> None:
    _tell_business(tx, "review_replied", lead, review)


def _tell_business(
    tx: Transaction, template: str, lead: Lead, review: Review, **values: Any
) -> None:
    """Write to the business, unless it had itself forgotten."""
    if lead.erased_at is not None:
        return
    notify(
        tx,
        template,
        leading.contact_of(lead),
        review.invitation_id,
        link=leading.request_link(tx, lead),
        reference=lead.reference,
        provider=tx.session.get_one(Provider, review.provider_id).name,
        **values,
    )


def _ask_admins(tx: Transaction, review: Review, part: Part, doubtful: Moderated) -> None:
    """Ask once for a doubt and once for a report, however often a text is put otherwise."""
    why = "reported" if doubtful.reported_at is not None else "doubted"
    tell_admins(
        tx,
        "review_to_decide",
        review.invitation_id,
        occasion=f"{part}/{why}",
        path=f"/admin/reviews#review-{review.id}",
        provider=tx.session.get_one(Provider, review.provider_id).name,
        part=part,
        is_reported=doubtful.reported_at is not None,
    )


def forget_texts(tx: Transaction, lead_id: UUID) -> None:
    """Forget what was said in reviews of a request, in replies, reports and decisions.

    Ratings stay, and what was decided: not why, since that may say whom it spares.
    """
    of_lead = select(Review.id).where(Review.lead_id == lead_id)
    nothing = {"report": None, "decision_reason": None}
    tx.session.execute(
        update(Review).where(Review.lead_id == lead_id).values(comment=None, **nothing)
    )
    tx.session.execute(
        update(ReviewReply).where(ReviewReply.review_id.in_(of_lead)).values(text=None, **nothing)
    )
