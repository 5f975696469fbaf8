"""Schemas that several endpoints share."""

from typing import Any

from marshmallow import Schema, fields, validate

from marketplace.core.calendars import CalendarKind
from marketplace.core.texts import N_
from marketplace.leads.rules import CertificationStatus, Service, Timeframe
from marketplace.notifications.rules import CommitmentState, SuppressionReason
from marketplace.web.fields import (
    Choice,
    Day,
    Email,
    In,
    ListOf,
    MapOf,
    Moment,
    Text,
    WebAddress,
    WholeNumber,
    YesNo,
    optional,
)


def code(at_most: int = 60, **kwargs: Any) -> Text:
    """Return a field for a code of the catalogue; whether it exists, the use case says."""
    return Text(at_most=at_most, **kwargs)


class CompanyIn(In):
    """Which business asks."""

    name = Text(at_most=200, at_least=2, required=True)
    country = Text(at_most=2, at_least=2, required=True, metadata={"example": "AU"})
    registration_number = Text(at_most=40, **optional())
    website = WebAddress(**optional())


class ContactIn(In):
    """Who asks for it."""

    name = Text(at_most=120, required=True)
    email = Email(required=True)
    phone = Text(at_most=40, **optional())
    role = Text(at_most=120, **optional())


class ConsultantUsedIn(In):
    """Who advised the business, until when; null: still does."""

    name = Text(at_most=200, required=True)
    ended_on = Day(**optional())


class NeedIn(In):
    """What is needed, where and until when."""

    editions = MapOf(
        keys=Text(at_most=60),
        values=Text(at_most=40),
        load_default=dict,
        error_messages={"invalid": N_("must be an object of standard and edition")},
    )
    sites = WholeNumber(least=1, most=10_000, load_default=1)
    sector = code(**optional())
    certification_status = Choice(CertificationStatus, load_default=CertificationStatus.NONE)
    timeframe = Choice(Timeframe, **optional())
    needed_by = Day(**optional())
    remote_ok = YesNo(load_default=False)
    language = code(**optional(), metadata={"example": "en"})
    notes = Text(at_most=4000, lines=True, **optional())


class ConsentIn(In):
    """What the business agrees to."""

    share_with_matched_providers = YesNo(
        required=True,
        validate=validate.Equal(
            True, error=N_("is needed: without it no provider could be given your request")
        ),
    )
    terms_version = Text(at_most=40, required=True)


class LeadIn(NeedIn):
    """The lead form."""

    company = fields.Nested(CompanyIn, required=True)
    contact = fields.Nested(ContactIn, required=True)
    service = Choice(Service, required=True)
    standards = ListOf(code(), least=1, most=6, required=True)
    regions = ListOf(code(), least=1, most=10, required=True)
    headcount = WholeNumber(least=1, most=1_000_000, required=True)
    consultants_used = ListOf(
        fields.Nested(ConsultantUsedIn), most=10, repeats=True, load_default=list
    )
    consent = fields.Nested(ConsentIn, required=True)


class HolidaySchema(Schema):
    """A public holiday."""

    date = fields.String(metadata={"format": "date"})
    name = fields.String()


class MadeUnderSchema(Schema):
    """What a commitment was made under; later changes of policy do not move it."""

    response_window_seconds = fields.Float()
    at_risk_share = fields.Float(metadata={"description": "at risk once this share is left"})
    time_zone = fields.String(metadata={"description": "whose midnights part business days"})
    region = fields.String(metadata={"description": "whose public holidays do not count"})
    holidays = fields.List(
        fields.Nested(HolidaySchema),
        metadata={"description": "those that did not count between its start and its due time"},
    )


class MailStoppedSchema(Schema):
    """That an address gets no mail, and why."""

    reason = Choice(SuppressionReason)
    since = Moment()


class CommitmentSchema(Schema):
    """The promise of a first response in time, and how it stands."""

    state = Choice(CommitmentState)
    started_at = Moment()
    due_at = Moment()
    calendar = Choice(
        CalendarKind, metadata={"description": "in which time its windows are counted"}
    )
    policy = fields.Nested(MadeUnderSchema)
    first_response_at = Moment(allow_none=True)
    responses = fields.Integer()
    target = fields.Integer()


class ReceiptSchema(Schema):
    """What is answered to a form, whatever else is known of the business."""

    reference = fields.String()
    status = fields.String()
    confirm_by = Moment(allow_none=True)


class BriefSchema(Schema):
    """What is needed: what a provider sees before it accepts."""

    reference = fields.String()
    service = Choice(Service)
    standards = fields.List(fields.String())
    editions = fields.Dict(keys=fields.String(), values=fields.String())
    country = fields.String()
    regions = fields.List(fields.String())
    headcount = fields.Integer()
    sites = fields.Integer()
    sector = fields.String(allow_none=True)
    certification_status = Choice(CertificationStatus)
    timeframe = Choice(Timeframe, allow_none=True)
    needed_by = fields.Date(allow_none=True)
    remote_ok = fields.Boolean()
    language = fields.String(allow_none=True)
    notes = fields.String(allow_none=True)
