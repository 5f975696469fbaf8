"""The whole walk on the real thing: a CSV file, `up`, its workers, and HTTP alone."""

import csv
import re
import shutil
import signal
import subprocess
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from marketplace.local.places import open_place, remove_place
from marketplace.local.rehearsal import Server, Stuck, wait_for
from marketplace.providers.cells import COLUMNS
from tests.factories import lead_form
from tests.faults.test_up import PATIENCE, command, environment, run, up

ADMIN, PASSWORD = "ada@marketplace.example", "seven quiet herons"


def provider_row(number):
    return {
        "name": f"Invented Quality {number}",
        "kind": "consultant",
        "country": "AU",
        "website": f"https://quality{number}.example",
        "contact_name": f"Kim Reyes {number}",
        "email": f"kim@quality{number}.example",
        "standards": "ISO 9001;ISO 14001",
        "regions": "AU-NSW;AU-VIC",
        "sectors": "17",
        "headcount_min": "1",
        "headcount_max": "500",
        "remote": "yes",
        "open_capacity": "5",
        "monthly_capacity": "20",
    }


@pytest.fixture(scope="module")
def installation():
    """A system of its own, with four providers out of a file and an administrator."""
    folder = Path(tempfile.mkdtemp(prefix="marketplace-walk-"))
    folder.chmod(0o711)  # root's servers run as somebody else, who has to get through
    data = folder / "data"
    with (folder / "providers.csv").open("w", newline="") as out:
        writer = csv.DictWriter(out, COLUMNS, restval="")
        writer.writeheader()
        writer.writerows(provider_row(number) for number in range(1, 5))
    with up(data) as running:
        server = Server(running.ready()[0])
        imported = run(
            "import-providers",
            folder / "providers.csv",
            "--verified",
            "--invite",
            "--data-dir",
            data,
        )
        assert imported.returncode == 0, imported.stderr
        made = subprocess.run(
            command("create-admin", ADMIN, "--password-stdin", "--data-dir", data),
            env=environment(),
            input=PASSWORD,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )
        assert made.returncode == 0, made.stderr
        yield server
        assert running.stop(signal.SIGINT) == 0
    for name in ("postgres", "redis"):
        if (data / f"{name}.location").exists():
            remove_place(data, name, open_place(data, name))
    shutil.rmtree(folder)


def token_in(mail):
    return re.search(r"/((?:confirm|password|request)_[\w-]+)", mail)[1]


def signed_in(server, email):
    """Set a password by the link from the invitation, and sign in with it."""
    mail = wait_for(lambda: server.mail(email, "set_password"), "the set-password mail")
    body = {"token": token_in(mail), "password": PASSWORD}
    server.ask("PUT", "password-resets", body)
    return server.sign_in(email, PASSWORD)


def offer(fee):
    today = datetime.now(UTC).date()
    return {
        "kind": "consulting",
        "currency": "AUD",
        "phases": [{"name": "All of it", "days": 10, "fee": fee}],
        "valid_until": str(today + timedelta(days=30)),
    }


def test_one_form_becomes_three_invitations_a_replacement_two_quotes_and_a_choice(installation):
    server = installation
    admin = server.sign_in(ADMIN, PASSWORD)
    form = lead_form(1)
    contact = form["contact"]["email"]
    reference = server.ask("POST", "leads", form)["reference"]
    mail = wait_for(lambda: server.mail(contact, "confirm_request"), "the confirmation mail")
    business = server.ask("POST", "leads/confirmations", {"token": token_in(mail)})
    assert business["status"] == "open"
    token = business["request_token"]

    (row,) = server.ask("GET", f"admin/leads?q={reference}", token=admin)["items"]

    def held(count):
        case = server.ask("GET", f"admin/leads/{row['id']}", token=admin)
        return case["invitations"] if len(case["invitations"]) >= count else None

    three = wait_for(lambda: held(3), "three invitations")
    people = {}
    for each in three:
        email = f"kim@quality{each['provider']['name'].rpartition(' ')[2]}.example"
        people[each["id"]] = (email, signed_in(server, email))
    (no, yes, also) = three
    path = f"portal/invitations/{no['id']}/decline"
    server.ask("POST", path, {"reason": "no_capacity"}, people[no["id"]][1])
    four = wait_for(lambda: held(4), "the replacement")
    assert four[3]["place"] == no["place"]

    for each, fee in ((yes, "9000.00"), (also, "8000.00")):
        path = f"portal/invitations/{each['id']}/quote"
        server.ask("PUT", path, offer(fee), people[each["id"]][1])
    page = server.ask("GET", "request", token=token)
    columns = page["comparison"]["kinds"]["consulting"]["columns"]
    assert sorted(column["total"] for column in columns) == ["8000.00", "9000.00"]
    assert page["commitment"]["state"] == "met"

    chosen = server.ask("POST", "request/choice", {"invitation_id": also["id"]}, token)
    assert chosen["status"] == "awarded"
    for each, template in ((also, "invitation_won"), (yes, "invitation_lost")):
        email = people[each["id"]][0]
        wait_for(lambda email=email, t=template: server.mail(email, t), f"{template} to {email}")
    with pytest.raises(Stuck, match="409"):
        server.ask("POST", "request/choice", {"invitation_id": yes["id"]}, token)
