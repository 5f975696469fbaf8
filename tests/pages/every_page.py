"""Every page there is, collected once for whatever has to hold on all of them."""

import json
from dataclasses import replace

import pyotp
import pytest

from marketplace.accounts.models import EmailChange
from marketplace.core import links
from marketplace.core.actors import OPERATOR
from marketplace.core.files import SentFile
from marketplace.core.forms import Form
from marketplace.invitations import misses, questions
from marketplace.invitations import service as invitations
from marketplace.invitations.rules import MissKind
from marketplace.leads import service as leads
from marketplace.leads import sites
from marketplace.leads.models import Certificate
from marketplace.leads.rules import LeadState
from marketplace.notifications import suppressions
from marketplace.providers import pauses
from marketplace.providers.models import Coverage, Provider
from marketplace.quotes import attachments, outcome
from marketplace.quotes import service as quotes
from marketplace.web.api.common import LeadIn
from marketplace.web.api.quotes import QuoteIn
from marketplace.web.requests import load
from tests.factories import business_of, lead_form, person_of
from tests.pages.steps import CONSULTING, FILLED, NEED, fill_in, held_by, open_request
from tests.pages.test_business_pages import CERTIFICATION
from tests.people import PASSWORD, a_person
from tests.services.road import a_quote


def bring_a_file(ctx, invitation, name="Offer.pdf"):
    """Attach a file to the quote under an invitation."""
    form = Form({"file": SentFile(name, "application/pdf", b"%PDF-" + name.encode())})
    attachments.add_attachment(ctx, person_of(invitation.provider_id), invitation.id, form)


def made_to_wait(ctx, person, path):
    """Return what somebody reads who has sent the form at this path too often."""
    product = person.client.application.extensions["marketplace"]
    policy = replace(ctx.policy, rate_limits=True)
    limited = replace(product, ctx=replace(product.ctx, policy=policy))
    person.client.application.extensions["marketplace"] = limited
    form = person.open(path)
    for _ in range(50):
        person.page = form
        page = person.send(path, email="nowhere")
        if page.status == 429:
            break
    person.client.application.extensions["marketplace"] = product
    assert page.status == 429
    return page


KEPT = pytest.StashKey()


@pytest.fixture
def every_page(request):
    """Every page there is: collected once by each process, since it takes a while.

    What they were made from is gone by then, and with it their pictures.
    """
    if KEPT not in request.config.stash:
        request.config.stash[KEPT] = request.getfixturevalue("collected")
    return request.config.stash[KEPT]


@pytest.fixture
def collected(ctx, make, browser, signed_in, admin, clock):
    """Every page there is, with something on it, and most of them again with errors."""
    bodies = [make.provider("certification_body") for _ in range(3)]
    consultant = make.provider()
    make.provider(state="applied")
    applied = make.provider(state="applied")
    certification = make.matched_lead(service="certification")
    advised = [{"name": "Consulting Number", "ended_on": None}]
    consulting = make.matched_lead(consultants_used=advised)
    first, second, third = held_by(make, certification)
    for invitation in (first, second):
        bring_a_file(ctx, invitation)
        form = load(QuoteIn(), CERTIFICATION)
        quotes.put_quote(ctx, person_of(invitation.provider_id), invitation.id, form)
    for text in ("One shift?", "One site?"):
        questions.ask_question(ctx, person_of(third.provider_id), third.id, text=text)
    leads.submit_lead(ctx, load(LeadIn(), lead_form(50)))
    (let_lapse,) = held_by(make, consulting)
    with ctx.transaction() as tx:
        lead = make.ask(
            lambda session: (
                session.query(leads.Lead).filter_by(state=LeadState.AWAITING_CONFIRMATION).one()
            )
        )
        confirm = links.mint(tx, links.Purpose.CONFIRM_LEAD, lead.id, expires_at=lead.confirm_by)
        paused = pauses.begin_pauses_for_misses(tx, [consultant.id])[consultant.id]
        come_back = links.mint(tx, links.Purpose.COME_BACK, paused, expires_at=lead.confirm_by)
        withdraw = links.mint(tx, links.Purpose.WITHDRAW, applied.id, expires_at=lead.confirm_by)
        misses.record_misses(tx, [(let_lapse, MissKind.EXPIRED)])
        not_ours = links.mint(tx, links.Purpose.NOT_OURS, lead.id, expires_at=lead.confirm_by)

    sites.add_site(ctx, OPERATOR, Form({"name": "Kestrel", "address": "https://kestrel.example"}))
    found = []

    def see(page):
        found.append(page)
        return page

    anybody, business = browser(), browser()
    for path in (
        "/", "/terms", "/terms/providers", "/how-matching-works", "/privacy", "/embed/how",
        "/join", "/join/received", "/sign-in",
        "/forgot-password", "/requests",
        "/nothing-here", "/mailbox", "/mailbox/gallery/3",
        "/requests/confirm/confirm_x", "/requests/open/request_x", "/set-password/password_x",
        "/requests/outcome/outcome_x",
        f"/requests/confirm/{confirm}", f"/requests/not-ours/{not_ours}",
        "/come-back", "/come-back/back_x", f"/come-back/{come_back}",
        "/join/withdraw/withdraw_x", f"/join/withdraw/{withdraw}",
    ):  # fmt: skip
        see(anybody.open(path))
    anybody.open("/requests")
    see(anybody.send("/requests/link", email="nowhere"))
    see(fill_in(anybody, clock, headcount="x", consultants_used__0__ended_on="x"))
    see(fill_in(anybody, clock))
    see(anybody.open("/embed?site=https://kestrel.example"))
    see(anybody.send("/embed"))
    seal = dict(anybody.page.form("/embed").values)["begun"]
    given = {name.replace("__", "."): value for name, value in FILLED.items()}
    see(
        anybody.post(
            "/embed?site=https://kestrel.example", [*given.items(), *NEED, ("begun", seal)]
        )
    )
    anybody.open("/join")
    see(anybody.send("/join"))
    anybody.open("/join/withdraw")
    see(anybody.send("/join/withdraw"))
    see(anybody.open("/sign-in"))
    see(anybody.send("/sign-in"))

    see(open_request(ctx, business, certification))
    see(business.open("/"))
    for path in ("close", "outcome", "personal-data", "terms", "erase", "follow-on"):
        see(business.open(f"/requests/{path}"))
    for path in ("choose", "replace", "review"):
        see(business.open(f"/requests/{path}/{first.id}"))
    business.open("/requests")
    see(business.send("/requests/answers"))

    for provider, lead in ((bodies[0], certification), (consultant, consulting)):
        person = signed_in(provider)
        see(person.page)
        see(person.open("/account/data"))
        see(person.send("/erase", current_password="wrong"))
        see(person.open("/account/data/leave"))
        see(person.open("/portal/messages"))
        see(person.open("/portal/record"))
        if provider is consultant:
            see(person.send("/object"))
        see(person.open("/portal/statement"))
        see(person.open("/portal/leave"))
        see(person.send("/leave", until="soon"))
        see(person.open("/portal/software"))
        see(person.send("/address", url="nowhere"))
        see(person.send("/address", url="http://127.0.0.1:9/hook"))
        see(person.send("/keys", name="Our files"))
        see(person.open("/portal/software"))
        see(person.open("/portal/team"))
        see(person.send("/portal/team", email="nowhere"))
        see(person.send("/portal/team", name="Lee Okafor", email="lee@works.example"))
        if provider is consultant:
            see(made_to_wait(ctx, person, "/portal/team"))
            # A colleague: what is changed there ends sessions, with which pictures are asked for.
            a_person(ctx, "ana@works.example", name="Ana Lind", provider_id=provider.id)
            colleague = browser()
            colleague.open("/sign-in")
            colleague.send("/sign-in", email="ana@works.example", password=PASSWORD)
            see_account(ctx, clock, colleague, see)
        see(person.open("/portal/accreditations"))
        if provider is not consultant:
            see(person.send("/portal/accreditations"))
            accreditation = make.accreditation(provider, state="claimed", certificate_number="S-1")
            person.open("/portal/accreditations")
            see(person.send(f"/portal/accreditations/{accreditation.id}/evidence"))
        see(person.open("/portal/profile"))
        see(person.send("profile", coverage__headcount_min=""))
        mine = next(i for i in held_by(make, lead) if i.provider_id == provider.id)
        see(person.open(f"/portal/invitations/{mine.id}"))
        bring_a_file(ctx, mine, "Angebot für Prüfung.pdf")
        see(person.open(f"/portal/invitations/{mine.id}/quote"))
        quoted = CONSULTING if provider is consultant else {"fees__stage_1": "free"}
        see(person.send("/quote", **quoted | {"valid_until": ""}))
        typed = person.page.form("/quote").values
        for button, note in (
            ("/sum", "a"),
            ("/draft", "b"),
            ("/draft", "c"),
            ("/attachments", "d"),
        ):
            # Saved twice on top of nothing: two drafts of one quote.
            path = f"/portal/invitations/{mine.id}/quote{button}"
            see(person.post(path, [*typed, ("notes", note)]))
        see(person.open(f"/portal/invitations/{mine.id}/decline"))
        see(person.send("/decline", reason=""))
        see(person.open("/portal"))
        invitations.accept_invitation(ctx, person_of(provider.id), mine.id)
        see(person.open(f"/portal/invitations/{mine.id}"))
        see(person.open("/admin"))

    waiting = signed_in(next(each for each in bodies if each.id == third.provider_id))
    clock.advance(hours=6)  # the business has not answered, and time stands still
    see(business.open("/requests"))
    see(waiting.open("/portal"))
    see(waiting.open(f"/portal/invitations/{third.id}"))
    see(admin.open(f"/admin/leads/{certification.id}"))
    clock.advance(hours=-6)

    idle = make.provider("certification_body", state="suspended", accredited=False)
    full = make.provider(open_capacity=1, monthly_capacity=1)
    with ctx.transaction() as tx:
        covered = tx.session.get_one(Coverage, full.id)
        covered.open_count = covered.month_count = 1
        tx.session.get_one(Coverage, idle.id).open_capacity = 0
        tx.session.get_one(Provider, idle.id).state_reason = "An insurance is missing."
    see(signed_in(idle).page)
    away = signed_in(full)
    for begins, ends in ((ctx.clock().date(), "2026-12-14"), ("2027-01-02", "2027-02-03")):
        away.open("/portal/leave")
        away.send("/portal/leave", **{"from": str(begins)}, until=ends)
    see(away.page)
    see(away.open("/portal"))

    admin.open(f"/admin/providers/{consultant.id}")
    see(admin.send("/strike"))
    admin.open("/admin/sites")
    see(admin.send("/add"))
    admin.open("/admin/people")
    see(admin.send("/admin/people"))
    see(admin.send("/admin/people", name="Bo Lindqvist", email="bo@marketplace.example"))
    for path in (
        "/admin", "/admin?only=review", "/admin/search?q=number", "/admin/search?q=nothing",
        "/admin/sites", "/admin/people",
        "/admin/reports", "/admin/reports?by=provider", "/admin/reports/coverage",
        "/admin/reports/fairness", "/admin/reports/retention", "/admin/reports/funnel",
        "/admin/reports/quotes",
        "/admin/reports/quotes?from=soon", "/admin/leads", "/admin/providers",
        f"/admin/providers/{bodies[0].id}", f"/admin/providers/{consultant.id}",
        f"/admin/leads/{certification.id}", f"/admin/leads/{consulting.id}",
        f"/admin/leads/{consulting.id}?find=number",
    ):  # fmt: skip
        see(admin.open(path))
    make.provider(name="Late Consulting")
    admin.open(f"/admin/leads/{consulting.id}?find=consulting")
    see(admin.send("/invitations"))
    for address in (bodies[0].contact_email, certification.contact_email):
        suppressions.suppress_address(ctx, OPERATOR, address=address)
    lost = a_person(ctx, "lost@works.example", name="Max Stone", provider_id=bodies[0].id)
    with ctx.transaction() as tx:
        tx.session.merge(lost).totp_sealed = b"what an administrator may take off"
    see(admin.open(f"/admin/providers/{bodies[0].id}"))
    see(admin.open(f"/admin/leads/{certification.id}"))
    desk = see(admin.open("/admin"))
    lifting = [form for form in desk.forms if form.action.endswith("/lift")]
    see(admin.post(lifting[0].action, lifting[0].values))
    see(signed_in(bodies[0]).page)
    business.open("/requests/close")
    see(business.send("/requests/close", reason="not_now"))
    see(business.open("/requests/close"))
    see(business.open(f"/requests/review/{first.id}"))
    see(business.send("/requests/review"))
    see(business.open("/requests/outcome"))
    see(business.send("/requests/outcome", outcome="nonsense", reason="price"))
    for invitation, rating, comment in ((first, "5", "Quick."), (second, "2", "Ask Ms Okafor.")):
        business.open(f"/requests/review/{invitation.id}")
        see(business.send("/requests/review", ("rating", rating), comment=comment))
    reviewed = signed_in(next(each for each in bodies if each.id == first.provider_id))
    see(reviewed.open("/portal/reviews"))
    see(reviewed.send("/reply", text=" "))
    reviewed.open("/portal/reviews")
    see(reviewed.send("/reply", text="Thank you."))
    see(business.open("/requests"))
    see(business.open(f"/requests/review/{first.id}"))
    see(business.send("/report"))
    business.open(f"/requests/review/{first.id}")
    see(business.send("/report", reason="It is not so."))
    reviewed.open("/portal/reviews")
    see(reviewed.send("/report", reason="Neither is that."))
    see(business.open(f"/requests/review/{first.id}"))
    see(admin.open("/admin"))
    see(admin.open("/admin/reviews"))
    asked_of = [each for each in admin.page.forms if each.action.endswith("/hide?state=waiting")]
    see(admin.post(asked_of[0].action, asked_of[0].values))
    for each in asked_of:
        values = [*((n, v) for n, v in each.values if n != "reason"), ("reason", "It is so.")]
        admin.post(each.action, values)
    see(admin.open("/admin/reviews?state=all"))
    see(business.open(f"/requests/review/{first.id}"))
    see(reviewed.open("/portal/reviews"))
    see(admin.open(f"/admin/leads/{certification.id}"))
    see_reminders(ctx, make, browser(), see)
    late = signed_in(consultant)
    late.open("/portal/leave")
    clock.advance(hours=13)
    see(late.send("/leave", until="soon"))
    see(late.send("/sign-in", email=consultant.contact_email, password=PASSWORD))
    clock.advance(hours=-13)  # nobody else's session lapsed
    return found


def see_account(ctx, clock, person, see):
    """Look at one's own account, set a second factor up and take it away again."""
    see(person.open("/account"))
    see(person.open("/account/email"))
    see(person.send("/account/email", email="nowhere"))
    person.open("/account/email")
    wanted = {"email": "another@address.example", "current_password": PASSWORD}
    see(person.send("/account/email", **wanted))
    with ctx.transaction() as tx:
        change = tx.session.query(EmailChange).one()
        ours, theirs = (
            links.mint(tx, side, change.id, expires_at=change.expires_at)
            for side in (links.Purpose.EMAIL_OLD, links.Purpose.EMAIL_NEW)
        )
    see(person.open(f"/email-change/{ours}"))
    see(person.open(f"/email-change/{theirs}"))
    see(person.send("/email-change"))
    see(person.open(f"/email-change/{theirs}"))
    person.open("/account")
    see(person.send("/account/email/cancel"))
    see(person.open("/account/password"))
    see(person.send("/account/password", password="short"))
    page = see(person.open("/account/second-factor"))
    sealed = dict(page.form("/account/second-factor").values)["set_up"]
    see(person.send("/account/second-factor", code="1"))
    said = json.loads(ctx.seal("totp set-up").open(sealed.encode()))
    totp = pyotp.TOTP(said[1])
    see(person.send("/account/second-factor", code=totp.at(clock.now), current_password=PASSWORD))
    see(person.open("/account"))
    see(person.open("/account/proof?next=/portal/team"))
    see(person.send("/account/proof", current_password="wrong"))
    person.open("/portal/team")
    clock.advance(minutes=11)
    see(person.send("/portal/team", name="Max Stone", email="max@works.example"))
    clock.advance(minutes=-11)
    see(person.open("/account/recovery-codes"))
    see(person.send("/account/recovery-codes"))
    see(person.open("/account/second-factor/remove"))
    see(person.send("/account/second-factor/remove"))
    clock.advance(seconds=30)
    proof = {"current_password": PASSWORD, "totp": totp.at(clock.now)}
    see(person.send("/account/second-factor/remove", **proof))
    clock.advance(seconds=-30)


def see_reminders(ctx, make, business, see):
    """Agree to reminders, change them, look at the form after one, and stop them."""
    lead = make.matched_lead()
    first, *_ = held_by(make, lead)
    a_quote(ctx, first)
    outcome.choose_provider(ctx, business_of(lead), first.id)
    see(open_request(ctx, business, lead))
    see(business.open("/requests/follow-on"))
    see(business.open("/requests/reminders"))
    see(business.send("/requests/reminders", certified_on="soon"))
    agreed = [("consent", "yes"), ("editions.ISO 9001", "2015"), ("standards", "ISO 9001")]
    see(business.post("/requests/reminders", [*csrf(business), *agreed, ("certified_on", TODAY)]))
    see(business.send("/requests/reminders/change", certified_on="2020-01-01"))
    see(business.open("/requests"))
    certificate = make.ask(lambda session: session.query(Certificate).one())
    with ctx.transaction() as tx:
        manage, again = (
            links.mint(tx, purpose, certificate.id, expires_at=certificate.forget_at)
            for purpose in (links.Purpose.REMINDERS, links.Purpose.ASK_AGAIN)
        )
    see(business.open(f"/reminders/{manage}"))
    see(business.send("/reminders", certified_on="later"))
    see(business.open("/reminders/dates_x"))
    see(business.open(f"/requests/again/{again}"))
    see(business.open("/requests/again/again_x"))
    business.open(f"/reminders/{manage}")
    see(business.send("/stop"))


TODAY = "2026-11-20"


def csrf(business):
    """Return the word that this page's forms carry."""
    values = business.page.forms[-1].values
    return [(name, value) for name, value in values if name == "csrf_token"]
