"""The form of a quote: what the tables suggest, what it adds up to, draft, files, sending it.

It is one form with several buttons. A file that was chosen is added whichever is pressed, since the
browser does not choose it again on the page that follows.
"""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from flask import Blueprint, flash, jsonify, redirect, render_template, request, url_for
from flask_babel import gettext as _
from markupsafe import Markup
from werkzeug.exceptions import RequestEntityTooLarge
from werkzeug.wrappers import Response

from marketplace.catalogue.currencies import currency_of
from marketplace.core.errors import (
    Conflict,
    FieldError,
    Invalid,
    NotFound,
    NotSignedIn,
    Unavailable,
)
from marketplace.core.forms import Form
from marketplace.core.texts import N_
from marketplace.invitations import service as invitations
from marketplace.invitations.rules import ANSWERABLE, LIVE
from marketplace.providers import accreditations
from marketplace.providers.rules import AccreditationState
from marketplace.quotes import attachments, audit_time, drafts, inbox, rules
from marketplace.quotes import service as quotes
from marketplace.quotes.drafts import Draft
from marketplace.quotes.intake import KIND_OF
from marketplace.quotes.phases import LABELS as LABELS_OF_WORK
from marketplace.quotes.rules import AUDITS, QuoteKind, TravelBasis
from marketplace.web.api.portal_attachments import too_large, with_pdf
from marketplace.web.api.quotes import QuoteIn
from marketplace.web.auth import current_actor, current_context
from marketplace.web.fields import WholeNumber
from marketplace.web.files import download
from marketplace.web.languages import translate
from marketplace.web.pages.forms import Filled, Typed, read, typed_from
from marketplace.web.pages.portal import Page, done, own_profile
from marketplace.web.pages.quote_labels import FEES, LABELS, WHY_NOT, assumed, called, days_between
from marketplace.web.pages.quote_sums import added_up, days, rows, value
from marketplace.web.pages.refusals import whole
from marketplace.web.pages.sign_in import to_sign_in
from marketplace.web.pages.words import sentence, when
from marketplace.web.requests import load

pages = Blueprint("quoting", __name__, url_prefix="/portal/invitations/<uuid:invitation_id>/quote")


@pages.errorhandler(NotSignedIn)
def to_sign_in_and_back(error: NotSignedIn) -> Response | tuple[Response | str, int]:
    """Send somebody whose session has lapsed to sign in, and back to the form, and its draft."""
    if request.method == "POST" and _is_by_script():
        return jsonify(), 401  # the page itself says it, and goes on showing what was typed
    return to_sign_in(error)


@pages.errorhandler(Conflict)
def to_the_invitation(refused: Conflict) -> Response:
    """Say on the invitation's page what cannot be done any longer."""
    flash(sentence(refused), "problem")
    return redirect(url_for("portal.one", invitation_id=_of_this_page()), 303)


def _of_this_page() -> UUID:
    """Return the invitation in the address, where no view is given it."""
    return UUID(str((request.view_args or {})["invitation_id"]))


FEWEST_PHASES, MOST_PHASES = 5, 30
"""Rows for phases: never fewer than a quote has already, or a revision would drop some."""

NO_FILE = N_("Choose the file to add.")


@pages.get("")
def form(invitation_id: UUID) -> Page:
    """Show the form: with its draft, the quote as it stands, or what is known of a new one."""
    ctx, actor = current_context(), current_actor()
    invitations.look_at_invitation(ctx, actor, invitation_id)
    shown = inbox.own_invitation(ctx, actor, invitation_id)
    if shown["state"] not in LIVE or _is_late(shown):
        return redirect(url_for("portal.one", invitation_id=invitation_id), 303)
    draft = _draft(invitation_id)
    return _show(shown, _kept(shown, draft), draft, saves="typing")


def _kept(shown: Mapping[str, Any], draft: Draft) -> Filled:
    """Return the form as it was left: by its draft, or else by the quote."""
    return Filled(LABELS, _as_it_stands(shown) if draft.typed is None else dict(draft.typed))


@pages.post("")
def send(invitation_id: UUID) -> Page:
    """Take the quote, or a new version of it."""
    sent = read(QuoteIn(), request.form)
    if isinstance(currency := sent.data.get("currency"), str):
        sent.data["currency"] = currency.strip().upper()
    ctx, actor = current_context(), current_actor()
    values = load(QuoteIn(), sent.data)
    values = Form(values.values, (*values.problems, *_take_file(invitation_id)))
    try:
        return done(
            invitation_id,
            lambda: quotes.put_quote(ctx, actor, invitation_id, values),
            _("Your quote is with the business. You may revise it until the request is finished."),
        )
    except Invalid as refused:
        filled = Filled(LABELS).wrong(refused.errors, sent.typed)
        return _show_again(invitation_id, filled), 422


@pages.post("/sum")
def add_up(invitation_id: UUID) -> Page:
    """Show what the form adds up to, with what was typed, of which nothing is stored."""
    return _show_with_file(invitation_id, _take_file(invitation_id))


@pages.post("/attachments")
def attach(invitation_id: UUID) -> Page:
    """Add the file that was chosen, and show the form again with what was typed."""
    wrong = _take_file(invitation_id)
    if not wrong and not request.files.get("file"):
        wrong = [FieldError("/file", NO_FILE)]
    if not wrong:
        flash(_("The file is among those of your quote."))
    return _show_with_file(invitation_id, wrong)


@pages.post("/attachments/<uuid:attachment_id>/remove")
def remove(invitation_id: UUID, attachment_id: UUID) -> Page:
    """Remove a file, and show the form again with what was typed; gone already is fine."""
    ctx, actor = current_context(), current_actor()
    try:
        attachments.remove_attachment(ctx, actor, invitation_id, attachment_id)
        flash(_("The file is removed."))
    except NotFound:
        flash(_("The file was gone already."))
    return _show_with_file(invitation_id, _take_file(invitation_id))


@pages.get("/attachments/<uuid:attachment_id>")
def attachment(invitation_id: UUID, attachment_id: UUID) -> Response:
    """Return a file, as a download."""
    with current_context().reading() as session:
        return download(
            attachments.own_attachment(session, current_actor(), invitation_id, attachment_id)
        )


@pages.post("/draft")
def save(invitation_id: UUID) -> Page | tuple[Response, int]:
    """Keep what was typed; a script saves now and then, a person when they press the button."""
    by_script = _is_by_script()
    ctx, actor = current_context(), current_actor()
    typed = _offered(read(QuoteIn(), request.form).typed)
    try:
        wrong = _take_file(invitation_id)
        draft = drafts.save_draft(
            ctx, actor, invitation_id, typed, seen=request.form.get("draft", "")
        )
    except Conflict as refused:
        if by_script:
            return jsonify(said=sentence(refused)), 409
        raise
    if by_script:
        _profile, zone = own_profile()
        said = _saved_in_words(draft, zone) if draft.is_saved else _moved_in_words()
        return jsonify(draft=draft.mark, said=said), 200 if draft.is_saved else 409
    if not draft.is_saved:
        shown = inbox.own_invitation(ctx, actor, invitation_id)
        return _show(shown, Filled(LABELS, dict(typed)), draft, saves="never"), 409
    if wrong:
        shown = inbox.own_invitation(ctx, actor, invitation_id)
        return _show(shown, Filled(LABELS).wrong(wrong, dict(typed)), draft, saves="typing"), 422
    flash(_("The draft is saved. It is not sent."))
    return redirect(url_for("quoting.form", invitation_id=invitation_id), 303)


@pages.post("/draft/discard")
def discard(invitation_id: UUID) -> Response:
    """Forget the draft, and begin again with the quote as it stands."""
    drafts.discard_draft(current_context(), current_actor(), invitation_id)
    flash(_("The draft is gone."))
    return redirect(url_for("quoting.form", invitation_id=invitation_id), 303)


@pages.errorhandler(RequestEntityTooLarge)
def far_too_large(error: RequestEntityTooLarge) -> tuple[str, int]:
    """Show the form again, as it was kept: so much was sent that we did not read to its end."""
    invitation_id = _of_this_page()
    shown = inbox.own_invitation(current_context(), current_actor(), invitation_id)
    draft = _draft(invitation_id)
    wrong = [FieldError("/file", too_large(current_context().policy))]
    return _show(shown, _kept(shown, draft).wrong(wrong), draft, saves="typing"), 413


def _take_file(invitation_id: UUID) -> list[FieldError]:
    """Add the file that was chosen, if one was, and return what is wrong with it."""
    try:
        form = with_pdf(Form({}))
    except Unavailable as busy:
        return [FieldError("/file", sentence(busy))]
    if not form.values and not form.problems:
        return []
    try:
        attachments.add_attachment(current_context(), current_actor(), invitation_id, form)
    except Invalid as refused:
        return refused.errors
    return []


def _show_with_file(invitation_id: UUID, wrong: list[FieldError]) -> Page:
    """Show the form again with what was typed, and with what is wrong with its file."""
    typed = read(QuoteIn(), request.form).typed
    return _show_again(invitation_id, Filled(LABELS).wrong(wrong, typed)), 422 if wrong else 200


def _is_by_script() -> bool:
    return request.accept_mimetypes.best == "application/json"


def _is_late(shown: Mapping[str, Any]) -> bool:
    return shown["state"] in ANSWERABLE and current_context().clock() >= shown["respond_by"]


def _draft(invitation_id: UUID) -> Draft:
    with current_context().reading() as session:
        return drafts.draft_of(session, current_actor(), invitation_id)


def _as_it_stands(shown: Mapping[str, Any]) -> Typed:
    lead = shown["lead"]
    # An amount that is sent in a currency which nobody meant would be taken at its word.
    before = shown["quote"] or {"currency": currency_of(lead["country"])}
    quoted = {each["code"]: each["edition"] for each in before.get("standards", [])}
    editions = lead["editions"] | quoted
    # In the order of the page's rows, whatever order the quote had.
    rows = [{"code": code, "edition": editions.get(code)} for code in lead["standards"]]
    return typed_from({**before, "standards": rows})


def _offered(typed: Typed) -> Typed:
    """Return what was typed in the rows that the form can have."""

    def has_row(name: str) -> bool:
        return all(int(step) < MOST_PHASES for step in name.split(".") if step.isdigit())

    return {name: values for name, values in typed.items() if has_row(name)}


def _show_again(invitation_id: UUID, filled: Filled) -> str:
    """Show a form that was sent, on top of the draft that it was: others may have saved since."""
    shown = inbox.own_invitation(current_context(), current_actor(), invitation_id)
    draft = _draft(invitation_id)
    seen = request.form.get("draft", "")
    return _show(shown, filled, Draft(draft.typed, draft.saved_at, seen), saves="soon")


def _show(shown: dict[str, Any], filled: Filled, draft: Draft, *, saves: str) -> str:
    """Show the form; `saves` says when a script keeps it: after `typing`, `soon`, or `never`."""
    ctx = current_context()
    profile, zone = own_profile()
    kind = KIND_OF[profile.provider.kind]
    is_certification = kind is QuoteKind.CERTIFICATION
    counted = value(filled, "effective_personnel", WholeNumber(least=1, most=1_000_000))
    with ctx.reading() as session:
        held = accreditations.accreditations_of(session, profile.provider.id)
        files = attachments.attachments_of(session, current_actor(), shown["id"])
        suggested = (
            inbox.expected_audit_days(session, shown["lead"], counted) if is_certification else None
        )
    wanted = shown["lead"]["standards"]
    return render_template(
        "quote.html",
        invitation=shown,
        fewest_for_a_standing=rules.FEWEST_FOR_A_STANDING,
        form=filled,
        kind=kind,
        is_certification=is_certification,
        zone=zone,
        audits=AUDITS,
        fees={key: translate(label) for key, label in FEES.items()},
        times={line.key: line.times for line in rules.CERTIFICATION_LINES if line.in_three_years},
        without_cents=sorted(rules.WITHOUT_CENTS),
        bases=list(TravelBasis),
        phases=_phase_rows(filled),
        usual_work=[(work, translate(label), "") for work, label in LABELS_OF_WORK.items()],
        accreditations=[
            each.accreditation
            for each in held
            if each.accreditation.standard in wanted
            and each.accreditation.state is AccreditationState.VERIFIED
        ],
        files=files,
        files_at_most=ctx.policy.attachments_at_most,
        file_at_most=ctx.policy.attachment_at_most,
        file_too_large=whole(too_large(ctx.policy), translate(LABELS["file"])),
        draft=draft,
        saves=saves,
        draft_said=_saved_in_words(draft, zone),
        moved_said=_moved_in_words(),
        suggested=suggested,
        assumed=assumed,
        days_between=days_between,
        why_not={gap: translate(why) for gap, why in WHY_NOT.items()},
        called=called,
        too_few=audit_time.too_few(suggested, days(filled)) if suggested else [],
        added=added_up(filled, kind),
    )


def _saved_in_words(draft: Draft, zone: str) -> str:
    if draft.saved_at is None:
        return str(_("There is no draft yet."))
    said = Markup(when(draft.saved_at, zone)).striptags()  # nosec B704  # to take markup out
    return str(_("Draft saved %(when)s, not sent.", when=said))


def _moved_in_words() -> str:
    return str(
        _(
            "Somebody has saved another draft since, or sent the quote: in another window, or a "
            "colleague. What you typed is not saved, and theirs is kept."
        )
    )


def _phase_rows(filled: Filled) -> range:
    """Return a row for every phase that is filled in, and one more to go on with."""
    last = max(rows(filled), default=0)
    return range(min(MOST_PHASES, max(FEWEST_PHASES, last + 2)))
