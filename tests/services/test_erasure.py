"""What erasure has to reach beyond the row of a request, and export has to hand out."""

import pytest
from sqlalchemy import select

from marketplace.core.errors import Conflict
from marketplace.leads import service as leads
from marketplace.leads.rules import LeadState
from marketplace.notifications import delivery
from marketplace.notifications.channels import Message
from marketplace.notifications.models import Notification
from marketplace.notifications.rules import Attempt, NotificationState, SendOutcome
from marketplace.notifications.service import retry_notification
from marketplace.privacy.export import business_data
from marketplace.quotes.erasure import erase_request
from marketplace.web.api.common import LeadIn
from marketplace.web.requests import load
from tests.factories import ADMIN, business_of, lead_form
from tests.services.whole_request import EMAIL, NAME, PERSON, lead_now, named_in


def a_form(**contact):
    form = lead_form(1, notes=f"For {NAME}.")
    form["company"] |= {"name": NAME, "website": "https://zephyrine.example"}
    form["contact"] |= {"name": PERSON, "email": EMAIL} | contact
    return form


@pytest.fixture
def sent_twice(ctx, make):
    """Return a request that runs, and the form of its contact that was set aside meanwhile."""
    lead = make.matched_lead(**a_form())
    again = leads.submit_lead(ctx, load(LeadIn(), a_form(email=EMAIL.title())))
    return lead, make.lead_called(again.reference)


def test_a_form_that_was_set_aside_is_handed_out_and_erased_with_the_request(ctx, make, sent_twice):
    lead, aside = sent_twice
    assert aside.state is LeadState.SUPERSEDED
    given = business_data(ctx, business_of(lead))
    assert [each["reference"] for each in given["set_aside"]] == [aside.reference]
    assert "request_running" in [each["template"] for each in given["messages"]]
    erase_request(ctx, business_of(lead))
    assert named_in(make) == ["notifications"]  # the last word, which goes once it is sent
    assert lead_now(make, aside).state is LeadState.SUPERSEDED


def test_a_colleagues_form_stays_with_the_colleague(ctx, make):
    lead = make.matched_lead(**a_form())
    other = a_form(name="Lee Okafor", email="lee@zephyrine.example")
    theirs = make.lead_called(leads.submit_lead(ctx, load(LeadIn(), other)).reference)
    assert "Okafor" not in str(business_data(ctx, business_of(lead)))
    erase_request(ctx, business_of(lead))
    assert lead_now(make, theirs).contact_name == "Lee Okafor"


class Refusing:
    """A way out that takes no message, for this reason."""

    public_url = "https://quotes.example"

    def __init__(self, outcome):
        self.outcome = outcome

    def send(self, ctx, message: Message) -> Attempt:
        return Attempt(self.outcome, "refused")


@pytest.mark.parametrize(
    ("outcome", "state"),
    [
        (SendOutcome.MESSAGE_REFUSED, NotificationState.FAILED),
        (SendOutcome.UNWANTED, NotificationState.SUPPRESSED),
    ],
)
def test_the_last_word_is_forgotten_where_it_cannot_be_handed_on_as_well(ctx, make, outcome, state):
    lead = make.lead(**a_form())
    erase_request(ctx, business_of(lead))
    delivery.deliver_due_notifications(ctx, Refusing(outcome))
    assert named_in(make) == []
    last = make.ask(lambda session: session.scalars(
        select(Notification).where(Notification.template == "data_erased")).one())  # fmt: skip
    assert last.state is state
    with pytest.raises(Conflict, match="forgotten"):
        retry_notification(ctx, ADMIN, last.id)
