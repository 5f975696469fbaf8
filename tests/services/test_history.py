"""All that happened, in one line of time; and words for every kind of it."""

import ast
import re
from pathlib import Path

import marketplace
from marketplace.core.actors import OPERATOR
from marketplace.insights.history import lead_history, provider_history
from marketplace.invitations import questions
from marketplace.web.pages import deeds
from tests.factories import person_of
from tests.services.road import a_quote, held

ELSEWHERE = (
    "catalogue.changed",
    "coverage.mended",
    "embedding_site.added",
    "embedding_site.removed",
    "notification.claimed",
    "notification.suppressed",
    "providers.exported",
    "suppression.lifted",
    "suppression.made",
    "user.second_factor_set_up",
)
"""What is neither a lead's nor a provider's."""


def test_a_lead_has_its_messages_invitations_questions_and_quotes_newest_first(ctx, make, clock):
    make.provider(name="Harbour Quality Pty Ltd")
    lead = make.matched_lead()
    (invitation,) = held(make, lead)
    clock.advance(minutes=5)
    questions.ask_question(
        ctx, person_of(invitation.provider_id), invitation.id, text="How many shifts?"
    )
    a_quote(ctx, invitation)
    found = lead_history(ctx, OPERATOR, lead.id, after=None)
    verbs = [each.verb for each in found.entries]
    assert {"lead.submitted", "lead.opened", "invitation.sent", "question.asked",
            "quote.submitted", "commitment.met", "message"} <= set(verbs)  # fmt: skip
    assert verbs.index("quote.submitted") < verbs.index("invitation.sent")
    assert [each.at for each in found.entries] == sorted(
        (each.at for each in found.entries), reverse=True
    )
    asked = next(each for each in found.entries if each.verb == "question.asked")
    assert asked.about == {"provider": "Harbour Quality Pty Ltd"}


def test_a_provider_has_what_became_of_its_invitations_and_nobody_elses(ctx, make):
    one, _other = make.provider(), make.provider()
    lead = make.matched_lead()
    found = provider_history(ctx, OPERATOR, one.id, after=None)
    sent = [each for each in found.entries if each.verb == "invitation.sent"]
    assert [each.about for each in sent] == [{"reference": lead.reference}]
    assert [each.lead_id for each in sent] == [lead.id]


def test_every_verb_that_is_recorded_of_a_lead_or_a_provider_has_words(app):
    recorded = set()
    for path in Path(marketplace.__file__).parent.rglob("*.py"):
        for call in ast.walk(ast.parse(path.read_text())):
            if isinstance(call, ast.Call) and getattr(call.func, "id", "").startswith("record"):
                recorded |= {
                    arg.value
                    for arg in call.args
                    if isinstance(arg, ast.Constant) and "." in str(arg.value)
                }
            if isinstance(call, ast.Constant) and "INSERT INTO events" in str(call.value):
                recorded |= {*re.findall(r"'([a-z_]+\.[a-z_]+)'", str(call.value))}
    assert len(recorded) > 40
    assert "provider.imported" in recorded
    with app.test_request_context():
        assert not recorded - set(deeds.SENTENCES) - set(ELSEWHERE)
