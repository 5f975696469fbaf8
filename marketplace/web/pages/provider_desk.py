"""Providers for administrators: the list, one provider, and whether it may be invited."""

from typing import Any
from uuid import UUID

from flask import Blueprint, render_template, request, url_for
from werkzeug.wrappers import Response

from marketplace.core.errors import Invalid, NotSignedIn
from marketplace.invitations import misses, track_record
from marketplace.invitations.models import Miss
from marketplace.matching import striking
from marketplace.providers import accreditations, directory, service
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
from marketplace.web.pages.desk import done, labels
from marketplace.web.pages.forms import Filled, read
from marketplace.web.pages.lead_desk import arguments
from marketplace.web.pages.sign_in import to_sign_in
from marketplace.web.paging import page
from marketplace.web.requests import load

pages = Blueprint("provider_desk", __name__, url_prefix="/admin/providers")
pages.register_error_handler(NotSignedIn, to_sign_in)

Page = Response | str | tuple[str, int]

MISSES_SHOWN = 25
"""The latest, of those that a provider ever had."""

CHECKS = {
    CheckResult.FOUND: "Found, as stated",
    CheckResult.CONFIDENTIAL: "Kept closed; other evidence seen",
    CheckResult.NOT_FOUND: "Not found",
    CheckResult.MISMATCH: "Found, but not as stated",
}


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
    return show(provider_id, Filled(labels()))


def show(provider_id: UUID, form: Filled, *, about: str = "") -> str:
    """Show the provider; `form` is the one of the decision called `about`."""
    ctx = current_context()
    whole = shown(provider_id)
    state = whole["provider"].state
    with ctx.reading() as session:
        rows = track_record.misses(provider_id=provider_id)
        latest, _ = page(session, rows, Miss.invitation_id, limit=MISSES_SHOWN, after=None)
        missed = track_record.shown(session, latest, ctx.policy)
    return render_template(
        "admin_provider.html",
        **whole,
        may={event: PROVIDER_LIFECYCLE.allows(state, event) for event in ProviderEvent},
        checks=CHECKS,
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
        "The provider is verified, and its contact is told.",
        url_for("provider_desk.one", provider_id=provider_id),
    )


@pages.post("/<uuid:provider_id>/reinstate")
def reinstate(provider_id: UUID) -> Response:
    ctx, actor = current_context(), current_actor()
    return done(
        lambda: service.reinstate_provider(ctx, actor, provider_id),
        "The provider is invited again from now on.",
        url_for("provider_desk.one", provider_id=provider_id),
    )


@pages.post("/<uuid:provider_id>/reject")
def reject(provider_id: UUID) -> Page:
    ctx, actor = current_context(), current_actor()
    return _decide(
        provider_id,
        "reject",
        lambda **given: service.reject_provider(ctx, actor, provider_id, **given),
        "The application is turned away, and the provider is told why.",
    )


@pages.post("/<uuid:provider_id>/suspend")
def suspend(provider_id: UUID) -> Page:
    ctx, actor = current_context(), current_actor()
    return _decide(
        provider_id,
        "suspend",
        lambda **given: service.suspend_provider(ctx, actor, provider_id, **given),
        "The provider is suspended, and told why.",
    )


@pages.post("/<uuid:provider_id>/misses/<uuid:invitation_id>/strike")
def strike(provider_id: UUID, invitation_id: UUID) -> Page:
    """Take a miss off the provider's record."""
    ctx, actor = current_context(), current_actor()
    return _decide(
        provider_id,
        str(invitation_id),
        lambda **given: striking.strike_miss(ctx, actor, invitation_id, **given),
        "The miss is struck, and the provider is told why.",
    )


@pages.post("/<uuid:provider_id>/misses/<uuid:invitation_id>/uphold")
def uphold(provider_id: UUID, invitation_id: UUID) -> Page:
    """Let a miss stand that the provider objected to."""
    ctx, actor = current_context(), current_actor()
    return _decide(
        provider_id,
        f"stays-{invitation_id}",
        lambda **given: misses.uphold_miss(ctx, actor, invitation_id, **given),
        "The miss stands, and the provider is told why.",
    )


def _decide(provider_id: UUID, about: str, act: Any, said: str) -> Page:
    sent = read(ReasonSchema(), request.form)
    then = url_for("provider_desk.one", provider_id=provider_id)
    try:
        values = load(ReasonSchema(), sent.data).accept()
    except Invalid as refused:
        form = Filled(labels()).wrong(refused.errors, sent.typed)
        return show(provider_id, form, about=about), 422
    return done(lambda: act(**values), said, then)


@pages.post("/<uuid:provider_id>/accreditations/<uuid:accreditation_id>/check")
def check(provider_id: UUID, accreditation_id: UUID) -> Page:
    """Write down what a look into a register showed."""
    sent = read(NewCheckSchema(), request.form)
    ctx, actor = current_context(), current_actor()
    try:
        return done(
            lambda: accreditations.verify_accreditation(
                ctx, actor, accreditation_id, load(NewCheckSchema(), sent.data)
            ),
            "The look is written down.",
            url_for("provider_desk.one", provider_id=provider_id),
        )
    except Invalid as refused:
        form = Filled(labels()).wrong(refused.errors, sent.typed)
        return show(provider_id, form, about=str(accreditation_id)), 422
