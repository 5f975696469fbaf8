"""Providers for administrators: the list, one provider, and whether it may be invited."""

from typing import Any
from uuid import UUID

from flask import Blueprint, render_template, request, url_for
from flask_babel import gettext as _
from marshmallow import EXCLUDE, Schema
from werkzeug.wrappers import Response

from marketplace.accounts.lost_factors import Checked
from marketplace.core.errors import Invalid, NotSignedIn
from marketplace.insights import history
from marketplace.insights.worklist import provider_names
from marketplace.invitations import misses, track_record
from marketplace.invitations.models import Miss
from marketplace.matching import striking
from marketplace.providers import accreditations, directory, service, team
from marketplace.providers.evidence import evidence_of
from marketplace.providers.models import Provider
from marketplace.providers.rules import (
    PROVIDER_LIFECYCLE,
    CheckResult,
    ProviderEvent,
    ProviderKind,
    ProviderState,
)
from marketplace.web.api.admin_providers import (
    NewCheckSchema,
    ProviderFilterSchema,
    ReasonSchema,
    shown,
)
from marketplace.web.auth import current_actor, current_context
from marketplace.web.files import download
from marketplace.web.pages.choices import names
from marketplace.web.pages.deeds import deeds
from marketplace.web.pages.desk import LABELS, arguments, done
from marketplace.web.pages.forms import Filled, read
from marketplace.web.pages.sign_in import to_sign_in
from marketplace.web.pages.words import say
from marketplace.web.paging import Cursor, cursor, page
from marketplace.web.requests import load

pages = Blueprint("provider_desk", __name__, url_prefix="/admin/providers")
pages.register_error_handler(NotSignedIn, to_sign_in)

Page = Response | str | tuple[str, int]

MISSES_SHOWN = 25
"""The latest, of those that a provider ever had."""

CHECKS = (
    CheckResult.FOUND,
    CheckResult.CONFIDENTIAL,
    CheckResult.NOT_FOUND,
    CheckResult.MISMATCH,
)
"""In the order in which they are offered."""


class ShownArgs(Schema):
    """From where on history is shown."""

    class Meta:
        unknown = EXCLUDE

    after = Cursor(load_default=None)


@pages.get("")
def providers() -> str:
    """Show providers, the newest first, by state, kind and words."""
    args = arguments(ProviderFilterSchema)
    asked = {name: args[name] for name in ("state", "kind", "q")}
    ctx = current_context()
    with ctx.reading() as session:
        rows = directory.providers_like(**asked)
        found, following = page(
            session, rows, Provider.id, limit=args["limit"], after=args["after"]
        )
        items = directory.profiles(session, found, now=ctx.clock())
    return render_template(
        "admin_providers.html",
        items=items,
        following=following,
        states=list(ProviderState),
        kinds=list(ProviderKind),
        args=args,
    )


@pages.get("/<uuid:provider_id>")
def one(provider_id: UUID) -> str:
    """Show everything that is known of a provider."""
    return show(provider_id, Filled(LABELS))


def show(provider_id: UUID, form: Filled, *, about: str = "") -> str:
    """Show the provider; `form` is the one of the decision called `about`."""
    ctx, actor = current_context(), current_actor()
    whole = shown(provider_id)
    past = history.provider_history(ctx, actor, provider_id, **arguments(ShownArgs))
    covered = whole["coverage"]
    related = {
        each.other_id if each.provider_id == provider_id else each.provider_id
        for each in whole["relationships"]
    }
    state = whole["provider"].state
    with ctx.reading() as session:
        rows = track_record.misses(provider_id=provider_id)
        latest, _more = page(session, rows, Miss.invitation_id, limit=MISSES_SHOWN, after=None)
        missed = track_record.shown(session, latest, ctx.policy)
        people = team.team_of(session, provider_id)
    return render_template(
        "admin_provider.html",
        **whole,
        may={event: PROVIDER_LIFECYCLE.allows(state, event) for event in ProviderEvent},
        checks={each: say(each, "check") for each in CHECKS},
        names=names(
            ctx,
            regions={*covered.regions, whole["provider"].country},
            sectors=covered.sectors,
        ),
        others=provider_names(ctx, actor, related),
        team=people,
        ways={each: say(each, "checked") for each in Checked},
        past=deeds(past.entries),
        following=cursor(past.following) if past.following else None,
        undo=request.args.get("undo", ""),
        today=ctx.clock().date(),
        missed=missed,
        form=form,
        about=about,
    )


@pages.post("/<uuid:provider_id>/approve")
def approve(provider_id: UUID) -> Response:
    ctx, actor = current_context(), current_actor()
    return done(
        lambda: service.approve_provider(ctx, actor, provider_id),
        _("The provider is verified, and its contact is told."),
        url_for("provider_desk.one", provider_id=provider_id),
    )


@pages.post("/<uuid:provider_id>/reinstate")
def reinstate(provider_id: UUID) -> Response:
    ctx, actor = current_context(), current_actor()
    return done(
        lambda: service.reinstate_provider(ctx, actor, provider_id),
        _("The provider is invited again from now on."),
        url_for("provider_desk.one", provider_id=provider_id),
    )


@pages.post("/<uuid:provider_id>/reject")
def reject(provider_id: UUID) -> Page:
    ctx, actor = current_context(), current_actor()
    return _decide(
        provider_id,
        "reject",
        lambda **given: service.reject_provider(ctx, actor, provider_id, **given),
        _("The application is turned away, and the provider is told why."),
    )


@pages.post("/<uuid:provider_id>/suspend")
def suspend(provider_id: UUID) -> Page:
    ctx, actor = current_context(), current_actor()
    return _decide(
        provider_id,
        "suspend",
        lambda **given: service.suspend_provider(ctx, actor, provider_id, **given),
        _("The provider is suspended, and told why."),
        undo="suspension",
    )


@pages.post("/<uuid:provider_id>/misses/<uuid:invitation_id>/strike")
def strike(provider_id: UUID, invitation_id: UUID) -> Page:
    """Take a miss off the provider's record."""
    ctx, actor = current_context(), current_actor()
    return _decide(
        provider_id,
        str(invitation_id),
        lambda **given: striking.strike_miss(ctx, actor, invitation_id, **given),
        _("The miss is struck, and the provider is told why."),
    )


@pages.post("/<uuid:provider_id>/misses/<uuid:invitation_id>/uphold")
def uphold(provider_id: UUID, invitation_id: UUID) -> Page:
    """Let a miss stand that the provider objected to."""
    ctx, actor = current_context(), current_actor()
    return _decide(
        provider_id,
        f"stays-{invitation_id}",
        lambda **given: misses.uphold_miss(ctx, actor, invitation_id, **given),
        _("The miss stands, and the provider is told why."),
    )


def _decide(provider_id: UUID, about: str, act: Any, said: str, *, undo: str = "") -> Page:
    sent = read(ReasonSchema(), request.form)
    then = url_for("provider_desk.one", provider_id=provider_id)
    try:
        values = load(ReasonSchema(), sent.data).accept()
    except Invalid as refused:
        form = Filled(LABELS).wrong(refused.errors, sent.typed)
        return show(provider_id, form, about=about), 422
    return done(lambda: act(**values), said, then, undo=undo)


@pages.post("/<uuid:provider_id>/accreditations/<uuid:accreditation_id>/check")
def check(provider_id: UUID, accreditation_id: UUID) -> Page:
    """Write down what a look into a register showed."""
    sent = read(NewCheckSchema(), request.form)
    ctx, actor = current_context(), current_actor()
    form = load(NewCheckSchema(), sent.data)
    try:
        return done(
            lambda: accreditations.verify_accreditation(ctx, actor, accreditation_id, form),
            _("The look is written down."),
            url_for("provider_desk.one", provider_id=provider_id),
            undo=str(accreditation_id),
        )
    except Invalid as refused:
        filled = Filled(LABELS).wrong(refused.errors, sent.typed)
        return show(provider_id, filled, about=str(accreditation_id)), 422


@pages.get("/<uuid:provider_id>/accreditations/<uuid:accreditation_id>/evidence")
def evidence(provider_id: UUID, accreditation_id: UUID) -> Response:
    """Return the file that the provider sent along, as a download."""
    with current_context().reading() as session:
        found = evidence_of(session, current_actor(), accreditation_id, provider_id=provider_id)
        return download(found)


@pages.post("/<uuid:provider_id>/accreditations/<uuid:accreditation_id>/suspend")
def suspend_accreditation(provider_id: UUID, accreditation_id: UUID) -> Response:
    """Let an accreditation count no more."""
    ctx, actor = current_context(), current_actor()
    return done(
        lambda: accreditations.suspend_accreditation(ctx, actor, accreditation_id),
        _("The accreditation is suspended."),
        url_for("provider_desk.one", provider_id=provider_id),
        undo=str(accreditation_id),
    )


@pages.post("/<uuid:provider_id>/accreditations/<uuid:accreditation_id>/reinstate")
def reinstate_accreditation(provider_id: UUID, accreditation_id: UUID) -> Response:
    """Let a suspended accreditation count again."""
    ctx, actor = current_context(), current_actor()
    return done(
        lambda: accreditations.reinstate_accreditation(ctx, actor, accreditation_id),
        _("The accreditation counts again."),
        url_for("provider_desk.one", provider_id=provider_id),
        undo=str(accreditation_id),
    )
