"""A request with something in every table that can hold anything of its business."""

from sqlalchemy import LargeBinary, select, text
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from marketplace.core.db import Base, new_id
from marketplace.core.files import SentFile
from marketplace.core.forms import Form
from marketplace.invitations import misses, questions
from marketplace.invitations import service as invitations
from marketplace.invitations.rules import MissKind
from marketplace.leads.models import Lead
from marketplace.matching.models import MatchingRun
from marketplace.quotes import attachments, outcome, reviews
from marketplace.quotes.models import ReviewReply
from marketplace.quotes.moderation import ReviewState
from marketplace.web.api.request import RemindersIn
from marketplace.web.requests import load
from tests.factories import business_of, lead_form, person_of
from tests.services.road import a_quote, held

NAME, PERSON, EMAIL = "Zephyrine Holdings", "Quillon Abernathy", "quillon@zephyrine.example"
WHO = ("zephyrine", "quillon", "abernathy")
"""What may be found nowhere once it is erased."""


def a_whole_request(ctx, make):
    """Return an awarded request by Zephyrine Holdings that everything happened to."""
    chosen, other = make.provider(), make.provider()
    form = lead_form(
        1,
        notes=f"For {NAME}.",
        consultants_used=[{"name": f"{PERSON} Advisers", "ended_on": "2025-02-01"}],
    )
    form["company"] |= {"name": NAME, "website": "https://zephyrine.example"}
    form["contact"] |= {"name": PERSON, "email": EMAIL}
    lead = make.matched_lead(**{name: form[name] for name in form})
    first, second = held(make, lead)
    assert {first.provider_id, second.provider_id} == {chosen.id, other.id}
    actor, person = business_of(lead), person_of(first.provider_id)
    question = questions.ask_question(ctx, person, first.id, text=f"Is {NAME} one site?")
    questions.answer_question(ctx, actor, question_id=question.id, text=f"{PERSON} says yes.")
    sent = SentFile("Zephyrine.pdf", "application/pdf", b"%PDF- for Zephyrine Holdings")
    attachments.add_attachment(ctx, person, first.id, Form({"file": sent}))
    a_quote(ctx, first, notes=f"For {NAME}.")
    invitations.decline_invitation(
        ctx, person_of(second.provider_id), second.id, reason="other", comment=f"Not {NAME}."
    )
    lead = outcome.choose_provider(ctx, actor, first.id)
    agreed = load(RemindersIn(), {"certified_on": "2026-11-20", "consent": True})
    outcome.want_reminders(ctx, actor, agreed, door="page")
    review = reviews.review_provider(ctx, actor, first.id, rating=4, comment=f"By {PERSON}.")
    with ctx.transaction() as tx:
        tx.session.add(
            ReviewReply(
                review_id=review.id,
                state=ReviewState.SHOWN,
                doubts=[],
                text=f"Thank you, {PERSON}.",
                written_at=tx.now,
            )
        )
        misses.record_misses(tx, [(tx.session.merge(second), MissKind.EXPIRED)])
        run = tx.session.scalars(select(MatchingRun).where(MatchingRun.lead_id == lead.id)).first()
        tx.session.merge(run).by_hand_because = f"{NAME} asked for it."
    return lead


def fill(ctx, columns):
    """Write something of the business into each of these columns, in every row; return what."""
    said = {}
    with ctx.transaction() as tx:
        for name in columns:
            table, _, column = name.partition(".")
            kind = Base.metadata.tables[table].c[column].type
            if isinstance(kind, JSONB | LargeBinary | ARRAY):
                continue
            if name in ("consents.address", "attachments.digest"):
                continue
            mark = f"{name.replace('.', ' ')} {len(said)}"
            said[name] = mark
            value = f"{NAME} and {PERSON}: {mark}"
            tx.session.execute(text(f"UPDATE {table} SET {column} = :value"), {"value": value})
    return said


def everything(make, *, but=()):
    """Return all that stands in the database, by table, as text in small letters."""
    tables = [each for each in Base.metadata.sorted_tables if each.name not in but]

    def read(session):
        return {
            table.name: "\n".join(
                session.scalars(text(f"SELECT lower(row_to_json(t)::text) FROM {table.name} t"))
            )
            for table in tables
        }

    found = make.ask(read)
    secret = b"zephyrine".hex()
    assert all(isinstance(each, str) for each in found.values())
    return {name: said.replace(secret, "zephyrine") for name, said in found.items()}


def named_in(make, *, but=()):
    """Return the tables in which the business or its people can be found."""
    return sorted(
        name for name, said in everything(make, but=but).items() if any(who in said for who in WHO)
    )


def lead_now(make, lead):
    return make.ask(lambda session: session.get(Lead, lead.id))


SOME_ID = new_id()
