"""The front page: the lead form, and what comes right after it."""

from collections.abc import Mapping
from typing import Any

from flask import (
    Blueprint,
    redirect,
    render_template,
    request,
    session,
    url_for,
)
from flask_babel import gettext as _
from werkzeug.exceptions import TooManyRequests
from werkzeug.wrappers import Response

from marketplace.core.agreements import WORDINGS, Agreed, as_agreed, current_version, versions
from marketplace.core.calendars import CalendarKind
from marketplace.core.errors import Invalid, NotFound
from marketplace.core.policy import Policy
from marketplace.insights.commitments import PublicFigures, public_figures
from marketplace.leads import queries
from marketplace.quotes.rules import FEWEST_FOR_A_STANDING
from marketplace.web import errors
from marketplace.web.auth import REQUEST_TOKEN, current_context, product
from marketplace.web.pages import lead_form
from marketplace.web.pages.forms import Filled
from marketplace.web.pages.how_matching_works import disclosure
from marketplace.web.pages.kept import once_a_minute
from marketplace.web.pages.lead_errors import LABELS, in_words
from marketplace.web.pages.words import day, span

pages = Blueprint("front", __name__)


@pages.get("/")
def form() -> str:
    """Show the form."""
    filled = Filled(LABELS, lead_form.BEGIN)
    return show(filled, begun=lead_form.begin_now().seal)


@pages.post("/")
def send() -> Response | tuple[str, int]:
    """Take the form, by the same schema and use case as the JSON interface."""
    sent = lead_form.read_form(request.form)
    seal = request.form.get("begun", "")
    begun = lead_form.begun(seal) or lead_form.begin_now()
    try:
        said = lead_form.submit_once(sent, request.form, begun)
    except Invalid as refused:
        filled = sent.shown.wrong(in_words(refused.errors, sent.data))
        return show(filled, begun=seal, understood=dict(sent.understood)), 422
    session["receipt"] = lead_form.receipt_for(said, sent)
    return redirect(url_for("front.sent"), 303)


@pages.errorhandler(429)
def wait(refused: TooManyRequests) -> Response | tuple[str, int]:
    """Show the form as it was filled in to whoever has to wait before sending it."""
    if request.method != "POST":
        return errors.answer(429, refused.description or "")
    filled = lead_form.to_wait(refused, request.form)
    return show(filled, begun=request.form.get("begun", "")), 429


@pages.get("/requests/sent")
def sent() -> Response | str:
    """Say what happens next; nothing here is found again in another browser."""
    receipt = session.get("receipt")
    if receipt is None:
        return redirect(url_for("front.form"))
    read_first = lead_form.read_first(current_context().policy)
    return render_template("sent.html", receipt=receipt, read_first=read_first)


@pages.get("/terms")
def terms() -> str:
    """Show the terms that the form asks consent to: those of today, or of `?version=`."""
    return terms_page(Agreed.SHARING, "businesses", request.args.get("version"))


@pages.get("/terms/providers")
def provider_terms() -> str:
    """Show the terms that providers agree to: those of today, or of `?version=`."""
    return terms_page(Agreed.PROVIDER_TERMS, "providers", request.args.get("version"))


def terms_page(
    agreed: Agreed,
    for_whom: str,
    version: str | None = None,
    *,
    numbers: Mapping[str, Any] | None = None,
    **about: Any,
) -> str:
    """Show a version of terms, with the numbers of today or with those that were agreed to."""
    policy = current_context().policy
    current = current_version(agreed, policy)
    shown = WORDINGS.get((agreed, version or current))
    if shown is None:
        raise NotFound("there are no terms of that version")
    as_read = as_agreed(policy, numbers or {})
    return render_template(
        "terms.html",
        words=shown.page,
        version=version or current,
        current=current,
        versions=versions(agreed),
        for_whom=for_whom,
        policy=as_read,
        promised=lead_form.promised(as_read),
        read_first=lead_form.read_first(as_read),
        fewest_for_a_standing=FEWEST_FOR_A_STANDING,
        **about,
    )


@pages.get("/how-matching-works")
def how_matching_works() -> str:
    """Say what decides who is invited, with the numbers in force."""
    return render_template("how_matching_works.html", told=disclosure(current_context().policy))


@pages.get("/privacy")
def privacy() -> str:
    """Say who sees what, what is recorded, and how it is erased."""
    policy = current_context().policy
    within = span(policy.confirm_within)
    return render_template("privacy.html", policy=policy, confirm_within=within)


def show(
    filled: Filled,
    *,
    begun: str,
    understood: dict[str, str] | None = None,
    prefilled: bool = False,
) -> str:
    """Show the form; `prefilled` by us, with what we know, which is no answer to its sender."""
    ctx = current_context()
    with ctx.reading() as reading:
        running = queries.running_request(reading, session.get(REQUEST_TOKEN), now=ctx.clock())
    home = f"{product().settings.public_url.rstrip('/')}/"
    answers = promises(ctx.policy, once_a_minute(ctx, public_figures))
    return render_template(
        "lead_form.html",
        form=filled,
        begun=begun,
        understood=understood or {},
        prefilled=prefilled,
        answers=answers,
        running=running,
        home=home,
        structured=None if filled.problems or prefilled else structured(home, answers),
        **lead_form.offered(),
    )


def promises(policy: Policy, kept: PublicFigures | None) -> list[tuple[str, str]]:
    """Return what is promised, to be read before the form is sent: what is asked, and answered."""
    promised = lead_form.promised(policy)
    how_many = (_("One provider"), _("Up to two providers"), _("Up to three providers"))
    starts = (
        _("The clock starts when your request opens.")
        if policy.lead_confirmation == "off"
        else _("The clock starts when your request opens, after you confirm it by e-mail.")
    )
    clock = [
        starts,
        lead_form.read_first(policy),
        _("By its end you have a first response, a quote or a question."),
    ]
    if policy.calendar is CalendarKind.BUSINESS_DAYS:
        clock.append(
            _("Saturdays, Sundays and public holidays where your first site is do not count.")
        )
    clock.append(_("If we miss it, we tell you so and count it."))
    return [
        (
            how_many[policy.places - 1],
            _(
                "Never more at once. Each is verified by us; a certification body only with a "
                "current accreditation for what you ask."
            ),
        ),
        (
            _("Who sees what, and when"),
            _(
                "At first a provider sees what you need, but not who you are. Your name and "
                "contact details appear only to those who accept."
            ),
        ),
        (_("What the %(time)s mean", time=promised), " ".join(filter(None, clock))),
        (
            _("What it costs you"),
            _(
                "Nothing. And money never changes the order: providers take fair turns among "
                "those that fit."
            ),
        ),
        (_("How often we keep it"), _how_often(policy, kept)),
    ]


def _how_often(policy: Policy, kept: PublicFigures | None) -> str:
    if kept is None:
        return str(
            _(
                "We show it here once %(n)s requests of the last 90 days are decided: fewer say "
                "little.",
                n=policy.public_figures_from,
            )
        )
    met = _(
        "%(percent)s %% of %(n)s requests had their first response in time, from %(since)s to "
        "%(until)s.",
        percent=kept.figures.percent_met,
        n=f"{kept.figures.n:,}",
        since=day(kept.since.date()),
        until=day(kept.until.date()),
    )
    if kept.figures.median is None:
        return str(met)
    half = _(
        "Half of the %(n)s first responses came within %(time)s.",
        n=f"{kept.figures.responses:,}",
        time=span(kept.figures.median),
    )
    return f"{met} {half}"


def structured(home: str, answers: list[tuple[str, str]]) -> dict[str, Any]:
    """Return what the page says as data for search engines (schema.org, as JSON-LD)."""
    name = _("Quotes for ISO consulting and certification")
    service = {
        "@type": "Service",
        "name": name,
        "serviceType": name,
        "url": home,
        "provider": {"@type": "Organization", "name": "ISO quotes marketplace", "url": home},
        "offers": {"@type": "Offer", "price": "0", "priceCurrency": "AUD"},
    }
    questions = [
        {
            "@type": "Question",
            "name": asked,
            "acceptedAnswer": {"@type": "Answer", "text": answer},
        }
        for asked, answer in answers
    ]
    return {
        "@context": "https://schema.org",
        "@graph": [service, {"@type": "FAQPage", "mainEntity": questions}],
    }


@pages.get("/robots.txt")
def robots() -> Response:
    """Keep machines from where nobody is let in without a name.

    Pages that a link in a mail opens are not named here: one that may not be read could not say
    that it is not to be listed either, which every private page does in a header.
    """
    closed = ("/admin", "/portal", "/mailbox", "/api/v1/")
    lines = ["User-agent: *", *(f"Disallow: {path}" for path in closed)]
    return Response("\n".join(lines) + "\n", content_type="text/plain; charset=utf-8")
