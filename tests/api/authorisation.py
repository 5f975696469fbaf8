"""A world with one of everything, who knocks in it, and the table of what each is let into.

The table is `authorisation.csv`: a row for every route and method there is, a column for every
party. `+` is let in; 401 is not known; 403 is known, and not allowed; 404 is let in, to what is not
theirs, which is not found; and `0` is the same on a page that says of what is not there that it was
done already: nothing happens.
"""

import csv
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from io import BytesIO
from pathlib import Path
from typing import Any

from flask import Flask
from sqlalchemy import Connection, func, select
from sqlalchemy.orm import Session

from marketplace.accounts import keys, passwords, sessions
from marketplace.accounts.models import ApiKey, SignIn, User
from marketplace.bootstrap import Product, channel_of
from marketplace.core import links
from marketplace.core.actors import OPERATOR, TeamRole
from marketplace.core.context import Context
from marketplace.core.db import db, new_id
from marketplace.core.events import Event
from marketplace.core.files import SentFile
from marketplace.core.forms import Form
from marketplace.core.links import Purpose
from marketplace.invitations import misses
from marketplace.invitations.rules import MissKind
from marketplace.leads import service as leads
from marketplace.leads import sites
from marketplace.leads.models import Lead
from marketplace.notifications import suppressions
from marketplace.notifications.channels import Channel
from marketplace.notifications.models import MailboxMessage, Notification
from marketplace.providers import pauses, team
from marketplace.providers.models import EvidenceFile, Provider
from marketplace.providers.rules import AccreditationState
from marketplace.providers.webhooks import Webhook
from marketplace.quotes import attachments, outcome, reviews
from marketplace.quotes import service as quotes
from marketplace.web.api.quotes import QuoteIn
from marketplace.web.auth import REQUEST_TOKEN, SESSION_TOKEN
from marketplace.web.requests import load
from tests.conftest import Client, Clock, RecordingQueue
from tests.factories import Factory, business_of, person_of
from tests.jobs import do_jobs
from tests.people import a_person, an_admin, session_token

TABLE = Path(__file__).with_suffix(".csv")

PARTIES = (
    "nobody", "business", "other_business", "owner", "member", "reader", "stranger",
    "key_read", "key_answer", "key_manage", "admin", "setting_up", "lapsed",
)  # fmt: skip
"""The columns. `reader` reads along in the team, `stranger` owns another provider, `setting_up` is
an administrator who has no second factor yet, and `lapsed` is whatever was good once: a session
that ended, a key and a link whose time is over. `business` knocks with both links that it gets."""


class Undone(Session):
    """A session on a connection of ours, whose commits are savepoints in what is undone later."""

    def connection(self, *_: Any, **how: Any) -> Connection:
        # Only a transaction of its own could be told how to read.
        return super().connection()


@dataclass
class World:
    """Everything there is, and whose it is: what is `harbour`'s, and what hangs on its lead."""

    app: Flask
    ctx: Context
    connection: Connection
    tokens: dict[str, list[str]] = field(default_factory=dict)
    """The credentials of each party."""
    ids: dict[str, Any] = field(default_factory=dict)
    """What stands for each variable of a route, by its name or by `<endpoint> <name>`."""
    cookies: dict[str, str] = field(default_factory=dict)
    """The signed session of each credential."""

    @contextmanager
    def undone(self) -> Iterator[None]:
        """Let whatever happens inside not have happened."""
        point = self.connection.begin_nested()
        try:
            yield
        finally:
            point.rollback()

    def events(self) -> int:
        """Return how much has been recorded so far."""
        found = self.connection.execute(select(func.count()).select_from(Event)).scalar_one()
        return int(found)


@contextmanager
def a_world(installation: Product) -> Iterator[World]:
    """Make one, in a transaction that is undone at the end."""
    app = installation.app
    with app.app_context():
        connection = db.engine.connect()
    outer = connection.begin()
    ctx = replace(
        installation.ctx,
        clock=Clock(),
        queue=RecordingQueue(),
        sessions=lambda: Undone(
            connection, join_transaction_mode="create_savepoint", expire_on_commit=False
        ),
    )
    app.extensions["marketplace"] = replace(installation, ctx=ctx)
    app.config["WTF_CSRF_ENABLED"] = False  # who may do it is asked here, not from which page
    try:
        world = World(app, ctx, connection)
        with app.app_context():
            _fill(world, channel_of(installation.settings))
        strict = replace(ctx, policy=replace(ctx.policy, totp_for_admins="required"))
        app.extensions["marketplace"] = replace(installation, ctx=strict)
        yield world
    finally:
        app.config["WTF_CSRF_ENABLED"] = True
        app.extensions["marketplace"] = installation
        app.extensions.pop("kept", None)
        outer.rollback()
        connection.close()


CERTIFICATION = {
    "kind": "certification",
    "currency": "AUD",
    "standards": [{"code": "ISO 9001", "edition": "2015"}],
    "audit_days": {"stage_1": 1, "stage_2": 2, "surveillance_1": 1, "surveillance_2": 1},
    "fees": {"stage_1": "1000.00", "stage_2": "2000.00"},
    "valid_until": "2027-03-31",
}


def _fill(world: World, channel: Channel) -> None:
    ctx, make, ids = world.ctx, Factory(world.ctx), world.ids
    harbour = make.provider("certification_body", name="Harbour Certification")
    lead = make.matched_lead(service="certification")
    with ctx.reading() as session:
        (invitation,) = session.scalars(
            select(misses.Invitation).where(misses.Invitation.lead_id == lead.id)
        ).all()
    body = person_of(harbour.id)
    file = SentFile("Offer.pdf", "application/pdf", b"%PDF-1.7 offer")
    attached = attachments.add_attachment(ctx, body, invitation.id, Form({"file": file}))
    quotes.put_quote(ctx, body, invitation.id, load(QuoteIn(), CERTIFICATION))
    outcome.choose_provider(ctx, business_of(lead), invitation.id)
    review = reviews.review_provider(
        ctx, business_of(lead), invitation.id, rating=4, comment="Quick."
    )
    reviews.reply_to_review(ctx, body, review.id, text="Thank you.")
    agreed = Form({"certified_on": ctx.clock().date(), "consent": True})
    certificate = outcome.want_reminders(ctx, business_of(lead), agreed, door="page")
    wattle, other_lead = make.provider(name="Wattle Consulting"), make.lead()
    _people(world, harbour, wattle)
    _links(world, lead, other_lead)
    ids |= _of_provider(world, harbour, wattle)
    with ctx.transaction() as tx:
        misses.record_misses(tx, [(invitation, MissKind.EXPIRED)])
        paused = pauses.begin_pauses_for_misses(tx, [harbour.id])[harbour.id]
        ids["record.end_pause pause_id"] = paused
        for purpose, subject in (
            (Purpose.SET_PASSWORD, ids["user_id"]),
            (Purpose.REMINDERS, certificate.id),
        ):
            ids[f"token of {purpose}"] = links.mint(
                tx, purpose, subject, expires_at=tx.now + timedelta(days=1)
            )
    stopped = suppressions.suppress_address(ctx, OPERATOR, address="gone@nowhere.example")
    site = sites.add_site(
        ctx, OPERATOR, Form({"name": "Kestrel", "address": "https://kestrel.example"})
    )
    do_jobs(ctx, channel)
    with ctx.reading() as session:
        notification = session.scalars(select(Notification.id)).first()
        message = session.scalars(select(MailboxMessage.id)).first()
    ids |= {
        "lead_id": lead.id,
        "invitation_id": invitation.id,
        "attachment_id": attached.attachment.id,
        "review_id": review.id,
        "provider_id": harbour.id,
        "suppression_id": stopped.id,
        "site_id": site.id,
        "notification_id": notification,
        "message_id": message,
        "admin_people.OneAdministrator user_id": ids["admin_id"],
        "people_desk.link user_id": ids["admin_id"],
        "people_desk.remove user_id": ids["admin_id"],
        "people_desk.sign_out user_id": ids["admin_id"],
        "admin_people.Sessions user_id": ids["admin_id"],
        "catalogue (administration).OneBody code": "JASANZ",
        "catalogue (administration).OneRegion code": "AU-NSW",
        "catalogue (administration).OneSector code": "17",
        "catalogue (administration).OneStandard code": "ISO 9001",
        "reports.download name": "commitment",
        "assets.static filename": "site.css",
        "gallery.one number": 1,
        "token": "nothing_x",
    }


def _people(world: World, harbour: Provider, wattle: Provider) -> None:
    """Let everybody sign in who is a party, and somebody each whom they might remove."""
    ctx, tokens = world.ctx, world.tokens
    for party, provider, role in (
        ("owner", harbour, TeamRole.OWNER),
        ("member", harbour, TeamRole.MEMBER),
        ("reader", harbour, TeamRole.READ_ONLY),
        ("stranger", wattle, TeamRole.OWNER),
    ):
        user = a_person(ctx, f"{party}@team.example", provider_id=provider.id)
        with ctx.transaction() as tx:
            tx.session.get_one(User, user.id).team_role = role
        tokens[party] = [session_token(ctx, user)]
        if party == "owner":
            owner = user
    for scope in ("read", "answer", "manage"):
        tokens[f"key_{scope}"] = [_a_key(ctx, owner, [scope]).secret]
    lapsed = _a_key(ctx, owner, ["read", "answer", "manage"])
    with ctx.transaction() as tx:
        tx.session.get_one(ApiKey, lapsed.key.id).expires_at = tx.now
    ended = session_token(ctx, owner)
    sessions.sign_out(ctx, passwords.actor_of(owner), ended)
    tokens["lapsed"] = [ended, lapsed.secret]
    for party in ("admin", "setting_up"):
        user = an_admin(ctx, f"{party}@marketplace.example")
        tokens[party] = [session_token(ctx, user)]
        if party == "admin":
            with ctx.transaction() as tx:
                tx.session.get_one(User, user.id).totp_sealed = b"a secret"
    tokens["nobody"] = [""]
    with ctx.reading() as session:
        owns = links.token_hash(tokens["owner"][0])
        world.ids["session_id"] = session.get_one(SignIn, owns).id
    world.ids["admin_id"] = an_admin(ctx, "bo@marketplace.example").id


def _a_key(ctx: Context, owner: User, scopes: list[str]) -> keys.KeyMade:
    return keys.make_api_key(
        ctx, passwords.actor_of(owner), Form({"name": "Our CRM", "scopes": scopes})
    )


def _links(world: World, lead: Lead, other: Lead) -> None:
    with world.ctx.transaction() as tx:
        world.tokens["business"] = [
            leads.mint_request_token(tx, lead),
            links.mint(tx, Purpose.OUTCOME, lead.id, expires_at=tx.now + timedelta(days=1)),
        ]
        world.tokens["other_business"] = [leads.mint_request_token(tx, other)]
        world.tokens["lapsed"].append(links.mint(tx, Purpose.REQUEST, lead.id, expires_at=tx.now))


def _of_provider(world: World, harbour: Provider, wattle: Provider) -> dict[str, Any]:
    """Make what a provider has beside its invitations; return what each is called by."""
    ctx = world.ctx
    claimed = Factory(ctx).accreditation(harbour, state=AccreditationState.CLAIMED)
    colleague = a_person(ctx, "sam@team.example", password=None, provider_id=harbour.id)
    boss = person_of(harbour.id)
    with ctx.reading() as session:
        owner = session.scalars(select(User).where(User.email == "owner@team.example")).one()
    invited = team.invite_member(
        ctx, passwords.actor_of(owner), Form({"name": "Di Hart", "email": "di@team.example"})
    )
    begins = ctx.clock() + timedelta(days=60)
    leave = pauses.add_pause(ctx, boss, Form({"from": begins, "until": begins + timedelta(days=5)}))
    with ctx.transaction() as tx:
        tx.session.add(
            EvidenceFile(
                id=new_id(),
                accreditation_id=claimed.id,
                name="certificate.pdf",
                media_type="application/pdf",
                content=b"%PDF-1.7",
                uploaded_at=tx.now,
            )
        )
        for each in (harbour, wattle):
            tx.session.add(
                Webhook(
                    id=new_id(),
                    provider_id=each.id,
                    url="https://crm.example/hook",
                    sealed_secret=b"",
                    enabled=True,
                    created_at=tx.now,
                )
            )
    return {
        "accreditation_id": claimed.id,
        "user_id": colleague.id,
        "member_id": colleague.id,
        "portal_team.again invitation_id": invited.id,
        "portal_team.withdraw invitation_id": invited.id,
        "pause_id": leave.id,
        "key_id": _a_key(ctx, owner, ["read"]).key.id,
    }


# Knocking.


NOTHING: Any = {}


def knock(world: World, token: str, method: str, path: str, body: Any = NOTHING) -> Any:
    """Ask for this with a credential, where its kind is looked for.

    Pages know people by their cookie and software by its header: whoever is known at one door by
    nothing carries an administrator's credential at the other, which must open nothing there.
    """
    is_api = path.startswith("/api/")
    admin = world.tokens["admin"][0]
    header, cookie = (token, admin) if is_api else (admin, token)
    headers = {"Authorization": f"Bearer {header}"} if header else {}
    if cookie:
        headers["Cookie"] = f"marketplace={_signed(world, cookie)}"
    sent: dict[str, Any] = {}
    if method not in ("GET", "HEAD"):
        is_form = not is_api or path.endswith("/attachments")
        files = {"file": (BytesIO(body["file"][0]), body["file"][1])} if "file" in body else {}
        sent = {"data" if is_form else "json": {**body, **files}}
    client = Client(world.app, world.app.response_class, use_cookies=False)
    return client.open(path, method=method, headers=headers, buffered=True, **sent)


def _signed(world: World, token: str) -> str:
    if token not in world.cookies:
        slot = REQUEST_TOKEN if token.startswith(("request_", "outcome_")) else SESSION_TOKEN
        serializer = world.app.session_interface.get_signing_serializer(world.app)
        world.cookies[token] = str(serializer.dumps({slot: token}))
    return world.cookies[token]


def tokens_for(world: World, party: str, row: dict[str, str], number: int) -> list[str]:
    """Return with what a party knocks here: of several, all that could be good for this, else one.

    `number` counts the rows, so that none of them is left out for long.
    """
    known = world.tokens[party]
    if party == "business" and row[party] != "401":
        return known
    if party == "lapsed":
        session, key, link = known
        could = [(link, "business"), (key, "key_read"), (session, "owner"), (session, "admin")]
        return sorted({token for token, of in could if row[of] == "+"}) or [known[number % 3]]
    return [known[number % len(known)]]


SET_UP = "/account/second-factor"
"""Where who has to set one up is led from every page of people who sign in."""


def outcome_of(answer: Any, party: str, *, has_done: bool) -> str:
    """Return what the answer means for who asked, as the table says it."""
    if answer.status_code in (401, 403, 404, 405) or answer.status_code >= 500:
        return str(answer.status_code)
    is_set_up = answer.status_code == 303 and answer.location == SET_UP != answer.request.path
    if is_set_up and party == "setting_up":
        return "403"
    is_led_there = answer.status_code == 303 and answer.location.partition("?")[0] == "/sign-in"
    if is_led_there and answer.request.path != "/sign-out":
        return "401"
    return "+" if has_done else "0"


def path_to(world: World, rule: Any) -> str:
    """Return the address of a route, filled in with what there is."""
    values = {name: _value(world, rule.endpoint, name) for name in rule.arguments}
    method = min(rule.methods - {"HEAD"})
    return str(world.app.url_map.bind("localhost").build(rule.endpoint, values, method))


def _value(world: World, endpoint: str, name: str) -> Any:
    exact = world.ids.get(f"{endpoint} {name}")
    return world.ids[name] if exact is None else exact


def read_table() -> dict[tuple[str, str], dict[str, str]]:
    """Return the table by method and route."""
    with TABLE.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len({(row["method"], row["route"]) for row in rows}) == len(rows)
    return {(row["method"], row["route"]): row for row in rows}
