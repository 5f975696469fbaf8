"""Every answer to an administrator that holds a business' contact leaves a line in the log."""

from sqlalchemy import select, update

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


def readers(world):
    """Return whose contacts were read, as the log has it."""
    rows = select(Event.subject_id).where(
        Event.verb == "lead.contact_read", Event.actor_kind == "admin"
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
