"""How the servers behind are addressed, also where each is several machines."""

import pytest
from redis import TimeoutError
from redis.sentinel import (
    MasterNotFoundError,
    SentinelConnectionPool,
    SentinelManagedConnection,
)
from sqlalchemy import make_url

from config import servers
from config.settings import UNREADABLE, Settings, SettingsError
from marketplace.core.primary import in_order

LEAST = {
    "MARKETPLACE_SECRET_KEY": "a secret of the tests and of nobody else",
    "MARKETPLACE_PUBLIC_URL": "https://quotes.example/",
    "MARKETPLACE_MAIL_BACKEND": "mailbox",
    "MARKETPLACE_DATABASE_URL": "postgresql://db.example/marketplace",
    "MARKETPLACE_REDIS_URL": "redis://cache.example",
}


def read(**changes):
    return Settings.from_env({**LEAST, **{f"MARKETPLACE_{k}": v for k, v in changes.items()}})


def connected_with(address):
    """Return what libpq is given."""
    url = make_url(read(DATABASE_URL=address).database_url)
    _, parameters = url.get_dialect()().create_connect_args(url)
    return parameters


@pytest.mark.parametrize(
    ("address", "hosts", "ports"),
    [
        ("postgresql://u:p@a:5432,b:5433/m", "a,b", "5432,5433"),
        ("postgresql://u:p@a,b/m", "a,b", "5432,5432"),
        ("postgresql://u:p@[2001:db8::1]:1,b/m", "2001:db8::1,b", "1,5432"),
        ("postgresql://u:p@/m?host=a:1&host=b:2", "a,b", "1,2"),
        ("postgresql://u:p@/m?host=a,b&port=1,2", "a,b", "1,2"),
        ("postgresql+psycopg://u:p@a,b/m?sslmode=verify-full", "a,b", "5432,5432"),
    ],
)
def test_of_several_hosts_the_one_that_takes_writes_is_looked_for(address, hosts, ports):
    given = connected_with(address)
    assert (given["host"], given["port"]) == (hosts, ports)
    assert (given["user"], given["password"], given["dbname"]) == ("u", "p", "m")
    assert given["target_session_attrs"] == "read-write"


def test_whoever_wants_something_else_of_the_hosts_says_so():
    given = connected_with("postgresql://a,b/m?target_session_attrs=primary&sslmode=require")
    assert (given["target_session_attrs"], given["sslmode"]) == ("primary", "require")


def test_one_host_is_taken_as_it_is():
    assert "target_session_attrs" not in connected_with("postgresql://u:p@a/m")


def test_a_password_with_signs_is_the_same_with_several_hosts():
    assert connected_with("postgresql://u:%40,%2F@a,b/m")["password"] == "@,/"


@pytest.mark.parametrize(
    "address",
    [
        "postgresql://u:hush@a:x,b/m",
        "postgresql://u:hush@a,/m",
        "postgresql://u:hush@a:70000,b/m",
        "postgresql://u:p@hush@a,b/m",
        "postgresql://u:hush@a,b/m?host=c",
    ],
)
def test_several_hosts_that_make_no_sense_are_not_repeated(address):
    with pytest.raises(SettingsError) as refusal:
        read(DATABASE_URL=address)
    assert refusal.value.problems == [f"MARKETPLACE_DATABASE_URL {UNREADABLE}"]


@pytest.mark.parametrize(
    ("last", "hosts", "ports"),
    [
        (None, "a,b,c", "1,2,3"),
        (("b", "2"), "b,a,c", "2,1,3"),
        (("z", "9"), "a,b,c", "1,2,3"),
    ],
)
def test_the_host_that_answered_last_is_tried_first(last, hosts, ports):
    assert in_order("a,b,c", "1,2,3", last) == (hosts, ports)


def test_one_port_stands_for_all_hosts():
    assert in_order("a,b", "1", ("b", "1")) == ("b,a", "1,1")
    assert in_order("a,b", "", ("b", "")) == ("b,a", ",")


def test_an_address_of_sentinels_says_all_that_one_of_redis_says():
    said = servers.read_sentinel(
        "redis+sentinel://who:p%40%2Fw@a:26380,b,[2001:db8::1]:7/mymaster/3"
        "?sentinel_password=other&health_check_interval=4"
    )
    assert said.sentinels == (("a", 26380), ("b", 26379), ("2001:db8::1", 7))
    assert said.service == "mymaster"
    assert said.options == {
        "username": "who", "password": "p@/w", "db": 3, "health_check_interval": 4
    }  # fmt: skip
    assert said.sentinel_options == {"password": "other"}


def test_with_tls_the_sentinels_are_asked_by_tls_too():
    address = "rediss+sentinel://:p@a,b/mymaster?ssl_ca_certs=/etc/ca.pem"
    pool = servers.redis_at(read(REDIS_URL=address).redis_url).connection_pool
    assert isinstance(pool, SentinelConnectionPool)
    assert "SSL" in pool.connection_class.__name__
    for each in pool.sentinel_manager.sentinels:
        assert each.get_connection_kwargs()["ssl_ca_certs"] == "/etc/ca.pem"
        assert "SSL" in each.connection_pool.connection_class.__name__


@pytest.mark.parametrize(
    "address",
    [
        "redis+sentinel://:hush@a:26379",
        "redis+sentinel://:hush@a:26379/",
        "redis+sentinel://:hush@a:port/mymaster",
        "redis+sentinel://:hush@/mymaster",
        "redis+sentinel://:hush@a,,b/mymaster",
        "redis+sentinel://:hush@a/mymaster/zero",
        "redis+sentinel://:hu/sh@a/mymaster",
        "redis+sentinel://:hu#sh@a/mymaster",
        "redis+sentinel://:hush@a/mymaster?nonsense",
    ],
)
def test_an_address_of_sentinels_that_makes_no_sense_is_named_and_not_repeated(address):
    with pytest.raises(SettingsError) as refusal:
        read(REDIS_URL=address)
    (problem,) = refusal.value.problems
    assert problem.startswith("MARKETPLACE_REDIS_URL cannot be read")
    assert "hush" not in problem
    assert "hu" not in problem.split(";")[0].replace("such", "")


def test_a_line_that_was_lost_asks_the_sentinels_before_anything_is_sent_again(monkeypatch):
    """redis-py by itself would go back to the host that it had."""
    pool = servers.redis_at("redis+sentinel://a/mymaster").connection_pool
    asked = []

    def nobody():
        asked.append("who is the primary?")
        raise MasterNotFoundError

    monkeypatch.setattr(pool.proxy, "get_master_address", nobody)
    with pytest.raises(MasterNotFoundError):
        pool.make_connection().send_packed_command([b"PING"])
    assert asked


def test_one_that_says_nothing_tells_of_the_whole_pool(monkeypatch):
    pool = servers.redis_at("redis+sentinel://a/mymaster").connection_pool
    dropped = []
    monkeypatch.setattr(pool, "disconnect", lambda **how: dropped.append(how))

    def silence(*_, **__):
        raise TimeoutError

    monkeypatch.setattr(SentinelManagedConnection, "read_response", silence)
    with pytest.raises(TimeoutError):
        pool.make_connection().read_response()
    assert dropped == [{"inuse_connections": False}]


@pytest.mark.parametrize(
    "address", ["redis://a", "rediss://a", "unix:///run/redis.sock", "redis+sentinel://a/mymaster"]
)
def test_silence_is_given_up_on_every_line_that_can_fall_silent(address):
    given = servers.redis_at(address).get_connection_kwargs()
    assert ("socket_keepalive_options" in given) is not address.startswith("unix")


def test_what_the_address_says_of_the_line_counts():
    given = servers.line_to("postgresql+psycopg://a/m?keepalives_idle=60")
    assert "keepalives_idle" not in given
    assert given["tcp_user_timeout"] == servers.UNACKNOWLEDGED_MS


def test_where_there_is_another_host_the_first_has_less_time_to_answer():
    one, two = (read(DATABASE_URL=f"postgresql://{hosts}/m").database_url for hosts in ("a", "a,b"))
    assert servers.line_to(two)["connect_timeout"] < servers.line_to(one)["connect_timeout"]
    assert "connect_timeout" not in servers.line_to(f"{two}&connect_timeout=9")
