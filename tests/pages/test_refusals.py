"""What is wrong with a field is said in whole sentences, whatever a provider's form is sent."""

import ast
from pathlib import Path

import pytest
from marshmallow import fields

import marketplace
from marketplace.core.texts import Told
from marketplace.web.api.portal_api_keys import NewApiKeySchema
from marketplace.web.api.portal_invitations import DeclineIn, QuestionIn
from marketplace.web.api.portal_webhook import NewWebhookSchema
from marketplace.web.api.provider_schemas import (
    ChangedProviderSchema,
    NewAccreditationSchema,
    NewProviderSchema,
)
from marketplace.web.api.quotes import QuoteIn
from marketplace.web.pages.forms import Filled, by_field
from marketplace.web.pages.portal_leave import LeaveSchema
from marketplace.web.pages.portal_team import NewMemberSchema
from marketplace.web.pages.quote_labels import LABELS
from marketplace.web.pages.refusals import SENTENCES, whole
from marketplace.web.requests import load

FORMS = (
    ChangedProviderSchema, NewProviderSchema, NewAccreditationSchema, NewMemberSchema, LeaveSchema,
    QuoteIn, QuestionIn, DeclineIn, NewApiKeySchema, NewWebhookSchema,
)  # fmt: skip

BY_PROGRAMS_ALONE = {
    "must be an object",
    "is not a field of this form",
    "must be a text or a list of texts",
    "Field may not be null.",
    "must be a time such as 2026-11-22T09:00:00Z",
}
"""What no page can send."""

WRONG = ("", "x" * 5000, "\u202e", -1, 0, 10**10, True, [], ["x", "x"], [""] * 200, {}, None, 0.3)


@pytest.mark.parametrize("form", FORMS)
def test_every_refusal_of_every_field_has_its_sentence(form):
    found = set()
    for wrong in ({}, *(filled(form(), value) for value in WRONG)):
        found |= {error.detail for error in load(form(), wrong).problems}
    texts = {each.text if isinstance(each, Told) else each for each in found}
    unsaid = {
        text
        for text in texts - SENTENCES.keys() - BY_PROGRAMS_ALONE
        if not text.startswith(("Not a valid", "is no part of", "Invalid"))
    }
    assert not unsaid


def filled(schema, value):
    """Return a form with the same value in every field."""
    found = {}
    for name, each in schema.fields.items():
        inner = each.inner if isinstance(each, fields.List) else each
        nested = isinstance(inner, fields.Nested)
        content = filled(inner.schema, value) if nested else value
        found[each.data_key or name] = [content] if nested and inner is not each else content
    return found


def test_every_refusal_of_what_a_provider_does_has_its_sentence():
    package = Path(marketplace.__file__).parent
    said = set()
    for name in ("accreditations", "pauses", "intake", "team"):
        said |= constants(package / "providers" / f"{name}.py")
    said |= constants(package / "quotes" / "intake.py")
    assert len(said) > 15
    by_themselves = ("is a ", "at most ")
    assert not {text for text in said - SENTENCES.keys() if not text.startswith(by_themselves)}


def constants(path):
    return {
        str(node.args[place].value)
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call)
        and (place := {"FieldError": 1, "Told": 0}.get(getattr(node.func, "id", ""))) is not None
        and isinstance(node.args[place], ast.Constant)
    }


def test_the_name_of_a_field_stands_in_the_sentence_with_the_number_of_its_row(app):
    problems = load(QuoteIn(), {"kind": "consulting", "phases": [{"name": "All"}]}).problems
    with app.test_request_context():
        said = dict(Filled(LABELS).wrong(problems).summary)
        assert said["phases-0-fee"] == "The fee of phase 1 is required"
        assert said["currency"] == "The currency is required"
        assert whole(Told("must have at most %(most)d characters", most=40), "The notes") == (
            "The notes must have at most 40 characters: please shorten it"
        )
        assert whole("is unheard of", "The notes") == "The notes: is unheard of"
    assert by_field(problems, LABELS).keys() == {"phases.0.fee", "currency", "valid_until"}
