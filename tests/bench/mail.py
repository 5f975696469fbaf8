"""Notifications handed to a fast mail service on this machine, beside the bare client's posts."""

import os
import time
from dataclasses import replace

from marketplace.core.context import Context
from marketplace.core.db import new_id
from marketplace.notifications.channels import Message, SendGridChannel
from marketplace.notifications.delivery import deliver_due_notifications
from marketplace.notifications.rules import SendOutcome
from marketplace.notifications.samples import SAMPLES
from marketplace.notifications.service import Recipient, notify
from marketplace.notifications.wording import words
from tests.mail_service import MailService

INVITATION = next(sample for sample in SAMPLES if sample.template == "invitation")


def time_mail(ctx: Context, count: int) -> tuple[float, float]:
    """Return how many messages a second the bare client posts, and how many are delivered."""
    os.environ["no_proxy"] = "127.0.0.1"
    service = MailService()
    try:
        channel = SendGridChannel(
            api_key="SG.invented-key",
            base_url=service.url,
            sender="quotes@marketplace.example",
            public_url="https://quotes.example",
        )
        _post(ctx, channel, 50)
        floor = count / _post(ctx, channel, count)
        with ctx.transaction() as tx:
            for number in range(count):
                to = Recipient(f"sam@works{number}.example", "Sam")
                notify(tx, "invitation", to, new_id(), path=INVITATION.path, **INVITATION.values)
        started = time.perf_counter()
        sent = 0
        while sent < count:
            sent += deliver_due_notifications(ctx, channel)
        return floor, count / (time.perf_counter() - started)
    finally:
        service.stop()


def _post(ctx: Context, channel: SendGridChannel, count: int) -> float:
    letter = words(
        "invitation",
        INVITATION.values,
        name="Sam",
        time_zone="UTC",
        now=ctx.clock(),
        public_url="https://quotes.example",
        action_url=f"https://quotes.example{INVITATION.path}",
    )
    message = Message(new_id(), "sam@works.example", "invitation", letter)
    started = time.perf_counter()
    for _ in range(count):
        attempt = channel.send(ctx, replace(message, id=new_id()))
        assert attempt.outcome is SendOutcome.SENT
    return time.perf_counter() - started
