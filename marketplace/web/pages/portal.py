"""The provider portal: own invitations, the most urgent first, and every answer to one."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

from flask import Blueprint, flash, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from marketplace.core.errors import Conflict, Invalid, NotSignedIn
from marketplace.invitations import questions, track_record
from marketplace.invitations import service as invitations
from marketplace.invitations.rules import ANSWERABLE, LIVE, DeclineReason
from marketplace.providers import accreditations, directory, intake
from marketplace.providers.directory import Profile
from marketplace.quotes import inbox
from marketplace.quotes import service as quotes
from marketplace.quotes.rules import AUDITS, QuoteKind, TravelBasis
from marketplace.web.api.portal_invitations import DeclineIn, InvitationArgs, QuestionIn
from marketplace.web.api.quotes import QuoteIn
from marketplace.web.auth import current_actor, current_context
from marketplace.web.pages.choices import names
from marketplace.web.pages.forms import Filled, read, typed_from
from marketplace.web.pages.own_request import sentence
from marketplace.web.pages.quote_labels import FEES, LABELS
from marketplace.web.pages.sign_in import to_sign_in
from marketplace.web.paging import cursor
from marketplace.web.requests import Parser, load

pages = Blueprint("portal", __name__, url_prefix="/portal")
pages.register_error_handler(NotSignedIn, to_sign_in)

FEWEST_PHASES, MOST_PHASES = 5, 30
"""Rows for phases: never fewer than a quote has already, or a revision would drop some."""

Page = Response | str | tuple[str, int]


def own_profile() -> tuple[Profile, str]:
    """Return the provider whose person is signed in, and its time zone."""
    ctx = current_context()
    with ctx.reading() as session:
        found = directory.profile_of(session, current_actor().own_provider(), now=ctx.clock())
        return found, intake.zone_of(session, found.provider)


@pages.get("")
def invitations_() -> str:
    """Show own invitations, the most urgent first."""
    args = Parser().parse(InvitationArgs, request, location="query")
    ctx = current_context()
    items, last = inbox.own_invitations(ctx, current_actor(), **args)
    profile, zone = own_profile()
    with ctx.reading() as session:
        standing = track_record.standing(
            session, profile.provider.id, policy=ctx.policy, now=ctx.clock()
        )
    return render_template(
        "portal.html",
        standing=standing,
        items=items,
        following=cursor(last) if last else None,
        profile=profile,
        zone=zone,
        answerable=ANSWERABLE,
        names=names(ctx, regions=[code for each in items for code in each["lead"]["regions"]]),
    )


@pages.get("/invitations/<uuid:invitation_id>")
def one(invitation_id: UUID) -> str:
    """Show one invitation; a person's look opens it."""
    ctx, actor = current_context(), current_actor()
    invitations.look_at_invitation(ctx, actor, invitation_id)
    return show(invitation_id, Filled(LABELS))


def show(invitation_id: UUID, form: Filled) -> str:
    ctx = current_context()
    shown = inbox.own_invitation(ctx, current_actor(), invitation_id)
    profile, zone = own_profile()
    lead = shown["lead"]
    is_late = shown["state"] in ANSWERABLE and ctx.clock() >= shown["respond_by"]
    return render_template(
        "invitation.html",
        invitation=shown,
        profile=profile,
        zone=zone,
        form=form,
        reasons=list(DeclineReason),
        is_late=is_late,
        is_answerable=shown["state"] in ANSWERABLE and not is_late,
        is_live=shown["state"] in LIVE and not is_late,
        places=ctx.policy.places,
        names=names(
            ctx, regions=lead["regions"], sectors=[lead["sector"]] if lead["sector"] else []
        ),
    )


def done(invitation_id: UUID, act: Callable[[], Any], said: str) -> Response:
    """Do it and say so on the invitation's page; too late, or done before, is said there too."""
    try:
        act()
        flash(said)
    except Conflict as refused:
        flash(sentence(refused), "problem")
    return redirect(url_for("portal.one", invitation_id=invitation_id), 303)


@pages.post("/invitations/<uuid:invitation_id>/accept")
def accept(invitation_id: UUID) -> Response:
    ctx, actor = current_context(), current_actor()
    return done(
        invitation_id,
        lambda: invitations.accept_invitation(ctx, actor, invitation_id),
        "You have accepted. Below you see who the business is.",
    )


@pages.post("/invitations/<uuid:invitation_id>/decline")
def decline(invitation_id: UUID) -> Page:
    sent = read(DeclineIn(), request.form)
    try:
        values = load(DeclineIn(), sent.data).accept()
    except Invalid as refused:
        return show(invitation_id, Filled(LABELS).wrong(refused.errors, sent.typed)), 422
    ctx, actor = current_context(), current_actor()
    return done(
        invitation_id,
        lambda: invitations.decline_invitation(ctx, actor, invitation_id, **values),
        "You have declined. The place goes to another provider.",
    )


@pages.post("/invitations/<uuid:invitation_id>/questions")
def ask(invitation_id: UUID) -> Page:
    sent = read(QuestionIn(), request.form)
    try:
        values = load(QuestionIn(), sent.data).accept()
    except Invalid as refused:
        return show(invitation_id, Filled(LABELS).wrong(refused.errors, sent.typed)), 422
    ctx, actor = current_context(), current_actor()
    return done(
        invitation_id,
        lambda: questions.ask_question(ctx, actor, invitation_id, **values),
        "Your question is with the business. The answer goes to every provider invited.",
    )


@pages.get("/invitations/<uuid:invitation_id>/quote")
def look_before_quoting(invitation_id: UUID) -> str:
    """Show the form, with the quote as it stands or what can be known of a new one."""
    ctx, actor = current_context(), current_actor()
    invitations.look_at_invitation(ctx, actor, invitation_id)
    shown = inbox.own_invitation(ctx, actor, invitation_id)
    lead, before = shown["lead"], shown["quote"] or {"currency": "AUD"}
    quoted = {each["code"]: each["edition"] for each in before.get("standards", [])}
    editions = lead["editions"] | quoted
    # In the order of the page's rows, whatever order the quote had.
    rows = [{"code": code, "edition": editions.get(code)} for code in lead["standards"]]
    return _quoting(shown, Filled(LABELS, typed_from({**before, "standards": rows})))


@pages.post("/invitations/<uuid:invitation_id>/quote")
def quote(invitation_id: UUID) -> Page:
    """Take the quote, or a new version of it."""
    sent = read(QuoteIn(), request.form)
    ctx, actor = current_context(), current_actor()
    form = load(QuoteIn(), sent.data)
    try:
        return done(
            invitation_id,
            lambda: quotes.put_quote(ctx, actor, invitation_id, form),
            "Your quote is with the business. You may revise it until the request is finished.",
        )
    except Invalid as refused:
        shown = inbox.own_invitation(ctx, actor, invitation_id)
        return _quoting(shown, Filled(LABELS).wrong(refused.errors, sent.typed)), 422


def _quoting(shown: dict[str, Any], form: Filled) -> str:
    profile, zone = own_profile()
    kind = quotes.KIND_OF[profile.provider.kind]
    with current_context().reading() as session:
        held = accreditations.accreditations_of(session, profile.provider.id)
    wanted = shown["lead"]["standards"]
    own = [each.accreditation for each in held if each.accreditation.standard in wanted]
    return render_template(
        "quote.html",
        invitation=shown,
        form=form,
        kind=kind,
        is_certification=kind is QuoteKind.CERTIFICATION,
        zone=zone,
        audits=AUDITS,
        fees=FEES,
        bases=list(TravelBasis),
        phases=_phase_rows(form),
        accreditations=own,
    )


def _phase_rows(form: Filled) -> range:
    """Return a row for every phase that is filled in, and one more to go on with."""
    filled = [int(name.split(".")[1]) for name in form.typed if name.startswith("phases.")]
    return range(min(MOST_PHASES, max(FEWEST_PHASES, max(filled, default=0) + 2)))
