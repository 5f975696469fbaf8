"""nginx, with the very configuration that is delivered, in front of the product."""

import json
import re
import socket
import ssl
from contextlib import closing
from contextlib import nullcontext as nothing
from http.client import RemoteDisconnected

import pytest
from sqlalchemy import select

from config.log_lines import _BEHIND_TOKEN_PATH
from config.web_worker import UNREAD_AT_MOST
from marketplace.core.events import Event
from marketplace.providers.evidence import EVIDENCE_AT_MOST
from marketplace.web.pages.guard import READ_AT_MOST
from marketplace.web.requests import MAX_BODY, MAX_UPLOAD
from tests.deploy.conftest import SITE
from tests.deploy.files import DEPLOY
from tests.factories import lead_form
from tests.fleet import wait_until
from tests.people import PASSWORD, a_person

CONFIGURATION = (DEPLOY / "nginx" / "marketplace.conf").read_text()

MIB = 1024 * 1024

TOKEN = "confirm_" + "tHiSiSnOoNeS" * 3


def test_a_page_in_the_clear_leads_to_https(proxy):
    answer = proxy.ask("/join?from=here", encrypted=False)
    assert answer.status == 308
    assert answer["Location"] == f"https://{SITE}/join?from=here"


def test_software_that_asks_in_the_clear_is_told(proxy):
    answer = proxy.ask("/api/v1/request", encrypted=False, headers={"Authorization": "Bearer x"})
    assert answer.status == 403
    assert answer["Content-Type"] == "application/problem+json"
    assert json.loads(answer.body)["type"] == "/problems/https-only"
    assert not answer.all("Location")


def test_a_certificate_is_renewed_in_the_clear(proxy):
    place = proxy.folder / "www" / ".well-known" / "acme-challenge"
    place.mkdir(parents=True, exist_ok=True)
    (place / "proof").write_text("it is us")
    assert proxy.ask("/.well-known/acme-challenge/proof", encrypted=False).body == b"it is us"


def test_another_name_gets_no_answer(proxy):
    with closing(socket.create_connection(("127.0.0.1", proxy.plain_port), timeout=5)) as line:
        line.sendall(b"GET / HTTP/1.1\r\nHost: elsewhere.example\r\n\r\n")
        assert line.recv(100) == b""
    for name in ("elsewhere.example", None):
        context = ssl._create_unverified_context()
        with (
            closing(socket.create_connection(("127.0.0.1", proxy.port), timeout=5)) as line,
            pytest.raises(ssl.SSLError, match=r"(?i)unrecognized.name"),
        ):
            context.wrap_socket(line, server_hostname=name)


@pytest.mark.parametrize(
    ("version", "ciphers", "is_taken"),
    [
        (ssl.TLSVersion.TLSv1_1, "ALL:@SECLEVEL=0", False),
        (ssl.TLSVersion.TLSv1_2, "ECDHE-ECDSA-AES128-GCM-SHA256", True),
        (ssl.TLSVersion.TLSv1_2, "ECDHE-ECDSA-CHACHA20-POLY1305", True),
        (ssl.TLSVersion.TLSv1_2, "ECDHE-ECDSA-AES128-SHA256", False),
        (ssl.TLSVersion.TLSv1_2, "AES128-GCM-SHA256", False),
        (ssl.TLSVersion.TLSv1_3, "", True),
    ],
)
def test_only_lines_that_are_safe_are_taken(proxy, version, ciphers, is_taken):
    context = proxy.trusting()
    is_old = version < ssl.TLSVersion.TLSv1_2
    with pytest.warns(DeprecationWarning, match="TLSv1_1") if is_old else nothing():
        context.minimum_version = context.maximum_version = version
    if ciphers:
        context.set_ciphers(ciphers)
    with closing(socket.create_connection(("127.0.0.1", proxy.port), timeout=5)) as line:
        try:
            with context.wrap_socket(line, server_hostname=SITE) as encrypted:
                assert encrypted.version() == {771: "TLSv1.2", 772: "TLSv1.3"}[version]
                taken = True
        except (ssl.SSLError, ConnectionResetError):
            taken = False
    assert taken is is_taken


def test_browsers_may_speak_http_2(proxy):
    context = proxy.trusting()
    context.set_alpn_protocols(["h2", "http/1.1"])
    with (
        closing(socket.create_connection(("127.0.0.1", proxy.port), timeout=5)) as line,
        context.wrap_socket(line, server_hostname=SITE) as encrypted,
    ):
        assert encrypted.selected_alpn_protocol() == "h2"


def test_a_page_has_the_headers_of_the_product_once_and_tells_no_version(proxy):
    answer = proxy.ask("/")
    assert answer.status == 200
    assert answer["Server"] == "nginx"
    assert "max-age=63072000" in answer["Strict-Transport-Security"]
    assert "default-src 'none'" in answer["Content-Security-Policy"]
    assert answer["X-Content-Type-Options"] == "nosniff"
    (cookie,) = answer.all("Set-Cookie")
    assert cookie.startswith("__Host-marketplace=")
    assert "Secure" in cookie
    assert "HttpOnly" in cookie


def test_pages_are_packed_once_by_the_product(proxy):
    assert proxy.ask("/", headers={"Accept-Encoding": "br, gzip"})["Content-Encoding"] == "br"


@pytest.mark.parametrize(
    "path",
    [
        "/metrics", "/readyz", "//metrics", "/%6Detrics", "/./metrics", "/x/../readyz",
        "/metrics?a=b", "/metrics/", "/Metrics", "/readyz%00",
    ],
)  # fmt: skip
def test_what_operators_ask_is_not_for_outsiders(proxy, web, path):
    for headers in ({}, {"X-Forwarded-For": "127.0.0.1", "X-Real-IP": "10.0.0.1"}):
        assert proxy.ask(path, headers=headers).status in (400, 404)
    assert web.ask("/metrics").status == web.ask("/readyz").status == 200


def test_whether_it_lives_anybody_may_ask(proxy):
    assert proxy.ask("/healthz").status == 200


def sent_from(ctx, person):
    with ctx.reading() as session:
        about = select(Event.address).where(Event.verb == "user.signed_in")
        return session.scalars(about.where(Event.actor_id == person.id)).all()


INVENTED = {
    "X-Forwarded-For": "192.0.2.66",
    "X-Real-IP": "192.0.2.66",
    "Forwarded": "for=192.0.2.66;host=elsewhere.example",
    "X-Forwarded-Host": "elsewhere.example",
    "X-Forwarded-Proto": "http",
    "X-Forwarded-Prefix": "/elsewhere",
}


def test_who_asks_is_whom_the_proxy_sees_and_not_what_they_say(proxy, ctx):
    person = a_person(ctx)
    body = json.dumps({"email": person.email, "password": PASSWORD}).encode()
    answer = proxy.ask(
        "/api/v1/sessions",
        method="POST",
        body=body,
        headers={"Content-Type": "application/json", **INVENTED},
        source="127.7.7.7",
    )
    assert answer.status == 201, answer.body
    assert sent_from(ctx, person) == ["127.7.7.0/24"]


def test_nobody_is_led_elsewhere(proxy):
    answer = proxy.ask("/portal", headers=INVENTED)
    assert answer.status in (302, 303)
    assert answer["Location"].startswith("/sign-in")


def test_a_request_goes_all_the_way(proxy):
    answer = proxy.ask(
        "/api/v1/leads",
        method="POST",
        body=json.dumps(lead_form(1)).encode(),
        headers={"Content-Type": "application/json"},
    )
    assert answer.status == 202, answer.body


@pytest.mark.parametrize(
    ("sent", "goes_on"),
    [("one-id_along-the-road", True), ("short", False), ("no id { of } ours", False), ("", False)],
)
def test_one_id_runs_along_the_road(proxy, sent, goes_on):
    answer = proxy.ask("/healthz", headers={"X-Request-Id": sent} if sent else {})
    used = answer["X-Request-Id"]
    assert (used == sent) is goes_on
    # nginx writes its line when the answer is on its way already.
    wait_until(lambda: json.loads(proxy.log.splitlines()[-1])["request_id"] == used, "it is logged")


@pytest.mark.parametrize(
    "path",
    [
        "/requests/confirm/{}", "/requests/open/{}?x={}", "/set-password/{}", "/join/withdraw/{}",
        "/reminders/{}/stop", "/healthz?token={}", "/requests/%63onfirm/{}",
    ],
)  # fmt: skip
def test_no_token_gets_into_a_log(proxy, path):
    proxy.ask(path.format(TOKEN, TOKEN), headers={"Referer": f"https://{SITE}/{TOKEN}"})
    proxy.ask(path.format(TOKEN, TOKEN), encrypted=False)
    written = proxy.log + proxy.errors
    assert path.split("{")[0].split("?")[0].split("%")[0] in written
    assert TOKEN not in written


def test_tokens_stand_where_the_product_knows_them():
    ours = re.search(r"\?:([\w|\-/]+)\)", _BEHIND_TOKEN_PATH.pattern)
    assert f"(?:{ours[1]})" in CONFIGURATION


@pytest.mark.parametrize(
    ("path", "size", "status", "by"),
    [
        ("/api/v1/leads", MAX_BODY + 1, 413, "the product"),
        ("/api/v1/leads", MIB + 1, 413, "nginx"),
        ("/api/v1/hooks/sendgrid", MAX_UPLOAD - 1, 403, "the product"),
        (
            "/api/v1/portal/invitations/x/attachments",
            EVIDENCE_AT_MOST + MAX_BODY,
            404,
            "the product",
        ),
        ("/api/v1/portal/provider/accreditations", 11 * MIB + 1, 413, "nginx"),
        ("/sign-in", 2 * MIB, 413, "nginx"),
    ],
)
def test_a_body_is_refused_by_who_knows_best(proxy, path, size, status, by):
    kind = "application/json" if path.startswith("/api") else "application/x-www-form-urlencoded"
    answer = proxy.ask(path, method="POST", body=b" " * size, headers={"Content-Type": kind})
    assert answer.status == status, answer.body
    assert bool(answer.all("X-Request-Id")) == (by == "the product")
    if status == 413 and path.startswith("/api"):
        assert answer["Content-Type"] == "application/problem+json"
        assert json.loads(answer.body)["type"] == "/problems/too-large"


def test_nothing_that_the_product_takes_is_too_large_for_nginx():
    """`client_max_body_size` by place, and what the product reads there."""
    limits = re.findall(
        r"location (\S+) \{\s*client_max_body_size (\d+)m|^    client_max_body_size (\d+)m",
        CONFIGURATION,
        flags=re.M,
    )
    by_place = {place or "/": int(inside or whole) * MIB for place, inside, whole in limits}
    assert by_place.keys() == {"/", "/portal", "/api/v1/portal", "/api/v1/hooks"}
    assert by_place["/"] > MAX_BODY
    assert by_place["/portal"] > READ_AT_MOST
    assert by_place["/api/v1/portal"] > EVIDENCE_AT_MOST + MAX_BODY
    assert by_place["/api/v1/hooks"] > MAX_UPLOAD
    assert max(by_place.values()) == UNREAD_AT_MOST, "what is refused unread loses its answer"


def test_whoever_is_slow_holds_no_thread_of_the_product(proxy):
    """Twenty that stop in the middle of a body, where the product has eight threads."""
    slow = [proxy.connect() for _ in range(20)]
    try:
        for each in slow:
            each.putrequest("POST", "/api/v1/leads")
            each.putheader("Content-Type", "application/json")
            each.putheader("Content-Length", "1000")
            each.endheaders(b"{")
        assert proxy.ask("/").status == 200
    finally:
        for each in slow:
            each.close()


def test_whoever_takes_a_hundred_lines_gets_no_more(proxy):
    held = [proxy.connect(source="127.8.8.8") for _ in range(101)]
    try:
        for each in held[:-1]:
            each.putrequest("POST", "/api/v1/leads")
            each.putheader("Content-Length", "1000")
            each.endheaders(b"{")
        assert proxy.ask("/healthz", source="127.9.9.9").status == 200
        held[-1].request("GET", "/healthz")
        assert held[-1].getresponse().status == 429
    except RemoteDisconnected:
        pytest.fail("nginx said nothing")
    finally:
        for each in held:
            each.close()


def test_while_the_product_is_away_everybody_is_told_when_to_come_back(proxy_of_nobody):
    page, software = proxy_of_nobody.ask("/"), proxy_of_nobody.ask("/api/v1/leads")
    for answer in (page, software):
        assert answer.status == 503
        assert answer["Retry-After"] == "30"
        assert answer["Cache-Control"] == "no-store"
    assert page["Content-Type"].startswith("text/plain")
    assert json.loads(software.body)["type"] == "/problems/unavailable"
    proxy_of_nobody.ask(f"/requests/confirm/{TOKEN}")
    assert TOKEN not in proxy_of_nobody.log + proxy_of_nobody.errors
    assert json.loads(proxy_of_nobody.log.splitlines()[-1])["upstream_status"] == "502"
