"""A business' own request: how it stands, the quotes side by side, and every decision about it."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

from flask import Blueprint, flash, redirect, render_template, request, session, url_for
from flask_babel import gettext as _
from flask_babel import ngettext
from marshmallow import Schema
from werkzeug.wrappers import Response

from marketplace.core.agreements import Agreed
from marketplace.core.errors import Conflict, FieldError, Invalid, NotFound, NotSignedIn
from marketplace.core.forms import Form
from marketplace.core.texts import N_
from marketplace.invitations import endings, questions
from marketplace.invitations.rules import LIVE, InvitationState
from marketplace.leads.rules import CloseReason, LeadState
from marketplace.matching.left_out import left_out
from marketplace.privacy.export import business_data, consents_of_request
from marketplace.quotes import comparison, erasure, outcome
from marketplace.web.api.request import AnswerIn, ClosureIn, FollowOnIn
from marketplace.web.auth import REQUEST_TOKEN, current_actor, current_context
from marketplace.web.files import as_download, download
from marketplace.web.languages import translate
from marketplace.web.pages import compared, tokens
from marketplace.web.pages.choices import choices, names
from marketplace.web.pages.forms import Filled, read, typed_from
from marketplace.web.pages.front import terms_page
from marketplace.web.pages.lead_errors import LABELS as LEAD_LABELS
from marketplace.web.pages.lead_errors import in_words
from marketplace.web.pages.lead_form import TIMEFRAMES
from marketplace.web.pages.paper import comparison_pdf, order_in
from marketplace.web.pages.sign_in import LEFT_BEHIND
from marketplace.web.pages.standards import COMMON
from marketplace.web.pages.words import sentence
from marketplace.web.requests import load

pages = Blueprint("own_request", __name__, url_prefix="/requests")
pages.before_request(tokens.hold_to_its_request)

LABELS = {
    "": "",
    "reason": N_("Your reason"),
    "standards": N_("Standards"),
    "headcount": N_("People"),
    "sites": N_("Sites"),
    "timeframe": N_("How soon?"),
    "needed_by": N_("Needed by"),
    "consultants_used": LEAD_LABELS["consultants_used"],
    "consultants_used.name": LEAD_LABELS["consultants_used.name"],
    "consultants_used.ended_on": LEAD_LABELS["consultants_used.ended_on"],
    "notes": N_("Notes"),
}

PREFILLED = ("standards", "headcount", "sites", "timeframe", "needed_by", "notes")
"""What the form that follows on begins with; whom the first one named is taken over as it is."""

Page = Response | str | tuple[str, int]


@pages.errorhandler(NotSignedIn)
def ask_for_the_link(error: NotSignedIn) -> tuple[str, int]:
    """Say how to get here: a business has no password, it has its link."""
    return render_template("open_your_link.html", form=Filled(LABELS)), 401


@pages.get("")
def own() -> str:
    """Show everything about the request."""
    return show(Filled(LABELS))


def show(form: Filled) -> str:
    """Show the request; `form` holds the answers to what was asked."""
    ctx, shown = current_context(), the_request()
    lead = shown["lead"]
    country = lead.get("company", {}).get("country")
    invited, folded = _in_order(shown["invitations"])
    read_here = [said for each in invited + folded for said in each["provider"]["reviews"]]
    return render_template(
        "request.html",
        request_=shown,
        now=ctx.clock(),
        names=names(
            ctx,
            regions=[
                *lead.get("regions", []),
                *([country] if country else []),
                *(each.region for each in read_here),
            ],
            sectors=[
                *([lead["sector"]] if lead.get("sector") else []),
                *(each.sector for each in read_here if each.sector),
            ],
        ),
        form=form,
        files={
            each["id"]: each["quote"]["attachments"]
            for each in shown["invitations"]
            if each["quote"] and each["quote"]["attachments"]
        },
        invited=invited,
        folded=folded,
        parts=compared.parts,
        rests_on=compared.rests_on,
        above=compared.above,
        below=compared.below,
        justified=compared.justified,
        policy=ctx.policy,
    )


@pages.get("/personal-data")
def look_at_personal_data() -> str:
    """Show what the business agreed to, who has seen its contact, and how it has its data."""
    ctx = current_context()
    shown = the_request()
    return render_template(
        "personal_data.html",
        request_=shown,
        agreed=consents_of_request(ctx, current_actor()),
        policy=ctx.policy,
        is_closed=shown["open_until"] is not None and shown["open_until"] <= ctx.clock(),
    )


@pages.get("/personal-data/download")
def fetch_personal_data() -> Response:
    """Hand out everything that is kept of the business, as JSON."""
    return as_download("request", business_data(current_context(), current_actor()))


@pages.get("/terms")
def agreed_terms() -> str:
    """Show the terms that the business agreed to, with the numbers that it read."""
    ctx = current_context()
    agreed = consents_of_request(ctx, current_actor())
    first = next((each for each in agreed if each.agreed is Agreed.SHARING), None)
    if first is None:
        raise NotFound("nothing was agreed to")
    return terms_page(
        Agreed.SHARING,
        "businesses",
        first.version,
        numbers=first.numbers,
        agreed_at=first.at,
        zone=the_request()["time_zone"],
    )


ORDER = (
    InvitationState.WON,
    InvitationState.QUOTED,
    InvitationState.ACCEPTED,
    InvitationState.OPENED,
    InvitationState.SENT,
    InvitationState.LOST,
    InvitationState.WITHDRAWN,
    InvitationState.EXPIRED,
    InvitationState.RELEASED,
    InvitationState.DECLINED,
)
"""Whose card comes first: who has quoted, then who may yet; of each as they were invited."""


def _in_order(invitations: list[dict[str, Any]]) -> tuple[list[Any], list[Any]]:
    """Return those to show, and those to fold away: over, beside live ones, nothing to be done."""
    ordered = sorted(invitations, key=lambda each: ORDER.index(each["state"]))
    if not any(each["state"] in LIVE for each in ordered):
        return ordered, []
    is_shown = [each["state"] in LIVE or each["may_be_replaced"] for each in ordered]
    pairs = list(zip(ordered, is_shown, strict=True))
    return [each for each, yes in pairs if yes], [each for each, yes in pairs if not yes]


def the_request() -> dict[str, Any]:
    """Return the request, its quotes in the order that the reader has chosen."""
    return comparison.request_page(current_context(), current_actor(), order_in(request))


@pages.get("/comparison.pdf")
def pdf() -> Response:
    """Return the comparison to be saved, for whoever decides as well."""
    return comparison_pdf(order_in(request))


def own_invitation(invitation_id: UUID) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the request and the one of its invitations, or raise `NotFound`."""
    shown = the_request()
    for each in shown["invitations"]:
        if each["id"] == invitation_id:
            return shown, each
    raise NotFound("no such invitation")


def done(act: Callable[[], Any], said: str) -> Response:
    """Do it and say so on the request's page; done before, or too late, is said there as well."""
    try:
        act()
        flash(said)
    except Conflict as refused:
        flash(sentence(refused), "problem")
    return redirect(url_for("own_request.own"), 303)


def filled_in(schema: Schema, **given: Any) -> tuple[Any, Any]:
    """Return the form that was posted, for a use case and for showing it again."""
    sent = read(schema, request.form)
    return load(schema, {**sent.data, **given}), sent.typed


@pages.get("/attachments/<uuid:attachment_id>")
def attachment(attachment_id: UUID) -> Response:
    """Return a file that came with a quote, as a download."""
    actor = current_actor()
    with current_context().reading() as reading:
        return download(comparison.attachment_of(reading, actor, actor.own_lead(), attachment_id))


@pages.post("/answers")
def answer() -> Page:
    """Answer questions, each for every provider at once; one that is left blank stays open."""
    asked = {f"text.{each['id']}": each for each in the_request()["questions"]}
    typed = {name: request.form.getlist(name) for name in asked if name in request.form}
    texts = {name: {"text": text} for name, (*_rest, text) in typed.items() if text.strip()}
    # Where nothing was answered, the first is what is missing.
    given = texts or {name: {} for name in [*typed][:1]}
    forms = {
        name: load(AnswerIn(), {"question_id": str(asked[name]["id"]), **text})
        for name, text in given.items()
    }
    wrong = [
        FieldError(f"/{name}", each.detail)
        for name, form in forms.items()
        for each in form.problems
    ]
    if wrong:
        # Nothing is sent before all of it can be: what was typed stands in one page alone.
        open_ones = [name for name, each in asked.items() if each["answered_at"] is None]
        labels = LABELS | {
            name: _("Your answer to question %(number)s", number=number)
            for number, name in enumerate(open_ones, start=1)
        }
        return show(Filled(labels).wrong(wrong, typed)), 422
    sent = sum(_answered(form) for form in forms.values())
    if sent:
        said = ngettext(
            "Your answer is on its way to every provider that was invited.",
            "Your answers are on their way to every provider that was invited.",
            sent,
        )
        flash(said)
    return redirect(url_for("own_request.own"), 303)


def _answered(form: Form) -> bool:
    """Answer one question and return true, or say why that was refused."""
    try:
        questions.answer_question(current_context(), current_actor(), **form.accept())
    except Conflict as refused:
        flash(sentence(refused), "problem")
        return False
    return True


@pages.get("/choose/<uuid:invitation_id>")
def look_before_choosing(invitation_id: UUID) -> str:
    """Ask once more: everybody is told at once, and it cannot be taken back."""
    shown, chosen = own_invitation(invitation_id)
    columns = [
        column
        for compared_ in shown["comparison"]["kinds"].values()
        for column in compared_["columns"]
        if column["invitation_id"] == invitation_id
    ]
    warnings = compared.before_choosing(columns[0]) if columns else ()
    return render_template(
        "choose.html",
        request_=shown,
        chosen=chosen,
        warnings=warnings,
        policy=current_context().policy,
    )


@pages.post("/choose/<uuid:invitation_id>")
def choose(invitation_id: UUID) -> Response:
    __, chosen = own_invitation(invitation_id)
    ctx, actor = current_context(), current_actor()
    said = _("You have chosen %(name)s. Everybody has been told.", name=chosen["provider"]["name"])
    version = request.form.get("version", type=int)
    return done(lambda: outcome.choose_provider(ctx, actor, invitation_id, version=version), said)


@pages.get("/replace/<uuid:invitation_id>")
def look_before_replacing(invitation_id: UUID) -> str:
    """Ask once more: one more provider will see the contact."""
    shown, passed_on = own_invitation(invitation_id)
    return render_template("replace.html", request_=shown, passed_on=passed_on)


@pages.post("/replace/<uuid:invitation_id>")
def replace(invitation_id: UUID) -> Response:
    own_invitation(invitation_id)
    ctx, actor = current_context(), current_actor()
    said = _("We are looking for another provider for this place.")
    return done(lambda: endings.replace_invitation(ctx, actor, invitation_id), said)


@pages.get("/close")
def look_before_closing() -> str:
    return _closing(Filled(LABELS))


@pages.post("/close")
def close() -> Page:
    """Finish the request without choosing."""
    form, typed = filled_in(ClosureIn())
    try:
        outcome.close_request(current_context(), current_actor(), **form.accept())
    except Invalid as refused:
        return _closing(Filled(LABELS).wrong(refused.errors, typed)), 422
    except Conflict:
        return _closing(Filled(LABELS)), 409
    flash(_("Your request is closed. Every provider has been told."))
    return redirect(url_for("own_request.own"), 303)


def _closing(form: Filled) -> str:
    shown = the_request()
    return render_template(
        "close.html",
        request_=shown,
        form=form,
        reasons=list(CloseReason),
        policy=current_context().policy,
    )


@pages.get("/follow-on")
def look_before_following_on() -> Page:
    first = the_request()["lead"]
    kept = {name: first.get(name) for name in PREFILLED}
    if (kept["needed_by"] or "") < current_context().clock().date().isoformat():
        kept["needed_by"] = None
    return _following_on(Filled(LABELS, typed_from(kept)))


@pages.post("/follow-on")
def follow_on() -> Page:
    """Ask for certification after consulting; who the business is stays as it was."""
    sent = read(FollowOnIn(), request.form, clears=True)
    form = load(FollowOnIn(), sent.data)
    ctx, terms = current_context(), current_context().policy.terms_version
    try:
        receipt = outcome.follow_on(ctx, current_actor(), form, terms_shown=terms)
    except Invalid as refused:
        errors = in_words(refused.errors, sent.data)
        page = _following_on(Filled(LABELS).wrong(errors, sent.typed))
        return (page, 422) if isinstance(page, str) else page
    except Conflict as refused:
        return _refused(refused)
    if receipt.status == LeadState.SUPERSEDED:
        flash(_("You have a request running already. A message about it is on its way to you."))
    else:
        said = _("Your new request is in. A link to its own page is on its way to you by e-mail.")
        flash(said)
    return redirect(url_for("own_request.own"), 303)


def _refused(refused: Conflict) -> Response:
    flash(sentence(refused), "problem")
    return redirect(url_for("own_request.own"), 303)


def _following_on(form: Filled) -> Page:
    ctx = current_context()
    try:
        kept_out = left_out(ctx, current_actor())
    except Conflict as refused:
        return _refused(refused)
    return render_template(
        "follow_on.html",
        request_=the_request(),
        left_out=kept_out,
        form=form,
        offered=choices(ctx),
        plain=COMMON,
        timeframes=[(each.value, translate(said)) for each, said in TIMEFRAMES.items()],
        policy=ctx.policy,
    )


@pages.post("/forget")
def forget() -> Response:
    """Leave the page on a computer that others use; the request and its link stay as they are."""
    _forget_here()
    flash(_("This computer has forgotten your request. The link in your e-mail opens it again."))
    return _left_behind()


def _forget_here() -> None:
    """Drop all that this browser's session opens of the business: page, links, receipt."""
    session.pop(REQUEST_TOKEN, None)
    session.pop("receipt", None)
    tokens.forget_all()


def _left_behind() -> Response:
    """Lead on to the form, and have the browser forget the pages that were shown."""
    answer = redirect(url_for("front.form"), 303)
    answer.headers["Clear-Site-Data"] = LEFT_BEHIND
    return answer


@pages.get("/erase")
def look_before_erasing() -> str:
    return render_template("erase.html", request_=the_request())


@pages.post("/erase")
def erase() -> Response:
    """Erase what identifies a person; the link stops working with it."""
    erasure.erase_request(current_context(), current_actor())
    _forget_here()
    flash(_("Your personal data has been erased, and your request is closed."))
    return _left_behind()
