"""Between flat HTML forms and nested schemas: what was typed in, as data; what is wrong, beside it.

A form field is named by the path of what it fills in, with dots: `contact.email`, `phases.0.fee`.
So the schema of the JSON interface reads it, and the pointers of its refusals lead back to it.
"""

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from flask_babel import gettext as _
from marshmallow import Schema, fields
from werkzeug.datastructures import MultiDict

from marketplace.core.errors import FieldError
from marketplace.web.api.quotes import Lines, Percent
from marketplace.web.fields import Amount, HalfDays, ListOf, WholeNumber, YesNo
from marketplace.web.languages import translate
from marketplace.web.pages.refusals import whole

Typed = dict[str, list[str]]
"""What was typed, by name of field; a row of a list keeps no number that a blank row had."""

NOTHING: Any = object()

_WHOLE = re.compile(r"[0-9]{1,12}")
_DECIMAL = re.compile(r"[0-9]{1,9}(\.[0-9]{1,6})?")
_GROUPED = re.compile(r"[0-9]{1,3}(,[0-9]{3})+(\.[0-9]{1,2})?")


@dataclass(frozen=True, repr=False)
class Sent:
    """A form that was sent: for the schema, and to be shown again."""

    data: dict[str, Any]
    typed: Typed


def read(schema: Schema, sent: MultiDict[str, str], *, clears: bool = False) -> Sent:
    """Read a form by the schema that will take it; what the schema does not know is passed over.

    What is left blank is left out. With `clears` (a form that changes what is there) it is null,
    or refused where it may not be.
    """
    typed: Typed = {}
    data = _read_object(schema, sent, "", "", typed, clears)
    return Sent(data, typed)


def _read_object(
    schema: Schema,
    sent: MultiDict[str, str],
    before: str,
    after: str,
    typed: Typed,
    clears: bool,
) -> dict[str, Any]:
    """Read the fields below `before`, and file them under `after`, where rows are renumbered."""
    found = {}
    for name, each in schema.fields.items():
        key = each.data_key or name
        value = _read(each, sent, before + key, after + key, typed, clears)
        if value is not NOTHING:
            found[key] = value
    return found


def _read(
    each: Any, sent: MultiDict[str, str], name: str, filed: str, typed: Typed, clears: bool
) -> Any:
    if isinstance(each, fields.Nested):
        # Left out only where the page does not offer it: else each of its fields is answered for.
        if not each.required and not _offers(sent, name):
            return NOTHING
        return _read_object(each.schema, sent, f"{name}.", f"{filed}.", typed, clears)
    if isinstance(each, ListOf) and isinstance(each.inner, fields.Nested):
        schema = each.inner.schema
        rows: list[Any] = []
        for number in _rows(sent, name):
            row = f"{filed}.{len(rows)}."
            rows.append(_read_object(schema, sent, f"{name}.{number}.", row, typed, clears))
        return rows or NOTHING
    if isinstance(each, fields.Dict) or name not in sent:
        return NOTHING
    values = sent.getlist(name)
    typed[filed] = values
    kept = [value for value in values if value.strip()]
    if isinstance(each, ListOf):
        return kept or (NOTHING if each.required else [])
    if isinstance(each, YesNo):
        return {"yes": True, "no": False}.get(kept[-1], kept[-1]) if kept else NOTHING
    if not kept:
        return NOTHING if not clears else None if each.allow_none else ""
    return parsed(each, kept[-1])


def parsed(each: fields.Field[Any], text: str) -> Any:
    """Return what was typed as the field's schema takes it; what cannot be read, as it is."""
    bare = text.strip()
    if isinstance(each, WholeNumber):
        digits = re.sub(r"[\s,]", "", bare)
        return int(digits) if _WHOLE.fullmatch(digits) else bare
    if isinstance(each, HalfDays):
        return float(bare) if _DECIMAL.fullmatch(bare) else bare
    if isinstance(each, Amount):
        bare = bare.removeprefix("$").strip()
        return bare.replace(",", "") if _GROUPED.fullmatch(bare) else bare
    if isinstance(each, Percent):
        return bare.removesuffix("%").rstrip()
    if isinstance(each, Lines):
        return [line for line in bare.splitlines() if line.strip()]
    return text


def _offers(sent: MultiDict[str, str], name: str) -> bool:
    return any(key.startswith(f"{name}.") for key in sent)


def _rows(sent: MultiDict[str, str], name: str) -> list[int]:
    """Return the numbers of the rows in which anything is filled in."""
    return sorted(_numbers(dict(sent.lists()), name))


def _numbers(typed: Mapping[str, Sequence[str]], name: str) -> set[int]:
    found = set()
    for key, values in typed.items():
        number = key.removeprefix(f"{name}.").partition(".")[0]
        if key.startswith(f"{name}.") and _WHOLE.fullmatch(number) and any(map(str.strip, values)):
            found.add(int(number))
    return found


def typed_from(value: Any, name: str = "") -> Typed:
    """Return data as somebody would have typed it: to begin a form with what is there already."""
    if isinstance(value, Mapping):
        found: Typed = {}
        for key, below in value.items():
            found |= typed_from(below, f"{name}.{key}" if name else str(key))
        return found
    if isinstance(value, list | tuple):
        if any(isinstance(each, Mapping) for each in value):
            return typed_from({str(number): each for number, each in enumerate(value)}, name)
        return {name: [str(each) for each in value]}
    if isinstance(value, bool):
        return {name: ["yes" if value else "no"]}
    if value is None:
        return {}
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return {name: [str(value)]}


def field_id(name: str) -> str:
    """Return the id of the element for a field."""
    return re.sub(r"[^A-Za-z0-9_]+", "-", name)


@dataclass(frozen=True, repr=False)
class Filled:
    """A form as its page shows it: what is typed in, and what is wrong with it."""

    labels: Mapping[str, str]
    """What each field, or group of fields, is called in a sentence; `phases.fee` for every row."""
    typed: Typed = field(default_factory=dict)
    problems: Mapping[str, Sequence[str]] = field(default_factory=dict)

    def value(self, name: str) -> str:
        return "\n".join(self.typed.get(name, []))

    def has(self, name: str, value: str) -> bool:
        return value in self.typed.get(name, [])

    def rows(self, name: str) -> int:
        """Return how many rows of a list are filled in."""
        return max((number + 1 for number in _numbers(self.typed, name)), default=0)

    def label(self, name: str) -> str:
        return label_of(name, self.labels)

    @property
    def summary(self) -> list[tuple[str, str]]:
        """Every problem as a sentence, with the id of what it is about; in the page's order."""
        order = list(self.labels)
        names = sorted(
            self.problems,
            key=lambda n: (order.index(_plain(n)) if _plain(n) in order else len(order), n),
        )
        return [(field_id(name), said) for name in names for said in self.sentences(name)]

    @property
    def blank(self) -> "Filled":
        """The same form with nothing in it: for another form beside it on one page."""
        return Filled(self.labels)

    def sentences(self, name: str) -> list[str]:
        """Return all that is wrong with a field."""
        return [self._sentence(name, problem) for problem in self.problems[name]]

    def _sentence(self, name: str, problem: str) -> str:
        """Return one refusal as a sentence; some are one by themselves."""
        is_whole = not name or problem[:1].isupper() or problem[:1] == "\u201c"
        return translate(problem) if is_whole else whole(problem, self.label(name))

    def wrong(self, errors: Iterable[FieldError], typed: Typed | None = None) -> "Filled":
        """Return the same form with what was typed and what is wrong with it."""
        shown = self.typed if typed is None else typed
        return Filled(self.labels, shown, by_field(errors, self.labels))


def by_field(errors: Iterable[FieldError], known: Collection[str]) -> dict[str, list[str]]:
    """Return what is wrong by the field or group that the page has for it, each thing once."""
    found: dict[str, list[str]] = {}
    for error in errors:
        steps = [s.replace("~1", "/").replace("~0", "~") for s in error.pointer.split("/")[1:]]
        # What is wrong with an entry of a plain list is shown with the list.
        while steps and (steps[-1].isdigit() or _plain(".".join(steps)) not in known):
            steps.pop()
        name = ".".join(steps)
        said = found.setdefault(name, [])
        if error.detail not in said:
            said.append(error.detail)
    return found


def label_of(name: str, labels: Mapping[str, str]) -> str:
    """Return what a field is called; in a list, with the number of its row."""
    plain = _plain(name)
    label = labels.get(plain, plain.replace(".", " ").replace("_", " "))
    row = next((int(step) + 1 for step in name.split(".") if step.isdigit()), None)
    if row is None:
        return translate(label)
    # A label that has no place for the row's number is followed by it.
    return _(label, row=row) if "%(row)s" in label else f"{translate(label)} {row}"


def _plain(name: str) -> str:
    """Return a field's name without the numbers of rows."""
    return ".".join(step for step in name.split(".") if not step.isdigit())
