"""A provider's own software: the keys by which it reads and answers, and where it is told."""

from contextlib import suppress
from datetime import timedelta
from uuid import UUID

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask_babel import gettext as _
from werkzeug.wrappers import Response

from marketplace.accounts import keys, queries
from marketplace.core import idempotency
from marketplace.core.actors import Scope
from marketplace.core.errors import (
    Conflict,
    FieldError,
    Invalid,
    NotFound,
    NotSignedIn,
    ProofNeeded,
)
from marketplace.core.links import new_token
from marketplace.core.texts import N_
from marketplace.providers import webhooks
from marketplace.web.api import portal_webhook
from marketplace.web.api.portal_webhook import NewWebhookSchema
from marketplace.web.auth import current_actor, current_context
from marketplace.web.fields import DAY_IN_THIS_AGE, Choice, Day, In, ListOf, Text, optional
from marketplace.web.pages.desk import done
from marketplace.web.pages.forms import Filled, read
from marketplace.web.pages.portal import own_profile
from marketplace.web.pages.portal_leave import beginning
from marketplace.web.pages.proof import to_proof
from marketplace.web.pages.sign_in import to_sign_in
from marketplace.web.pages.words import say
from marketplace.web.requests import load

pages = Blueprint("portal_software", __name__, url_prefix="/portal/software")
pages.register_error_handler(NotSignedIn, to_sign_in)
pages.register_error_handler(ProofNeeded, to_proof)

Page = Response | str | tuple[str, int]

LABELS = {
    "": "",
    "name": N_("What the key is for"),
    "scopes": N_("What the key may do"),
    "last_day": N_("The last day"),
    "url": N_("The address"),
    "enabled": N_("The switch"),
}


class PageKeySchema(In):
    """A key as the page asks for it: whoever ticks nothing has to, and it ends with a day."""

    name = Text(at_most=100, required=True)
    scopes = ListOf(Choice(Scope), least=1, most=len(Scope), required=True)
    last_day = Day(validate=DAY_IN_THIS_AGE, **optional())


@pages.get("")
def own() -> str:
    """Show the keys and the webhook."""
    return show(Filled(LABELS))


@pages.post("/keys")
def make_key() -> Page:
    """Make a key, and show its secret this once; the same form sent again makes no second one."""
    sent = read(PageKeySchema(), request.form)
    ctx, actor = current_context(), current_actor()
    form, zone = load(PageKeySchema(), sent.data), own_profile()[1]
    day = form.values.pop("last_day", None)
    if day is not None:
        form.values["expires_at"] = beginning(day + timedelta(days=1), zone)
    scope = idempotency.digest("key", str(actor.id), request.form.get("once", ""))
    try:
        with idempotency.once(ctx, scope):
            made = keys.make_api_key(ctx, actor, form)
    except Invalid as refused:
        errors = [
            FieldError(each.pointer.replace("/expires_at", "/last_day"), each.detail)
            for each in refused.errors
        ]
        return show(Filled(LABELS).wrong(errors, sent.typed)), 422
    except Conflict:
        flash(
            _(
                "This key was made already, and its secret is shown this once. If you have not "
                "copied it, revoke the key and make another."
            ),
            "problem",
        )
        return redirect(url_for("portal_software.own"), 303)
    whose = _("The secret of the key for %(name)s", name=made.key.name)
    return show(Filled(LABELS), secret=made.secret, whose=whose)


@pages.post("/keys/<uuid:key_id>/revoke")
def revoke_key(key_id: UUID) -> Response:
    """End a key at once; one that was ended before stays so."""
    with suppress(NotFound):
        keys.revoke_api_key(current_context(), current_actor(), key_id)
    flash(_("The key is revoked: it is refused from now on."))
    return redirect(url_for("portal_software.own"), 303)


@pages.post("/webhook/address")
def keep_webhook() -> Page:
    """Say where the software is told, and whether; a new one shows its secret this once."""
    sent = read(NewWebhookSchema(), request.form)
    try:
        kept = portal_webhook.keep(load(NewWebhookSchema(), sent.data))
    except Invalid as refused:
        return show(Filled(LABELS).wrong(refused.errors, sent.typed)), 422
    if kept.secret is not None:
        return show(Filled(LABELS), secret=kept.secret, whose=_("The secret of the webhook"))
    flash(_("The webhook is saved."))
    return redirect(url_for("portal_software.own"), 303)


@pages.post("/webhook/test")
def try_webhook() -> Response:
    """Send a message that says nothing."""
    ctx, actor = current_context(), current_actor()
    return done(
        lambda: webhooks.try_webhook(ctx, actor),
        _("A trial is on its way. What became of it stands below in a moment."),
        url_for("portal_software.own"),
    )


@pages.post("/webhook/delete")
def delete_webhook() -> Response:
    """Forget address and secret."""
    with suppress(NotFound):
        webhooks.delete_webhook(current_context(), current_actor())
    flash(_("The webhook is deleted: nothing more is told to it."))
    return redirect(url_for("portal_software.own"), 303)


def show(form: Filled, *, secret: str | None = None, whose: str = "") -> str:
    """Show the page; `secret` is one that was just made, and `whose` says so."""
    ctx = current_context()
    profile, zone = own_profile()
    with ctx.reading() as session:
        own_keys = session.scalars(queries.api_keys_of(profile.provider.id)).all()
        people = queries.users_of_provider(session, profile.provider.id)
    webhook = None
    with suppress(NotFound):
        webhook = portal_webhook.shown()
    allowed = {"scopes": [str(each) for each in Scope]}
    if webhook is not None and not form.typed:
        typed = {"url": [webhook["url"]], "enabled": ["yes" if webhook["enabled"] else "no"]}
        form = Filled(LABELS, typed | allowed, form.problems)
    elif not form.typed:
        form = Filled(LABELS, {"enabled": ["yes"]} | allowed, form.problems)
    elif "url" in form.typed:  # it is the other form that was sent
        form = Filled(LABELS, form.typed | allowed, form.problems)
    scopes = [(each, say(each, "scope")) for each in Scope]
    return render_template(
        "software.html",
        form=form,
        keys=own_keys,
        people={each.id: each.name for each in people},
        may_do=[(each, said[:1].upper() + said[1:], "") for each, said in scopes],
        webhook=webhook,
        secret=secret,
        whose=whose,
        once=new_token("form"),
        profile=profile,
        zone=zone,
    )
