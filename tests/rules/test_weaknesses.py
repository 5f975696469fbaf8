"""Which settings are weak, each in a row, and that a sound installation has none."""

import secrets

import pytest

from config.settings import Settings
from marketplace.local.connection import write_connection
from marketplace.local.weaknesses import is_guessable, readable_by_others, weaknesses
from tests.api.test_hooks import public_key

SOUND = {
    "DATABASE_URL": "postgresql://app:pw@db.example/marketplace?sslmode=verify-full",
    "REDIS_URL": "rediss://:pw@cache.example:6379/0",
    "SECRET_KEY": "9f1c0ad27be84e53c6a1f09d3b7e52c84d60a9e17f3b2c58",
    "PUBLIC_URL": "https://quotes.example",
    "TRUSTED_PROXIES": "1",
    "MAIL_FROM": "quotes@quotes.example",
    "SENDGRID_API_KEY": "SG.invented",
    "SENDGRID_WEBHOOK_PUBLIC_KEY": public_key(),
}


def found(environment=None, **changes):
    values = SOUND | changes
    settings = Settings.from_env({f"MARKETPLACE_{name}": each for name, each in values.items()})
    return list(weaknesses(settings, environment or {}))


def test_of_a_sound_installation_nothing_is_said():
    assert found() == []
    at_home = {"PUBLIC_URL": "http://127.0.0.1:8000", "MAIL_BACKEND": "mailbox"}
    at_home |= {"TOTP_FOR_ADMINS": "optional", "RATE_LIMITS": "off", "TRUSTED_PROXIES": "0"}
    at_home |= {"REDIS_URL": "unix:///run/redis.sock", "DATABASE_URL": "postgresql:///m?host=/tmp"}
    assert found(**at_home) == []


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"SECRET_KEY": "x" * 64}, "looks as if it could be guessed"),
        ({"SECRET_KEYS_OLD": SOUND["SECRET_KEY"]}, "holds the secret of now"),
        ({"PUBLIC_URL": "http://quotes.example"}, "is not encrypted. Serve it by https"),
        ({"TRUSTED_PROXIES": "0"}, "so a proxy stands in front"),
        ({"TOTP_FOR_ADMINS": "optional"}, "a password alone"),
        ({"RATE_LIMITS": "off"}, "who guesses or floods"),
        ({"MAIL_BACKEND": "mailbox"}, "which anybody at https://quotes.example/mailbox can read"),
        ({"SENDGRID_WEBHOOK_PUBLIC_KEY": ""}, "every report of the mail service is refused"),
        ({"SENDGRID_WEBHOOK_PUBLIC_KEY": "invented"}, "is no public key"),
        ({"SENDGRID_BASE_URL": "http://mail.example"}, "and the key goes there"),
        ({"REDIS_URL": "rediss://cache.example"}, "without a password"),
        ({"REDIS_URL": "redis://:pw@cache.example"}, "Use rediss://"),
        ({"REDIS_URL": "rediss://:pw@cache.example?ssl_cert_reqs=none"}, "nobody checks who"),
        ({"REDIS_URL": "rediss://:pw@cache.example?ssl_check_hostname=False"}, "nobody checks who"),
        ({"REDIS_URL": "redis+sentinel://:pw@a.example,b.example/m"}, "Use rediss+sentinel://"),
        ({"REDIS_URL": "rediss+sentinel://127.0.0.1,b.example/m"}, "without a password"),
        ({"SECRET_KEYS_OLD": "x" * 64}, "whoever signs with it is believed"),
        ({"PUBLIC_URL": "HTTP://Quotes.example"}, "is not encrypted. Serve it by https"),
        (
            {"DATABASE_URL": "postgresql://db.example/m?sslmode=require"},
            "nobody checks who answers",
        ),
        ({"DATABASE_URL": "postgresql://db.example/m?sslmode=verify-ca"}, "is encrypted, but"),
        ({"DATABASE_URL": "postgresql:///m?hostaddr=192.0.2.7"}, "at 192.0.2.7"),
        ({"MIGRATION_DATABASE_URL": "postgresql://db.example/m"}, "MARKETPLACE_MIGRATION_DATABASE"),
        ({"DATABASE_URL": "postgresql://db.example/m"}, "may be unencrypted"),
        ({"DATABASE_URL": "postgresql://db.example/m?sslmode=prefer"}, "may be unencrypted"),
        ({"DATABASE_URL": "postgresql:///m?host=db.example"}, "at db.example"),
    ],
)
def test_each_weakness_is_named_alone_with_what_to_do(changes, said):
    (one,) = found(**changes)
    assert said in one
    for secret in (":pw", SOUND["SECRET_KEY"], "SG.invented"):
        assert secret not in one


@pytest.mark.parametrize("value", ["1", "true", "on"])
def test_debugging_is_named(value):
    (one,) = found({"FLASK_DEBUG": value})
    assert "FLASK_DEBUG is on" in one


@pytest.mark.parametrize(
    ("secret", "guessable"),
    [
        ("a" * 32, True),
        ("ab" * 32, True),
        ("0123456789abcdef" * 4, True),
        ("this is the secret key, please change-me", True),
        ("Password-of-our-site-2026-and-more!!", True),
        ("qwertyuiopasdfghjklzxcvbnm1234567890", True),
        ("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab", True),
        ("00112233445566778899aabbccddeeff", True),
        ("zyxwvutsrqponmlkjihgfedcba987654", True),
        ("9f1c0ad27be84e53c6a1f09d3b7e52c84d60a9e17f3b2c58", False),
        ("kN3v_0Zr8qLw5TtYb-1XcJdF7mGhS2uP", False),
    ],
)
def test_what_a_person_or_an_example_made_up_is_guessable(secret, guessable):
    assert is_guessable(secret) is guessable


def test_what_is_made_as_it_says_never_is():
    assert not any(is_guessable(secrets.token_hex(32)) for _ in range(500))


def test_files_with_secrets_that_others_can_read_are_named(tmp_path):
    write_connection(tmp_path, {"MARKETPLACE_SECRET_KEY": "x"})
    assert list(readable_by_others(tmp_path)) == []
    (tmp_path / "connection.env").chmod(0o640)
    (one,) = readable_by_others(tmp_path)
    assert "chmod 600" in one
