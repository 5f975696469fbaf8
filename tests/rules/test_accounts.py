"""Who may sign in, and with what, as tables."""

from datetime import UTC, datetime, timedelta

import pyotp
import pytest

from marketplace.accounts import credentials, rules
from marketplace.accounts.rules import Role

NOW = datetime(2026, 11, 23, 9, 0, 10, tzinfo=UTC)
SECRET = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"
STEP = int(NOW.timestamp()) // 30


@pytest.mark.parametrize(
    ("password", "problem"),
    [
        ("seven quiet herons", None),
        ("x7Qpl0#vnn2d", None),
        ("日本語のパスワードですよね", None),
        ("too short", "12 to 128"),
        ("a1b2c3" * 22, "12 to 128"),
        ("aaaaaaaaaaaaaaaa", "five different"),
        ("AaAaBbBbAaAaBbBb", "five different"),
        ("jo.tran-acme1", "your own name"),
        ("JO TRAN JO TRAN", "your own name"),
        ("seven\tquiet herons", "control"),
    ],
)
def test_a_new_password_is_long_and_not_ones_own_name(password, problem):
    found = rules.password_problems(password, email="jo.tran-acme@acme.example", name="Jo Tran")
    assert [e.pointer for e in found] == ([] if problem is None else ["/password"])
    assert problem is None or problem in found[0].detail


def test_a_password_is_the_same_on_every_keyboard():
    assert rules.normal_password(" cafe\u0301 au lait ") == rules.normal_password(
        "caf\u00e9 au lait"
    )


@pytest.mark.parametrize(
    ("one", "other"),
    [("Jo@Acme.example", "jo@acme.EXAMPLE"), (" jo@acme.example", "jo@acme.example")],
)
def test_nobody_has_two_addresses_by_case_or_spaces(one, other):
    assert rules.normal_email(one) == rules.normal_email(other)


@pytest.mark.parametrize(
    ("role", "setting", "needed"),
    [
        (Role.ADMIN, "required", True),
        (Role.ADMIN, "optional", False),
        (Role.PROVIDER, "required", False),
    ],
)
def test_only_administrators_need_a_second_factor_and_only_where_it_is_required(
    role, setting, needed
):
    assert rules.needs_second_factor(role, totp_for_admins=setting) is needed


@pytest.mark.parametrize(
    ("shown_at", "used_step", "accepted"),
    [
        (NOW, None, STEP),
        (NOW - timedelta(seconds=30), None, STEP - 1),
        (NOW + timedelta(seconds=30), None, STEP + 1),
        (NOW - timedelta(seconds=60), None, None),
        (NOW + timedelta(seconds=60), None, None),
        (NOW, STEP - 1, STEP),
        (NOW, STEP, None),
        (NOW - timedelta(seconds=30), STEP, None),
        (NOW + timedelta(seconds=30), STEP, STEP + 1),
    ],
)
def test_a_code_is_good_for_its_step_and_one_either_side_and_once(shown_at, used_step, accepted):
    code = pyotp.TOTP(SECRET).at(shown_at)
    assert credentials.totp_step(SECRET, code, now=NOW, used_step=used_step) == accepted


@pytest.mark.parametrize("code", ["", "000000", "12345", "\uff11\uff12", "abcdef"])
def test_what_is_not_the_code_is_not_taken_for_it(code):
    assert credentials.totp_step(SECRET, code, now=NOW, used_step=None) is None


def test_a_code_may_be_typed_with_the_space_that_telephones_show():
    code = pyotp.TOTP(SECRET).at(NOW)
    typed = f"{code[:3]} {code[3:]}"
    assert credentials.totp_step(SECRET, typed, now=NOW, used_step=None) == STEP
