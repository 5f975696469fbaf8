"""One invented lead walks down the whole road, over HTTP alone: `python -m ...rehearsal URL`.

Each step is shown as it happens. It leaves a request with two quotes and an open place to look at.
"""

import json
import re
import signal
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, TypeVar
from urllib.error import HTTPError, URLError
from urllib.parse import quote
from urllib.request import Request, urlopen

from marketplace.local.demo import people, quotes

T = TypeVar("T")

PATIENCE = 60.0
"""Seconds to wait for what the workers do, at each step."""

COMPANY = "Riverbend Fabrication Pty Ltd"
CONTACT = "jo@riverbend-fabrication.example"

FORM: dict[str, Any] = {
    "company": {
        "name": COMPANY,
        "country": "AU",
        "website": "https://riverbend-fabrication.example",
    },
    "contact": {
        "name": "Jo Tran",
        "email": CONTACT,
        "phone": "+61 2 5550 1234",
        "role": "Operations manager",
    },
    "service": "certification",
    "standards": ["ISO 9001", "ISO 14001"],
    "regions": ["AU-NSW"],
    "headcount": 42,
    "sites": 1,
    "sector": "17",
    "certification_status": "none",
    "timeframe": "6_months",
    "remote_ok": True,
    "notes": "Both certificates are asked for in a state government tender.",
    "consent": {"share_with_matched_providers": True, "terms_version": "2026-11"},
}


class Stuck(Exception):
    """The walk cannot go on; the message says at what."""


class Server:
    """The running product, as anybody meets it."""

    def __init__(self, url: str) -> None:
        self.url = url

    # no token, no secret
    def ask(self, method: str, path: str, body: Any = None, token: str = "") -> Any:  # nosec B107
        """Send a request to the API, or to a page that begins with `/`."""
        request = Request(
            self.url + (path if path.startswith("/") else f"/api/v1/{path}"),
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={
                "Content-Type": "application/json",
                **({"Authorization": f"Bearer {token}"} if token else {}),
            },
        )
        try:
            # only ever http, to ourselves
            with urlopen(request, timeout=30) as answer:  # nosec B310
                return json.loads(answer.read() or "null")
        except HTTPError as refused:
            said = refused.read().decode(errors="replace")[:500]
            raise Stuck(f"{method} {path} was answered with {refused.code}: {said}") from refused
        except (URLError, OSError) as error:
            raise Stuck(f"{method} {path} was not answered: {error}") from error

    def sign_in(self, email: str, password: str) -> str:
        """Return a session token."""
        asked = {"email": email, "password": password}
        return str(self.ask("POST", "sessions", asked)["token"])

    def mail(self, to: str, template: str) -> str | None:
        """Return the text of the newest such message to an address, if it has arrived."""
        found = self.ask("GET", f"/mailbox/messages?to={quote(to)}")["items"]
        return next((mail["text"] for mail in found if mail["template"] == template), None)


def walk(server: Server, tell: Callable[[str], None]) -> None:
    """Go down the road once; if a demo lead is there already, say so and leave it at that."""
    admin = server.sign_in(people.ADMIN_EMAIL, people.ADMIN_PASSWORD)
    known = server.ask("GET", f"admin/leads?q={quote(COMPANY)}", token=admin)["items"]
    if known:
        tell(f"The invented lead {known[0]['reference']} is there already: {known[0]['state']}.")
        tell(f"Its mails, with the link to its page, are in {server.url}/mailbox?to={CONTACT}")
        return

    tell(f"1. {COMPANY} sends the form: {', '.join(FORM['standards'])}, 42 people, AU-NSW.")
    reference = server.ask("POST", "leads", FORM)["reference"]
    tell(f"   It is {reference}, and has to be confirmed by e-mail.")

    mail = wait_for(lambda: server.mail(CONTACT, "confirm_request"), "the confirmation mail")
    found = re.search(r"/requests/confirm/([\w-]+)", mail)
    if found is None:
        raise Stuck("the confirmation mail holds no link")
    confirmed = server.ask("POST", "leads/confirmations", {"token": found[1]})
    business = confirmed["request_token"]
    tell(f"2. The link in the mail is followed: {reference} is {confirmed['status']}.")

    lead = server.ask("GET", f"admin/leads?q={reference}", token=admin)["items"][0]["id"]
    if confirmed["status"] == "in_review":
        server.ask("POST", f"admin/leads/{lead}/approval", {}, token=admin)
        tell("   It was held for review; the administrator approves it.")

    def held() -> list[Any]:
        case = server.ask("GET", f"admin/leads/{lead}", token=admin)
        return [each for each in case["invitations"] if each["state"] in ("sent", "opened")]

    def three() -> list[Any] | None:
        holding = held()
        return holding if len(holding) == 3 else None

    invited = wait_for(three, "three invitations")
    tell(f"3. Three providers are invited: {_names(invited)}.")

    emails = people.provider_emails()
    sessions = {}
    for each in invited:
        name = each["provider"]["name"]
        token = sessions[each["id"]] = server.sign_in(emails[name], people.PROVIDER_PASSWORD)
        seen = server.ask("GET", f"portal/invitations/{each['id']}", token=token)
        if COMPANY in json.dumps(seen):
            raise Stuck("an invitation shows who the business is before it was accepted")
    tell("4. Each signs in and reads the brief, which does not say who the business is.")

    first, second, third = invited
    reason = {"reason": "no_capacity", "comment": "Our auditors are booked until March."}
    path = f"portal/invitations/{first['id']}/decline"
    server.ask("POST", path, reason, token=sessions[first["id"]])
    tell(f"5. {first['provider']['name']} declines: no capacity.")
    invited = wait_for(three, "a replacement")
    new = next(each for each in invited if each["id"] not in sessions)
    tell(f"   {new['provider']['name']} is invited in its place.")

    for each, offer in ((second, quotes.FIRST), (third, quotes.SECOND)):
        token, path = sessions[each["id"]], f"portal/invitations/{each['id']}"
        contact = server.ask("POST", f"{path}/acceptance", token=token)["lead"]["contact"]
        held_by = server.ask("GET", "portal/accreditations", token=token)
        body = quotes.on_the_day(offer, datetime.now(UTC).date(), held_by["items"])
        server.ask("PUT", f"{path}/quote", body, token=token)
        tell(f"6. {each['provider']['name']} accepts, learns of {contact['name']}, and quotes.")

    page = server.ask("GET", "request", token=business)
    commitment = page["commitment"]
    tell(f"7. The 24-hour commitment is {commitment['state']}; {COMPANY} compares:")
    for column in page["comparison"]["kinds"]["certification"]["columns"]:
        tell(
            f"     {column['provider']:<40} {column['currency']} {column['total']:>10} for "
            f"{column['total_covers']}, {column['days']:g} audit days"
        )
    tell(f"   To choose between them, follow the link in {server.url}/mailbox?to={CONTACT}")


def wait_for(look: Callable[[], T | None], what: str) -> T:
    """Return what `look` finds, within a bounded time."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        if found := look():
            return found
        time.sleep(0.1)
    raise Stuck(f"waited {PATIENCE:.0f} seconds for {what}, in vain; is a worker running?")


def _names(invited: list[Any]) -> str:
    return ", ".join(each["provider"]["name"] for each in invited)


def main() -> None:
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    try:
        walk(Server(sys.argv[1]), lambda line: print(f"  {line}", flush=True))  # noqa: T201 (its output)
    except Stuck as stuck:
        sys.exit(f"  The walk of the invented lead ended early: {stuck}")


if __name__ == "__main__":
    main()
