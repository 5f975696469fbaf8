"""Marshmallow fields that take exactly what the contract says, and say plainly what they want."""

import re
import unicodedata
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any
from urllib.parse import urlsplit

from email_validator import SPECIAL_USE_DOMAIN_NAMES, EmailNotValidError, validate_email
from marshmallow import Schema, ValidationError, fields, missing
from marshmallow.validate import Range

from marketplace.core.policy import Policy
from marketplace.core.texts import N_, Told

# Letters that turn the direction of what follows are among them: by one a name reads as another.
_UNSEEN = r"\x7f-\x9f\u2028-\u202e\u2066-\u2069\ufeff\ud800-\udfff"
_CONTROL = re.compile(rf"[\x00-\x1f{_UNSEEN}]")
_CONTROL_BUT_LF = re.compile(rf"[\x00-\x09\x0b-\x1f{_UNSEEN}]")

_UNTYPED = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]")


class In(Schema):
    """The base of everything that comes in: unknown fields are refused."""

    error_messages = {"unknown": N_("is not a field of this form"), "type": N_("must be an object")}

    def on_bind_field(self, field_name: str, field_obj: fields.Field[Any]) -> None:
        """Say in words of our own what the library would say, of entries of a list as well."""
        inner = getattr(field_obj, "inner", None)
        for each in (field_obj, inner) if inner else (field_obj,):
            for key, ours in _OURS.items():
                if each.error_messages.get(key) == _THEIRS[key]:
                    each.error_messages[key] = ours


_THEIRS = fields.UUID.default_error_messages | fields.Field.default_error_messages
_OURS = {
    "required": N_("is required"),
    "null": N_("must not be null"),
    "invalid_uuid": N_("must be an id (UUID)"),
}


def said(text: str) -> dict[str, str]:
    """Return error messages that all say `text`, for fields that can be wrong in one way only."""
    return dict.fromkeys(("invalid", "type", "too_large", "special"), text)


class Text(fields.String):
    """Trimmed, NFC, without control characters; line breaks (as LF) only where `lines` is set."""

    default_error_messages = {
        "required": N_("is required"),
        "null": N_("must not be null"),
        "invalid": N_("must be a text"),
        "control": N_("must not contain control characters"),
        "empty": N_("must not be empty"),
    }

    def __init__(
        self, *, at_most: int, at_least: int = 1, lines: bool = False, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.lines = lines
        self.at_least = at_least
        self.at_most = at_most
        self.validators = [self._require_room, *self.validators]
        self.metadata = {"maxLength": at_most, **self.metadata}
        self.metadata = {"minLength": at_least, **self.metadata}

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> str:
        if not isinstance(value, str):
            raise self.make_error("invalid")
        text = unicodedata.normalize("NFC", value)
        if self.lines:
            text = text.replace("\r\n", "\n").replace("\r", "\n")
        if (_CONTROL_BUT_LF if self.lines else _CONTROL).search(text.strip()):
            raise self.make_error("control")
        text = text.strip()
        # A name of zero-width letters would be none.
        shows = any(each.isprintable() and not each.isspace() for each in text)
        if not shows and (text or self.at_least):
            raise self.make_error("empty")
        if len(text) < self.at_least:
            raise ValidationError(
                Told("must have at least %(least)d characters", least=self.at_least)
            )
        return text

    def _require_room(self, text: str) -> None:
        if len(text) > self.at_most:
            raise ValidationError(Told("must have at most %(most)d characters", most=self.at_most))


class Password(Text):
    """A password as it was typed, spaces at its ends included; only what no keyboard has is out."""

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> str:
        if not isinstance(value, str):
            raise self.make_error("invalid")
        if _UNTYPED.search(value):
            raise self.make_error("control")
        if not value:
            raise self.make_error("empty")
        return unicodedata.normalize("NFC", value)


class WholeNumber(fields.Integer):
    """A JSON number without a fraction: no text, no true or false."""

    default_error_messages = {
        "required": N_("is required"),
        "null": N_("must not be null"),
        **said(N_("must be a whole number")),
    }

    def __init__(self, *, least: int, most: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.least, self.most = least, most
        self.metadata = {"minimum": least, **self.metadata}
        self.metadata = {"maximum": most, **self.metadata}

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> int:
        whole = isinstance(value, int) or (isinstance(value, float) and value.is_integer())
        if isinstance(value, bool) or not whole:
            raise self.make_error("invalid")
        if not self.least <= value <= self.most:
            raise ValidationError(
                Told("must be from %(least)d to %(most)d", least=self.least, most=self.most)
            )
        return int(value)


class YesNo(fields.Boolean):
    """`true` or `false` and nothing else."""

    default_error_messages = {
        "required": N_("is required"),
        "null": N_("must not be null"),
        **said(N_("must be true or false")),
    }

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> bool:
        if not isinstance(value, bool):
            raise self.make_error("invalid")
        return value


class Day(fields.Date):
    """A date as ISO 8601: `2026-11-22`."""

    default_error_messages = {
        "required": N_("is required"),
        "null": N_("must not be null"),
        "format": N_("must be a date such as 2026-11-22"),
        **said(N_("must be a date such as 2026-11-22")),
    }

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> Any:
        if not isinstance(value, str) or not re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", value):
            raise self.make_error("format")
        return super()._deserialize(value, attr, data, **kwargs)


class Moment(fields.AwareDateTime):
    """A time as RFC 3339 with an offset; goes out in UTC with a `Z`."""

    _SHAPE = re.compile(
        r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ][0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]+)?"
        r"([Zz]|[+-][0-9]{2}:[0-9]{2})?"
    )

    default_error_messages = {
        "required": N_("is required"),
        "null": N_("must not be null"),
        "invalid_awareness": N_("must say its offset from UTC, such as 2026-11-22T09:00:00Z"),
        **said(N_("must be a time such as 2026-11-22T09:00:00Z")),
    }

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> Any:
        if not isinstance(value, str) or not self._SHAPE.fullmatch(value):
            raise self.make_error("invalid")
        return super()._deserialize(value, attr, data, **kwargs)

    def _serialize(self, value: Any, attr: Any, obj: Any, **kwargs: Any) -> str | None:
        return None if value is None else in_utc(value)


DAY_IN_THIS_AGE = Range(date(2000, 1, 1), date(2999, 12, 31), error=N_("is not in this age"))
"""For days and moments that are kept: the first and the last of all calendars no zone can tell."""

IN_THIS_AGE = Range(
    datetime(2000, 1, 1, tzinfo=UTC),
    datetime(3000, 1, 1, tzinfo=UTC),
    max_inclusive=False,
    error=N_("is not in this age"),
)


def in_utc(moment: datetime) -> str:
    """Return a moment as RFC 3339 in UTC: `2026-11-22T09:00:00Z`."""
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


_PLAIN_ADDRESS = re.compile(
    r"(?=.{1,64}@)[a-z0-9]+(?:[._+\-][a-z0-9]+)*"
    r"@(?:(?=[^.]{1,63}\.)[a-z0-9]+(?:-[a-z0-9]+)*\.)+[a-z]{2,63}",
    re.IGNORECASE | re.ASCII,
)


def is_plain_address(text: str) -> bool:
    """Return whether a text is an e-mail address of the plain sort that nearly all are.

    Nothing in it has to be made normal but its case, and nothing is in doubt; to look at each of
    its letters for what Unicode has for them takes a tenth of what a whole form does.
    """
    is_one = len(text) <= 254 and _PLAIN_ADDRESS.fullmatch(text) is not None
    return is_one and text.rpartition(".")[2].lower() not in SPECIAL_USE_DOMAIN_NAMES


class Email(Text):
    """An e-mail address that mail could be sent to, in its normal form."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(at_most=254, **kwargs)
        self.metadata = {"format": "email", **self.metadata}

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> str:
        text = super()._deserialize(value, attr, data, **kwargs)
        if is_plain_address(text):
            return text.lower()
        try:
            # Reserved names such as .test are let through: mail to them goes nowhere by itself.
            checked = validate_email(
                text, check_deliverability=False, test_environment=True, strict=True
            )
        except EmailNotValidError as error:
            raise ValidationError(Told("must be an e-mail address: %(why)s", why=error)) from None
        # Not `casefold`: see `accounts.rules.normal_email`.
        return checked.normalized.lower()


class WebAddress(Text):
    """An address of the web, as people write it; `https://` is put in front where it is missing."""

    _SHAPE = re.compile(
        r"https?://[a-z0-9\-._~%\u00a1-\uffff]+\.[a-z0-9\-\u00a1-\uffff]{2,}(:\d{1,5})?"
        r"([/?#]\S*)?",
        re.IGNORECASE,
    )

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(at_most=300, **kwargs)
        self.metadata = {"format": "uri", **self.metadata}

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> str:
        text = super()._deserialize(value, attr, data, **kwargs)
        if "://" not in text:
            text = f"https://{text}"
        if not self._SHAPE.fullmatch(text) or not _names_a_host(text):
            raise ValidationError(N_("must be a web address such as https://acme.example"))
        return text


def _names_a_host(address: str) -> bool:
    """Return whether the host is one: visible letters, and none that stand for a slash or so."""
    try:
        host = urlsplit(address).hostname or ""
    except ValueError:
        return False
    return host.isprintable() and not any(each.isspace() for each in host)


class Choice(fields.Field[Any]):
    """One word of a `StrEnum`."""

    default_error_messages = {"required": N_("is required"), "null": N_("must not be null")}

    def __init__(self, words: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.words = words
        self.metadata = {"type": "string", **self.metadata}
        said = [word.value for word in words] + ([None] if self.allow_none else [])
        self.metadata = {"enum": said, **self.metadata}

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> Any:
        try:
            return self.words(value)
        except (ValueError, TypeError):
            allowed = ", ".join(word.value for word in self.words)
            raise ValidationError(Told("must be one of %(allowed)s", allowed=allowed)) from None

    def _serialize(self, value: Any, attr: Any, obj: Any, **kwargs: Any) -> Any:
        return None if value is None else str(value)


class ListOf(fields.List[Any]):
    """A list of a stated length, of which no two may be the same unless `repeats` are fine."""

    default_error_messages = {
        "required": N_("is required"),
        "null": N_("must not be null"),
        "invalid": N_("must be a list"),
    }

    def __init__(
        self, inner: Any, *, least: int = 0, most: int, repeats: bool = False, **kwargs: Any
    ) -> None:
        super().__init__(inner, **kwargs)
        self.least, self.most, self.repeats = least, most, repeats
        self.metadata = {"minItems": least, **self.metadata}
        self.metadata = {"maxItems": most, **self.metadata}

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> list[Any]:
        if not isinstance(value, list):
            raise self.make_error("invalid")
        if not self.least <= len(value) <= self.most:
            raise ValidationError(
                Told("must have %(least)d to %(most)d entries", least=self.least, most=self.most)
            )
        result: list[Any] = super()._deserialize(value, attr, data, **kwargs)
        if not self.repeats:
            twice = {
                index: [N_("is named twice")]
                for index, each in enumerate(result)
                if each in result[:index]
            }
            if twice:
                raise ValidationError(twice)
        return result


class MapOf(fields.Dict):
    """An object of texts by name, such as the edition of each standard."""

    default_error_messages = {"null": N_("must not be null")}

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> Any:
        try:
            return super()._deserialize(value, attr, data, **kwargs)  # type: ignore[no-untyped-call]  # marshmallow's
        except ValidationError as error:
            if not isinstance(error.messages, dict):
                raise
            # What is wrong with a name and with what stands under it is said at one place.
            flat = {
                name: [each for messages in below.values() for each in messages]
                for name, below in error.messages.items()
            }
            raise ValidationError(flat, valid_data=error.valid_data) from None


class Amount(fields.Field[Decimal]):
    """Money as a decimal string with at most two places: `"1250.00"`. Never a JSON number."""

    default_error_messages = {
        "required": N_("is required"),
        "null": N_("must not be null"),
        "invalid": N_('must be an amount as text, such as "1250.00"'),
    }

    def __init__(self, *, digits: int = 9, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.shape = rf"\d{{1,{digits}}}(\.\d{{1,2}})?"
        self.metadata = {"type": "string", **self.metadata}
        self.metadata = {"pattern": f"^{self.shape}$", **self.metadata}

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> Decimal:
        if not isinstance(value, str) or not re.fullmatch(self.shape, value, re.ASCII):
            raise self.make_error("invalid")
        return Decimal(value).quantize(Decimal("0.01"))

    def _serialize(self, value: Any, attr: Any, obj: Any, **kwargs: Any) -> str | None:
        return None if value is None else f"{value:.2f}"


class HalfDays(fields.Field[float]):
    """Days of work as a JSON number in steps of a half (which a float holds exactly)."""

    default_error_messages = {
        "required": N_("is required"),
        "null": N_("must not be null"),
        "invalid": N_("must be a number of days in steps of 0.5"),
    }

    def __init__(self, *, most: int = Policy.days_at_most, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.most = most
        self.metadata = {"type": "number", "minimum": 0, "maximum": most, "multipleOf": 0.5}

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> float:
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise self.make_error("invalid")
        if value > self.most:
            raise ValidationError(Told("must be at most %(most)d days", most=self.most))
        if value < 0 or (value * 2) % 1:
            raise self.make_error("invalid")
        return float(value)

    def _serialize(self, value: Any, attr: Any, obj: Any, **kwargs: Any) -> float | None:
        return None if value is None else float(value)


def optional(default: Any = None) -> dict[str, Any]:
    """Return the arguments of a field that may be left out or null."""
    return {"load_default": default, "allow_none": default is None or default is missing}
