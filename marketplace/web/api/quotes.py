"""A structured quote of either kind, as it is sent."""

import re
from decimal import Decimal
from typing import Any

from marshmallow import ValidationError, fields, validates_schema

from marketplace.core.policy import Policy
from marketplace.core.texts import N_
from marketplace.quotes.phases import Work
from marketplace.quotes.rules import QuoteKind, TravelBasis
from marketplace.web.fields import (
    Amount,
    Choice,
    Day,
    HalfDays,
    In,
    ListOf,
    Text,
    WholeNumber,
    YesNo,
    optional,
)


class Percent(fields.Field[Decimal]):
    """A rate in percent: `"10"` or `10`, from 0 to 100 with at most two places."""

    default_error_messages = {"invalid": N_('must be a rate in percent, such as "10"')}
    _SHAPE = re.compile(r"\d{1,3}(\.\d{1,2})?", re.ASCII)

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> Decimal:
        text = str(value).strip() if isinstance(value, int | float | str) else ""
        if isinstance(value, bool) or not self._SHAPE.fullmatch(text) or Decimal(text) > 100:
            raise self.make_error("invalid")
        return Decimal(text)


class Lines(fields.Field[list[str]]):
    """One text, or a list of them; kept as a list."""

    _one = Text(at_most=4000, lines=True)
    _many = ListOf(Text(at_most=1000, lines=True), most=50, repeats=True)

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> list[str]:
        if isinstance(value, str):
            return [self._one.deserialize(value)]
        try:
            return list(self._many.deserialize(value))
        except ValidationError as error:
            if error.messages == ["must be a list"]:
                raise ValidationError("must be a text or a list of texts") from None
            raise


class QuotedStandardIn(In):
    """What the certificate would be to."""

    code = Text(at_most=60, required=True)
    edition = Text(at_most=40, **optional())


class AuditDaysIn(In):
    """Days of audit time in steps of a half; what is left out is shown as missing."""

    stage_1 = HalfDays(required=True)
    stage_2 = HalfDays(required=True)
    surveillance_1 = HalfDays(**optional())
    surveillance_2 = HalfDays(**optional())
    recertification = HalfDays(**optional())


class FeesIn(In):
    """Amounts without tax; what is left out is shown as missing, never as zero."""

    application = Amount(**optional())
    stage_1 = Amount(required=True)
    stage_2 = Amount(required=True)
    surveillance_1 = Amount(**optional())
    surveillance_2 = Amount(**optional())
    recertification = Amount(**optional())
    annual = Amount(**optional())
    travel = Amount(**optional())


class PhaseIn(In):
    """A phase of consulting."""

    name = Text(at_most=200, required=True)
    deliverables = Lines(load_default=list)
    days = HalfDays(**optional())
    covers = ListOf(
        Choice(Work),
        most=len(Work),
        metadata={"description": "Which of the usual work it is; else its words are looked at."},
    )
    on_site = YesNo(**optional())
    fee = Amount(required=True)


class QuoteIn(In):
    """A quote: for certification or for consulting, each with its own fields."""

    kind = Choice(QuoteKind, required=True)
    currency = Text(at_most=3, at_least=3, required=True, metadata={"example": "AUD"})
    tax_rate = Percent(**optional())
    earliest_start = Day(**optional())
    valid_until = Day(required=True)
    notes = Text(at_most=4000, lines=True, **optional())
    total = Amount(
        digits=11,
        allow_none=True,
        metadata={
            "description": "a check, and not kept: what all amounts that are stated add up to "
            "(three years, or all phases and travel; without tax)"
        },
    )

    standards = ListOf(fields.Nested(QuotedStandardIn), least=1, most=6)
    audit_days = fields.Nested(AuditDaysIn)
    fees = fields.Nested(FeesIn)
    travel_basis = Choice(TravelBasis)
    effective_personnel = WholeNumber(least=1, most=1_000_000, allow_none=True)
    accreditation_id = fields.UUID(allow_none=True)
    assumptions = Lines(allow_none=True)

    phases = ListOf(fields.Nested(PhaseIn), least=1, most=30, repeats=True)
    travel = Amount(allow_none=True)
    duration_weeks = WholeNumber(least=1, most=Policy.duration_weeks_at_most, allow_none=True)
    client_duties = Lines(allow_none=True)
    exclusions = Lines(allow_none=True)

    needed = {
        QuoteKind.CERTIFICATION: ("standards", "audit_days", "fees"),
        QuoteKind.CONSULTING: ("phases",),
    }
    own_fields = {
        QuoteKind.CERTIFICATION: (
            "standards", "audit_days", "fees", "travel_basis", "effective_personnel",
            "accreditation_id", "assumptions",
        ),
        QuoteKind.CONSULTING: (
            "phases", "travel", "duration_weeks", "client_duties", "exclusions",
        ),
    }  # fmt: skip

    @validates_schema(pass_original=True, skip_on_field_errors=False)
    def _fits_its_kind(self, values: dict[str, Any], sent: Any, **kwargs: Any) -> None:
        """Ask for what this kind of quote needs, and refuse what belongs to the other."""
        kind = values.get("kind") if isinstance(sent, dict) else None
        if kind is None:
            return
        wrong = {name: ["is required"] for name in self.needed[kind] if name not in sent}
        for other, names in self.own_fields.items():
            if other is not kind:
                wrong |= {name: [f"is no part of a {kind} quote"] for name in names if name in sent}
        if wrong:
            raise ValidationError(wrong)
