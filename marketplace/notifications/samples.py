"""One invented message of every template: what tests render and what a gallery can show."""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from marketplace.core.links import Purpose

SAMPLE_NOW = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
SAMPLE_NAME, SAMPLE_ZONE = "Jo Tran", "Australia/Sydney"
"""When, to whom and where samples are read."""

SAMPLE_ID = UUID("019ab000-0000-7000-8000-000000000001")

INVITATION_PATH = f"/portal/invitations/{SAMPLE_ID}"
LEAD_PATH = f"/admin/leads/{SAMPLE_ID}"


@dataclass(frozen=True)
class Sample:
    """The values that a template takes, as the outbox stores them, and where its action leads."""

    template: str
    values: dict[str, Any]
    link: Purpose | None = None
    path: str | None = None
    case: str = field(default="")
    """Tells apart several samples of one template."""


_REFERENCE = {"reference": "R-7K3QX9"}
_STANDARDS = ["ISO 9001", "ISO 14001", "ISO 45001"]
_PROVIDER = {"provider": "Harbour Quality Pty Ltd"}
_RECORD: dict[str, Any] = {"misses": 1, "too_many": 3, "days": 30}
_DATES = [
    "The first surveillance audit is due by 23 March 2027",
    "Certificates to the edition of ISO 14001 before 2026 end on 30 April 2029",
]
_DUE = "2026-11-23T22:40:00+00:00"


_DECIDED = "It names a person who had no say in it."


def _business(template: str, case: str = "", **values: Any) -> Sample:
    return Sample(template, {**_REFERENCE, **values}, link=Purpose.REQUEST, case=case)


def _provider(template: str, case: str = "", **values: Any) -> Sample:
    return Sample(template, {**_REFERENCE, **values}, path=INVITATION_PATH, case=case)


def _finished(outcome: str, case: str, **place: Any) -> Sample:
    known = {"rank": None, "quotes": None, "distance": None, "had_accepted": True, **place}
    return _provider("invitation_lost", case, outcome=outcome, **known)


_TO_CONFIRM: dict[str, Any] = {
    **_REFERENCE,
    "company": "Acme Fabrication Pty Ltd",
    "standards": _STANDARDS,
    "confirm_by": "2026-11-26T09:00:00+00:00",
}


SAMPLES: tuple[Sample, ...] = (
    Sample("confirm_request", _TO_CONFIRM, link=Purpose.CONFIRM_LEAD),
    Sample("confirm_request_again", _TO_CONFIRM, link=Purpose.CONFIRM_LEAD),
    _business("request_running", sent_reference="R-2M8WT4"),
    Sample(
        "request_running_elsewhere",
        {"company": "Acme Fabrication Pty Ltd"},
        link=Purpose.NOT_OURS,
    ),
    *(
        _business("request_link", case, is_late=is_late)
        for case, is_late in (("in time", False), ("late", True))
    ),
    _business("request_in_review"),
    Sample(
        "request_rejected",
        {**_REFERENCE, "reason": "ISO 31000 is a guideline, not certified."},
        path="/",
    ),
    _business("request_opened", standards=_STANDARDS, due_at=_DUE),
    _business("request_superseded"),
    _business("quote_received", "the first", **_PROVIDER, is_first=True, revised=False),
    _business("quote_received", "another", **_PROVIDER, is_first=False, revised=False),
    _business("quote_received", "revised", **_PROVIDER, is_first=True, revised=True),
    _business("all_quotes_in", "three", **_PROVIDER, quotes=3, is_looking=False),
    _business("all_quotes_in", "two so far", **_PROVIDER, quotes=2, is_looking=True),
    _business("question_asked", question="Do both sites work in shifts?\nIf so, how many people?"),
    *(
        _business(
            "answer_awaited",
            case,
            question="Do both sites work in shifts?\nIf so, how many people?",
            at="2026-11-23T05:00:00+00:00",
            at_most_minutes=at_most,
        )
        for case, at_most in (("while time stands still", 2880), ("all have quoted", None))
    ),
    _business("commitment_missed"),
    _business(
        "choice_confirmed",
        **_PROVIDER,
        provider_email="quotes@harbour.example",
        provider_phone="+61 2 5550 0100",
    ),
    _business(
        "choice_confirmed",
        "without telephone",
        **_PROVIDER,
        provider_email="quotes@harbour.example",
        provider_phone=None,
    ),
    _business("request_closed"),
    _business("request_expired"),
    *(
        Sample(
            "outcome_asked",
            {**_REFERENCE, "has_quotes": quoted, "is_open": is_open, "is_last": is_last},
            link=Purpose.OUTCOME,
            case=case,
        )
        for case, quoted, is_open, is_last in (
            ("quotes to choose from", True, True, False),
            ("no quote", False, True, False),
            ("for the last time", True, False, True),
        )
    ),
    _business("review_replied", **_PROVIDER),
    *(
        _business(
            "review_decided", case, **_PROVIDER, part=part, is_shown=is_shown, reason=_DECIDED
        )
        for case, part, is_shown in (
            ("let through", "review", True),
            ("hidden", "review", False),
            ("of the reply", "reply", False),
        )
    ),
    _business("place_to_decide"),
    _business("place_waiting", reason="No certification body covers ISO 45001 in this region yet."),
    *(
        _business(
            "provider_withdrawn",
            case,
            **_PROVIDER,
            reason="it holds no verified and current accreditation by a recognised body for "
            "ISO 9001 in edition 2015",
            had_contact=seen,
            had_quoted=quoted,
        )
        for case, seen, quoted in (
            ("unanswered", False, False),
            ("accepted", True, False),
            ("quoted", True, True),
        )
    ),
    Sample(
        "reminders_agreed",
        {"standards": _STANDARDS[:2], "dates": _DATES},
        link=Purpose.REMINDERS,
    ),
    Sample(
        "cycle_reminder",
        {
            "standards": _STANDARDS[:2],
            "dates": ["The certificate is expected on 23 May 2027, after both stages of its audit"],
            "agreed_on": "2026-11-20",
            "seeks_body": True,
        },
        link=Purpose.ASK_AGAIN,
        case="nobody certifies yet",
    ),
    Sample(
        "cycle_reminder",
        {
            "standards": _STANDARDS[:2],
            "dates": _DATES[:1],
            "agreed_on": "2026-11-20",
            "seeks_body": False,
        },
        link=Purpose.ASK_AGAIN,
        case="one date",
    ),
    Sample(
        "cycle_reminder",
        {
            "standards": _STANDARDS[:2],
            "dates": _DATES,
            "agreed_on": "2026-11-20",
            "seeks_body": False,
        },
        link=Purpose.ASK_AGAIN,
        case="two dates",
    ),
    Sample("data_erased", {**_REFERENCE}),
    _provider(
        "invitation",
        service="certification",
        standards=_STANDARDS,
        region="New South Wales",
        headcount="42",
        open_by="2026-11-23T20:30:00+00:00",
        respond_by=_DUE,
        places=3,
    ),
    *(
        _provider(
            "invitation_reminder",
            each,
            service="consulting",
            standards=_STANDARDS,
            state=each,
            due_at=_DUE,
        )
        for each in ("sent", "opened", "accepted")
    ),
    *(
        _provider("invitation_released", case, **_RECORD, then=then, is_miss=is_miss)
        for case, then, is_miss in (
            ("passed on", "passed_on", True),
            ("came back", "came_back", True),
            ("finished", "finished", False),
        )
    ),
    *(
        _provider("invitation_expired", case, **_RECORD, is_miss=is_miss)
        for case, is_miss in (("a miss", True), ("struck before", False))
    ),
    Sample(
        "provider_paused",
        {"references": ["R-2M8WT4", "R-5H9PD2", "R-7K3QX9"], "days": 30},
        link=Purpose.COME_BACK,
    ),
    *(
        _provider("miss_struck", case, reason="Our mail did not reach you.", is_back=is_back)
        for case, is_back in (("", False), ("that ends a pause", True))
    ),
    _provider("miss_upheld", reason="The mail was delivered, and two reminders after it."),
    Sample(
        "miss_objected",
        {**_REFERENCE, "objection": "We never got the mail.\nOur server refused it."},
        path=f"/admin/providers/{SAMPLE_ID}",
    ),
    _provider(
        "invitation_withdrawn", "finished", reason="the request is finished", had_contact=False
    ),
    _provider(
        "invitation_withdrawn",
        "may not stay",
        reason="your organisation holds no verified and current accreditation by a recognised body "
        "for ISO 9001 in edition 2015",
        had_contact=True,
    ),
    *(
        _provider(
            "question_answered",
            case,
            question="Do both sites work in shifts?",
            answer="Only Newcastle:\nthree shifts of ten people.",
            respond_by=respond_by,
            is_extended=is_extended,
        )
        for case, respond_by, is_extended in (
            ("soon", _DUE, False),
            ("late", _DUE, True),
            ("to one that has quoted", None, False),
        )
    ),
    _provider("deadline_extended", respond_by=_DUE, at_most_minutes=2880),
    _provider(
        "invitation_won",
        company="Acme Fabrication Pty Ltd",
        contact_name="Jo Tran",
        contact_email="jo@acme.example",
        contact_phone="+61 2 5550 1234",
    ),
    _provider(
        "invitation_won",
        "without telephone",
        company="Acme Fabrication Pty Ltd",
        contact_name="Jo Tran",
        contact_email="jo@acme.example",
        contact_phone=None,
    ),
    _finished("another provider was chosen", "fewer than three quoted"),
    _finished("another provider was chosen", "not accepted", had_accepted=False),
    _finished("another provider was chosen", "near", rank=2, quotes=3, distance="within 10 %"),
    _finished(
        "the request was closed without a choice", "far", rank=3, quotes=3, distance="further away"
    ),
    _provider("place_passed_on"),
    Sample("review_given", {"rating": 4}, path="/portal/reviews"),
    *(
        Sample(
            "review_of_you_decided",
            {"part": part, "is_shown": is_shown, "reason": _DECIDED},
            path="/portal/reviews",
            case=case,
        )
        for case, part, is_shown in (
            ("let stand", "review", True),
            ("hidden", "review", False),
            ("of the reply", "reply", False),
        )
    ),
    *(
        Sample(
            "review_to_decide",
            {**_PROVIDER, "part": part, "is_reported": is_reported},
            path="/admin/reviews",
            case=case,
        )
        for case, part, is_reported in (
            ("queued", "review", False),
            ("reported", "review", True),
            ("a reply", "reply", True),
        )
    ),
    Sample("set_password", {**_PROVIDER}, link=Purpose.SET_PASSWORD),
    Sample(
        "team_invited",
        {**_PROVIDER, "by": "Kim Reyes", "expires_at": _DUE},
        link=Purpose.JOIN_TEAM,
    ),
    *(
        Sample("team_role_changed", {**_PROVIDER, "role": role}, path="/sign-in", case=role)
        for role in ("owner", "member", "read_only")
    ),
    Sample("admin_invited", {"by": "Ada Okoro", "expires_at": _DUE}, link=Purpose.SET_PASSWORD),
    *(
        Sample(
            "administrators_changed",
            {"what": what, "person": "Lee Okafor", "by": "Ada Okoro"},
            path="/admin/people",
            case=what,
        )
        for what in ("invited", "removed")
    ),
    Sample("team_invited_elsewhere", {**_PROVIDER, "by": "Kim Reyes"}, path="/sign-in"),
    Sample("password_reset", {}, link=Purpose.SET_PASSWORD),
    Sample("password_reset", {"expires_at": _DUE}, link=Purpose.SET_PASSWORD, case="until"),
    Sample(
        "signed_in_elsewhere",
        {"device": "Firefox on Windows", "at": "2026-11-23T08:41:00+00:00"},
        path="/forgot-password",
    ),
    *(
        Sample(
            "account_changed",
            {"what": what, "at": "2026-11-23T08:41:00+00:00", **more},
            path="/forgot-password",
            case=what.replace("_", " "),
        )
        for what, more in (
            ("password", {}),
            ("second_factor_set_up", {}),
            ("second_factor_removed", {}),
            ("second_factor_taken_off", {}),
            ("recovery_codes_made", {}),
            ("email", {}),
            ("recovery_code_used", {"left": 9}),
        )
    ),
    Sample(
        "email_change_old",
        {"email": "jo.tran@acme.example", "expires_at": _DUE},
        link=Purpose.EMAIL_OLD,
    ),
    Sample("email_change_new", {"expires_at": _DUE}, link=Purpose.EMAIL_NEW),
    Sample("email_change_taken", {}, path="/sign-in"),
    Sample(
        "factor_taken_off",
        {"person": "Lee Okafor", "at": "2026-11-23T08:41:00+00:00"},
        path="/portal/team",
    ),
    Sample("application_received", {**_PROVIDER}, link=Purpose.WITHDRAW),
    Sample("application_approved", {**_PROVIDER}, path="/portal"),
    Sample("contact_handed_on", {**_PROVIDER}, path="/portal"),
    Sample("contact_changed", {**_PROVIDER}, path="/portal/profile"),
    Sample(
        "application_rejected", {**_PROVIDER, "reason": "The registration number is not theirs."}
    ),
    *(
        Sample(
            "accreditation_expires",
            {**_PROVIDER, "standards": standards, "valid_until": day, "is_over": is_over},
            path="/portal/accreditations",
            case=case,
        )
        for case, standards, day, is_over in (
            ("in 60 days", _STANDARDS, "2027-01-22", False),
            ("in 7 days", ["ISO 9001"], "2026-11-30", False),
            ("is over", ["ISO 9001"], "2026-11-22", True),
        )
    ),
    Sample("provider_suspended", {**_PROVIDER, "reason": "An accreditation is under question."}),
    Sample("provider_reinstated", {**_PROVIDER}),
    Sample(
        "webhook_switched_off",
        {**_PROVIDER, "url": "https://hooks.harbour.example/quotes", "reason": "it answered 410"},
        path="/portal",
    ),
    Sample(
        "review_needed",
        {
            **_REFERENCE,
            "reasons": ["the telephone number cannot exist", "the e-mail address is a free one"],
        },
        path=LEAD_PATH,
    ),
    Sample(
        "adviser_in_doubt",
        {
            **_REFERENCE,
            "reasons": [
                "a consultant that is named, Harbor Quality, may be Harbour Quality Pty Ltd, "
                "a provider here"
            ],
        },
        path=LEAD_PATH,
    ),
    Sample("commitment_at_risk", {**_REFERENCE, "due_at": _DUE}, path=LEAD_PATH),
    Sample("not_ours_reported", {**_REFERENCE}, path=LEAD_PATH),
    Sample("application_to_review", {**_PROVIDER}, path=f"/admin/providers/{SAMPLE_ID}"),
    Sample(
        "looks_without_answers",
        {**_PROVIDER, "looked_at": 24, "answered": 1, "days": 7},
        path=f"/admin/providers/{SAMPLE_ID}",
    ),
)
