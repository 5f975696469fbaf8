"""Which addresses are of one mailbox, and which mails are capped."""

from pathlib import Path

import pytest

from marketplace.notifications import wording
from marketplace.notifications.mailboxes import (
    CAPPED,
    CAPPED_UNCONFIRMED,
    Asked,
    asked_by,
    mailbox_of,
    templates_of,
)


@pytest.mark.parametrize(
    "address",
    [
        "jo.tran@gmail.com",
        "jotran@gmail.com",
        "J.O.Tran@GMAIL.com",
        " jotran+iso@gmail.com ",
        "jo.tran+9001+a@googlemail.com",
        "j.o.t.r.a.n@googlemail.com",
        "\uff4aotran@gmail.com",  # a wide letter, which mail servers take for a plain one
    ],
)
def test_variants_of_one_mailbox_count_together(address):
    assert mailbox_of(address) == "jotran@gmail.com"


@pytest.mark.parametrize(
    ("mailbox", "addresses"),
    [
        ("jotran@gmail.com", ["Jo.Tran@gmail.com", "j.o.tran+iso@googlemail.com"]),
        ("jotran@icloud.com", ["jo.tran@me.com", "jotran+a@mac.com", "JOTRAN@icloud.com"]),
        ("jotran@proton.me", ["jo-tran@pm.me", "jo_tran@protonmail.com", "jo.tran@proton.me"]),
        ("jotran@yandex.ru", ["jo-tran@ya.ru", "jo.tran@yandex.com"]),
    ],
)
def test_one_mailbox_of_a_service_with_several_names_is_one(mailbox, addresses):
    assert {mailbox_of(each) for each in addresses} == {mailbox}


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("jo@harbour.example", "kim@harbour.example"),
        ("jo@harbour.example", "jo@kestrel.example"),
        ("+a@harbour.example", "+b@harbour.example"),
        ("...@harbour.example", "jo@harbour.example"),
    ],
)
def test_other_mailboxes_count_apart(one, other):
    assert mailbox_of(one) != mailbox_of(other)


def test_every_capped_template_exists_and_none_that_is_owed_is_capped():
    words = Path(wording.__file__).parent / "words"
    known = {each.stem for each in words.glob("*.html")}
    assert {*CAPPED, *CAPPED_UNCONFIRMED} <= known
    for owed in ("quote_received", "choice_confirmed", "request_opened", "signed_in_elsewhere"):
        assert asked_by(owed, is_confirmed=True) is None
    assert asked_by("request_opened", is_confirmed=False) is Asked.FORM


def test_every_sort_counts_its_own():
    counted = [template for each in Asked for template in templates_of(each)]
    assert sorted(counted) == sorted({*CAPPED, *CAPPED_UNCONFIRMED})
