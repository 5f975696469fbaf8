"""The provider portal: own invitations, the most urgent first, and every answer to one."""

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask_babel import gettext as _
from werkzeug.wrappers import Response

from marketplace.core.errors import Conflict, Invalid, NotSignedIn
from marketplace.invitations import questions, track_record
from marketplace.invitations import service as invitations
from marketplace.invitations.rules import (
    ANSWERABLE,
    LIVE,
    DeclineReason,
    InvitationState,
    due_event,
)
from marketplace.providers import directory, facts, intake
from marketplace.providers.directory import Profile
from marketplace.providers.rules import Standstill, month_of, standstills
from marketplace.quotes import attachments, drafts, inbox
from marketplace.web.api.portal_invitations import DeclineIn, InvitationArgs, QuestionIn
from marketplace.web.auth import current_actor, current_context
from marketplace.web.fields import In, Text
from marketplace.web.pages.choices import names
from marketplace.web.pages.forms import Filled, read
from marketplace.web.pages.quote_labels import LABELS
from marketplace.web.pages.sign_in import to_sign_in
from marketplace.web.pages.words import sentence
from marketplace.web.paging import cursor_of
from marketplace.web.requests import Parser, load

pages = Blueprint("portal", __name__, url_prefix="/portal")
pages.register_error_handler(NotSignedIn, to_sign_in)

Page = Response | str | tuple[str, int]


def own_profile() -> tuple[Profile, str]:
    """Return the provider whose person is signed in, and its time zone."""
    ctx = current_context()
    with ctx.reading() as session:
        found = directory.profile_of(session, current_actor().own_provider(), now=ctx.clock())
        return found, intake.zone_of(session, found.provider)


class CommentIn(In):
    """What a provider adds to its reason for declining."""

    comment = Text(at_most=2000, lines=True, required=True)


@pages.get("")
def invitations_() -> str:
    """Show own invitations: what can be answered first, the most urgent on top; then the rest."""
    args = Parser().parse(InvitationArgs, request, location="query")
    ctx = current_context()
    items, last = inbox.own_invitations(ctx, current_actor(), **args)
    profile, zone = own_profile()
    with ctx.reading() as session:
        standing = track_record.standing(
            session, profile.provider.id, policy=ctx.policy, now=ctx.clock()
        )
        drafted = drafts.drafted(session, [each["id"] for each in items])
        known = facts.provider_facts(session, [profile.provider.id], now=ctx.clock())
    now = ctx.clock()
    leave = [each for each in profile.pauses if each.reason is None]
    away = [each for each in leave if each.starts_at <= now]
    due = [each for each in items if is_answerable(each)]
    return render_template(
        "portal.html",
        standing=standing,
        standstills=[
            each
            for each in standstills(known[profile.provider.id], now)
            # A pause for misses is said by itself, with the button that ends it.
            if each is not Standstill.PAUSED or away
        ],
        away=away,
        ahead=[each for each in leave if each not in away],
        next_month=(month_of(now) + timedelta(days=31)).replace(day=1),
        due=[{**each, **time_left(each, ctx.clock())} for each in due],
        others=[each for each in items if each not in due],
        drafted=drafted,
        following=cursor_of(*map(str, last)) if last else None,
        is_first_page=args["after"] is None,
        profile=profile,
        zone=zone,
        answerable=ANSWERABLE,
        names=names(ctx, regions=[code for each in items for code in each["lead"]["regions"]]),
    )


def is_answerable(shown: Mapping[str, Any]) -> bool:
    """Return whether a deadline runs, and has not passed."""
    due = due_event(
        shown["state"],
        now=current_context().clock(),
        open_by=shown["open_by"],
        respond_by=shown["respond_by"],
    )
    return shown["state"] in ANSWERABLE and due is None


def time_left(shown: Mapping[str, Any], now: datetime) -> dict[str, Any]:
    """Return until when something has to be done, and how much of that time is left, in percent.

    What nobody has opened is to be opened first.
    """
    is_new = shown["state"] is InvitationState.SENT
    until = min(shown["open_by"], shown["respond_by"]) if is_new else shown["respond_by"]
    share = (until - now) / (until - shown["sent_at"])
    return {"until": until, "percent_left": min(100, int(share * 100))}


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
    can_answer = is_answerable(shown)
    is_late = shown["state"] in ANSWERABLE and not can_answer
    with ctx.reading() as session:
        draft = drafts.draft_of(session, current_actor(), invitation_id)
        files = attachments.attachments_of(session, current_actor(), invitation_id)
    return render_template(
        "invitation.html",
        invitation=shown | (time_left(shown, ctx.clock()) if can_answer else {}),
        profile=profile,
        zone=zone,
        form=form,
        draft=draft,
        has_other_files=any(each.is_removed or not each.is_with_business for each in files),
        is_late=is_late,
        is_answerable=can_answer,
        is_live=shown["state"] in LIVE and not is_late,
        places=ctx.policy.places,
        answer_within=ctx.policy.answer_within,
        names=names(
            ctx,
            regions=[*lead["regions"], lead["country"]],
            sectors=[lead["sector"]] if lead["sector"] else [],
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
        _("You have accepted. Below you see who the business is."),
    )


@pages.get("/invitations/<uuid:invitation_id>/decline")
def look_before_declining(invitation_id: UUID) -> str:
    """Show the reasons as buttons. Looking does nothing: programs open links in mails as well.

    Nor does it open the invitation: who wants to decline need not be given its place again.
    """
    return _declining(invitation_id, Filled(LABELS))


def _declining(invitation_id: UUID, form: Filled) -> str:
    ctx = current_context()
    shown = inbox.own_invitation(ctx, current_actor(), invitation_id)
    _profile, zone = own_profile()
    return render_template(
        "decline.html",
        invitation=shown,
        form=form,
        zone=zone,
        reasons=list(DeclineReason),
        can_decline=is_answerable(shown) or shown["state"] is InvitationState.QUOTED,
        is_late=shown["state"] in ANSWERABLE and not is_answerable(shown),
        names=names(ctx, regions=shown["lead"]["regions"]),
    )


@pages.post("/invitations/<uuid:invitation_id>/decline")
def decline(invitation_id: UUID) -> Page:
    """Decline, for the reason whose button was pressed; twice is told, and changes nothing."""
    sent = read(DeclineIn(), request.form)
    try:
        values = load(DeclineIn(), sent.data).accept()
    except Invalid as refused:
        return _declining(invitation_id, Filled(LABELS).wrong(refused.errors, sent.typed)), 422
    ctx, actor = current_context(), current_actor()
    try:
        invitations.decline_invitation(ctx, actor, invitation_id, **values)
        flash(_("You have declined. The place is free for another provider."))
    except Conflict as refused:
        shown = inbox.own_invitation(ctx, actor, invitation_id)
        if shown["state"] is InvitationState.DECLINED:
            flash(_("You had declined already. Nothing has changed."))
        else:
            flash(sentence(refused), "problem")
    return redirect(url_for("portal.look_before_declining", invitation_id=invitation_id), 303)


@pages.post("/invitations/<uuid:invitation_id>/decline/comment")
def comment(invitation_id: UUID) -> Page:
    """Add a comment to the reason, once."""
    sent = read(CommentIn(), request.form)
    try:
        values = load(CommentIn(), sent.data).accept()
    except Invalid as refused:
        return _declining(invitation_id, Filled(LABELS).wrong(refused.errors, sent.typed)), 422
    try:
        invitations.comment_on_decline(current_context(), current_actor(), invitation_id, **values)
        flash(_("Thank you. Administrators read your comment, and nobody else."))
    except Conflict as refused:
        flash(sentence(refused), "problem")
    return redirect(url_for("portal.look_before_declining", invitation_id=invitation_id), 303)


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
        _("Your question is with the business. The answer goes to every provider invited."),
    )
