"""The line that every request leaves."""

import pytest
import structlog

from marketplace.core.links import Purpose, new_token
from tests.people import a_person, bearer, session_token


@pytest.fixture
def requests():
    with structlog.testing.capture_logs(
        processors=[structlog.contextvars.merge_contextvars]
    ) as lines:
        yield lambda: [line for line in lines if line["event"] == "request"]


def test_a_request_leaves_a_line_with_its_route_status_and_id(client, ctx, requests):
    user = a_person(ctx)
    head = {**bearer(session_token(ctx, user)), "X-Request-Id": "a-request-of-ours"}
    key_id = "0192f3c1-7d2e-7c3b-9c37-6f3f7c1a2b3c"
    client.delete(f"/api/v1/portal/api-keys/{key_id}", headers=head)
    (line,) = requests()
    assert line.pop("ms") >= 0
    assert line == {
        "event": "request",
        "log_level": "info",
        "method": "DELETE",
        "route": "/api/v1/portal/api-keys/<uuid:key_id>",
        "key_id": key_id,
        "status": 404,
        "by": "provider",
        "by_id": str(user.id),
        "request_id": "a-request-of-ours",
    }


def test_a_path_that_may_hold_a_token_is_not_written(client, requests):
    token = new_token(Purpose.CONFIRM_LEAD)
    client.get(f"/api/v1/nowhere/{token}?token={token}")
    client.get(f"/requests/confirm/{token}")
    assert len(requests()) == 2
    assert token not in str(requests())
