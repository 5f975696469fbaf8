"""Flat forms and nested data, there and back."""

import pytest
from werkzeug.datastructures import MultiDict

from marketplace.core.errors import FieldError
from marketplace.web.api.common import LeadIn
from marketplace.web.api.provider_schemas import ChangedProviderSchema
from marketplace.web.api.quotes import QuoteIn
from marketplace.web.pages.forms import Filled, by_field, read, typed_from
from marketplace.web.pages.words import file_size


def test_a_form_becomes_the_structure_that_the_schema_takes():
    sent = MultiDict(
        [
            ("company.name", "Kestrel"),
            ("company.country", "AU"),
            ("company.website", "  "),
            ("standards", "ISO 9001"),
            ("standards", "ISO 14001"),
            ("headcount", "1,200"),
            ("sites", "two"),
            ("remote_ok", "no"),
            ("remote_ok", "yes"),
            ("consent.share_with_matched_providers", "no"),
            ("csrf_token", "not of the schema"),
        ]
    )
    assert read(LeadIn(), sent).data == {
        "company": {"name": "Kestrel", "country": "AU"},
        "contact": {},
        "consent": {"share_with_matched_providers": False},
        "standards": ["ISO 9001", "ISO 14001"],
        "headcount": 1200,
        "sites": "two",
        "remote_ok": True,
    }


def test_blank_rows_are_left_out_and_the_others_close_up():
    sent = MultiDict(
        [
            ("kind", "consulting"),
            ("phases.0.name", ""),
            ("phases.0.fee", " "),
            ("phases.2.name", "Build"),
            ("phases.2.fee", "1,250.50"),
            ("phases.2.days", "2.5"),
            ("phases.2.deliverables", "Manual\r\n\r\nTraining"),
        ]
    )
    read_form = read(QuoteIn(), sent)
    assert read_form.data["phases"] == [
        {
            "name": "Build",
            "fee": "1250.50",
            "days": 2.5,
            "deliverables": ["Manual", "Training"],
        }
    ]
    assert read_form.typed["phases.0.fee"] == ["1,250.50"]


@pytest.mark.parametrize("typed", ["1250,50", "1.250,50", "12,34", "a lot"])
def test_an_amount_that_could_mean_two_things_is_left_to_be_refused(typed):
    sent = MultiDict([("kind", "consulting"), ("phases.0.fee", typed)])
    assert read(QuoteIn(), sent).data["phases"][0]["fee"] == typed


def test_a_form_that_changes_what_is_there_can_clear_it():
    sent = MultiDict(
        [("website", ""), ("contact.name", ""), ("coverage.sectors", ""), ("coverage.remote", "no")]
    )
    assert read(ChangedProviderSchema(), sent, clears=True).data == {
        "website": None,
        "contact": {"name": ""},
        "coverage": {"sectors": [], "remote": False},
    }


def test_every_pointer_finds_its_field_or_its_group():
    known = {"", "contact.email", "standards", "phases", "phases.fee"}
    errors = [
        FieldError("/contact/email", "is required"),
        FieldError("/standards/0", "is one"),
        FieldError("/standards/1", "is two"),
        FieldError("/phases/3/fee", "is required"),
        FieldError("/editions/ISO 9001", "is elsewhere"),
    ]
    assert by_field(errors, known) == {
        "contact.email": ["is required"],
        "standards": ["is one", "is two"],
        "phases.3.fee": ["is required"],
        "": ["is elsewhere"],
    }


def test_problems_are_told_in_the_order_of_the_page_as_sentences():
    labels = {"service": "The service", "phases.fee": "The fee of phase", "email": "The address"}
    errors = [
        FieldError("/email", "is required"),
        FieldError("/phases/1/fee", "is required"),
        FieldError("/service", "ISO 31000 gives guidance"),
    ]
    assert Filled(labels).wrong(errors).summary == [
        ("service", "ISO 31000 gives guidance"),
        ("phases-1-fee", "The fee of phase 2 is required"),
        ("email", "The address is required"),
    ]


def test_data_comes_back_as_somebody_would_have_typed_it():
    body = {
        "currency": "AUD",
        "phases": [{"name": "Build", "days": 2.0, "on_site": True, "deliverables": ["A", "B"]}],
        "notes": None,
    }
    assert typed_from(body) == {
        "currency": ["AUD"],
        "phases.0.name": ["Build"],
        "phases.0.days": ["2"],
        "phases.0.on_site": ["yes"],
        "phases.0.deliverables": ["A", "B"],
    }


@pytest.mark.parametrize(
    ("size", "said"),
    [
        (1, "1 KB"), (1499, "1 KB"), (340_400, "340 KB"), (999_499, "999 KB"), (999_500, "1 MB"),
        (1_250_000, "1.2 MB"), (5 * 1024 * 1024, "5.2 MB"),
    ],
)  # fmt: skip
def test_how_large_a_file_is_is_said_in_round_numbers(app, size, said):
    with app.test_request_context():
        assert file_size(size) == said
