"""Every message that there is, with invented values: to read each as its reader would."""

from dataclasses import dataclass

from flask import Blueprint, render_template

from marketplace.core.errors import NotFound
from marketplace.notifications.samples import SAMPLE_NAME, SAMPLE_NOW, SAMPLE_ZONE, SAMPLES, Sample
from marketplace.notifications.wording import action_address, manage_address, words
from marketplace.web.product import current_product

pages = Blueprint("gallery", __name__, url_prefix="/mailbox/gallery")


@dataclass(frozen=True)
class Shown:
    """A sample in its words."""

    template: str
    case: str
    subject: str
    text: str
    html: str


@pages.get("")
def index() -> str:
    """Show the list, and the first message."""
    return one(1)


@pages.get("/<int:number>")
def one(number: int) -> str:
    """Show one message beside the list of all."""
    letters = [shown(sample) for sample in SAMPLES]
    if not 1 <= number <= len(letters):
        raise NotFound("there is no such message")
    return render_template(
        "gallery.html",
        letters=letters,
        shown=letters[number - 1],
        number=number,
        name=SAMPLE_NAME,
        zone=SAMPLE_ZONE,
    )


def shown(sample: Sample) -> Shown:
    """Return a sample in its words; its link opens nothing."""
    public_url = current_product().settings.public_url
    has_action = sample.link is not None or sample.path is not None
    letter = words(
        sample.template,
        sample.values,
        name=SAMPLE_NAME,
        time_zone=SAMPLE_ZONE,
        now=SAMPLE_NOW,
        public_url=public_url,
        # no token, no secret
        action_url=action_address(public_url, path=sample.path, link=sample.link, token="invented")  # nosec B106
        if has_action
        else None,
        manage_url=manage_address(public_url, sample.template, "invented"),
    )
    return Shown(sample.template, sample.case, letter.subject, letter.text, letter.html)
