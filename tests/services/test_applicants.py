"""Whoever applied and was not let in takes that back by the link of the first mail."""

from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import select, text

from marketplace.core import links
from marketplace.core.actors import OPERATOR
from marketplace.core.db import Base, new_id
from marketplace.core.errors import Conflict, Gone
from marketplace.core.forms import Form
from marketplace.core.links import Purpose
from marketplace.notifications.models import Notification
from marketplace.privacy.applicants import withdraw_application
from marketplace.privacy.retention import apply_retention
from marketplace.providers import service
from marketplace.providers.models import AccreditationCheck, EvidenceFile, Provider
from marketplace.providers.rules import AccreditationState, CheckResult
from marketplace.web.api.provider_schemas import NewProviderSchema
from marketplace.web.requests import load
from tests.factories import ADMIN
from tests.pages.conftest import browser
from tests.people import an_admin
from tests.providers import application

__all__ = ["browser"]


def apply(ctx, name="Zephyrine Quality Pty Ltd", **changes):
    service.apply_to_join(ctx, load(NewProviderSchema(), application(name, **changes)))


def links_of(ctx):
    """Mint what each letter to an applicant carries, in the order of the letters."""
    with ctx.transaction() as tx:
        rows = select(Notification).where(Notification.template == "application_received")
        found = tx.session.scalars(rows.order_by(Notification.id)).all()
        return [
            links.mint(tx, each.link_purpose, each.link_subject_id, expires_at=each.link_expires_at)
            for each in found
        ]


def withdraw(ctx, token):
    withdraw_application(ctx, Form({"token": token}))


def named(make, word):
    """Return the tables in which a word stands."""
    return [
        table.name
        for table in Base.metadata.sorted_tables
        if make.ask(
            lambda session, t=table: any(
                word in row
                for row in session.scalars(
                    text(f"SELECT lower(row_to_json(t)::text) FROM {t.name} t")
                )
            )
        )
    ]


@pytest.mark.parametrize("is_rejected", [False, True])
def test_an_applicant_is_forgotten_whether_or_not_it_was_turned_away(ctx, make, is_rejected):
    an_admin(ctx)
    apply(ctx)
    (token,) = links_of(ctx)
    one = make.ask(lambda session: session.scalars(select(Provider)).one())
    if is_rejected:
        service.reject_provider(ctx, ADMIN, one.id, reason="Not found in the register.")
    assert set(named(make, "zephyrine")) == {"providers", "notifications"}
    withdraw(ctx, token)
    assert named(make, "zephyrine") == []
    assert named(make, "kim reyes") == []
    gone = make.ask(lambda session: session.get(Provider, one.id))
    assert (gone.state, gone.name) == ("rejected", "erased")
    with pytest.raises(Gone):
        withdraw(ctx, token)
    apply(ctx)  # it may come again
    assert len(make.ask(lambda session: session.scalars(select(Provider)).all())) == 2


@pytest.fixture
def applied(ctx, make):
    """Return an application, with an accreditation that it claims and a file as its proof."""
    apply(ctx)
    one = make.ask(lambda session: session.scalars(select(Provider)).one())
    held = make.accreditation(one, state=AccreditationState.CLAIMED, certificate_number="Z-77")
    with ctx.transaction() as tx:
        tx.session.add(
            EvidenceFile(
                id=new_id(), accreditation_id=held.id, name="zephyrine.pdf",
                media_type="application/pdf", content=b"%PDF zephyrine", uploaded_at=tx.now,
            )
        )  # fmt: skip
        tx.session.add(
            AccreditationCheck(
                id=new_id(), accreditation_id=held.id, result=CheckResult.NOT_FOUND,
                checked_on=tx.now.date(), source="https://register.example/zephyrine",
                recorded_at=tx.now,
            )
        )  # fmt: skip
    return one


def test_with_an_application_goes_what_it_claimed_and_the_files_that_came_with_it(
    ctx, make, applied
):
    assert {"accreditations", "evidence_files"} <= {*named(make, "z-77"), *named(make, "zephyrine")}
    (token,) = links_of(ctx)
    withdraw(ctx, token)
    assert [*named(make, "z-77"), *named(make, "zephyrine"), *named(make, b"zephyrine".hex())] == []


def test_the_files_of_who_was_turned_away_go_with_the_contact(ctx, make, applied):
    service.reject_provider(ctx, ADMIN, applied.id, reason="Not found in the register.")
    soon = replace(ctx, policy=replace(ctx.policy, applications_kept=timedelta(0)))
    apply_retention(soon, OPERATOR)
    assert "evidence_files" not in named(make, "zephyrine")
    assert "accreditations" in named(make, "z-77")


def test_who_was_verified_meanwhile_signs_in_and_leaves_there(ctx, make):
    apply(ctx)
    (token,) = links_of(ctx)
    one = make.ask(lambda session: session.scalars(select(Provider)).one())
    service.approve_provider(ctx, ADMIN, one.id)
    with pytest.raises(Conflict, match="sign in"):
        withdraw(ctx, token)
    assert make.ask(lambda session: session.get(Provider, one.id)).state == "verified"


def test_who_names_somebody_elses_provider_takes_back_their_own_letter_alone(ctx, make):
    number = {"registration_number": "51 824 753 556"}
    apply(ctx, **number)
    stranger = {"name": "Max Stone", "email": "max@elsewhere.example", "phone": None}
    apply(ctx, contact=stranger, **number)
    theirs, of_the_stranger = links_of(ctx)
    assert theirs.startswith("withdraw_")
    assert of_the_stranger.startswith("withdraw_")
    withdraw(ctx, of_the_stranger)
    assert named(make, "max@elsewhere.example") == []
    one = make.ask(lambda session: session.scalars(select(Provider)).one())
    assert (one.state, one.contact_name) == ("applied", "Kim Reyes")
    withdraw(ctx, theirs)
    assert named(make, "kim@zephyrine.example") == []


def test_of_an_approval_and_a_withdrawal_at_once_one_wins(ctx, make, at_once):
    apply(ctx)
    (token,) = links_of(ctx)
    one = make.ask(lambda session: session.scalars(select(Provider)).one())
    ended = at_once(
        [lambda: withdraw(ctx, token), lambda: service.approve_provider(ctx, ADMIN, one.id)]
    )
    assert sum(isinstance(each, Conflict) for each in ended) == 1
    now = make.ask(lambda session: session.get(Provider, one.id))
    assert (now.state, now.name) in (("rejected", "erased"), ("verified", one.name))


def test_by_the_page_and_by_software(ctx, make, browser, client):
    apply(ctx)
    page = browser()
    (token,) = links_of(ctx)
    assert "Take your application back?" in page.open(f"/join/withdraw/{token}").text
    assert token not in page.page.at
    assert "Your application is erased" in page.send("/join/withdraw").text
    assert page.open(f"/join/withdraw/{token}").status == 410
    apply(ctx, "Other Quality Pty Ltd")
    (*_, other) = links_of(ctx)
    at = "/api/v1/provider-applications/withdrawals"
    assert client.post(at, json={"token": other}).status_code == 204
    answers = {
        client.post(at, json={"token": each}).get_data(as_text=True).split('"request_id"')[0]
        for each in (other, token, "withdraw_" + "x" * 32)
    }
    assert len(answers) == 1
    assert Purpose.WITHDRAW == "withdraw"
