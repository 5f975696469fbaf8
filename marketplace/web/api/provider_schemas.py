"""The shapes in which providers, their coverage and their accreditations come in and go out."""

from marshmallow import Schema, fields, validate

from marketplace.core.texts import N_
from marketplace.providers.rules import (
    CAPACITY_AT_MOST,
    HEADCOUNT_RANGE,
    LANGUAGES_AT_MOST,
    WEEKS_TO_START_AT_MOST,
    AccreditationState,
    CheckResult,
    PauseReason,
    ProviderKind,
    ProviderState,
    default_coverage,
)
from marketplace.web.api.common import MailStoppedSchema
from marketplace.web.fields import (
    Choice,
    Day,
    Email,
    In,
    ListOf,
    Moment,
    Text,
    WebAddress,
    WholeNumber,
    YesNo,
    optional,
)

_least, _most = HEADCOUNT_RANGE
_at_once, _in_a_month = CAPACITY_AT_MOST
_default = default_coverage()


class NewContactSchema(In):
    """Whom to write to."""

    name = Text(at_most=120, required=True)
    email = Email(required=True)
    phone = Text(at_most=40, **optional())


class NewCoverageSchema(In):
    """What a provider takes on."""

    standards = ListOf(Text(at_most=40), least=1, most=100, required=True)
    regions = ListOf(Text(at_most=10), least=1, most=500, required=True)
    sectors = ListOf(Text(at_most=10), most=100, load_default=list)
    headcount_min = WholeNumber(least=_least, most=_most, load_default=_default["headcount_min"])
    headcount_max = WholeNumber(least=_least, most=_most, load_default=_default["headcount_max"])
    remote = YesNo(load_default=_default["remote"])
    open_capacity = WholeNumber(least=0, most=_at_once, load_default=_default["open_capacity"])
    monthly_capacity = WholeNumber(
        least=0, most=_in_a_month, load_default=_default["monthly_capacity"]
    )
    languages = ListOf(Text(at_most=60), most=LANGUAGES_AT_MOST, load_default=list)
    weeks_to_start = WholeNumber(least=0, most=WEEKS_TO_START_AT_MOST, **optional())


class NewProviderSchema(In):
    """A provider that asks to join."""

    name = Text(at_most=200, required=True)
    kind = Choice(ProviderKind, required=True)
    country = Text(at_most=2, at_least=2, required=True)
    registration_number = Text(at_most=40, **optional())
    website = WebAddress(**optional())
    contact = fields.Nested(NewContactSchema, required=True)
    coverage = fields.Nested(NewCoverageSchema, required=True)


class ChangedContactSchema(In):
    """What changes about whom to write to."""

    name = Text(at_most=120)
    email = Email()
    phone = Text(at_most=40, allow_none=True)


class ChangedCoverageSchema(In):
    """What changes about what a provider takes on."""

    standards = ListOf(Text(at_most=40), least=1, most=100)
    regions = ListOf(Text(at_most=10), least=1, most=500)
    sectors = ListOf(Text(at_most=10), most=100)
    headcount_min = WholeNumber(least=_least, most=_most)
    headcount_max = WholeNumber(least=_least, most=_most)
    remote = YesNo()
    open_capacity = WholeNumber(least=0, most=_at_once)
    monthly_capacity = WholeNumber(least=0, most=_in_a_month)
    languages = ListOf(Text(at_most=60), most=LANGUAGES_AT_MOST)
    weeks_to_start = WholeNumber(least=0, most=WEEKS_TO_START_AT_MOST, allow_none=True)


class ChangedProviderSchema(In):
    """What a provider changes of its profile; what is left out stays as it is."""

    website = WebAddress(allow_none=True)
    contact = fields.Nested(ChangedContactSchema)
    coverage = fields.Nested(ChangedCoverageSchema)


class ContactSchema(Schema):
    """Whom to write to."""

    name = fields.String(attribute="contact_name")
    email = fields.String(attribute="contact_email")
    phone = fields.String(attribute="contact_phone", allow_none=True)


class CoverageSchema(Schema):
    """What a provider takes on, and how much of it is in use."""

    standards = fields.List(fields.String())
    regions = fields.List(fields.String())
    sectors = fields.List(fields.String())
    headcount_min = fields.Integer()
    headcount_max = fields.Integer()
    remote = fields.Boolean()
    open_capacity = fields.Integer()
    monthly_capacity = fields.Integer()
    languages = fields.List(fields.String())
    weeks_to_start = fields.Integer(allow_none=True)
    open_count = fields.Integer()


class PauseSchema(Schema):
    """A time without invitations."""

    id = fields.UUID()
    from_ = Moment(attribute="starts_at", data_key="from")
    until = Moment(
        attribute="ends_at",
        allow_none=True,
        metadata={"description": "null: until the provider comes back"},
    )
    reason = Choice(
        PauseReason, allow_none=True, metadata={"description": "null: the provider's own wish"}
    )


class ProfileSchema(Schema):
    """A provider, as it sees itself and as administrators see it."""

    id = fields.UUID(attribute="provider.id")
    name = fields.String(attribute="provider.name")
    kind = Choice(ProviderKind, attribute="provider.kind")
    state = Choice(ProviderState, attribute="provider.state")
    state_reason = fields.String(attribute="provider.state_reason", allow_none=True)
    country = fields.String(attribute="provider.country")
    registration_number = fields.String(attribute="provider.registration_number", allow_none=True)
    website = fields.String(attribute="provider.website", allow_none=True)
    contact = fields.Nested(ContactSchema, attribute="provider")
    coverage = fields.Nested(CoverageSchema)
    used_this_month = fields.Integer()
    pauses = fields.List(fields.Nested(PauseSchema))
    mail_stopped = fields.Nested(MailStoppedSchema, allow_none=True)
    created_at = Moment(attribute="provider.created_at")
    verified_at = Moment(attribute="provider.verified_at", allow_none=True)


class NewAccreditationSchema(In):
    """What a certification body says it holds."""

    standard = Text(at_most=40, required=True)
    edition = Text(at_most=40, required=True)
    body = Text(at_most=40, required=True)
    certificate_number = Text(
        at_most=80,
        required=True,
        # These separate accreditations and their parts in files.
        validate=validate.Regexp(r"[^|;]*\Z", error=N_("must not contain | or ;")),
    )
    sectors = ListOf(Text(at_most=10), least=1, most=100, **optional())
    valid_from = Day(**optional())
    valid_until = Day(required=True)


class LastCheckSchema(Schema):
    """What the last look into a register showed."""

    result = Choice(CheckResult)
    checked_on = fields.Date()
    source = fields.String()


class AccreditationSchema(Schema):
    """An accreditation, whether it counts, and when somebody looked last."""

    id = fields.UUID(attribute="accreditation.id")
    standard = fields.String(attribute="accreditation.standard")
    edition = fields.String(attribute="accreditation.edition", allow_none=True)
    body = fields.String(attribute="accreditation.body")
    certificate_number = fields.String(attribute="accreditation.certificate_number")
    sectors = fields.List(fields.String(), attribute="accreditation.sectors", allow_none=True)
    valid_from = fields.Date(attribute="accreditation.valid_from", allow_none=True)
    valid_until = fields.Date(attribute="accreditation.valid_until")
    state = Choice(AccreditationState, attribute="accreditation.state")
    verified_at = Moment(attribute="accreditation.verified_at", allow_none=True)
    last_check = fields.Nested(LastCheckSchema, allow_none=True)
    evidence = fields.String(allow_none=True, metadata={"description": "the file's name"})
