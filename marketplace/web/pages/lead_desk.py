"""Leads for administrators: the list, one whole case, and every decision about it."""

from typing import Any
from uuid import UUID

from flask import Blueprint, render_template, request, url_for
from flask_babel import gettext as _
from marshmallow import fields
from werkzeug.wrappers import Response

from marketplace.core.errors import Conflict, Invalid, NotSignedIn
from marketplace.insights import casework, history
from marketplace.insights.worklist import provider_names
from marketplace.leads import service as leads
from marketplace.leads.advisers import decide_consultant
from marketplace.leads.rules import LIFECYCLE, LeadEvent, LeadState
from marketplace.matching import explanation
from marketplace.matching import service as matching
from marketplace.matching.invitable import Invitable, invitable
from marketplace.privacy.export import agreed_with
from marketplace.quotes import comparison, outcome
from marketplace.web.api.admin_consultants import ConsultantIn
from marketplace.web.api.admin_leads import ByHandIn, LeadArgs, MatchingArgs, ReasonIn
from marketplace.web.auth import current_actor, current_context
from marketplace.web.fields import Text
from marketplace.web.files import download
from marketplace.web.pages.choices import names
from marketplace.web.pages.deeds import deeds
from marketplace.web.pages.desk import LABELS, arguments, done
from marketplace.web.pages.forms import Filled, read
from marketplace.web.pages.paper import comparison_pdf, order_in
from marketplace.web.pages.sign_in import to_sign_in
from marketplace.web.pages.signals import score_in_words, signals_in_words
from marketplace.web.pages.words import sentence
from marketplace.web.paging import Cursor, cursor
from marketplace.web.requests import load

pages = Blueprint("lead_desk", __name__, url_prefix="/admin/leads")
pages.register_error_handler(NotSignedIn, to_sign_in)

OFFERED_AT_MOST = 10
"""To be invited by hand: who is not among them is found by name."""

RUNS_SHOWN = 25
"""The latest, of those that a lead ever had."""


class ShownArgs(MatchingArgs):
    """Which run is unfolded, why not whom, where history begins, and who is to be invited."""

    run = fields.UUID(load_default=None, error_messages={"invalid_uuid": "must be an id"})
    after = Cursor(load_default=None)
    find = Text(at_most=200, load_default="")


Page = Response | str | tuple[str, int]


@pages.get("")
def leads_() -> str:
    """Show leads, the newest first, by state and words."""
    args = arguments(LeadArgs)
    items, last = casework.found_leads(current_context(), current_actor(), **args)
    return render_template(
        "admin_leads.html",
        items=items,
        following=cursor(last) if last else None,
        states=list(LeadState),
        args=args,
    )


@pages.get("/<uuid:lead_id>")
def one(lead_id: UUID) -> str:
    """Show all of a lead."""
    return show(lead_id, Filled(LABELS))


@pages.get("/<uuid:lead_id>/comparison.pdf")
def pdf(lead_id: UUID) -> Response:
    """Return the comparison as its business has it, to be saved."""
    return comparison_pdf(order_in(request), lead_id=lead_id)


def show(lead_id: UUID, form: Filled, *, about: str = "") -> str:
    """Show the case; `form` is the one of the decision called `about`."""
    ctx, actor = current_context(), current_actor()
    lead = casework.lead_case(ctx, actor, lead_id)
    asked = arguments(ShownArgs)
    matching = explanation.explain_run(
        ctx, actor, lead_id, run_id=asked["run"], provider_id=asked["provider_id"]
    )
    seen = matching.run or {"bench": [], "excluded": []}
    ids = {UUID(each["provider_id"]) for each in (*seen["bench"], *seen["excluded"])}
    past = history.lead_history(ctx, actor, lead_id, after=asked["after"])
    offer, why_none = _offer(lead_id, asked["find"])
    if about == "invite" and not (offer and offer.may):
        form, about = Filled(LABELS), ""  # there is no such form any more
    return render_template(
        "admin_lead.html",
        lead=lead,
        agreed=agreed_with(ctx, actor, lead_id),
        matching=matching,
        runs=[run for run in matching.runs[:RUNS_SHOWN] if run.id != seen.get("id")],
        providers=provider_names(ctx, actor, ids),
        signals=signals_in_words(lead["signals"]),
        score=score_in_words(lead["signals"], ctx.policy),
        past=deeds(past.entries),
        following=cursor(past.following) if past.following else None,
        names=names(
            ctx, regions=lead["regions"], sectors=[lead["sector"]] if lead["sector"] else []
        ),
        advisers_in_doubt=[
            each
            for each in lead["consultants_used"]
            if each["resembles"] and not LIFECYCLE.is_final(lead["state"])
        ],
        may={event: LIFECYCLE.allows(lead["state"], event) for event in LeadEvent},
        form=form,
        about=about,
        find=asked["find"],
        offer=offer,
        why_none=why_none,
    )


def _offer(lead_id: UUID, words: str) -> tuple[Invitable | None, str]:
    """Return who may be invited by hand, or why nobody may."""
    ctx, actor = current_context(), current_actor()
    try:
        return invitable(ctx, actor, lead_id, words=words, at_most=OFFERED_AT_MOST), ""
    except Conflict as refused:
        return None, sentence(refused)


@pages.get("/<uuid:lead_id>/attachments/<uuid:attachment_id>")
def attachment(lead_id: UUID, attachment_id: UUID) -> Response:
    """Return a file that came with a quote, as a download."""
    with current_context().reading() as session:
        return download(comparison.attachment_of(session, current_actor(), lead_id, attachment_id))


@pages.post("/<uuid:lead_id>/approve")
def approve(lead_id: UUID) -> Response:
    ctx, actor = current_context(), current_actor()
    return done(
        lambda: leads.approve_lead(ctx, actor, lead_id),
        _("The request is open, and its clock runs."),
        url_for("lead_desk.one", lead_id=lead_id),
    )


@pages.post("/<uuid:lead_id>/reject")
def reject(lead_id: UUID) -> Page:
    ctx, actor = current_context(), current_actor()
    return _decide(
        lead_id,
        ReasonIn,
        "reject",
        lambda **given: leads.reject_lead(ctx, actor, lead_id, **given),
        _("The request is turned away, and the business is told why."),
    )


@pages.post("/<uuid:lead_id>/consultants")
def consultant(lead_id: UUID) -> Page:
    """Say that a consultant whom the form names is a provider here, or (left blank) is none."""
    ctx, actor = current_context(), current_actor()
    return _decide(
        lead_id,
        ConsultantIn,
        "consultant",
        lambda **given: decide_consultant(ctx, actor, lead_id, **given),
        _("That is written down, and counts for who may be invited."),
        clears=True,
    )


@pages.post("/<uuid:lead_id>/close")
def close(lead_id: UUID) -> Page:
    ctx, actor = current_context(), current_actor()
    return _decide(
        lead_id,
        ReasonIn,
        "close",
        lambda **given: outcome.close_lead(ctx, actor, lead_id, **given),
        _("The request is closed, and everybody is told."),
    )


@pages.post("/<uuid:lead_id>/rematch")
def rematch(lead_id: UUID) -> Response:
    ctx, actor = current_context(), current_actor()
    return done(
        lambda: matching.rematch_lead(ctx, actor, lead_id),
        _("Providers are being looked for again."),
        url_for("lead_desk.one", lead_id=lead_id),
    )


@pages.post("/<uuid:lead_id>/invitations")
def invite(lead_id: UUID) -> Page:
    """Invite a provider by hand; eligibility and the three places hold all the same."""
    ctx, actor = current_context(), current_actor()
    return _decide(
        lead_id,
        ByHandIn,
        "invite",
        lambda **given: matching.invite_by_hand(ctx, actor, lead_id, **given),
        _("The provider is invited."),
    )


def _decide(
    lead_id: UUID, schema: Any, about: str, act: Any, said: str, *, clears: bool = False
) -> Page:
    """Read the form, act on it, say so; `clears`: what is left blank means none."""
    sent = read(schema(), request.form, clears=clears)
    try:
        values = load(schema(), sent.data).accept()
    except Invalid as refused:
        form = Filled(LABELS).wrong(refused.errors, sent.typed)
        return show(lead_id, form, about=about), 422
    return done(lambda: act(**values), said, url_for("lead_desk.one", lead_id=lead_id))
