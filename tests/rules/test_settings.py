"""What an operator may set, and how every mistake is named at once."""

from dataclasses import FrozenInstanceError, fields
from datetime import timedelta
from urllib.parse import urlsplit

import pytest

from config.settings import UNREADABLE, Settings, SettingsError
from marketplace.bootstrap import policy_of
from marketplace.core.policy import Policy

LEAST = {
    "DATABASE_URL": "postgresql://db.example/marketplace",
    "REDIS_URL": "redis://cache.example:6379/0",
    "SECRET_KEY": "a secret of the tests and of nobody else",
    "PUBLIC_URL": "https://quotes.example/",
    "MAIL_BACKEND": "mailbox",
}

PRODUCTION = {
    **LEAST,
    "MAIL_BACKEND": "sendgrid",
    "MAIL_FROM": "quotes@quotes.example",
    "SENDGRID_API_KEY": "SG.invented",
}


def read(values=LEAST, **changes):
    together = {**values, **changes}
    return Settings.from_env({f"MARKETPLACE_{name}": value for name, value in together.items()})


def problems(values=LEAST, **changes):
    with pytest.raises(SettingsError) as refusal:
        read(values, **changes)
    assert all(problem in str(refusal.value) for problem in refusal.value.problems)
    return refusal.value.problems


def test_what_has_a_default_has_the_contracts():
    settings = read()
    assert settings.response_window == timedelta(hours=24)
    assert settings.response_calendar == "clock_hours"
    assert settings.open_within == timedelta(hours=12)
    assert settings.min_response_window == timedelta(hours=8)
    assert settings.remind_at == (0.5, 0.85)
    assert settings.answer_within == timedelta(hours=4)
    assert settings.extension_at_most == timedelta(hours=48)
    assert settings.sweep_interval == timedelta(seconds=15)
    assert settings.places == 3
    assert settings.trusted_proxies == 0
    assert (settings.lead_confirmation, settings.lead_review) == ("required", "auto")
    assert settings.rate_limits is True
    assert settings.totp_for_admins == "required"
    assert settings.totp_for_providers == "optional"
    assert settings.otlp_endpoint == ""
    assert read(PRODUCTION).mail_backend == "sendgrid"


def test_the_policys_own_defaults_are_those_of_the_settings():
    assert policy_of(read()) == Policy()


def test_a_day_can_be_rehearsed_in_a_minute():
    settings = read(RESPONSE_WINDOW="PT60S")
    assert settings.response_window == timedelta(seconds=60)
    assert settings.open_within == timedelta(seconds=30)
    assert settings.min_response_window == timedelta(seconds=20)
    assert read(RESPONSE_WINDOW="PT60S", OPEN_WITHIN="PT5S").open_within == timedelta(seconds=5)


def test_waiting_for_an_answer_can_be_rehearsed_as_well():
    policy = policy_of(read(ANSWER_WITHIN="PT10S", EXTENSION_AT_MOST="PT2M"))
    assert policy.answer_within == timedelta(seconds=10)
    assert policy.extension_step == timedelta(seconds=2.5)
    assert policy.extension_at_most == timedelta(minutes=2)


def test_there_is_no_default_for_where_things_are_nor_for_a_secret():
    with pytest.raises(SettingsError) as refusal:
        Settings.from_env({})
    assert refusal.value.problems == [
        "MARKETPLACE_DATABASE_URL is not set",
        "MARKETPLACE_REDIS_URL is not set",
        "MARKETPLACE_SECRET_KEY is not set",
        "MARKETPLACE_PUBLIC_URL is not set",
        "MARKETPLACE_MAIL_FROM is not set",
        "MARKETPLACE_SENDGRID_API_KEY is not set",
    ]


def test_every_wrong_setting_is_named_at_once():
    wrong = {
        "DATABASE_URL": "mysql://db.example/marketplace",
        "REDIS_URL": "cache.example:6379",
        "SECRET_KEY": "short",
        "SECRET_KEYS_OLD": "short",
        "PUBLIC_URL": "quotes.example",
        "TRUSTED_PROXIES": "-1",
        "MAIL_BACKEND": "pigeon",
        "MAIL_FROM": "quotes",
        "SENDGRID_BASE_URL": "api.sendgrid.com",
        "LEAD_CONFIRMATION": "maybe",
        "LEAD_REVIEW": "sometimes",
        "PLACES": "4",
        "RESPONSE_WINDOW": "24h",
        "RESPONSE_CALENDAR": "weekdays",
        "OPEN_WITHIN": "PT0S",
        "MIN_RESPONSE_WINDOW": "P1M",
        "REMIND_AT": "0.85,0.5",
        "ANSWER_WITHIN": "PT0S",
        "EXTENSION_AT_MOST": "two days",
        "SWEEP_INTERVAL": "PT0.5S",
        "SENTRY_DSN": "https://faults.example/1",
        "RATE_LIMITS": "yes",
        "TOTP_FOR_ADMINS": "no",
        "OTLP_ENDPOINT": "collector:4317",
    }
    named = {problem.split()[0] for problem in problems(wrong)}
    assert named == {f"MARKETPLACE_{name}" for name in wrong}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PLACES", "0"),
        ("PLACES", "2.5"),
        ("PLACES", "\u0663\u0664"),
        ("TRUSTED_PROXIES", "11"),
        ("RESPONSE_WINDOW", "-PT1H"),
        ("RESPONSE_WINDOW", "PT" + "9" * 400 + "H"),
        ("RESPONSE_WINDOW", "P1Y"),
        ("REMIND_AT", "0,0.5"),
        ("REMIND_AT", "0.5,1"),
        ("REMIND_AT", "0.5,0.5"),
        ("REMIND_AT", "nan"),
        ("REMIND_AT", "half"),
        ("SWEEP_INTERVAL", "PT1.5S"),
        ("SECRET_KEY", "x" * 31),
        ("PUBLIC_URL", "ftp://quotes.example"),
        ("PUBLIC_URL", "https://"),
        ("PUBLIC_URL", "https://:443"),
        ("PUBLIC_URL", "https://kim@quotes.example"),
        ("PUBLIC_URL", "https://quotes.example/?a=b"),
        ("PUBLIC_URL", "https://quotes.example/#a"),
        ("PUBLIC_URL", "https://[quotes.example"),
        ("DATABASE_URL", "postgresql"),
        ("OTLP_ENDPOINT", "https://kim:hush@collector.example"),
    ],
)
def test_one_wrong_value_is_named_alone(name, value):
    (problem,) = problems(**{name: value})
    assert problem.startswith(f"MARKETPLACE_{name} ")


@pytest.mark.parametrize(
    "address",
    [
        "redis://:hu[sh]@cache.example",  # what stands in brackets is taken for a host
        "redis://:hush\u2100@cache.example",  # c/o, which would be another host
        "redis://:hu/sh@cache.example",
        "redis://:12/hush@cache.example",
        "redis://:12#hush@cache.example",
        "rediss://u:hush?x@cache.example",
        "redis://cache.example:hush",
    ],
)
def test_a_password_that_tears_an_address_is_not_repeated_by_half(address):
    (problem,) = problems(REDIS_URL=address)
    assert problem == f"MARKETPLACE_REDIS_URL {UNREADABLE}"


@pytest.mark.parametrize(
    "address",
    [
        "postgresql://u:p@hush@db.example/m",
        "postgresql://u:p@hu/sh@db.example/m",
        "postgresql://u:p@hush:1@db.example/m",
        "postgresql://u:pw@db.example:hush/m",
        "postgresql://u:p@hush?x@db.example/m",
    ],
)
def test_nor_is_that_of_the_database(address):
    (problem,) = problems(DATABASE_URL=address)
    assert problem == f"MARKETPLACE_DATABASE_URL {UNREADABLE}"


@pytest.mark.parametrize(
    ("address", "host", "password"),
    [
        ("redis://:p%40%2Fw@cache.example:6380/2", "cache.example", "p%40%2Fw"),
        ("redis://:p@w@cache.example", "cache.example", "p@w"),
        ("redis://[2001:db8::1]:6379/0", "2001:db8::1", None),
    ],
)
def test_other_passwords_are_taken_as_they_are(address, host, password):
    parts = urlsplit(read(REDIS_URL=address).redis_url)
    assert (parts.hostname, parts.password) == (host, password)
    assert read(DATABASE_URL="postgresql://u:p/#w@db.example/m").database_url.endswith(
        "u:p/#w@db.example/m"
    )


@pytest.mark.parametrize("address", ["HTTPS://Quotes.Example", "https://QUOTES.example/"])
def test_https_is_https_in_whatever_letters(address):
    """By this the cookies are held to it."""
    assert read(PUBLIC_URL=address).public_url == "https://quotes.example"


def test_a_wrong_value_is_not_repeated_since_it_may_be_a_secret():
    assert "hush" not in str(problems(SECRET_KEY="hush", DATABASE_URL="mysql://u:hush@db.example"))


@pytest.mark.parametrize(
    ("said", "old"),
    [
        ("", ()),
        (" ".join(["x" * 32, "y" * 40]), ("x" * 32, "y" * 40)),
        (f"{'x' * 32},{'y' * 40}, ", ("x" * 32, "y" * 40)),
        (f'["{"x y, " * 8}z"]', ("x y, " * 8 + "z",)),
    ],
)
def test_old_secrets_stand_behind_the_one_of_now(said, old):
    settings = read(SECRET_KEYS_OLD=said)
    assert settings.secret_keys_old == old
    assert settings.secret_keys == (LEAST["SECRET_KEY"], *old)


@pytest.mark.parametrize("said", ["short", "x" * 32 + ",short", '["hush"]', "[1]", "[", '[["x"]]'])
def test_an_old_secret_is_held_to_what_the_first_is(said):
    (problem,) = problems(SECRET_KEYS_OLD=said)
    assert problem.startswith("MARKETPLACE_SECRET_KEYS_OLD must ")


def test_no_error_about_any_setting_repeats_it_and_no_repr_shows_a_secret():
    hush = "hush-hush"
    for name in (field.name.upper() for field in fields(Settings)):
        try:
            shown = repr(read(**{name: hush}))
        except SettingsError as refused:
            shown = str(refused) + repr(refused.problems)
        harmless = ("PUBLIC_URL", "MAIL_FROM", "SENDGRID_BASE_URL", "SENDGRID_WEBHOOK_PUBLIC_KEY")
        assert hush not in shown or name in harmless, name
    secrets = {
        "DATABASE_URL": f"postgresql://u:{hush}@db.example/x",
        "REDIS_URL": f"redis://:{hush}@cache.example",
        "SECRET_KEY": f"{hush}{'x' * 32}",
        "SECRET_KEYS_OLD": f"{hush}{'y' * 32}",
        "SENDGRID_API_KEY": hush,
    }
    assert hush not in repr(read(PRODUCTION, **secrets))


def test_an_empty_value_counts_as_not_set():
    assert read(PLACES=" ").places == 3
    assert problems(SECRET_KEY="") == ["MARKETPLACE_SECRET_KEY is not set"]


@pytest.mark.parametrize("name", ["MAIL_FROM", "SENDGRID_API_KEY"])
def test_sendgrid_needs_a_sender_and_a_key_and_the_mailbox_does_not(name):
    assert problems(PRODUCTION, **{name: ""}) == [f"MARKETPLACE_{name} is not set"]
    read(LEAST, **{name: ""})


def test_addresses_get_the_form_that_is_used():
    settings = read(DATABASE_URL="postgres://db.example/marketplace")
    assert settings.database_url == "postgresql+psycopg://db.example/marketplace"
    assert settings.public_url == "https://quotes.example"


def test_settings_do_not_change():
    settings = read()
    with pytest.raises(FrozenInstanceError):
        settings.places = 2
