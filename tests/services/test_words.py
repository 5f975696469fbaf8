"""Every template has its words, in text and HTML, and none without its values."""

import ast
import re
from datetime import UTC, datetime
from html.parser import HTMLParser
from pathlib import Path

import pytest

import marketplace
from marketplace.notifications.samples import SAMPLES, Sample
from marketplace.notifications.wording import (
    CannotBeWritten,
    Words,
    action_address,
    duration,
    manage_address,
    templates,
    words,
)

NOW = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
SITE = "https://quotes.example"
MAY_BE_LEFT_OUT = {"expires_at", "had_accepted", "is_late", "seeks_body", "service"}
MUST_BE_SAID = {"is_first", "quotes", "rank", "distance"}
"""Values that only some cases of a template look at."""


def address(sample: Sample) -> str | None:
    if sample.link is None and sample.path is None:
        return None
    return action_address(SITE, path=sample.path, link=sample.link, token="x_token")


def written(sample: Sample, **changes) -> Words:
    said = {
        "values": sample.values,
        "name": "Jo Tran",
        "time_zone": "Australia/Sydney",
        "now": NOW,
        "public_url": SITE,
        "action_url": address(sample),
        "manage_url": manage_address(SITE, sample.template, "y_token"),
        **changes,
    }
    return words(sample.template, said.pop("values"), **said)


def each_sample(sample: Sample) -> str:
    return f"{sample.template} {sample.case}".strip()


every_sample = pytest.mark.parametrize("sample", SAMPLES, ids=each_sample)


def test_there_is_a_sample_of_every_template_and_of_no_other():
    assert {sample.template for sample in SAMPLES} == set(templates())


class Outline(HTMLParser):
    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.hrefs: list[str | None] = []
        self.open: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        if tag not in ("meta", "br"):
            self.open.append(tag)
        if tag == "a":
            self.hrefs.append(dict(attrs).get("href"))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


@every_sample
def test_a_message_has_a_subject_a_text_and_html_with_one_action_and_at_most_a_way_out_of_it(
    sample,
):
    letter = written(sample)
    outline = Outline(letter.html)
    assert 10 <= len(letter.subject) <= 120
    assert outline.open == []
    ways = [address(sample)] if address(sample) else []
    if sample.template in ("invitation", "invitation_reminder"):
        ways.append(f"{address(sample)}/decline")
    if sample.template == "cycle_reminder":
        ways.append(f"{SITE}/reminders/y_token")
    assert outline.hrefs == ways
    assert not set(outline.tags) & {"img", "script", "link", "iframe", "form", "object"}
    assert "url(" not in letter.html
    assert 'name="viewport"' in letter.html
    for version in (letter.text, letter.html):
        assert "ISO quotes marketplace" in version
        assert SITE in version
        assert address(sample) is None or address(sample) in version
        assert not re.search(r"[{}%]{2}|\bNone\b|\bTrue\b|\bFalse\b", version.replace("%\n", ""))
    assert "<" not in letter.text


@every_sample
def test_text_and_html_say_the_same(sample):
    letter = written(sample)
    said = re.sub(r"<[^>]+>", " ", letter.html.split("<body>")[1])
    for word in set(re.findall(r"\w{4,}", said)):
        assert word in letter.text


@every_sample
def test_no_message_is_written_with_a_value_missing(sample):
    for name in sample.values.keys() - MUST_BE_SAID - MAY_BE_LEFT_OUT:
        fewer = {key: value for key, value in sample.values.items() if key != name}
        with pytest.raises(CannotBeWritten, match=name):
            written(sample, values=fewer)


@pytest.mark.parametrize("name", sorted(MUST_BE_SAID))
def test_no_value_is_missed_in_every_case_of_its_template(name):
    def fails(sample: Sample) -> bool:
        fewer = {key: value for key, value in sample.values.items() if key != name}
        try:
            written(sample, values=fewer)
        except CannotBeWritten:
            return True
        return False

    assert any(fails(sample) for sample in SAMPLES if name in sample.values)


@every_sample
def test_an_action_without_an_address_is_not_written(sample):
    if address(sample) is not None:
        with pytest.raises(CannotBeWritten, match="action_url"):
            written(sample, action_url=None)


@pytest.mark.parametrize("template", ["no_such_thing", "../secrets", "_letter/../invitation", ""])
def test_a_template_that_does_not_exist_is_not_written(template):
    with pytest.raises(CannotBeWritten):
        written(Sample(template, {}))


@pytest.mark.parametrize(
    ("minutes", "said"),
    [(2880, "48 hours"), (60, "1 hour"), (90, "90 minutes"), (1, "1 minute")],
)
def test_a_length_of_time_is_told_in_hours_where_they_are_whole(minutes, said):
    assert duration(minutes) == said


@every_sample
def test_what_people_typed_is_never_markup_nor_a_second_line_of_the_subject(sample):
    typed = '<img src=x onerror=alert(1)>"&\r\nBcc: all@x.example'
    times = {"due_at", "confirm_by", "open_by", "respond_by", "expires_at", "valid_until", "at"}
    times |= {"agreed_on"}
    values = {
        name: [typed] if isinstance(value, list) else typed if isinstance(value, str) else value
        for name, value in sample.values.items()
        if name not in times
    } | {name: sample.values[name] for name in times & sample.values.keys()}
    letter = written(sample, values=values, name=typed)
    assert "<img" not in letter.html
    assert not set(letter.subject) & set("\r\n")
    assert Outline(letter.html).open == []


def test_an_invitation_and_its_reminders_say_which_service_is_asked_for():
    invitation, *reminders = (
        sample
        for sample in SAMPLES
        if sample.template.startswith("invitation_reminder") or sample.template == "invitation"
    )
    letter = written(invitation)
    assert "certification for ISO 9001, ISO 14001 and ISO 45001, New South Wales" in letter.subject
    assert "Certification for ISO 9001" in letter.text
    for code, said in (("either", "consulting or certification"), ("consulting", "consulting")):
        for reminder in reminders:
            values = {**reminder.values, "service": code}
            assert f" {said} for ISO 9001" in written(reminder, values=values).subject


def test_a_letter_from_before_the_service_was_said_is_still_read():
    for sample in SAMPLES:
        if "service" in sample.values:
            older = {name: value for name, value in sample.values.items() if name != "service"}
            assert "ISO 9001" in written(sample, values=older).subject


def test_times_are_told_in_the_recipients_zone():
    sample = next(sample for sample in SAMPLES if sample.template == "invitation")
    assert "9:40 am tomorrow, Sydney time" in written(sample).text
    assert "10:40 pm today, UTC" in written(sample, time_zone="UTC").text


def test_a_reason_why_there_are_no_words_repeats_no_value():
    sample = next(sample for sample in SAMPLES if sample.template == "invitation")
    with pytest.raises(CannotBeWritten) as caught:
        written(sample, values={**sample.values, "respond_by": "secret words"})
    assert "secret" not in str(caught.value)


def test_an_invitation_names_nobody():
    sample = next(sample for sample in SAMPLES if sample.template == "invitation")
    for hidden in ("Acme", "Jo Tran"):
        assert hidden not in written(sample, name="Kim Reyes").html


def test_a_stranger_is_not_greeted_by_a_name_that_somebody_else_typed():
    sample = next(sample for sample in SAMPLES if sample.template == "confirm_request")
    assert "Win a prize" not in written(sample, name="Win a prize").text


@pytest.mark.parametrize(
    ("template", "opens"),
    [
        ("confirm_request", "/requests/confirm/x_token"),
        ("request_opened", "/requests/open/x_token"),
        ("request_running_elsewhere", "/requests/not-ours/x_token"),
        ("password_reset", "/set-password/x_token"),
        ("provider_paused", "/come-back/x_token"),
        ("application_approved", "/portal"),
        ("reminders_agreed", "/reminders/x_token"),
        ("cycle_reminder", "/requests/again/x_token"),
    ],
)
def test_an_action_leads_to_the_page_for_its_purpose(template, opens):
    sample = next(sample for sample in SAMPLES if sample.template == template)
    assert f"\n{SITE}{opens}\n" in written(sample).text


def messages_in_the_code() -> list[tuple[str, str, set[str]]]:
    """Return where messages are written down by their template's name, and what they are given."""
    found = []
    package = Path(marketplace.__file__).parent
    for source in sorted(package.rglob("*.py")):
        for node in ast.walk(ast.parse(source.read_text())):
            if not isinstance(node, ast.Call) or getattr(node.func, "id", "") != "notify":
                continue
            template, given = node.args[1], {keyword.arg for keyword in node.keywords}
            if isinstance(template, ast.Constant) and None not in given:
                where = f"{source.relative_to(package)}:{node.lineno}"
                found.append((where, str(template.value), {name for name in given if name}))
    return found


def test_whoever_writes_a_message_down_gives_all_that_its_words_need():
    calls = messages_in_the_code()
    assert len(calls) >= 10
    for where, template, given in calls:
        wanted = [needed(sample) for sample in SAMPLES if sample.template == template]
        assert wanted, f"{where}: there is no template {template}"
        assert wanted[0] <= given, f"{where}: {template} lacks {wanted[0] - given}"


def needed(sample: Sample) -> set[str]:
    action = {"link"} if sample.link else {"path"} if sample.path else set()
    return set(sample.values) | action
