"""What lies around pages: how they are packed, what is read once a minute, which day it was."""

import gzip
from datetime import UTC, datetime

import pytest

from marketplace.web.pages.kept import once_a_minute
from marketplace.web.pages.words import day

PAGE = "/"


def test_a_page_is_packed_for_who_can_unpack_it(client):
    plain = client.get(PAGE)
    packed = client.get(PAGE, headers={"Accept-Encoding": "gzip"})
    assert "Content-Encoding" not in plain.headers
    assert packed.headers["Content-Encoding"] == "gzip"
    assert "Accept-Encoding" in plain.headers["Vary"]
    assert len(packed.data) < len(plain.data) / 3
    assert b"</html>" in gzip.decompress(packed.data)


@pytest.mark.parametrize("encoding", ["identity", "gzip"])
def test_what_has_not_changed_is_not_sent_again_packed_or_not(client, encoding):
    headers = {"Accept-Encoding": encoding}
    first = client.get("/api/v1/catalogue", headers=headers)
    again = client.get(
        "/api/v1/catalogue", headers=headers | {"If-None-Match": first.headers["ETag"]}
    )
    assert (first.status_code, again.status_code, again.data) == (200, 304, b"")


def test_what_everybody_asks_for_is_read_once_a_minute(app, ctx, clock):
    read = []

    def one(ctx):
        read.append("one")
        return len(read)

    def other(ctx):
        read.append("other")
        return "other"

    assert [once_a_minute(ctx, one), once_a_minute(ctx, other)] == [1, "other"]
    clock.advance(seconds=59)
    assert once_a_minute(ctx, one) == 1
    clock.advance(seconds=1)
    assert once_a_minute(ctx, one) == 3
    assert read == ["one", "other", "one"]


def test_a_moment_is_of_the_day_that_its_reader_had(app):
    late = datetime(2026, 11, 23, 22, 30, tzinfo=UTC)
    with app.test_request_context():
        assert day(late, "Australia/Sydney") == "24 November 2026"
        assert day(late) == "23 November 2026"
        assert day(late.date(), "Australia/Sydney") == "23 November 2026"
