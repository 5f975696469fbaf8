"""Every answer to others that holds a business' contact leaves a line in the log."""

from sqlalchemy import select, update

from marketplace.accounts.models import User
from marketplace.core.actors import OPERATOR
from marketplace.core.events import Event
from marketplace.leads.models import Lead
from marketplace.leads.rules import LeadState
from marketplace.notifications import suppressions
from marketplace.notifications.models import Notification
from marketplace.notifications.rules import NotificationState
from tests.api.authorisation import a_world, knock, path_to, read_table
from tests.api.test_every_door import declared

BODIES = {
    ("POST", "/api/v1/admin/suppressions"): {"address": "zephyr1@planted.example"},
    ("POST", "/api/v1/admin/suppressions/<uuid:suppression_id>/lift"): {"reason": "x"},
    ("POST", "/api/v1/admin/leads/<uuid:lead_id>/rejection"): {"reason": "x"},
    ("POST", "/api/v1/admin/leads/<uuid:lead_id>/closure"): {"reason": "x"},
}
QUERIES = {
    "/admin/search": ("?q=zephyr0", "?q=planted"),
    "/admin": tuple(f"?only={each}" for each in ("clocks", "review", "messages", "stopped")),
    "/api/v1/admin/leads": ("?q=zephyr0", "?state=in_review", "?limit=1"),
    "/api/v1/admin/notifications": ("?state=failed", "?limit=1"),
}


def plant(world):
    """Give each business a contact of its own, and each sort of list one of them."""
    session = world.ctx.sessions()
    planted = {}
    for number, lead in enumerate(session.scalars(select(Lead).order_by(Lead.id)).all()):
        name, email = f"Zephyr{number} Quillon", f"zephyr{number}@planted.example"
        phone = f"+61 2 5550 77{number:02}"
        session.execute(
            update(Notification)
            .where(Notification.recipient == lead.contact_email, Notification.subject_id == lead.id)
            .values(recipient=email, recipient_name=name, state=NotificationState.FAILED)
        )
        lead.form = {**lead.form, "contact": {"name": name, "email": email, "phone": phone}}
        lead.contact_name, lead.contact_email, lead.contact_phone = name, email, phone
        planted[lead.id] = (name, email, phone)
    reviewed = session.get(Lead, list(planted)[-1])
    reviewed.state, reviewed.review_reasons = LeadState.IN_REVIEW, []
    session.commit()
    address = planted[world.ids["lead_id"]][1]
    failed = select(Notification.id).where(
        Notification.recipient.like("zephyr%"), Notification.recipient != address
    )
    with world.ctx.reading() as reading:
        world.ids["notification_id"] = reading.scalars(failed).first()
    stopped = suppressions.suppress_address(world.ctx, OPERATOR, address=address)
    world.ids["suppression_id"] = stopped.id
    return planted


def readers(world, kind="admin"):
    """Return whose contacts were read by somebody of a kind, as the log has it."""
    rows = select(Event.subject_id).where(
        Event.verb == "lead.contact_read", Event.actor_kind == kind
    )
    return set(world.connection.execute(rows).scalars())


def test_every_answer_to_an_administrator_with_a_contact_in_it_is_in_the_log(installation, counted):
    table, unlogged, shown, tried = read_table(), [], set(), 0
    with a_world(installation) as world:
        planted = plant(world)
        assert len(planted) >= 2
        admin = world.tokens["admin"][0]
        for rule, method in declared(world.app):
            row = table[method, rule.rule]
            if row["admin"] != "+" or row["nobody"] == "+":
                continue  # open to everybody: nobody's contact is there
            for query in ("", *QUERIES.get(rule.rule, ())):
                body = BODIES.get((method, rule.rule), {})
                path = path_to(world, rule) + (query if method == "GET" else "")
                with world.undone():
                    assert not readers(world)
                    answer = knock(world, admin, method, path, body)
                    said, noted = answer.get_data(), readers(world)
                tried += 1
                for lead_id, marks in planted.items():
                    if any(mark.encode() in said for mark in marks):
                        shown.add((method, rule.rule))
                        if lead_id not in noted:
                            unlogged.append((method, path, answer.status))
    counted["answers to an administrator"], counted["routes with a contact"] = tried, len(shown)
    assert unlogged == []
    assert {
        ("GET", "/admin"),
        ("GET", "/admin/leads"),
        ("GET", "/admin/leads/<uuid:lead_id>"),
        ("GET", "/admin/search"),
        ("GET", "/api/v1/admin/leads"),
        ("GET", "/api/v1/admin/leads/<uuid:lead_id>"),
        ("GET", "/api/v1/admin/notifications"),
        ("POST", "/api/v1/admin/notifications/<uuid:notification_id>/retry"),
        ("GET", "/api/v1/admin/suppressions"),
        ("POST", "/api/v1/admin/suppressions"),
        ("POST", "/api/v1/admin/suppressions/<uuid:suppression_id>/lift"),
    } <= shown


def plant_with_a_provider(world):
    """Give the business that chose a provider a contact that is nobody else's, in its mail too."""
    session = world.ctx.sessions()
    lead = session.get_one(Lead, world.ids["lead_id"])
    told = {"contact_name": "Zephyr Quillon", "contact_email": "zephyr@planted.example"}
    lead.contact_name, lead.contact_email = told.values()
    (won,) = session.scalars(select(Notification).where(Notification.template == "invitation_won"))
    won.values = {**won.values, **told}
    # Whoever has the address of the provider as their own is written to.
    owner = session.scalars(select(User).where(User.email == "owner@team.example")).one()
    won.recipient = owner.email
    session.commit()
    return [each.encode() for each in told.values()]


def test_every_answer_to_a_provider_with_a_contact_in_it_is_in_the_log(installation, counted):
    table, unlogged, shown, tried = read_table(), [], set(), 0
    with a_world(installation) as world:
        marks = plant_with_a_provider(world)
        for rule, method in declared(world.app):
            row = table[method, rule.rule]
            for party, kind in (("owner", "provider"), ("key_read", "api_key")):
                if row[party] != "+" or row["nobody"] == "+":
                    continue
                with world.undone():
                    token = world.tokens[party][0]
                    answer = knock(world, token, method, path_to(world, rule))
                    said, noted = answer.get_data(), readers(world, kind)
                tried += 1
                if any(mark in said for mark in marks):
                    shown.add((party, method, rule.rule))
                    if world.ids["lead_id"] not in noted:
                        unlogged.append((party, method, rule.rule, answer.status))
    counted["answers to a provider"], counted["routes with a contact"] = tried, len(shown)
    assert unlogged == []
    api = "/api/v1/portal/"
    assert {
        ("owner", "GET", "/portal/invitations/<uuid:invitation_id>"),
        ("owner", "GET", "/portal/messages"),
        ("owner", "GET", f"{api}messages"),
        ("owner", "GET", "/api/v1/account/personal-data"),
        ("key_read", "GET", f"{api}messages"),
        ("key_read", "GET", f"{api}invitations"),
        ("key_read", "GET", f"{api}invitations/<uuid:invitation_id>"),
    } <= shown
